"""Sorted tables of fixed-size records, searched where they lie: on flash, by a few short reads.

All integers are big-endian (docs/formats.md, "Parts of a pack")::

    table    "YT1\\n" | value_bytes u16 | reserved u16 = 0 | count u32 | count records | tail
    record   key (8 bytes) | value (value_bytes)

Records ascend by key; a key may occur up to 16 times. A *book* is a table whose value is (offset u32, length
u32) of a blob in the tail, the offset counted from the tail's beginning.

Keys are hashes nearly everywhere, so the search begins where a key is to be expected (interpolation) and goes
on by halving: with 100,000 records mostly 3 reads, never more than 18, of at most 256 bytes each.
"""

import struct

from firmware.core.errors import CoreError
from firmware.core.hmac256 import sha256

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Protocol

    class File(Protocol):
        """What of an open file is needed; where a flash fails it raises OSError."""

        def seek(self, __offset: int) -> int:
            """Go to a byte."""

        def read(self, __length: int) -> bytes:
            """So many bytes from there, fewer at the end."""

        def close(self) -> None:
            """The end of reading."""


KEY_BYTES = 8
HEADER_BYTES = 12
#: How often one key may occur.
MAX_SAME = 16
#: The longest blob that is read into memory.
MAX_BLOB = 4096
_MAGIC = b"YT1\n"
_BLOCK = 256
# After so many guesses the search halves: a table whose keys are no hashes is not guessed forever.
_GUESSES = 4
_BOOK_VALUE = 8


class TableError(CoreError):
    """Bytes that are not such a table, rows that make none, or a part of it that does not read."""


class Table:
    """A table or book in `file`, which stays open and is `length` bytes long.

    Only its count and the size of its records are kept. Raises TableError; what the file raises goes through.
    """

    __slots__ = ("_length", "_size", "count", "file")

    def __init__(self, file: "File", length: int) -> None:
        self.file = file
        self._length = length
        head = self._read(0, HEADER_BYTES)
        value_bytes, reserved, count = struct.unpack(">HHI", head[4:])
        self.count: int = count
        self._size: int = KEY_BYTES + value_bytes
        if head[:4] != _MAGIC or reserved or self._size > _BLOCK:
            raise TableError("not a table")
        if HEADER_BYTES + count * self._size > length:
            raise TableError("table cut short")

    def find(self, key: bytes) -> "list[bytes]":
        """The values of all records with this 8-byte key, in their order; at most 16."""
        if len(key) != KEY_BYTES:
            raise TableError("key")
        size = self._size
        per_block = _BLOCK // size
        # The first record not below the key is in low..high; the keys around them bound the next guess, by
        # their first 32 bits.
        wanted = int.from_bytes(key[:4], "big")
        low, high = 0, self.count
        low_key, high_key = 0, 1 << 32
        guesses = _GUESSES
        while True:
            count = min(per_block, self.count - low)
            at = low
            if high - low >= per_block:
                if guesses:
                    at += (wanted - low_key) * (high - low) // max(1, high_key - low_key)
                else:
                    at = (low + high) // 2
                # The first guess is far off in a long table: one key is enough to make the next one good.
                if guesses == _GUESSES and high - low > 16 * per_block:
                    count = 1
                guesses -= guesses > 0
                at = max(low, min(at - count // 2, high - count))
            block = self._read(HEADER_BYTES + at * size, count * size)
            end = len(block) - size
            if at > low and block[:KEY_BYTES] >= key:
                high, high_key = at, int.from_bytes(block[:4], "big")
            elif high - low >= per_block and block[end : end + KEY_BYTES] < key:
                low, low_key = at + count, int.from_bytes(block[end : end + 4], "big")
            else:
                break
        found: "list[bytes]" = []
        while block:
            start = block.find(key)
            while start >= 0 and len(found) < MAX_SAME:
                if start % size:
                    start = block.find(key, start + 1)
                else:
                    found.append(block[start + KEY_BYTES : start + size])
                    start = block.find(key, start + size)
            end = len(block) - size
            at += len(block) // size
            if len(found) == MAX_SAME or block[end : end + KEY_BYTES] > key:
                break
            block = self._read(HEADER_BYTES + at * size, min(per_block, self.count - at) * size)
        return found

    def record(self, index: int) -> bytes:
        """Key and value of record number `index`."""
        if not 0 <= index < self.count:
            raise TableError("no such record")
        return self._read(HEADER_BYTES + index * self._size, self._size)

    def blob(self, value: bytes) -> bytes:
        """The blob that a value of a book stands for; one of more than 4,096 bytes is refused unread."""
        if len(value) != _BOOK_VALUE:
            raise TableError("not a book")
        offset, length = struct.unpack(">II", value)
        if length > MAX_BLOB:
            raise TableError("blob too long")
        return self._read(HEADER_BYTES + self.count * self._size + offset, length)

    def _read(self, offset: int, length: int) -> bytes:
        if offset + length > self._length:
            raise TableError("table cut short")
        if not length:
            return b""
        self.file.seek(offset)
        data = self.file.read(length)
        if len(data) != length:
            raise TableError("table cut short")
        return data


def key_of(name: "str | bytes") -> bytes:
    """The key of a text or of bytes: the first 8 bytes of SHA-256 over it, a text in UTF-8."""
    return sha256(name.encode() if isinstance(name, str) else name)[:KEY_BYTES]


def encode_table(rows: "Iterable[tuple[bytes, bytes]]", value_bytes: int, tail: bytes = b"") -> bytes:
    """A table of (key, value) rows in any order; rows of one key stay in theirs. Raises TableError."""
    if not 0 <= value_bytes <= _BLOCK - KEY_BYTES:
        raise TableError("size of values")
    # By key, then as they came: MicroPython's own sort does not keep the order of equals.
    records = sorted([(key, index, value) for index, (key, value) in enumerate(rows)])
    before, same = b"", 0
    for key, _, value in records:
        if len(key) != KEY_BYTES or len(value) != value_bytes:
            raise TableError("row")
        same = same + 1 if key == before else 1
        before = key
        if same > MAX_SAME:
            raise TableError("too many rows of one key")
    parts = [_MAGIC, struct.pack(">HHI", value_bytes, 0, len(records))]
    for key, _, value in records:
        parts.append(key)
        parts.append(value)
    parts.append(tail)
    return b"".join(parts)


def encode_book(rows: "Iterable[tuple[bytes, bytes]]") -> bytes:
    """A book of (key, blob) rows in any order; rows of one key stay in theirs. Raises TableError."""
    entries = []
    blobs = []
    offset = 0
    for key, blob in rows:
        entries.append((key, struct.pack(">II", offset, len(blob))))
        blobs.append(blob)
        offset += len(blob)
    return encode_table(entries, _BOOK_VALUE, b"".join(blobs))
