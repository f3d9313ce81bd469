"""One journal segment: its header, its frames, the upload cursor and the names of the files.

A segment file is one header and then frames until the end; all integers are big-endian (docs/formats.md,
"Files on the handheld")::

    header   "YJ1\\n" | first sequence u32 | reserved u32 = 0 | chain value before it (32) | CRC-32 of these
    44 frame    record length u16, 1 to 512 | CRC-32 of the record u32 | the record
    cursor   "YA1\\n" | last acknowledged sequence u32 | chain value after it (32) | CRC-32 of these 40

Nothing here opens a file: bytes come in, or an object with ``readinto``. A record is opaque but for its
sequence, which the journal compares with its own count.
"""

import binascii
import struct

from firmware.core.errors import CoreError

if False:
    from typing import Protocol

    class Readable(Protocol):
        """What the reader needs of an open file."""

        def readinto(self, __buffer: memoryview) -> "int | None":
            """Fill the buffer from its front; how many bytes it took."""


HEADER_BYTES = 48
FRAME_HEAD_BYTES = 6
CURSOR_BYTES = 44
CHAIN_BYTES = 32
MAX_RECORD_BYTES = 512
MAX_FRAME_BYTES = FRAME_HEAD_BYTES + MAX_RECORD_BYTES
MAX_SEQUENCE = 99999999  # eight digits of the file name

_HEADER_MAGIC = b"YJ1\n"
_CURSOR_MAGIC = b"YA1\n"
_SUFFIX = ".seg"


class SegmentError(CoreError):
    """A header, a cursor or a record that is not as this module writes it."""


def file_name(first_sequence: int) -> str:
    """The name of the segment that begins with this sequence, ``00000001.seg``."""
    return "%08d%s" % (first_sequence, _SUFFIX)


def first_sequence_of(name: str) -> int:
    """The first sequence a file name tells, 0 if it is not the name of a segment."""
    digits = name[:8]
    if len(name) != 12 or name[8:] != _SUFFIX or not digits.isdigit():
        return 0
    return int(digits)


def _sealed(magic: bytes, body: bytes) -> bytes:
    head = magic + body
    return head + struct.pack(">I", binascii.crc32(head))


def _unsealed(magic: bytes, data: bytes, length: int, what: str) -> bytes:
    if len(data) != length or data[:4] != magic:
        raise SegmentError("not a " + what)
    if struct.unpack(">I", data[-4:])[0] != binascii.crc32(data[:-4]):
        raise SegmentError("checksum of the " + what)
    return data[4:-4]


def encode_header(first_sequence: int, chain_before: bytes) -> bytes:
    """The 48 bytes a segment starts with."""
    if not 1 <= first_sequence <= MAX_SEQUENCE or len(chain_before) != CHAIN_BYTES:
        raise SegmentError("header out of range")
    return _sealed(_HEADER_MAGIC, struct.pack(">II", first_sequence, 0) + chain_before)


def parse_header(data: bytes) -> tuple[int, bytes]:
    """First sequence and the chain value before it. Raises SegmentError."""
    body = _unsealed(_HEADER_MAGIC, data, HEADER_BYTES, "segment header")
    first, reserved = struct.unpack(">II", body[:8])
    if reserved or not 1 <= first <= MAX_SEQUENCE:
        raise SegmentError("header out of range")
    return first, body[8:]


def encode_cursor(sequence: int, chain_after: bytes) -> bytes:
    """The 44 bytes of the upload cursor: everything up to `sequence` is held by the server."""
    if not 0 <= sequence <= MAX_SEQUENCE or len(chain_after) != CHAIN_BYTES:
        raise SegmentError("cursor out of range")
    return _sealed(_CURSOR_MAGIC, struct.pack(">I", sequence) + chain_after)


def parse_cursor(data: bytes) -> tuple[int, bytes]:
    """Last acknowledged sequence and the chain value after it. Raises SegmentError."""
    body = _unsealed(_CURSOR_MAGIC, data, CURSOR_BYTES, "cursor")
    sequence = struct.unpack(">I", body[:4])[0]
    if sequence > MAX_SEQUENCE:
        raise SegmentError("cursor out of range")
    return sequence, body[4:]


def frame_head(record: bytes) -> bytes:
    """The 6 bytes before a record. Raises SegmentError for a record that is empty or over 512 bytes."""
    if not 1 <= len(record) <= MAX_RECORD_BYTES:
        raise SegmentError("record of %d bytes" % len(record))
    return struct.pack(">HI", len(record), binascii.crc32(record))


def record_sequence(record: bytes) -> int:
    """The sequence inside a record, 0 if it has none where it must be.

    A record is a CBOR map in deterministic order (RFC 8949 §4.2.1), so its lowest key, 1, and the sequence
    come first: map head, 0x01, unsigned integer.
    """
    if not record or not 0xA1 <= record[0] <= 0xB8:
        return 0
    at = 2 if record[0] == 0xB8 else 1
    head = record[at : at + 6]
    if len(head) < 2 or head[0] != 1 or head[1] > 0x1A:
        return 0
    if head[1] < 0x18:
        return head[1]
    size = 1 << (head[1] - 0x18)
    if len(head) < 2 + size:
        return 0
    value = 0
    for byte in head[2 : 2 + size]:
        value = value << 8 | byte
    return value


class Reader:
    """Walks the frames of one segment, from an open file that stands at a frame boundary.

    `offset` is where the next frame starts. Only one record is in memory at a time.
    """

    def __init__(self, file: "Readable", offset: int) -> None:
        self._file = file
        self._head = bytearray(FRAME_HEAD_BYTES)
        self.offset = offset

    def next(self) -> "bytes | None":
        """The next whole and sound record; None at the end and at whatever does not check out."""
        if self._fill(self._head) != FRAME_HEAD_BYTES:
            return None
        length, crc = struct.unpack(">HI", self._head)
        # A length of 0 would let a run of zero bytes pass as a run of empty records: CRC-32 of nothing is 0.
        if not 1 <= length <= MAX_RECORD_BYTES:
            return None
        record = bytearray(length)
        if self._fill(record) != length or binascii.crc32(record) != crc:
            return None
        self.offset += FRAME_HEAD_BYTES + length
        return bytes(record)

    def _fill(self, buffer: bytearray) -> int:
        view = memoryview(buffer)
        done = 0
        while done < len(buffer):
            count = self._file.readinto(view[done:])
            if not count:
                break
            done += count
        return done
