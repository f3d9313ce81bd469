"""Three push buttons to ground. A real contact bounces for a few milliseconds, at both edges."""

from __future__ import annotations

import random
from collections.abc import Callable

from simulator.timebase import Timebase

BOUNCE_S = 0.005


class Keys:
    """``contact(key, closed)`` is called at every edge."""

    def __init__(self, time: Timebase, contact: Callable[[str, bool], None], *, seed: int = 3) -> None:
        self._time = time
        self._contact = contact
        self._random = random.Random(seed)  # noqa: S311
        self._closed: dict[str, bool] = {}

    def closed(self, key: str) -> bool:
        """Whether the contact is closed at this moment."""
        return self._closed.get(key, False)

    def press(self, key: str, hold_s: float, bounce: bool = True) -> None:
        """Push, hold, let go; an odd number of edges each."""
        for start, closed in ((0.0, True), (hold_s, False)):
            self._edges(key, start, closed, bounce)

    def hold(self, key: str, closed: bool, bounce: bool = True) -> None:
        """Push and keep pushed, or let go."""
        self._edges(key, 0.0, closed, bounce)

    def _edges(self, key: str, start: float, closed: bool, bounce: bool) -> None:
        moments = [start]
        if bounce:
            extra = 2 * self._random.randint(1, 4)
            moments += sorted(start + self._random.uniform(0.0002, BOUNCE_S) for _ in range(extra))
        for i, moment in enumerate(moments):
            self._time.call_later(moment, self._set, key, closed == (i % 2 == 0))

    def _set(self, key: str, closed: bool) -> None:
        if self._closed.get(key, False) != closed:
            self._closed[key] = closed
            self._contact(key, closed)
