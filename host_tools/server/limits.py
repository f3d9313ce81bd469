"""How often somebody may ask: a bucket of tokens each, filled at a steady rate."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

#: Buckets kept; when there are more, those that were full again long ago go.
MOST = 20_000


class Limiter:
    """`burst` at once and `per_s` a second from then on, for each key."""

    def __init__(self, per_s: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_s = per_s
        self._burst = burst
        self._clock = clock
        self._lock = threading.Lock()
        self._buckets: dict[str, tuple[float, float]] = {}

    def allows(self, key: str) -> bool:
        """Whether one more is within the limit; it is counted then."""
        now = self._clock()
        with self._lock:
            if len(self._buckets) >= MOST:
                full_s = self._burst / self._per_s
                self._buckets = {k: b for k, b in self._buckets.items() if now - b[1] < full_s}
                if len(self._buckets) >= MOST:
                    return False
            left, then = self._buckets.get(key, (float(self._burst), now))
            left = min(float(self._burst), left + (now - then) * self._per_s)
            self._buckets[key] = (left - 1 if left >= 1 else left, now)
            return left >= 1
