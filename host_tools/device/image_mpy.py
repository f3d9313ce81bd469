"""Runs under MicroPython: put start files into a flash image, through the device's own LittleFS.

Arguments: IMAGE BLOCKS FOLDER [PROVISIONING]. A blank image is formatted; one that holds something else than
a file system is refused, for it may hold records. ``/data`` is never touched but for the provisioning file.
"""

import os
import sys

import vfs

BLOCK_BYTES = 4096


class FileFlash:
    """NOR flash in a file: the extended block protocol of MicroPython's vfs.AbstractBlockDev."""

    def __init__(self, path: str, blocks: int) -> None:
        self._file = open(path, "r+b")
        self._blocks = blocks

    def readblocks(self, block: int, buffer: bytearray, offset: int = 0) -> None:
        """Fill `buffer` from `offset` bytes into `block`."""
        self._file.seek(block * BLOCK_BYTES + offset)
        self._file.readinto(buffer)

    def writeblocks(self, block: int, buffer: bytes, offset: "int | None" = None) -> None:
        """Write `buffer`; a file needs no erase before it."""
        self._file.seek(block * BLOCK_BYTES + (offset or 0))
        self._file.write(buffer)

    def ioctl(self, operation: int, argument: int) -> "int | None":
        """Sync (3), block count (4), block size (5), erase (6)."""
        if operation == 3:
            self._file.flush()
        elif operation == 4:
            return self._blocks
        elif operation == 5:
            return BLOCK_BYTES
        elif operation == 6:
            self.writeblocks(argument, b"\xff" * BLOCK_BYTES)
        return 0


def _is_folder(path: str) -> bool:
    try:
        return bool(os.stat(path)[0] & 0x4000)
    except OSError:
        return False


def _read(path: str) -> "bytes | None":
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return None


def _copy(source: str, target: str) -> None:
    content = _read(source)
    if content is not None and content != _read(target):
        with open(target, "wb") as file:
            file.write(content)


def main(image: str, blocks: int, folder: str, provisioning: "str | None") -> None:
    """Format a blank image, bring the program up to date, drop the provisioning file in."""
    flash = FileFlash(image, blocks)
    try:
        system = vfs.VfsLfs2(flash)
    except OSError:
        head = bytearray(BLOCK_BYTES)
        flash.readblocks(0, head)
        if head.count(b"\xff") != BLOCK_BYTES:
            print("the image holds no file system, and it is not blank")
            sys.exit(1)
        vfs.VfsLfs2.mkfs(flash)
        system = vfs.VfsLfs2(flash)
    vfs.mount(system, "/device")
    for name in os.listdir(folder):
        _copy(folder + "/" + name, "/device/" + name)
    if not _is_folder("/device/data"):
        os.mkdir("/device/data")
    if provisioning:
        _copy(provisioning, "/device/data/enrol.cbor")
    vfs.umount("/device")
    flash.ioctl(3, 0)


main(sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4] if len(sys.argv) > 4 else None)
