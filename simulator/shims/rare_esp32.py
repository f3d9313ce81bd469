"""``esp32.Partition`` of the journal's partition, loaded when first asked for. Its contents are a plain file
beside the flash image. Stricter than the chip: a program that would have to set a bit is refused, with EIO.
"""

import errno

import _sim
import sim_flash

_LABEL = "journal"


class Partition(sim_flash.Flash):
    """The partition with the label "journal"; there are no others to be had. Raises OSError."""

    BOOT = 0
    RUNNING = 1
    TYPE_APP = 0
    TYPE_DATA = 1
    _unit = 1

    def __init__(self, id: object) -> None:
        if id != _LABEL or not _sim.journal:
            raise OSError(errno.ENOENT)
        self._file = _sim.journal[0]
        self._count = self._file.seek(0, 2) // 4096
        self.erases = 0
        self.programs = 0

    @staticmethod
    def find(type: int = 0, subtype: int = 0xFF, label: object = None, block_size: int = 4096) -> list:
        """All partitions of the kind."""
        wanted = type == Partition.TYPE_DATA and subtype in (0xFF, 0x40) and label in (None, _LABEL)
        return [Partition(_LABEL)] if wanted and _sim.journal else []

    def info(self) -> tuple:
        """Type, subtype, address, size, label, whether it is encrypted."""
        return (self.TYPE_DATA, 0x40, 0x440000, self._count * 4096, _LABEL, False)

    def writeblocks(self, block: int, buf: object, offset: object = None) -> None:
        """Program; without an offset whole blocks, erased before."""
        if offset is None:
            for number in range(len(buf) // 4096):
                self.ioctl(6, block + number)
        position = block * 4096 + (offset or 0)
        if block < 0 or position + len(buf) > self._count * 4096:
            raise OSError(errno.EINVAL)
        old = bytearray(len(buf))
        self._file.seek(position)
        self._file.readinto(old)
        wanted = int.from_bytes(buf, "big")
        if int.from_bytes(old, "big") & wanted != wanted:
            raise OSError(errno.EIO)
        sim_flash.Flash.writeblocks(self, block, buf, offset or 0)
