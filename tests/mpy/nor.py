"""A NOR flash in memory behind the block-device interface, stricter than real ones: a program that would have
to set a bit fails the test. Its power can be cut at any erase or program, in four ways.
"""

BLOCK_BYTES = 4096
#: How the operation at which the power goes ends: it never began, half of the bytes were reached, all of it
#: was done but nobody heard of it, or every byte is somewhere on its way.
NEVER, HALF, DONE, SCATTERED = range(4)
WAYS = (NEVER, HALF, DONE, SCATTERED)
_BLANK = b"\xff" * BLOCK_BYTES


class PowerCut(BaseException):
    """The power went away; nothing after this reaches the flash."""


class NorFlash:
    """`cut_at` = N cuts at the Nth erase or program from now on, in the way `cut_way`."""

    def __init__(self, blocks, data=None):
        self.blocks = blocks
        self.data = bytearray(b"\xff" * (blocks * BLOCK_BYTES)) if data is None else data
        self._view = memoryview(self.data)
        self.erases = 0
        self.erases_of = [0] * blocks
        self.programs = 0
        self.programmed = 0
        self.read = 0
        self.operations = 0
        self.cut_at = 0
        self.cut_way = NEVER
        self.dead = False
        #: Programs fail from now on: half of the bytes arrive, and the driver says so.
        self.failing = False
        #: Programs lose a bit and nobody says so.
        self.forgetting = False
        self._random = 12345

    def readblocks(self, block, buffer, offset=0):
        if self.dead:
            return -5
        self.read += len(buffer)
        start = block * BLOCK_BYTES + offset
        assert offset + len(buffer) <= BLOCK_BYTES
        buffer[:] = self._view[start : start + len(buffer)]

    def writeblocks(self, block, data, offset=None):
        assert offset is not None and offset + len(data) <= BLOCK_BYTES
        if self.dead:
            return -5
        start = block * BLOCK_BYTES + offset
        old = bytes(self._view[start : start + len(data)])
        self.operations += 1
        self.programs += 1
        self.programmed += len(data)
        count = len(data)
        if self.failing:
            self.data[start : start + count // 2] = data[: count // 2]
            return -5
        # all that is written was erased since: no byte is ever programmed twice
        assert old == _BLANK[:count], "programmed twice"
        if self.operations == self.cut_at:
            self._cut(start, old, data, True)
        self.data[start : start + count] = data
        if self.forgetting:
            self.data[start + count // 2] ^= 0x10
        self._after()

    def ioctl(self, operation, argument):
        if operation == 4:
            return self.blocks
        if operation == 6:
            if self.dead or self.failing:
                return -5
            self.operations += 1
            self.erases += 1
            self.erases_of[argument] += 1
            start = argument * BLOCK_BYTES
            if self.operations == self.cut_at:
                self._cut(start, bytes(self._view[start : start + BLOCK_BYTES]), _BLANK, False)
            self.data[start : start + BLOCK_BYTES] = _BLANK
            self._after()
        return 0

    def _after(self):
        if self.operations == self.cut_at:
            self.dead = True
            raise PowerCut

    def _cut(self, start, old, new, programming):
        """The power goes during this operation; returns where it was done all the same."""
        count = len(new)
        if self.cut_way == DONE:
            return
        if self.cut_way == HALF:
            self.data[start : start + count // 2] = new[: count // 2]
        elif self.cut_way == SCATTERED:
            for i in range(count):
                self._random = (self._random * 1103515245 + 12345) & 0x7FFFFFFF
                mask = self._random >> 16 & 0xFF
                self.data[start + i] = old[i] & (new[i] | mask) if programming else old[i] | mask
        self.dead = True
        raise PowerCut
