"""The journal: every record the handheld decided, in sequence, until the server holds it.

Segments of at most 16 KiB lie in one directory (layout in firmware/core/segment.py). Only the last one is
ever written to; a segment is removed once the server acknowledged all of it. What must hold whatever happens
to the power:

* `append` returns after the record is flushed; from then on it is there after every restart until
  acknowledged;
* a sequence is never given twice. The last segment is only removed after its successor, whose header carries
  the count on, is in place; the upload cursor carries the count too;
* a segment and the cursor come into being under another name and are renamed, so that neither is ever half
  there.

Memory: one record at a time, and in `batch` what it returns. Opening reads the last segment and the one that
the cursor stands in, not those between and none that is acknowledged.
"""

import errno
import os

from firmware.core import segment
from firmware.core.record import GENESIS, chain
from firmware.core.segment import HEADER_BYTES, Reader, SegmentError

if False:
    from typing import BinaryIO

#: No room on the flash; MicroPython's errno does not name it.
ENOSPC = 28
_COPY_BYTES = 256


class JournalError(Exception):
    """The journal cannot do what was asked; nothing that it held is lost. The message holds no data."""


class JournalFull(JournalError):
    """No room for another record; there will be once the server has acknowledged some."""


class _Segment:
    """First sequence and size in bytes of one file."""

    __slots__ = ("first", "size")

    def __init__(self, first: int, size: int) -> None:
        self.first = first
        self.size = size


class _Place:
    """A frame boundary: where the record after `sequence` is or will be, and the chain value up to there."""

    __slots__ = ("chain", "first", "offset", "sequence")

    def __init__(self, first: int, offset: int, sequence: int, chain: bytes) -> None:
        self.first = first
        self.offset = offset
        self.sequence = sequence
        self.chain = chain


class Journal:
    """Append, hand out in batches, forget what was acknowledged. Call `open` once before anything else.

    `max_bytes` bounds the sum of all segments, `segment_bytes` a single one.
    """

    def __init__(self, directory: str, max_bytes: int = 262144, segment_bytes: int = 16384) -> None:
        self._directory = directory
        self._max_bytes = max_bytes
        self._segment_bytes = max(segment_bytes, HEADER_BYTES + segment.MAX_FRAME_BYTES)
        self._segments: list[_Segment] = []
        self._file: "BinaryIO | None" = None
        self._end = _Place(0, 0, 0, GENESIS)
        self._cursor = _Place(0, 0, 0, GENESIS)
        self._read_to: "_Place | None" = None
        self._full = False
        self._opened = False
        #: Bytes of a torn record that `open` found behind the last whole one; the next append cuts them off.
        self.torn_bytes = 0

    @property
    def next_seq(self) -> int:
        """The sequence the next record must carry."""
        return self._end.sequence + 1

    @property
    def acked(self) -> int:
        """The last sequence that the server holds, 0 for none."""
        return self._cursor.sequence

    @property
    def pending(self) -> int:
        """How many records wait for the server."""
        return self._end.sequence - self._cursor.sequence

    @property
    def chain_value(self) -> bytes:
        """The chain value after the last record."""
        return self._end.chain

    @property
    def used_bytes(self) -> int:
        """Bytes in all segments, of `max_bytes`."""
        return sum(part.size for part in self._segments)

    @property
    def nearly_full(self) -> bool:
        """Whether there was no room, or soon will be none: four fifths are used."""
        return self._full or (self.pending > 0 and self.used_bytes * 5 >= self._max_bytes * 4)

    # ------------------------------------------------------------------ opening

    def open(self) -> None:
        """Find segments and cursor. Raises JournalError where the flash does not read or is damaged.

        A torn tail is passed over and makes way for the next append, so opening needs no room in a full
        flash. Damage that no power cut makes (a broken header, a bad record with more behind it) is refused
        and left as it is for the workshop, rather than cut away with records behind it.
        """
        self._close_file()
        self._opened = False
        try:
            self._list_segments()
            cursor_seq, cursor_chain = self._read_cursor()
            if self._segments:
                self._open_segments(cursor_seq, cursor_chain)
            else:
                self._end = _Place(0, 0, cursor_seq, cursor_chain)
                self._cursor = _Place(0, 0, cursor_seq, cursor_chain)
        except OSError as e:
            raise JournalError("journal does not open: error %d" % _code(e)) from None
        self._read_to = None
        self._opened = True
        self._prune()

    def _list_segments(self) -> None:
        """Take stock of the directory; what a power cut left under another name is removed."""
        try:
            os.mkdir(self._directory)
        except OSError as e:
            if _code(e) != errno.EEXIST:
                raise
        self._segments = []
        left = []
        for entry in os.ilistdir(self._directory):
            name = entry[0]
            first = segment.first_sequence_of(name)
            if first:
                # On LittleFS the listing tells the size; a look-up by name costs as much as the whole
                # listing.
                size = entry[3] if len(entry) > 3 else os.stat(self._path(name))[6]
                self._segments.append(_Segment(first, size))
            elif name.endswith(".new"):
                left.append(name)
        self._segments.sort(key=lambda part: part.first)
        for name in left:
            os.remove(self._path(name))

    def _read_cursor(self) -> tuple[int, bytes]:
        try:
            with open(self._path("ack"), "rb") as file:
                return segment.parse_cursor(file.read(segment.CURSOR_BYTES + 1))
        except OSError as e:
            if _code(e) != errno.ENOENT:
                raise
        except SegmentError:
            # The first segment's header bounds it from below; sending some records again does no harm.
            pass
        return 0, GENESIS

    def _open_segments(self, cursor_seq: int, cursor_chain: bytes) -> None:
        first = self._segments[0].first
        if cursor_seq < first - 1:
            # Segments were removed but the cursor could not be written (full flash): the header knows.
            cursor_seq = first - 1
            cursor_chain = self._head_of(first).chain
        last = self._segments[-1]
        self._end = self._walk(self._head_of(last.first), segment.MAX_SEQUENCE)
        self.torn_bytes = last.size - self._end.offset
        if self.torn_bytes > segment.MAX_FRAME_BYTES:
            raise JournalError("segment %d is damaged" % last.first)
        last.size = self._end.offset
        if cursor_seq > self._end.sequence:
            raise JournalError("journal is older than its cursor")
        self._cursor = self._find(cursor_seq)
        if self._cursor.chain != cursor_chain:
            raise JournalError("journal does not belong to its cursor")

    def _head_of(self, first: int) -> _Place:
        """The place right after the header of a segment."""
        with open(self._path(segment.file_name(first)), "rb") as file:
            try:
                named, before = segment.parse_header(file.read(HEADER_BYTES))
            except SegmentError as e:
                raise JournalError("segment %d: %s" % (first, e)) from None
        if named != first:
            raise JournalError("segment %d has another's name" % first)
        return _Place(first, HEADER_BYTES, first - 1, before)

    def _walk(self, start: _Place, sequence: int) -> _Place:
        """From `start` on within its segment up to `sequence`, or to the end of what is sound."""
        value = start.chain
        at = start.sequence
        with open(self._path(segment.file_name(start.first)), "rb") as file:
            file.seek(start.offset)
            reader = Reader(file, start.offset)
            while at < sequence:
                record = reader.next()
                if record is None:
                    break
                value = chain(value, record)
                at += 1
        return _Place(start.first, reader.offset, at, value)

    def _find(self, sequence: int) -> _Place:
        """The place after `sequence`, which is the head of a segment where one begins there."""
        holder = self._segments[0]
        for part in self._segments:
            if part.first <= sequence + 1:
                holder = part
        cursor = self._cursor
        if cursor.first == holder.first and cursor.sequence <= sequence and cursor.offset:
            start = cursor
        else:
            start = self._head_of(holder.first)
        place = self._walk(start, sequence)
        if place.sequence != sequence:
            raise JournalError("segment %d is damaged" % holder.first)
        return place

    def _cut(self, first: int, good: int) -> None:
        """Keep only the first `good` bytes, by a copy and a rename: MicroPython's files have no truncate."""
        path = self._path(segment.file_name(first))
        with open(path, "rb") as source, open(self._path("cut.new"), "wb") as target:
            while good:
                data = source.read(min(good, _COPY_BYTES))
                target.write(data)
                good -= len(data)
            target.flush()
        os.rename(self._path("cut.new"), path)

    # ------------------------------------------------------------------ writing

    def append(self, record: bytes) -> None:
        """Add one record, durably. Raises JournalFull, or JournalError; the journal is then as it was before.

        The record must be 1 to 512 bytes and carry `next_seq` as its sequence.
        """
        if not self._opened:
            raise JournalError("journal is not open")
        if segment.record_sequence(record) != self.next_seq:
            raise JournalError("record out of sequence")
        try:
            head = segment.frame_head(record)
        except SegmentError as e:
            raise JournalError(str(e)) from None
        try:
            try:
                self._write(head, record)
            except JournalFull:
                if self.pending or not self._segments:
                    raise
                # All of it is acknowledged: an emptied journal has room again.
                self._prune()
                self._write(head, record)
        except OSError as e:
            raise JournalError("flash does not write: error %d" % _code(e)) from None
        last = self._segments[-1]
        self._end = _Place(last.first, last.size, self.next_seq, chain(self._end.chain, record))
        self._full = False

    def _write(self, head: bytes, record: bytes) -> None:
        length = len(head) + len(record)
        new = not self._segments or self._segments[-1].size + length > self._segment_bytes
        if self.used_bytes + length + (HEADER_BYTES if new else 0) > self._max_bytes:
            self._full = True
            raise JournalFull("journal is full")
        try:
            if new:
                self._start_segment(head + record)
            else:
                self._extend(head, record)
        except OSError as e:
            # A failed write leaves the open file in an undefined state; `_extend` starts from a known one.
            self._close_file()
            if _code(e) != ENOSPC:
                raise
            self._full = True
            raise JournalFull("flash is full") from None

    def _extend(self, head: bytes, record: bytes) -> None:
        last = self._segments[-1]
        path = self._path(segment.file_name(last.first))
        if self._file is None:
            found = os.stat(path)[6]
            if found < last.size:
                raise JournalError("segment %d became shorter" % last.first)
            if found > last.size:
                # A torn record, or an append that failed and reached the flash all the same: nobody relies
                # on it.
                self._cut(last.first, last.size)
            self._file = open(path, "ab")
        self._file.write(head)
        self._file.write(record)
        self._file.flush()
        last.size += len(head) + len(record)

    def _start_segment(self, frame: bytes) -> None:
        """A new last segment with `frame`, which may be empty, in it."""
        first = self.next_seq
        header = segment.encode_header(first, self._end.chain)
        self._close_file()
        self._write_whole(segment.file_name(first), header + frame)
        self._segments.append(_Segment(first, len(header) + len(frame)))

    def _write_whole(self, name: str, data: bytes) -> None:
        """Write a file so that it is there as a whole or not at all."""
        with open(self._path("part.new"), "wb") as file:
            file.write(data)
            file.flush()
        os.rename(self._path("part.new"), self._path(name))

    # ------------------------------------------------------------------ reading and forgetting

    def batch(self, max_records: int, max_bytes: int) -> tuple[int, bytes, list[bytes]]:
        """The oldest records that wait: first sequence, chain value before it, records.

        At most `max_records` and `max_bytes` (at least 512) of record bytes. With nothing to send the list
        is empty and the sequence is the next to come. Raises JournalError where the flash does not read.
        """
        place = self._cursor
        records: list[bytes] = []
        try:
            while place.sequence < self._end.sequence:
                start = self._head_where_one_begins(place)
                place = self._read_part(start, records, max_records, max_bytes)
                if place.sequence == start.sequence:
                    break
        except OSError as e:
            raise JournalError("flash does not read: error %d" % _code(e)) from None
        self._read_to = place
        return self._cursor.sequence + 1, self._cursor.chain, records

    def _read_part(self, start: _Place, records: list[bytes], max_records: int, max_bytes: int) -> _Place:
        """Add records of one segment to `records` within the limits; the place behind the last one."""
        value = start.chain
        at = start.sequence
        part_end = self._last_of(start.first)
        room = max_bytes - sum(len(record) for record in records)
        with open(self._path(segment.file_name(start.first)), "rb") as file:
            file.seek(start.offset)
            offset = start.offset
            reader = Reader(file, offset)
            while at < part_end and len(records) < max_records:
                record = reader.next()
                if record is None:
                    if records:
                        break  # what came before the damage can still be saved
                    raise JournalError("segment %d is damaged" % start.first)
                room -= len(record)
                if room < 0:
                    break
                records.append(record)
                value = chain(value, record)
                at += 1
                offset = reader.offset
        return _Place(start.first, offset, at, value)

    def _head_where_one_begins(self, place: _Place) -> _Place:
        for part in self._segments:
            if part.first == place.sequence + 1 and part.first != place.first:
                return self._head_of(part.first)
        return place

    def _last_of(self, first: int) -> int:
        """The last sequence in the segment that begins with `first`."""
        for part in self._segments:
            if part.first > first:
                return part.first - 1
        return self._end.sequence

    def acknowledge(self, sequence: int) -> None:
        """The server holds everything up to `sequence`: move the cursor, then remove what it left behind.

        A sequence that is not new changes nothing; one that was never given raises JournalError. A cursor
        that the flash does not take is kept in memory: at worst some records are sent again after a restart.
        """
        if sequence > self._end.sequence:
            raise JournalError("acknowledged sequence %d was never given" % sequence)
        if sequence <= self._cursor.sequence:
            return
        try:
            read_to = self._read_to
            self._cursor = read_to if read_to and read_to.sequence == sequence else self._find(sequence)
            self._read_to = None
            if not self._save_cursor():
                # A full flash: the segments that remain bound the cursor from below, so these may go first.
                self._prune()
                self._save_cursor()
        except OSError as e:
            raise JournalError("flash does not read: error %d" % _code(e)) from None
        self._prune()

    def _save_cursor(self) -> bool:
        try:
            self._write_whole("ack", segment.encode_cursor(self._cursor.sequence, self._cursor.chain))
        except OSError:
            return False
        return True

    def _prune(self) -> None:
        """Remove acknowledged segments; a last one that is large and acknowledged gets a successor first."""
        try:
            self._remove_acknowledged()
            last = self._segments[-1] if self._segments else None
            worth = last is not None and (self._full or last.size * 2 >= self._segment_bytes)
            if last and worth and self._end.sequence >= last.first and not self.pending:
                self._start_segment(b"")
                last = self._segments[-1]
                self._end = _Place(last.first, last.size, self._end.sequence, self._end.chain)
                self._remove_acknowledged()
        except OSError:
            # Full or failing flash: tried again after the next acknowledgement and at the next start.
            self._close_file()
        if self._segments and self._cursor.first < self._segments[-1].first:
            self._cursor = self._head_where_one_begins(self._cursor)

    def _remove_acknowledged(self) -> None:
        while len(self._segments) > 1 and self._segments[1].first <= self.acked + 1:
            os.remove(self._path(segment.file_name(self._segments[0].first)))
            self._segments.pop(0)
            self._full = False

    def close(self) -> None:
        """Let go of the open file; `open` takes it up again."""
        self._close_file()
        self._opened = False

    def _close_file(self) -> None:
        file = self._file
        self._file = None
        if file is not None:
            try:
                file.close()
            except OSError:
                pass  # everything that was promised had been flushed before

    def _path(self, name: str) -> str:
        return self._directory + "/" + name


def _code(error: OSError) -> int:
    return error.errno or 0
