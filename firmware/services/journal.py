"""The journal: every record the handheld decided, in sequence, until the server holds it.

Segments of at most 16 KiB lie in one directory (layout in firmware/core/segment.py). Only the last one is
ever written to; a segment is removed once the server acknowledged all of it. What must hold whatever happens
to the power:

* `append` returns after the record is flushed; from then on every restart finds it, until it is acknowledged;
* a sequence is never given twice. The last segment is removed only after its successor, whose header carries
  the count on, is in place; the upload cursor carries the count too.

Memory: one record at a time, and in `batch` what it returns. Opening reads the last segment and the one that
the cursor stands in, not those between and none that is acknowledged.
"""

from firmware.core import segment
from firmware.core.record import GENESIS, chain
from firmware.core.segment import HEADER_BYTES, SegmentError
from firmware.services.shelf import Part, Place, Shelf

if False:
    from typing import BinaryIO, Callable

#: No room on the flash; MicroPython's errno does not name it.
ENOSPC = 28


class JournalError(Exception):
    """The journal cannot do what was asked; nothing that it held is lost. The message holds no data."""


class JournalFull(JournalError):
    """No room for another record; there will be once the server has acknowledged some."""


class Journal:
    """Append, hand out in batches, forget what was acknowledged. Call `open` once before anything else.

    `max_bytes` bounds the sum of all segments, `segment_bytes` a single one.
    """

    def __init__(self, directory: str, max_bytes: int = 262144, segment_bytes: int = 16384) -> None:
        self._shelf = Shelf(directory)
        self._max_bytes = max_bytes
        self._segment_bytes = max(segment_bytes, HEADER_BYTES + segment.MAX_FRAME_BYTES)
        self._parts: list[Part] = []
        self._file: "BinaryIO | None" = None
        self._end = Place(0, 0, 0, GENESIS)
        self._cursor = self._end
        self._read_to = self._end
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
        return sum(part.size for part in self._parts)

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
        self.close()
        try:
            self._parts = self._shelf.take_stock()
            acked, value = self._shelf.read_cursor()
            self._end = self._cursor = self._read_to = Place(0, 0, acked, value)
            if self._parts:
                self._open_parts(acked, value)
        except (OSError, SegmentError) as e:
            raise _failed(e) from None
        self._opened = True
        self._prune()

    def _open_parts(self, acked: int, value: bytes) -> None:
        first = self._parts[0].first
        if acked < first - 1:
            # Segments were removed but the cursor could not be written (full flash): the header knows.
            acked = first - 1
            value = self._shelf.head(first).chain
        last = self._parts[-1]
        self._end = self._shelf.walk(self._shelf.head(last.first), segment.MAX_SEQUENCE)
        self.torn_bytes = last.size - self._end.offset
        if self.torn_bytes > segment.MAX_FRAME_BYTES:
            raise SegmentError("segment is damaged")
        last.size = self._end.offset
        if acked > self._end.sequence:
            raise SegmentError("older than its cursor")
        self._cursor = self._find(acked)
        if self._cursor.chain != value:
            raise SegmentError("does not belong to its cursor")

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

    # ------------------------------------------------------------------ writing

    def append(self, record: bytes) -> None:
        """Add one record, durably. Raises JournalFull or JournalError; the journal is then as it was before.

        The record must be 1 to 512 bytes and carry `next_seq` as its sequence.
        """
        self.append_all([record])

    def append_all(self, records: list[bytes]) -> None:
        """Add records that belong together, durably: all of them or none. Raises as `append` does."""
        if not self._opened:
            raise JournalError("journal is not open")
        sequence, value = self._end.sequence, self._end.chain
        frames = b""
        try:
            for record in records:
                sequence += 1
                if segment.record_sequence(record) != sequence:
                    raise JournalError("record out of sequence")
                frames += segment.frame_head(record) + record
                value = chain(value, record)
            try:
                self._write(frames)
            except JournalFull:
                if self.pending or not self._parts:
                    raise
                # All of it is acknowledged: an emptied journal has room again.
                self._prune()
                self._write(frames)
        except (OSError, SegmentError) as e:
            raise _failed(e) from None
        last = self._parts[-1]
        self._end = Place(last.first, last.size, sequence, value)
        self._full = False

    def _write(self, frame: bytes) -> None:
        new = not self._parts or self._parts[-1].size + len(frame) > self._segment_bytes
        if self.used_bytes + len(frame) + (HEADER_BYTES if new else 0) > self._max_bytes:
            self._full = True
            raise JournalFull("journal is full")
        try:
            if new:
                self._start_part(frame)
                return
            last = self._parts[-1]
            if self._file is None:
                self._file = self._shelf.open_end(last)
            self._file.write(frame)
            self._file.flush()
            last.size += len(frame)
        except OSError as e:
            # A failed write leaves the open file in an undefined state; `open_end` starts from a known one,
            # and drops a record that reached the flash after all: its caller is told that it did not.
            self._close_file()
            if e.errno != ENOSPC:
                raise
            self._full = True
            raise JournalFull("flash is full") from None

    def _start_part(self, frame: bytes) -> None:
        """A new last segment with `frame`, which may be empty, in it."""
        self._close_file()
        self._parts.append(self._shelf.create(self.next_seq, self._end.chain, frame))

    # ------------------------------------------------------------------ reading and forgetting

    def tail(self, take: "Callable[[bytes], None]") -> None:
        """Show `take` the records of the last segment, whether acknowledged or not. Raises JournalError."""

        def show(record: bytes) -> bool:
            take(record)
            return True

        if self._parts:
            try:
                self._shelf.walk(self._shelf.head(self._parts[-1].first), segment.MAX_SEQUENCE, show)
            except (OSError, SegmentError) as e:
                raise _failed(e) from None

    def batch(self, max_records: int, max_bytes: int) -> tuple[int, bytes, list[bytes]]:
        """The oldest records that wait: first sequence, chain value before it, records.

        At most `max_records` and `max_bytes` (at least 512) of record bytes. With nothing to send the list is
        empty and the sequence is the next to come. Raises JournalError where the flash does not read.
        """
        records: list[bytes] = []
        room = max_bytes
        stopped = False

        def take(record: bytes) -> bool:
            nonlocal room, stopped
            stopped = len(records) >= max_records or len(record) > room
            if not stopped:
                records.append(record)
                room -= len(record)
            return not stopped

        place = self._cursor
        try:
            while place.sequence < self._end.sequence and not stopped:
                start = self._at_head(place)
                wanted = self._last_of(start.first)
                place = self._shelf.walk(start, wanted, take)
                if place.sequence < wanted and not stopped:
                    # Damage; what came before it can still be saved.
                    if not records:
                        raise SegmentError("segment is damaged")
                    break
        except (OSError, SegmentError) as e:
            raise _failed(e) from None
        self._read_to = place
        return self._cursor.sequence + 1, self._cursor.chain, records

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
            self._cursor = self._read_to if self._read_to.sequence == sequence else self._find(sequence)
        except (OSError, SegmentError) as e:
            raise _failed(e) from None
        if not self._save_cursor():
            # A full flash: the segments that remain bound the cursor from below, so these may go first.
            self._prune()
            self._save_cursor()
        self._prune()

    def _save_cursor(self) -> bool:
        try:
            self._shelf.write_cursor(self._cursor)
        except OSError:
            return False
        return True

    def _prune(self) -> None:
        """Remove acknowledged segments; a last one that is large and acknowledged gets a successor first."""
        try:
            self._remove_acknowledged()
            last = self._parts[-1] if self._parts else None
            worth = last is not None and (self._full or last.size * 2 >= self._segment_bytes)
            if last and worth and self._end.sequence >= last.first and not self.pending:
                self._start_part(b"")
                last = self._parts[-1]
                self._end = Place(last.first, last.size, self._end.sequence, self._end.chain)
                self._cursor = self._end
                self._remove_acknowledged()
        except (OSError, SegmentError):
            # Full or failing flash: tried again after the next acknowledgement and at the next start.
            self._close_file()

    def _remove_acknowledged(self) -> None:
        while len(self._parts) > 1 and self._parts[1].first <= self.acked + 1:
            # Before its segment goes, a cursor at the very end of it moves to the head of the next.
            self._cursor = self._at_head(self._cursor)
            self._shelf.remove(self._parts[0].first)
            self._parts.pop(0)
            self._full = False

    def _find(self, sequence: int) -> Place:
        """The place behind `sequence`, which is the head of a segment where one begins there."""
        holder = self._parts[0].first
        for part in self._parts:
            if part.first <= sequence + 1:
                holder = part.first
        known = self._cursor
        start = known if known.first == holder and known.sequence <= sequence else self._shelf.head(holder)
        place = self._shelf.walk(start, sequence)
        if place.sequence != sequence:
            raise SegmentError("segment is damaged")
        return place

    def _at_head(self, place: Place) -> Place:
        """`place`, or the head of the segment that begins right behind it."""
        for part in self._parts:
            if part.first == place.sequence + 1 and part.first != place.first:
                return self._shelf.head(part.first)
        return place

    def _last_of(self, first: int) -> int:
        """The last sequence in the segment that begins with `first`."""
        for part in self._parts:
            if part.first > first:
                return part.first - 1
        return self._end.sequence


def _failed(error: "OSError | SegmentError") -> JournalError:
    if isinstance(error, OSError):
        return JournalError("journal: flash error %d" % (error.errno or 0))
    return JournalError("journal: " + str(error))
