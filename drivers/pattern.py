"""Plays a short sequence of output values in the background; what buzzer and motor have in common."""

import asyncio

if False:
    from typing import Callable

#: No pattern lasts longer; the rest of a longer one is left out.
LIMIT_MS = 4_000


class Player:
    """Calls `output(value)` for each step of a pattern, and `output(0)` at its end."""

    def __init__(self, output: "Callable[[int], None]") -> None:
        self._output = output
        self._task: "asyncio.Task[None] | None" = None
        output(0)

    def play(self, steps: "tuple[tuple[int, int], ...]") -> None:
        """Start (value, ms) steps at once, in place of what is playing. Needs a running event loop."""
        self.stop()
        if steps:
            # The first value goes out now, not when the loop comes round.
            self._output(steps[0][0])
            self._task = asyncio.create_task(self._play(steps))

    def stop(self) -> None:
        """Silence."""
        if self._task is not None:
            # A cancelled task touches the output no more, so it cannot disturb the next one's.
            self._task.cancel()
            self._task = None
        self._output(0)

    async def _play(self, steps: "tuple[tuple[int, int], ...]") -> None:
        left_ms = LIMIT_MS
        for index, (value, step_ms) in enumerate(steps):
            if index:
                self._output(value)
            await asyncio.sleep_ms(max(0, min(step_ms, left_ms)))
            left_ms -= step_ms
            if left_ms <= 0:
                break
        self._output(0)
        self._task = None
