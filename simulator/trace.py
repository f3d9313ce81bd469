"""What passed over the buses lately, as rows of a timeline."""

from __future__ import annotations

import itertools
import time
from collections import deque
from typing import NamedTuple

KEEP = 3000
HEAD = 24
"""Bytes of a transfer that are kept; of the rest only the number is."""
TOGETHER_MS = {"uart": 20.0, "spi": 2.0, "i2c": -1.0}
"""Pieces of a serial message or a display burst with pauses no longer than this are one row."""


class Row(NamedTuple):
    """One transfer: its place in the sequence (a row that grows moves on), milliseconds (monotonic) of its
    first byte, bus (uart, i2c, spi), way (out: from the firmware), what stands before the data (an address,
    ``command``), size and first bytes in hex, and the error, "" for none.
    """

    number: int
    t_ms: float
    bus: str
    way: str
    to: str
    size: int
    head: str
    error: str


class Trace:
    """The newest `KEEP` transfers."""

    def __init__(self) -> None:
        self._rows: deque[Row] = deque(maxlen=KEEP)
        self._count = 0
        self._at = 0.0

    def add(self, bus: str, way: str, data: bytes, to: str = "", error: str = "") -> None:
        """Something passed."""
        now = time.monotonic_ns() / 1e6
        self._count += 1
        last = self._rows[-1] if self._rows else None
        if (
            last
            and (last.bus, last.way, last.to, last.error) == (bus, way, to, error)
            and to != "command"
            and now - self._at <= TOGETHER_MS[bus]
        ):
            room = max(0, HEAD - len(last.head) // 2)
            head = last.head + data[:room].hex()
            self._rows[-1] = last._replace(number=self._count, size=last.size + len(data), head=head)
        else:
            self._rows.append(Row(self._count, now, bus, way, to, len(data), data[:HEAD].hex(), error))
        self._at = now

    def since(self, number: int) -> list[Row]:
        """Rows that are new or have grown since `number`, of those that are still kept."""
        newer = list(itertools.takewhile(lambda row: row.number > number, reversed(self._rows)))
        return newer[::-1]

    @property
    def last(self) -> int:
        """Number of the newest row."""
        return self._count
