"""Codes that opened a short while ago, here or on another handheld of the unit: a copy must not open again.

Kept in RAM, 8 bytes each: the first four of SHA-256 of the code's cti, and when. Four are enough, for a
false match needs two of at most 128 codes to meet in 32 bits.
"""

import struct

from firmware.core import reasons
from firmware.core.hmac256 import sha256

ENTRY_BYTES = 8
MAX_ENTRIES = 64


class Replay:
    """A ring of the last 64 codes that opened here, and what the server last told of other handhelds."""

    def __init__(self) -> None:
        self._own = b""
        self._others = b""

    def note(self, cti: bytes, now_unix: int) -> None:
        """A code has just opened."""
        entry = sha256(cti)[:4] + struct.pack(">I", now_unix)
        self._own = self._own[-ENTRY_BYTES * (MAX_ENTRIES - 1) :] + entry

    def learn(self, entries: bytes) -> None:
        """What the server tells of other handhelds: sync field 6, entries as here; replaces what it told
        before. Bytes of another form are passed over.
        """
        if len(entries) % ENTRY_BYTES == 0 and len(entries) <= ENTRY_BYTES * MAX_ENTRIES:
            self._others = entries

    def reason(self, cti: bytes, now_unix: int, pass_back_s: int) -> int:
        """OK, REPLAYED, or REPLAYED_ELSEWHERE where the code opened less than `pass_back_s` ago."""
        wanted = sha256(cti)[:4]
        for entries, reason in ((self._own, reasons.REPLAYED), (self._others, reasons.REPLAYED_ELSEWHERE)):
            at = entries.find(wanted)
            while at >= 0:
                if at % ENTRY_BYTES == 0:
                    then = struct.unpack(">I", entries[at + 4 : at + 8])[0]
                    # Another handheld's clock may be ahead of this one's.
                    if abs(now_unix - then) < pass_back_s:
                        return reason
                at = entries.find(wanted, at + 1)
        return reasons.OK
