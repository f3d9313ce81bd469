"""The flash chip: a plain file, 4096-byte blocks, every write straight to the operating system.

It survives SIGKILL of this process. A power cut can be armed at the Nth erase or program: half of that write
lands, then the board is dead. Every erase is told to the simulator, which knows when a sector is worn out:
such a sector has a byte that stays at zero.
"""

import _sim

_BLOCK = 4096
_ERASED = b"\xff" * 256  # small, for it lies in the firmware's heap
_STUCK = 40  # the byte of a worn sector


class Flash:
    """The extended block device of MicroPython."""

    _unit = 0
    _worn: tuple = ()

    def __init__(self, path: str) -> None:
        self._file = open(path, "r+b")
        self._count = self._file.seek(0, 2) // _BLOCK
        self.erases = 0
        self.programs = 0

    def readblocks(self, block: int, buf: object, offset: int = 0) -> None:
        """Read from `offset` in `block`."""
        self._file.seek(block * _BLOCK + offset)
        self._file.readinto(buf)

    def writeblocks(self, block: int, buf: object, offset: object = None) -> None:
        """Program; without an offset whole blocks, erased before."""
        self.programs += 1
        if _sim.cut[0]:
            self._armed(block * _BLOCK + (offset or 0), buf)
        self._file.seek(block * _BLOCK + (offset or 0))
        self._file.write(buf)
        if block in self._worn:
            self._stick(block)

    def _stick(self, block: int) -> None:
        self._file.seek(block * _BLOCK + _STUCK)
        self._file.write(b"\0")

    def _armed(self, position: int, buf: object) -> None:
        _sim.cut[0] -= 1
        if _sim.cut[0] == 0:
            self._file.seek(position)
            self._file.write(memoryview(buf)[: len(buf) // 2])
            _sim.call(0x90)

    def ioctl(self, op: int, argument: int) -> object:
        """4 number of blocks, 5 their size, 6 erase one."""
        if op == 4:
            return self._count
        if op == 5:
            return _BLOCK
        if op == 6:
            self.erases += 1
            if _sim.cut[0]:
                self._armed(argument * _BLOCK, b"")
            self._file.seek(argument * _BLOCK)
            for _ in range(_BLOCK // len(_ERASED)):
                self._file.write(_ERASED)
            if argument in self._worn:
                self._worn = tuple([worn for worn in self._worn if worn != argument])
            if _sim.call(0x9E, self._unit, argument)[0]:
                self._worn += (argument,)
                self._stick(argument)
        return 0
