"""The journal's ring on bare NOR flash: sectors, frames, and how a tail is judged (docs/formats.md).

The partition is a ring of 4,096-byte sectors. Sectors are numbered for ever, from 1 on; number n lies in
place n mod (number of sectors). Integers are big-endian::

    sector   "YR1\\n" | its number u32 | first sequence u32 | acknowledged u32 | time u32 | chain value (32)
             | CRC-32 of these 52
    frame    length u16 | kind u8 | more u8 | CRC-32 of sector number, these four bytes and the content
             | content

56 bytes open a sector: the sequence that the first record in it has or will have, the chain value before
that record, up to where the server held everything then, and the time (Unix seconds), 0 where nobody was
sure of it. `more` of a record counts those that follow and belong to it: all of them are there, or none
counts. Frames follow, each from a multiple of four on
and inside its sector, up to the first that does not check out. A frame's CRC covers the sector's number, so
what an erase left over of older days never counts as new.
"""

import binascii
import struct

from firmware.core.errors import CoreError
from firmware.core.hmac256 import sha256

SECTOR_BYTES = 4096
SECTOR_HEAD = 56
FRAME_HEAD = 8
CHAIN_BYTES = 32
MAX_SEQUENCE = 0xFFFFFFFE
MAX_NUMBER = 0xFFFFFFFE
#: Records that belong together, at most.
MAX_GROUP = 16
#: The longest frame: a sealed record (seal.MAX_SEALED), a head and an acknowledgement are shorter.
MAX_CONTENT = 536

# Kinds of frames.
#: First sequence of the segment u32, time u32 (0 for nobody knows), then its head: whose key the records from
#: here on are sealed with.
HEAD = 1
#: A sealed record.
RECORD = 2
#: Acknowledged sequence u32.
ACKNOWLEDGED = 3

_MAGIC = b"YR1\n"

TYPE_CHECKING = False
if TYPE_CHECKING:
    Read = bytes | bytearray | memoryview


class RingError(CoreError):
    """Flash content that this module did not write, or values that it cannot write."""


def encode_sector(number: int, first: int, acknowledged: int, unix: int, chain_before: bytes) -> bytes:
    """The 56 bytes that open a sector. Raises RingError."""
    if not 0 < number <= MAX_NUMBER or not 0 <= acknowledged < first <= MAX_SEQUENCE + 1:
        raise RingError("sector out of range")
    if len(chain_before) != CHAIN_BYTES:
        raise RingError("chain value")
    head = _MAGIC + struct.pack(">IIII", number, first, acknowledged, unix) + chain_before
    return head + struct.pack(">I", binascii.crc32(head))


def sector_number(head: "Read") -> int:
    """A sector's number, 0 where the bytes open none."""
    if len(head) < SECTOR_HEAD or head[:4] != _MAGIC:
        return 0
    view = memoryview(head)
    if struct.unpack(">I", view[SECTOR_HEAD - 4 : SECTOR_HEAD])[0] != binascii.crc32(view[: SECTOR_HEAD - 4]):
        return 0
    number, first, acknowledged = struct.unpack(">III", view[4:16])
    return int(number) if number <= MAX_NUMBER and acknowledged < first else 0


def sector_fields(head: "Read") -> tuple[int, int, int, bytes]:
    """First sequence, acknowledged sequence, time and chain value of a head that has a number."""
    first, acknowledged, unix = struct.unpack(">III", memoryview(head)[8:20])
    return first, acknowledged, unix, bytes(memoryview(head)[20 : SECTOR_HEAD - 4])


def frame(number: int, kind: int, content: bytes, more: int = 0) -> bytes:
    """A frame for the sector of this number, filled up with 0xFF to a multiple of four. Raises RingError."""
    if not 0 < len(content) <= MAX_CONTENT or not 0 <= more < MAX_GROUP:
        raise RingError("frame of %d bytes" % len(content))
    head = struct.pack(">HBB", len(content), kind, more)
    crc = _crc(number, head, content)
    return head + struct.pack(">I", crc) + content + b"\xff" * (-len(content) % 4)


def frame_size(content: int) -> int:
    """Bytes that a frame with so many bytes of content takes."""
    return FRAME_HEAD + (content + 3 & -4)


def frame_content(head: "Read", room: int) -> int:
    """The content's length that a frame's head tells, 0 where it tells none that fits `room` bytes."""
    length: int = struct.unpack(">H", memoryview(head)[:2])[0]
    if not 0 < length <= MAX_CONTENT or frame_size(length) > room or head[3] >= MAX_GROUP:
        return 0
    return length


def frame_sound(number: int, head: "Read", content: "Read") -> bool:
    """Whether a frame of the sector of this number is as it was written."""
    view = memoryview(head)
    return bool(struct.unpack(">I", view[4:8])[0] == _crc(number, view[:4], content))


def blank(data: "Read") -> bool:
    """Whether nothing was programmed here since the last erase."""
    return bytes(data) == b"\xff" * len(data)


def chain(previous: bytes, head: bytes, sealed: "Read") -> bytes:
    """The chain value after a sealed record: SHA-256 of the value before it, the segment's head where the
    record is the first of its segment and nothing where it is not, and the record as it was sealed.
    """
    return sha256(previous, head, sealed)  # type: ignore[arg-type]  # parts are only read


def _crc(number: int, head: "Read", content: "Read") -> int:
    crc: int = binascii.crc32(content, binascii.crc32(head, binascii.crc32(struct.pack(">I", number))))
    return crc
