"""Codes that opened a short while ago, here or on another handheld of the unit: a copy must not open again.

Kept in RAM, 8 bytes each, the oldest first: the first four of SHA-256 of the code's cti, and when (u32). Four
are enough, for a false match needs two of at most 128 codes to meet in 32 bits.
"""

import struct

from firmware.core.hmac256 import sha256

ENTRY_BYTES = 8
MAX_ENTRIES = 64


def noted(entries: bytes, cti: bytes, now_unix: int) -> bytes:
    """The ring `entries` with a code that has just opened; the oldest goes where it is full."""
    entry = sha256(cti)[:4] + struct.pack(">I", now_unix)
    return entries[-ENTRY_BYTES * (MAX_ENTRIES - 1) :] + entry


def forgotten(entries: bytes, cti: bytes) -> bytes:
    """The ring `entries` without a code: its holder has left and may come back."""
    wanted = sha256(cti)[:4]
    kept = b""
    for at in range(0, len(entries), ENTRY_BYTES):
        if entries[at : at + 4] != wanted:
            kept += entries[at : at + ENTRY_BYTES]
    return kept


def opened_lately(entries: bytes, cti: bytes, now_unix: int, pass_back_s: int) -> bool:
    """Whether a code is among `entries` with a time less than `pass_back_s` ago."""
    wanted = sha256(cti)[:4]
    at = entries.find(wanted)
    while at >= 0:
        if at % ENTRY_BYTES == 0:
            then = struct.unpack(">I", entries[at + 4 : at + 8])[0]
            # Another handheld's clock may be ahead of this one's.
            if abs(now_unix - then) < pass_back_s:
                return True
        at = entries.find(wanted, at + 1)
    return False
