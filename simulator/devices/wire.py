"""One direction of an asynchronous serial line, 8N1: ten bit times a byte, and garbage at the wrong baud
rate."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from simulator.timebase import Handle, Timebase

SLICE_S = 0.002
"""Bytes are handed over in slices of this time, so that pacing costs few wake-ups."""

TOLERANCE = 0.035
"""A receiver copes with a baud rate this far off (1.5 % per side and the sampling error)."""


def resample(data: bytes, sent_baud: int, read_baud: int) -> bytes:
    """What a receiver at `read_baud` makes of bytes sent at `sent_baud`; a framing error does not stop it."""
    if abs(sent_baud - read_baud) <= TOLERANCE * read_baud:
        return data
    bits = [1]
    for byte in data:
        bits += [0, *((byte >> i) & 1 for i in range(8)), 1]
    end = len(bits) / sent_baud

    def level(t: float) -> int:
        return bits[int(t * sent_baud)] if t < end else 1

    out = bytearray()
    step = 1 / (read_baud * 16)
    t = 0.0
    while t < end:
        if level(t):
            t += step
            continue
        out.append(sum(level(t + (1.5 + i) / read_baud) << i for i in range(8)))
        t += 9.5 / read_baud
    return bytes(out)


class Wire:
    """Delivers what is sent at the sender's baud rate, in order: ``deliver(data, baud)``."""

    def __init__(self, time: Timebase, deliver: Callable[[bytes, int], None]) -> None:
        self._time = time
        self._deliver = deliver
        self._queue: deque[tuple[bytes, int, Callable[[], None] | None]] = deque()
        self._handle: Handle | None = None
        self._start = 0.0
        self._sent = 0

    @property
    def idle(self) -> bool:
        """Whether every byte has arrived."""
        return not self._queue

    def send(self, data: bytes, baud: int, done: Callable[[], None] | None = None) -> None:
        """Queue bytes; `done` is called when the last has arrived."""
        if not data:
            return
        self._queue.append((bytes(data), baud, done))
        if self._handle is None:
            self._start = self._time.time()
            self._sent = 0
            self._plan()

    def clear(self) -> None:
        """Drop what is under way: the line is cut."""
        self._queue.clear()
        if self._handle:
            self._handle.cancel()
            self._handle = None

    def _plan(self) -> None:
        data, baud, _ = self._queue[0]
        upto = min(len(data), self._sent + max(1, int(SLICE_S * baud / 10)))
        due = self._start + upto * 10 / baud
        self._handle = self._time.call_later(max(0.0, due - self._time.time()), self._tick)

    def _tick(self) -> None:
        self._handle = None
        data, baud, done = self._queue[0]
        due = min(len(data), round((self._time.time() - self._start) * baud / 10 + 1e-6))
        due = max(due, self._sent + 1)
        chunk = data[self._sent : due]
        self._sent = due
        finished = due >= len(data)
        if finished:
            self._start += len(data) * 10 / baud
            self._sent = 0
            self._queue.popleft()
        if self._queue:
            self._plan()
        self._deliver(chunk, baud)
        if finished and done:
            done()
