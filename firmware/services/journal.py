"""The journal: every record the handheld decided, in sequence and sealed, until the server holds it.

It lies in a flash partition of its own, a ring of sectors (firmware/services/ring.py). What must hold
whatever happens to the power:

* `append` returns after the record is on the flash and was read back; from then on every start finds it,
  until it is acknowledged;
* a sequence is never given twice, and nothing that is not acknowledged is overwritten;
* no record is ever on the flash in plain: without a sealing key nothing is recorded, and so nobody decided.

One program per record, one erase per sector: some 25 records. An acknowledgement is a frame of 12 bytes. The
last sector that is free is left to acknowledgements, so that a full ring can be emptied.

Memory: one record at a time, and in `batch` what it returns.
"""

import struct

from firmware.core import ring_format
from firmware.core.errors import CoreError
from firmware.core.record import GENESIS, sequence_of
from firmware.core.ring_format import MAX_SEQUENCE, SECTOR_BYTES, SECTOR_HEAD, RingError
from firmware.core.seal import MAX_RECORD, OVERHEAD
from firmware.services.ring import Place, Ring

if False:
    from typing import Callable, Generator

    from firmware.core.seal import Segment
    from firmware.services.ring import Flash
    from firmware.services.sealing import Sealing

#: Records after which a segment ends, once the key for the next one is ready.
SEGMENT_RECORDS = 128
#: With less room than this in its sector the next sector is erased ahead, while nobody waits.
LOW_BYTES = 1024


class JournalError(Exception):
    """The journal cannot do what was asked; nothing that it held is lost. The message holds no data."""


class JournalFull(JournalError):
    """No room for another record; there will be once the server has acknowledged some."""


class Journal:
    """Append, hand out in batches, forget what was acknowledged. Call `open` once before anything else.

    `device` answers this handheld's id, "" before enrolment; `now_unix` the time, or 0 where it is not to be
    trusted.
    """

    def __init__(
        self, flash: "Flash", sealing: "Sealing", device: "Callable[[], str]", now_unix: "Callable[[], int]"
    ) -> None:
        self._ring = Ring(flash)
        self._sealing = sealing
        self._device = device
        self._now_unix = now_unix
        self._segment: "Segment | None" = None
        self._end = Place(0, SECTOR_BYTES, 0, GENESIS)
        self._cursor = self._end
        self._read_to = self._end
        #: Up to where the flash knows of acknowledgements, and the oldest sector that this leaves in use.
        self._saved = 0
        self._oldest = 0
        #: The sector that was erased ahead, 0 for none.
        self._blank = 0
        self._full = False
        self._opened = False
        #: Bytes of a torn frame that `open` found behind the last sound one; its sector is left alone.
        self.torn_bytes = 0
        #: A time that had come when the last sector or segment began: the clock cannot be behind it.
        self.floor_unix = 0

    @property
    def opened(self) -> bool:
        """Whether records can be kept."""
        return self._opened

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
        """Bytes of all sectors in use."""
        return self._used * SECTOR_BYTES

    @property
    def nearly_full(self) -> bool:
        """Whether there was no room, or soon will be none: four fifths are used."""
        return self._full or (self.pending > 0 and self._used * 5 >= self._ring.sectors * 4)

    @property
    def _used(self) -> int:
        return self._end.number - self._oldest + 1 if self._end.number else 0

    # ------------------------------------------------------------------ opening

    def open(self) -> None:
        """Find the end and the cursor. Raises JournalError where the flash does not read or is damaged.

        A torn frame closes its sector. Damage that no power cut makes is refused and left as it is for the
        workshop: going on would give sequences a second time.
        """
        self._opened = False
        self._segment = None
        self._full = False
        self._blank = 0
        self._saved = 0
        self._oldest = 0
        self.torn_bytes = 0
        try:
            if self._ring.sectors < 4:
                raise RingError("partition is too small")
            newest = self._ring.newest()
            if self._ring.read_frame(newest + 1, SECTOR_HEAD):
                # Frames are only ever written behind a sector's head, which was read back before.
                raise RingError("sector is damaged")
            self._end = self._cursor = self._read_to = Place(0, SECTOR_BYTES, 0, GENESIS)
            if newest:
                self._open_at(newest)
        except (OSError, RingError) as e:
            raise _failed(e) from None
        self._opened = True

    def _open_at(self, newest: int) -> None:
        ring = self._ring
        _, self._saved, self.floor_unix, _ = ring.fields(newest)
        stop = ring.walk(ring.at_head(newest), MAX_SEQUENCE)
        self._saved = max(self._saved, stop.acknowledged)
        self.floor_unix = max(self.floor_unix, ring.latest_unix)
        self.torn_bytes = ring.programmed(newest, stop.offset)
        if self.torn_bytes > ring_format.frame_size(ring_format.MAX_CONTENT):
            raise RingError("sector is damaged")
        end = stop.before or stop
        if self.torn_bytes or stop.before:
            # It takes no more: the next sector says with which sequence it goes on.
            end.offset = SECTOR_BYTES
        self._end = end
        if self._saved > end.sequence:
            raise RingError("acknowledged what was never written")
        number = newest
        while ring.first_of(number) > self._saved + 1:
            if number == newest + 2 - ring.sectors and not ring.holds(number - 1):
                # That one was being erased for lack of room: all in it was acknowledged (see `_save`).
                if ring.read_frame(number - 1, SECTOR_HEAD):
                    raise RingError("sector is damaged")
                self._saved = ring.first_of(number) - 1
                break
            number -= 1
        self._cursor = self._ring.at_head(number)
        self._cursor = self._find(self._saved)
        self._oldest = self._cursor.number

    def close(self) -> None:
        """Forget the segment's key; `open` takes the journal up again."""
        self._segment = None
        self._opened = False

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
        size = 0
        for index, record in enumerate(records):
            if len(record) > MAX_RECORD or sequence_of(record) != self.next_seq + index:
                raise JournalError("record out of sequence or too long")
            size += ring_format.frame_size(len(record) + OVERHEAD)
        end, offset = self._end, self._end.offset
        try:
            self._append(records, size)
        except JournalFull:
            raise
        except (OSError, CoreError) as e:
            # Their numbers are spoken for in this segment, and must not be sealed again under the same key;
            # and nothing may follow an unfinished group.
            self._segment = None
            if self._end is not end or end.offset != offset:
                self._end.offset = SECTOR_BYTES
            raise _failed(e) from None
        self._full = False

    def _append(self, records: list[bytes], size: int) -> None:
        """Seal and program; `size` is what their frames take at most."""
        segment = self._segment_now()
        head = struct.pack(">II", segment.first, self._now_unix()) + segment.head
        room = SECTOR_BYTES - self._end.offset
        if self._end.head != segment.head:
            size += ring_format.frame_size(len(head))
        if size > room:
            size += ring_format.frame_size(len(head)) if self._end.head == segment.head else 0
            if size > SECTOR_BYTES - SECTOR_HEAD or len(records) > ring_format.MAX_GROUP:
                raise RingError("too many records at once")
            # One sector stays for acknowledgements.
            self._new_sector(1)
        end = self._end
        if end.head != segment.head:
            self._program(ring_format.HEAD, head)
            end.head = segment.head
            end.first = segment.first
        sequence, chain = end.sequence, end.chain
        more = len(records)
        for record in records:
            more -= 1
            sealed = segment.seal(sequence + 1, chain, record)
            begins = end.head if end.first == sequence + 1 else b""
            chain = ring_format.chain(chain, begins, sealed)
            sequence += 1
            self._program(ring_format.RECORD, sealed, more)
        end.sequence = sequence
        end.chain = chain

    def _segment_now(self) -> "Segment":
        """The segment to seal in: that of before, or a new one."""
        segment = self._segment
        device = self._device()
        if segment is not None and segment.kid == self._sealing.kid and segment.device == device:
            ends = self._sealing.ready and self.next_seq - segment.first >= SEGMENT_RECORDS
            if not ends:
                return segment
        self._segment = segment = self._sealing.begin(device, self.next_seq)
        return segment

    def _program(self, kind: int, content: bytes, more: int = 0) -> None:
        """One frame more at the end. Where the flash fails, the sector takes no more."""
        end = self._end
        data = ring_format.frame(end.number, kind, content, more)
        offset = end.offset
        end.offset = SECTOR_BYTES
        self._ring.program(end.number, offset, data)
        end.offset = offset + len(data)

    def _new_sector(self, reserve: int) -> None:
        """Go on in the next sector; raises JournalFull unless so many are left behind it, or OSError."""
        if self._used + 1 + reserve > self._ring.sectors:
            self._full = True
            raise JournalFull("journal is full")
        end = self._end
        number = end.number + 1
        if self._blank != number:
            self._ring.erase(number)
        self._blank = 0
        self._ring.start(number, end.sequence + 1, self._cursor.sequence, self._now_unix(), end.chain)
        self._end = Place(number, SECTOR_HEAD, end.sequence, end.chain)
        if self._cursor.number:
            self._cursor = self._at_next(self._cursor)
        else:
            self._cursor = self._ring.at_head(number)
        self._saved = self._cursor.sequence
        self._oldest = self._cursor.number

    def tend_steps(self) -> "Generator[None, None, None]":
        """Make ready what the next record may need, in slices, while nobody waits: key and blank sector."""
        if not self._opened:
            return
        segment = self._segment
        if segment is None or self.next_seq - segment.first >= SEGMENT_RECORDS // 2:
            yield from self._sealing.prepare_steps()
        number = self._end.number + 1
        low = self._end.offset > SECTOR_BYTES - LOW_BYTES
        if low and self._blank != number and self._used + 2 <= self._ring.sectors:
            try:
                self._ring.erase(number)
                self._blank = number
            except OSError:
                pass  # the next record finds out, and says so

    # ------------------------------------------------------------------ reading and forgetting

    def batch(
        self, max_records: int, max_bytes: int, following: bool = False
    ) -> tuple[int, bytes, list[bytes]]:
        """The oldest records that wait: first sequence, chain value before it, records with their heads.

        With `following` those behind the last batch, whether or not that one was acknowledged.

        A segment's head stands before its first record in the list. At most `max_records` records, and
        `max_bytes` of both, but always one record. With nothing to send the list is empty and the sequence
        is the next to come. Raises JournalError where the flash does not read.
        """
        items: list[bytes] = []
        head = b""
        left = max_records
        room = max_bytes
        stopped = False

        def take(place: Place, sealed: memoryview) -> bool:
            nonlocal head, left, room, stopped
            size = len(sealed) + (len(place.head) if place.head != head else 0)
            stopped = not left or (size > room and len(items) > 0)
            if not stopped:
                if place.head != head:
                    head = place.head
                    items.append(head)
                items.append(bytes(sealed))
                left -= 1
                room -= size
            return not stopped

        place = begin = self._read_to if following else self._cursor
        try:
            while place.sequence < self._end.sequence and not stopped:
                place = self._at_next(place)
                wanted = self._last_of(place.number)
                place = self._ring.walk(place, wanted, take)
                if place.sequence < wanted and not stopped:
                    # Damage; what came before it can still be saved.
                    if not items:
                        raise RingError("sector is damaged")
                    break
        except (OSError, RingError) as e:
            raise _failed(e) from None
        self._read_to = place
        return begin.sequence + 1, begin.chain, items

    def acknowledge(self, sequence: int, chain: "bytes | None" = None) -> None:
        """The server holds everything up to `sequence`: move the cursor, which frees what it left behind.

        A sequence that is not new changes nothing; one that was never given raises JournalError, and so does
        one that has another chain value here than `chain`, if that is given. A cursor
        that the flash does not take is kept in memory: at worst some records are sent again after a restart.
        """
        if sequence > self._end.sequence:
            raise JournalError("acknowledged sequence %d was never given" % sequence)
        try:
            if sequence > self._cursor.sequence:
                place = self._read_to if self._read_to.sequence == sequence else self._find(sequence)
                if chain is not None and chain != place.chain:
                    raise RingError("acknowledged other records")
                self._cursor = self._at_next(place)
        except (OSError, RingError) as e:
            raise _failed(e) from None
        if self._saved < self._cursor.sequence or self._oldest != self._cursor.number:
            self._save()

    def _save(self) -> None:
        """Tell the flash what is acknowledged; only then may sectors be used again."""
        sequence = self._cursor.sequence
        try:
            if self._end.offset + ring_format.frame_size(4) > SECTOR_BYTES:
                if self._used == self._ring.sectors:
                    # A torn frame took the last room: what is acknowledged makes way before that is told.
                    self._oldest = self._cursor.number
                self._new_sector(0)
            if self._saved < sequence:
                self._program(ring_format.ACKNOWLEDGED, struct.pack(">I", sequence))
        except (OSError, RingError, JournalError):
            return
        self._saved = sequence
        self._oldest = self._cursor.number
        self._full = False

    def _find(self, sequence: int) -> Place:
        """The place behind `sequence`, which is not before the cursor."""
        place = self._at_next(self._cursor)
        while place.sequence < sequence:
            last = self._last_of(place.number)
            if last < sequence:
                place = self._ring.at_head(place.number + 1)
                continue
            place = self._ring.walk(place, sequence)
            if place.sequence != sequence:
                raise RingError("sector is damaged")
        return self._at_next(place)

    def _at_next(self, place: Place) -> Place:
        """`place`, or the head of the last sector that begins right behind it."""
        while place.number < self._end.number:
            following = self._ring.at_head(place.number + 1)
            if following.sequence > place.sequence:
                break
            if following.chain != place.chain:
                raise RingError("sector does not continue the one before")
            place = following
        return place

    def _last_of(self, number: int) -> int:
        """The last sequence in a sector."""
        if number == self._end.number:
            return self._end.sequence
        return self._ring.first_of(number + 1) - 1


def _failed(error: "OSError | CoreError") -> JournalError:
    if isinstance(error, OSError):
        return JournalError("journal: flash error %d" % (error.errno or 0))
    return JournalError("journal: " + str(error))
