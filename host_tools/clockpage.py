"""One clock for several processes: sixteen bytes in a file that each of them maps.

The simulator writes them; authority, fleet server and the interpreter of each handheld read them, so that a
jump or a faster clock is the same one for all (docs/simulator.md, "Time")::

    i64  2 * offset      simulated time is the computer's monotonic clock plus `offset` µs
         2 * now + 1     simulated time stands at `now` µs until somebody writes the next one
    i64  unix time minus simulated time, µs

Both in the computer's byte order. The first is written in one piece, so a reader needs no lock.
"""

from __future__ import annotations

import functools
import mmap
import os
import struct
import time
from pathlib import Path

#: Names the file to the processes of one system.
VARIABLE = "YIMA_CLOCK"
FASTEST = 1000
BYTES = 16
_CELL = struct.Struct("=q")


class ClockTrouble(Exception):
    """The clock's file is none; the message is for a person."""


def monotonic_us() -> int:
    """The computer's clock that never goes back, as MicroPython's ticks read it."""
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000


class ClockPage:
    """The mapped file. Raises ClockTrouble."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with path.open("r+b") as file:
                self._memory = mmap.mmap(file.fileno(), BYTES)
        except (OSError, ValueError) as e:
            raise ClockTrouble(f"{path} is no clock: {e}") from e

    @staticmethod
    def create(path: Path) -> ClockPage:
        """A new one that goes with the computer's clocks."""
        new = path.with_suffix(".new")
        new.write_bytes(_CELL.pack(0) + _CELL.pack(time.time_ns() // 1000 - monotonic_us()))
        new.rename(path)
        return ClockPage(path)

    def now_us(self) -> int:
        """Simulated time."""
        value: int = _CELL.unpack_from(self._memory, 0)[0]
        return value >> 1 if value & 1 else (value >> 1) + monotonic_us()

    def unix_us(self) -> int:
        """The date and time of day in it."""
        ahead_us: int = _CELL.unpack_from(self._memory, 8)[0]
        return self.now_us() + ahead_us

    def run_from(self, now_us: int) -> None:
        """From `now_us` on it goes with the computer's clock."""
        _CELL.pack_into(self._memory, 0, (now_us - monotonic_us()) << 1)

    def stand_at(self, now_us: int) -> None:
        """It stands until the next call."""
        _CELL.pack_into(self._memory, 0, now_us << 1 | 1)


def now() -> float:
    """Unix time: by the page that the environment names, the computer's without one. Raises ClockTrouble.

    Waits, and what is measured by the monotonic clock, stay the computer's, and so do dates that libraries
    in C look up, such as those of certificates.
    """
    path = os.environ.get(VARIABLE)
    return _followed(path).unix_us() / 1e6 if path else time.time()


@functools.cache
def _followed(path: str) -> ClockPage:
    return ClockPage(Path(path))
