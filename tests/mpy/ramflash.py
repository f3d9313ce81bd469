"""A NOR flash in memory behind the block-device interface, whose power fails at a chosen erase or program."""

import os

import vfs

BLOCK_BYTES = 4096


class PowerCut(BaseException):
    """The power went away; nothing after this reaches the flash."""


class RamFlash:
    """`cut_at` = N cuts at the Nth erase or program from now on; `torn` lets half of that operation happen.

    After the cut every access answers -5 (EIO) and does not raise: finalisers of open files still come here
    with the heap locked.
    """

    def __init__(self, blocks: int, data: "bytearray | None" = None) -> None:
        self.blocks = blocks
        self.data = data or bytearray(b"\xff" * (blocks * BLOCK_BYTES))
        self._view = memoryview(self.data)
        self.operations = 0
        self.reads = 0
        self.cut_at = 0
        self.torn = False
        self.dead = False
        self.failing = False

    def readblocks(self, block: int, buffer: bytearray, offset: int = 0) -> int:
        if self.dead:
            return -5
        self.reads += 1
        start = block * BLOCK_BYTES + offset
        buffer[:] = self._view[start : start + len(buffer)]
        return 0

    def writeblocks(self, block: int, buffer: bytearray, offset: "int | None" = None) -> int:
        if self.dead or self.failing:
            return -5
        if offset is None:
            self._erase(block)
            offset = 0
        count = self._step(len(buffer))
        start = block * BLOCK_BYTES + offset
        # NOR: a program only clears bits, so LittleFS must only ever program what is erased
        assert self.torn or self.data[start] == 0xFF or buffer[0] == self.data[start]
        self.data[start : start + count] = buffer[:count]
        self._after()
        return 0

    def ioctl(self, operation: int, argument: int) -> int:
        if operation == 4:
            return self.blocks
        if operation == 5:
            return BLOCK_BYTES
        if operation == 6:
            if self.dead or self.failing:
                return -5
            self._erase(argument)
        return 0

    def _erase(self, block: int) -> None:
        count = self._step(BLOCK_BYTES)
        start = block * BLOCK_BYTES
        self.data[start : start + count] = b"\xff" * count
        self._after()

    def _step(self, length: int) -> int:
        self.operations += 1
        if self.cut_at and self.operations == self.cut_at:
            return length // 2 if self.torn else 0
        return length

    def _after(self) -> None:
        if self.cut_at and self.operations >= self.cut_at:
            self.dead = True
            raise PowerCut


def format(flash: RamFlash) -> None:
    vfs.VfsLfs2.mkfs(flash)


def mount(flash: RamFlash) -> None:
    """Mount at /flash, instead of whatever was there."""
    unmount()
    vfs.mount(vfs.VfsLfs2(flash), "/flash")


def unmount() -> None:
    try:
        vfs.umount("/flash")
    except OSError:
        pass


def fill(path: str, leave_blocks: int) -> None:
    """Fill the flash but for so many blocks, or altogether."""
    stat = os.statvfs("/flash")
    left = (stat[3] - leave_blocks) * BLOCK_BYTES
    with open(path, "wb") as file:
        try:
            while left > 0 or not leave_blocks:
                file.write(b"\x5a" * 1024)
                # what was flushed stays when a later write fails
                file.flush()
                left -= 1024
        except OSError as e:
            if leave_blocks or e.errno != 28:
                raise
