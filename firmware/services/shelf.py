"""The journal's files in their directory: segments by their first sequence, and the upload cursor.

A segment and the cursor come into being under another name and are renamed, so that neither is ever half
there. Every method raises OSError where the flash does not do it and SegmentError where it holds something
else.
"""

import errno
import os

from firmware.core import segment
from firmware.core.record import GENESIS, chain
from firmware.core.segment import HEADER_BYTES, Reader, SegmentError

if False:
    from typing import BinaryIO, Callable

_COPY_BYTES = 256
_CURSOR = "ack"
_UNFINISHED = ".new"


class Part:
    """First sequence of a segment, and how many of its bytes are good."""

    __slots__ = ("first", "size")

    def __init__(self, first: int, size: int) -> None:
        self.first = first
        self.size = size


class Place:
    """A frame boundary in the segment that begins with `first`: behind record `sequence`, at byte `offset`.

    `chain` is the chain value up to there. In a journal without segments `first` and `offset` are 0.
    """

    __slots__ = ("chain", "first", "offset", "sequence")

    def __init__(self, first: int, offset: int, sequence: int, chain: bytes) -> None:
        self.first = first
        self.offset = offset
        self.sequence = sequence
        self.chain = chain


class Shelf:
    """The files in `directory`, which is made if it is not there; its parent must be."""

    def __init__(self, directory: str) -> None:
        self._directory = directory

    def take_stock(self) -> list[Part]:
        """All segments in order; what a power cut left under another name is removed."""
        try:
            os.mkdir(self._directory)
        except OSError as e:
            if e.errno != errno.EEXIST:
                raise
        parts = []
        unfinished = []
        for entry in os.ilistdir(self._directory):
            name = entry[0]
            first = segment.first_sequence_of(name)
            if first:
                # LittleFS lists the size too; a look-up by name costs as much as the whole listing.
                parts.append(Part(first, entry[3] if len(entry) > 3 else self.size(first)))
            elif name.endswith(_UNFINISHED):
                unfinished.append(name)
        parts.sort(key=lambda part: part.first)
        for name in unfinished:
            os.remove(self._directory + "/" + name)
        return parts

    def size(self, first: int) -> int:
        """Bytes of a segment as the file system has it."""
        return int(os.stat(self._path(first))[6])

    def head(self, first: int) -> Place:
        """The place right behind the header of a segment."""
        with open(self._path(first), "rb") as file:
            named, before = segment.parse_header(file.read(HEADER_BYTES))
        if named != first:
            raise SegmentError("segment has another's name")
        return Place(first, HEADER_BYTES, first - 1, before)

    def walk(self, start: Place, sequence: int, take: "Callable[[bytes], bool] | None" = None) -> Place:
        """From `start` on within its segment: the place behind `sequence`, or where the sound records end.

        `take` gets every record on the way and may refuse one; the walk then ends before it.
        """
        value = start.chain
        at = start.sequence
        offset = start.offset
        with open(self._path(start.first), "rb") as file:
            file.seek(offset)
            reader = Reader(file, offset)
            while at < sequence:
                record = reader.next()
                if record is None or (take is not None and not take(record)):
                    break
                value = chain(value, record)
                at += 1
                offset = reader.offset
        return Place(start.first, offset, at, value)

    def create(self, first: int, chain_before: bytes, frame: bytes) -> Part:
        """A new segment with one frame or none in it."""
        data = segment.encode_header(first, chain_before) + frame
        self._write_whole(segment.file_name(first), data)
        return Part(first, len(data))

    def open_end(self, part: Part) -> "BinaryIO":
        """Open a segment for appending behind its good bytes; whatever lies there is cut off."""
        found = self.size(part.first)
        if found < part.size:
            raise SegmentError("segment became shorter")
        path = self._path(part.first)
        if found > part.size:
            # By a copy and a rename, for MicroPython's files have no truncate.
            cut = self._directory + "/cut" + _UNFINISHED
            left = part.size
            with open(path, "rb") as source, open(cut, "wb") as target:
                while left:
                    data = source.read(min(left, _COPY_BYTES))
                    target.write(data)
                    left -= len(data)
                target.flush()
            os.rename(cut, path)
        file: "BinaryIO" = open(path, "ab")
        return file

    def remove(self, first: int) -> None:
        """Remove a segment."""
        os.remove(self._path(first))

    def read_cursor(self) -> tuple[int, bytes]:
        """Last acknowledged sequence and the chain value behind it; 0 and GENESIS without a cursor."""
        try:
            with open(self._directory + "/" + _CURSOR, "rb") as file:
                return segment.parse_cursor(file.read(segment.CURSOR_BYTES + 1))
        except OSError as e:
            if e.errno != errno.ENOENT:
                raise
        except SegmentError:
            # The first segment's header bounds it from below; sending some records again does no harm.
            pass
        return 0, GENESIS

    def write_cursor(self, place: Place) -> None:
        """Keep up to where everything is acknowledged."""
        self._write_whole(_CURSOR, segment.encode_cursor(place.sequence, place.chain))

    def _write_whole(self, name: str, data: bytes) -> None:
        path = self._directory + "/part" + _UNFINISHED
        with open(path, "wb") as file:
            file.write(data)
            file.flush()
        os.rename(path, self._directory + "/" + name)

    def _path(self, first: int) -> str:
        return self._directory + "/" + segment.file_name(first)
