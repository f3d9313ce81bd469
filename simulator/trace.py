"""What passed over the buses lately, as rows of a timeline."""

from __future__ import annotations

import time
from collections import deque
from typing import NamedTuple

KEEP = 3000
HEAD = 24
"""Bytes of a transfer that are kept; of the rest only the number is."""
TOGETHER_MS = 2.0
"""Pieces of a display burst or a serial message that follow each other so closely are one row."""


class Row(NamedTuple):
    """One transfer: its place in the sequence, milliseconds (monotonic), bus (uart, i2c, spi), way (out: from
    the firmware), what stands before the data (an address, ``command``), size and first bytes in hex, and the
    error, "" for none.
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

    def add(self, bus: str, way: str, data: bytes, to: str = "", error: str = "") -> None:
        """Something passed."""
        now = time.monotonic_ns() / 1e6
        last = self._rows[-1] if self._rows else None
        same = last and (last.bus, last.way, last.to, last.error) == (bus, way, to, error)
        if (
            last
            and same
            and bus != "i2c"
            and to != "command"
            and now - last.t_ms < TOGETHER_MS + last.size / 1000
        ):
            head = last.head
            if len(head) < 2 * HEAD:
                head += data[: HEAD - len(head) // 2].hex()
            self._rows[-1] = last._replace(size=last.size + len(data), head=head)
            return
        self._count += 1
        self._rows.append(Row(self._count, now, bus, way, to, len(data), data[:HEAD].hex(), error))

    def since(self, number: int) -> list[Row]:
        """Rows newer than `number` that are still kept."""
        newer = self._count - number
        return list(self._rows)[-newer:] if newer > 0 else []

    @property
    def last(self) -> int:
        """Number of the newest row."""
        return self._count
