"""Who is inside: one file of entries, of which a person's last one says whether he came or left.

Only three numbers of it live in RAM; a look-up reads the file through, 64 kB for 2,000 entries. Where a scene
keeps no identity there are only counts. The file, all integers big-endian (docs/formats.md)::

    header  "YP2\\n" | first 8 bytes of SHA-256 of place and scene | zeros (16) | CRC-32 of these 28 bytes
    entry   who (16) | time u32 | sequence of its record u32 | people inside u24 | kind u8 | CRC-32 of these

Who it is, is not to be read here: see ledger.py.
Kinds: 1 came in, 2 went out, 3 a count alone, by nobody, zeros. An entry is written before its record, for
records cannot be read back; one whose record never came, because the power failed in between, is taken back
at the next start. So entries are only ever added, and the file is cleared up while nothing is under way.
"""

import binascii
import os
import struct

from firmware.core.hmac256 import sha256

if False:
    from typing import Generator

CAME = 1
LEFT = 2
COUNT = 3

ENTRY_BYTES = 32
#: From so many entries on, those of people who left are cleared away.
TIDY_ENTRIES = 2_048
#: No more than this, with one kept free for everybody inside: whoever is in can always be checked out.
MAX_ENTRIES = 6_144
_BLOCK_BYTES = 1_024
_MAGIC = b"YP2\n"
_NOBODY = bytes(16)


class PresenceError(Exception):
    """The flash did not take an entry, or there is no room for more. Names no one."""


class Presence:
    """The people at one place and scene; call `open` before anything else, and after each change of these."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._new_path = path + ".new"
        self._key = b""
        self._entries = 0
        #: How many are inside.
        self.count = 0
        #: Sequence of the last record that is accounted for, and when the last entry was made.
        self.seq = 0
        self.unix = 0

    @property
    def opened(self) -> bool:
        """Whether people are counted."""
        return bool(self._key)

    def open(self, place: str, scene: str, seq: int = 0) -> int:
        """Take up the file if it is of this place and scene, else start anew; how many people were inside
        where it was of others. `seq` is that of the last record: later entries are taken back, for their
        records never came. Raises PresenceError.
        """
        wanted = sha256(place.encode(), b"\0", scene.encode())[:8]
        self.close()
        key = self._read()
        self._key = wanted
        lost = 0 if key == wanted else self.count
        if key != wanted:
            self._start(seq)
        elif self.seq > seq:
            lost = self._take_back(seq)
        return lost

    def close(self) -> None:
        """Nobody is counted until `open`."""
        self._key = b""
        self._entries = self.count = self.seq = self.unix = 0
        try:
            os.remove(self._new_path)
        except OSError:
            pass  # nothing was left half written

    def inside(self, sub: bytes) -> bool:
        """Whether this person came and has not left since. Raises PresenceError."""
        return self._last(sub)[1] == CAME

    def came(self, sub: "bytes | None", unix: int, seq: int) -> None:
        """A person came in; without a `sub`, somebody did. Who is inside already is not counted twice.

        Raises PresenceError.
        """
        if sub is None:
            self._add(_NOBODY, unix, seq, self.count + 1, COUNT)
        elif not self.inside(sub):
            if self._entries + self.count >= MAX_ENTRIES:
                raise PresenceError("presence: no room")
            self._add(sub, unix, seq, self.count + 1, CAME)
        else:
            self.seq = max(self.seq, seq)

    def left(self, sub: "bytes | None", unix: int, seq: int) -> None:
        """A person went out; without a `sub`, somebody did. Who was not inside changes nothing.

        Raises PresenceError.
        """
        if sub is None:
            self._add(_NOBODY, unix, seq, max(0, self.count - 1), COUNT)
        elif self.inside(sub):
            self._add(sub, unix, seq, max(0, self.count - 1), LEFT)
        else:
            self.seq = max(self.seq, seq)

    @property
    def mark(self) -> "tuple[int, int]":
        """Where the file stands, for `undo`."""
        return self._entries, self.count

    def undo(self, mark: "tuple[int, int]") -> None:
        """What came after the mark did not happen: entries that say the opposite follow, of the same
        sequences backwards, so that none of them counts without the other. Raises PresenceError.
        """
        entries, count = mark
        for index in range(self._entries, entries, -1):
            entry = self._entry(index)
            unix, seq = struct.unpack(">II", entry[16:24])
            if entry[27] != COUNT:
                change, kind = (1, CAME) if entry[27] == LEFT else (-1, LEFT)
                self._add(entry[:16], unix, seq, max(0, self.count + change), kind)
            elif index == entries + 1:
                self._add(_NOBODY, unix, seq, count, COUNT)

    def reset(self, seq: int) -> int:
        """Nobody is inside any more; how many there were. Raises PresenceError."""
        lost = self.count
        self._start(seq)
        return lost

    def since_before_steps(self, unix: int) -> "Generator[bytes | None, None, None]":
        """Yield the sub of each person inside who came before `unix`, and None between slices of work.

        They may be checked out on the way; who comes meanwhile is passed over. Raises PresenceError.
        """
        for index in range(1, self._entries + 1):
            if index > self._entries:
                return  # everybody left, and the file was started anew
            entry = self._entry(index)
            came_unix = struct.unpack(">I", entry[16:20])[0]
            if entry[27] == CAME and came_unix < unix and self._last(entry[:16]) == (index, CAME):
                yield entry[:16]
            else:
                yield None

    @property
    def wants_tidying(self) -> bool:
        """Whether most of the file tells of people who have left, or nobody is inside."""
        if not self.count:
            return self._entries > 1
        return self._entries >= TIDY_ENTRIES and (self._entries > 3 * self.count or self._plain)

    def tidy_steps(self) -> "Generator[None, None, None]":
        """Clear away the entries of people who left, in slices; for nothing if one is added meanwhile.

        Raises PresenceError; the file is then as it was.
        """
        if not self.count or self._plain:
            self._start(self.seq, self.count, self.unix)
            return
        upto, kept = self._entries, 0
        try:
            with open(self._new_path, "wb") as target:
                target.write(_sealed(_MAGIC + self._key + bytes(16)))
                for index in range(1, upto + 1):
                    entry = self._entry(index)
                    if entry[27] == CAME and self._last(entry[:16]) == (index, CAME):
                        kept += 1
                        target.write(_sealed(entry[:24] + struct.pack(">I", kept << 8 | CAME)))
                    yield None
                    if self._entries != upto:
                        return
                target.flush()
            os.rename(self._new_path, self._path)
        except OSError as e:
            raise _failed(e) from None
        self._entries = self.count = kept

    # ------------------------------------------------------------------ the file

    def _read(self) -> bytes:
        """Take numbers from the file; whose it is, empty for a file that is none."""
        try:
            size = os.stat(self._path)[6]
            if size % ENTRY_BYTES:
                return b""  # not written by us
            with open(self._path, "rb") as file:
                head: bytes = file.read(ENTRY_BYTES)
                if not _is_sealed(head) or head[:4] != _MAGIC:
                    return b""
                self._entries = size // ENTRY_BYTES - 1
                file.seek(size - ENTRY_BYTES)
                last = file.read(ENTRY_BYTES)
        except OSError:
            return b""  # there is none yet
        if self._entries:
            if not _is_sealed(last):
                return b""
            self.unix, self.seq, counted = struct.unpack(">III", last[16:28])
            self.count = counted >> 8
        return head[4:12]

    def _last(self, sub: bytes) -> "tuple[int, int]":
        """Number, from 1 on, and kind of the last entry with this sub; zeros without one."""
        found, kind, number = 0, 0, 0
        buffer = bytearray(_BLOCK_BYTES)
        try:
            with open(self._path, "rb") as file:
                while True:
                    length = file.readinto(buffer)
                    if not length:
                        return found, kind
                    if sub in buffer:
                        for at in range(0, length, ENTRY_BYTES):
                            if buffer[at : at + 16] == sub and number + at:
                                found, kind = (number + at) // ENTRY_BYTES, buffer[at + 27]
                    number += length
        except OSError as e:
            raise _failed(e) from None

    @property
    def _plain(self) -> bool:
        """Whether people have no names here: the last entry is a count alone, and not the only one."""
        return self._entries > 1 and self._entry(self._entries)[27] == COUNT

    def _entry(self, index: int) -> bytes:
        try:
            with open(self._path, "rb") as file:
                file.seek(index * ENTRY_BYTES)
                entry: bytes = file.read(ENTRY_BYTES)
        except OSError as e:
            raise _failed(e) from None
        return entry

    def _take_back(self, seq: int) -> int:
        """Leave out the entries after `seq`; how many were inside where nothing but such was there."""
        lost, kept = self.count, self._entries
        while kept and struct.unpack(">I", self._entry(kept)[20:24])[0] > seq:
            kept -= 1
        if not kept:
            self._start(seq)
            return lost
        try:
            with open(self._path, "rb") as source, open(self._new_path, "wb") as target:
                for _ in range(kept + 1):
                    target.write(source.read(ENTRY_BYTES))
                target.flush()
            os.rename(self._new_path, self._path)
        except OSError as e:
            raise _failed(e) from None
        self._read()
        return 0

    def _add(self, sub: bytes, unix: int, seq: int, count: int, kind: int) -> None:
        data = _sealed(sub + struct.pack(">III", unix, seq, count << 8 | kind))
        try:
            with open(self._path, "ab") as file:
                file.write(data)
                file.flush()
        except OSError as e:
            raise _failed(e) from None
        self._entries += 1
        self.count = count
        self.seq = seq
        self.unix = unix

    def _start(self, seq: int, count: int = 0, unix: int = 0) -> None:
        """A file without people in the old one's place; a count in it keeps the sequence."""
        data = _sealed(_MAGIC + self._key + bytes(16))
        data += _sealed(_NOBODY + struct.pack(">III", unix, seq, count << 8 | COUNT))
        try:
            with open(self._new_path, "wb") as file:
                file.write(data)
                file.flush()
            os.rename(self._new_path, self._path)
        except OSError as e:
            raise _failed(e) from None
        self._entries = 1
        self.count = count
        self.seq = seq
        self.unix = unix


def closing_unix(now_unix: int, minute: int, local_offset_s: int) -> int:
    """The last closing time that is not in the future; `minute` is one of the local day."""
    return now_unix - (now_unix + local_offset_s - minute * 60) % 86_400


def _sealed(body: bytes) -> bytes:
    return body + struct.pack(">I", binascii.crc32(body))


def _is_sealed(data: bytes) -> bool:
    return len(data) == ENTRY_BYTES and struct.unpack(">I", data[28:])[0] == binascii.crc32(data[:28])


def _failed(error: OSError) -> PresenceError:
    return PresenceError("presence: flash error %d" % (error.errno or 0))
