"""What the handheld tells of itself while it runs: heap over time, tasks and their beats, starts."""

from __future__ import annotations

import re
import time
from collections import Counter, deque
from typing import Any

KEEP = 600
APART_MS = 1000
"""Heap figures nearer to each other than this are one point."""
RESETS = {1: "power-on", 2: "reset", 3: "watchdog", 4: "deep sleep", 5: "soft reset"}
_TASKS = re.compile(r"tasks:((?: \w{1,24} (?:\d{1,7}|-|x)){1,32})")


class Vitals:
    """The newest figures of one handheld; they outlive its restarts."""

    def __init__(self) -> None:
        self.heap: deque[tuple[int, int, int]] = deque(maxlen=KEEP)
        """Milliseconds (monotonic), bytes in use, bytes free."""
        self.starts: Counter[str] = Counter()
        self._tasks: list[tuple[str, str]] = []
        self._told_ms = 0

    def started(self, cause: int, used: int, free: int) -> None:
        """The board starts."""
        self.starts[RESETS.get(cause, str(cause))] += 1
        self._tasks = []
        self.heap_is(used, free, always=True)

    def heap_is(self, used: int, free: int, always: bool = False) -> None:
        """A figure of the heap came."""
        now_ms = _now_ms()
        if always or not self.heap or now_ms - self.heap[-1][0] >= APART_MS:
            self.heap.append((now_ms, used, free))

    def takes(self, line: str) -> bool:
        """Whether a line of the console is the supervisor's about its tasks; it is remembered then."""
        found = _TASKS.fullmatch(line)
        if found is None:
            return False
        words = found[1].split()
        self._tasks = list(zip(words[::2], words[1::2], strict=True))
        self._told_ms = _now_ms()
        return True

    def tasks(self, crashes: dict[str, dict[str, Any]] | None = None) -> dict[str, Any]:
        """The tasks as they were told last: seconds since the beat then (None: it beats never), whether it is
        over, and what the crash notes on flash say of it; `age_s` is how long ago that was told.
        """
        notes = crashes or {}
        rows = [
            {
                "name": name,
                "beat_s": int(word) if word.isdigit() else None,
                "over": word == "x",
                "failures": notes.get(name, {}).get("times", 0),
                "last_failure": notes.get(name, {}).get("last", ""),
            }
            for name, word in self._tasks
        ]
        age_s = round((_now_ms() - self._told_ms) / 1000, 1) if rows else None
        return {"tasks": rows, "age_s": age_s, "starts": dict(self.starts)}


def _now_ms() -> int:
    return time.monotonic_ns() // 1_000_000
