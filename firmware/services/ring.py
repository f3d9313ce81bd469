"""The ring of sectors on bare flash that the journal lies in (layout in firmware/core/ring_format.py).

`flash` is a block device as MicroPython has them, with sectors of 4,096 bytes: esp32.Partition on the board.
Writing with an offset only ever programs what was erased before. Everything that is programmed is read back,
for it is promised to somebody afterwards. Methods raise OSError where the flash does not do what it is told,
RingError where it holds something else than it should.
"""

import errno
import struct

from firmware.core import ring_format
from firmware.core.ring_format import FRAME_HEAD, MAX_CONTENT, SECTOR_BYTES, SECTOR_HEAD, RingError

if False:
    from typing import Callable, Protocol

    class Flash(Protocol):
        """A block device with the extended interface (vfs.AbstractBlockDev)."""

        def readblocks(self, __block: int, __buffer: memoryview, __offset: int) -> object:
            """Fill the buffer from `offset` in `block` on."""

        def writeblocks(self, __block: int, __data: "bytes | memoryview", __offset: int) -> object:
            """Program the data there, without an erase."""

        def ioctl(self, __operation: int, __argument: int) -> object:
            """4: how many blocks, 6: erase one."""


_COUNT = 4
_ERASE = 6
#: What is read at once where content does not matter.
_PIECE = 256


class Place:
    """A frame boundary: behind record `sequence`, at byte `offset` of sector `number`.

    `chain` is the chain value up to there; `head` is that of the segment in force there, which began with the
    sequence `first`, and is empty where the sector has named none yet. Inside a group of records that belong
    together, `before` is the place before the group; `acknowledged` is what was acknowledged on the way.
    """

    __slots__ = ("acknowledged", "before", "chain", "first", "head", "number", "offset", "sequence")

    def __init__(self, number: int, offset: int, sequence: int, chain: bytes) -> None:
        self.number = number
        self.offset = offset
        self.sequence = sequence
        self.chain = chain
        self.head = b""
        self.first = 0
        self.before: "Place | None" = None
        self.acknowledged = 0

    def copy(self) -> "Place":
        """Another one for the same place."""
        other = Place(self.number, self.offset, self.sequence, self.chain)
        other.head = self.head
        other.first = self.first
        return other


class Ring:
    """Sectors by their number. One buffer: what was read is good until the next call."""

    def __init__(self, flash: "Flash") -> None:
        self._flash = flash
        self._buffer = memoryview(bytearray(FRAME_HEAD + MAX_CONTENT))
        #: How many sectors there are.
        self.sectors = int(str(flash.ioctl(_COUNT, 0)))
        #: Length of the last frame's content.
        self.length = 0
        #: How many records follow that belong to this one.
        self.more = 0
        #: Where the frame after it begins.
        self.next_offset = 0
        #: The latest time that a head read so far tells.
        self.latest_unix = 0

    @property
    def content(self) -> memoryview:
        """The content of the frame that `read_frame` found."""
        return self._buffer[FRAME_HEAD : FRAME_HEAD + self.length]

    def newest(self) -> int:
        """The highest number of a sector, 0 in a ring without any."""
        best = 0
        for place in range(self.sectors):
            number = self._number_at(place)
            if number > best and number % self.sectors == place:
                best = number
        return best

    def holds(self, number: int) -> bool:
        """Whether the sector of this number is there."""
        return number > 0 and self._number_at(number % self.sectors) == number

    def fields(self, number: int) -> tuple[int, int, int, bytes]:
        """First sequence, acknowledged sequence, time and chain value of a sector."""
        if not self.holds(number):
            raise RingError("sector is damaged")
        return ring_format.sector_fields(self._buffer[:SECTOR_HEAD])

    def first_of(self, number: int) -> int:
        """The first sequence of a sector."""
        return self.fields(number)[0]

    def read_frame(self, number: int, offset: int) -> int:
        """The kind of the frame at `offset`, 0 where there is no sound one; sets `content`, `next_offset`."""
        room = SECTOR_BYTES - offset
        if room < FRAME_HEAD:
            return 0
        head = self._buffer[:FRAME_HEAD]
        self._read(number, head, offset)
        self.length = ring_format.frame_content(head, room)
        if not self.length:
            return 0
        content = self.content
        self._read(number, content, offset + FRAME_HEAD)
        if not ring_format.frame_sound(number, head, content):
            return 0
        self.next_offset = offset + ring_format.frame_size(self.length)
        self.more = head[3]
        return int(head[2])

    def at_head(self, number: int) -> Place:
        """The place right behind the head of a sector."""
        first, _, _, chain = self.fields(number)
        return Place(number, SECTOR_HEAD, first - 1, chain)

    def walk(
        self, start: Place, last: int, take: "Callable[[Place, memoryview], bool] | None" = None
    ) -> Place:
        """From `start` on within its sector: the place behind sequence `last`, or where the sound frames end.

        `take` gets every sealed record on the way, with the place before it, and may refuse one; the walk
        then ends.
        """
        place = start.copy()
        while place.sequence < last:
            kind = self.read_frame(place.number, place.offset)
            if not kind:
                break
            if kind == ring_format.HEAD:
                place.first, unix, place.head = self.head_of_segment()
                self.latest_unix = max(self.latest_unix, unix)
            elif kind == ring_format.ACKNOWLEDGED:
                place.acknowledged = max(place.acknowledged, self.acknowledged())
            elif kind == ring_format.RECORD:
                sealed = self.content
                if not place.head:
                    raise RingError("record without a segment")
                if take is not None and not take(place, sealed):
                    break
                place.before = (place.before or place.copy()) if self.more else None
                begins = place.head if place.first == place.sequence + 1 else b""
                place.chain = ring_format.chain(place.chain, begins, sealed)
                place.sequence += 1
            place.offset = self.next_offset
        return place

    def programmed(self, number: int, offset: int) -> int:
        """From `offset` to the last byte in the sector that is not blank, in bytes; 0 where all are."""
        last = offset
        for at in range(offset, SECTOR_BYTES, _PIECE):
            piece = self._buffer[: min(_PIECE, SECTOR_BYTES - at)]
            self._read(number, piece, at)
            if not ring_format.blank(piece):
                last = at + len(bytes(piece).rstrip(b"\xff"))
        return last - offset

    def erase(self, number: int) -> None:
        """Make the place of a sector blank."""
        _done(self._flash.ioctl(_ERASE, number % self.sectors))

    def start(self, number: int, first: int, acknowledged: int, unix: int, chain_before: bytes) -> None:
        """Open a sector in a blank place."""
        self.program(number, 0, ring_format.encode_sector(number, first, acknowledged, unix, chain_before))

    def program(self, number: int, offset: int, data: bytes) -> None:
        """Program bytes at an offset of a sector and read them back."""
        _done(self._flash.writeblocks(number % self.sectors, data, offset))
        for at in range(0, len(data), _PIECE):
            piece = self._buffer[: min(_PIECE, len(data) - at)]
            self._read(number, piece, offset + at)
            if bytes(piece) != data[at : at + len(piece)]:
                raise OSError(errno.EIO)

    def head_of_segment(self) -> tuple[int, int, bytes]:
        """First sequence, time and bytes of the segment's head that `read_frame` found."""
        content = bytes(self.content)
        if len(content) < 9:
            raise RingError("segment head is damaged")
        first, unix = struct.unpack(">II", content[:8])
        return first, unix, content[8:]

    def acknowledged(self) -> int:
        """The sequence in the acknowledgement that `read_frame` found."""
        if self.length != 4:
            raise RingError("acknowledgement is damaged")
        sequence: int = struct.unpack(">I", self.content)[0]
        return sequence

    def _number_at(self, place: int) -> int:
        head = self._buffer[:SECTOR_HEAD]
        _done(self._flash.readblocks(place, head, 0))
        return ring_format.sector_number(head)

    def _read(self, number: int, buffer: memoryview, offset: int) -> None:
        _done(self._flash.readblocks(number % self.sectors, buffer, offset))


def _done(answer: object) -> None:
    """Drivers answer a negative number instead of raising, or nothing at all."""
    if answer:
        raise OSError(errno.EIO)
