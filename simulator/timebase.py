"""Time as the chip models see it: a running asyncio loop has this shape, and so has `VirtualTime` for
tests."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from typing import Any, Protocol


class Handle(Protocol):
    """A call that can be taken back."""

    def cancel(self) -> None:
        """Do not call."""


class Timebase(Protocol):
    """Seconds that only rise, and calls at a later moment."""

    def time(self) -> float:
        """Seconds."""

    def call_later(self, delay: float, callback: Callable[..., Any], *args: Any) -> Handle:
        """Call after `delay` seconds."""


class VirtualCall:
    """A call planned in `VirtualTime`."""

    def __init__(self, callback: Callable[..., Any], args: tuple[Any, ...]) -> None:
        self.callback: Callable[..., Any] | None = callback
        self.args = args

    def cancel(self) -> None:
        """Do not call."""
        self.callback = None


class VirtualTime:
    """A clock that moves when told, and runs what falls due in order."""

    def __init__(self) -> None:
        self._now = 0.0
        self._order = itertools.count()
        self._calls: list[tuple[float, int, VirtualCall]] = []

    def time(self) -> float:
        """Seconds since the start."""
        return self._now

    def call_later(self, delay: float, callback: Callable[..., Any], *args: Any) -> VirtualCall:
        """Plan a call."""
        call = VirtualCall(callback, args)
        heapq.heappush(self._calls, (self._now + max(0.0, delay), next(self._order), call))
        return call

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        end = self._now + seconds
        while self._calls and self._calls[0][0] <= end + 1e-12:
            self._now, _, call = heapq.heappop(self._calls)
            if call.callback:
                call.callback(*call.args)
        self._now = end
