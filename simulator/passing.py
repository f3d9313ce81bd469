"""How time passes while scenarios are played: faster, in jumps, and not over a place's closing time."""

from __future__ import annotations

import os
import re

from host_tools.authority.default_scenes import CLOSING_MINUTE
from host_tools.clockpage import FASTEST, VARIABLE, ClockPage
from host_tools.demo_stage import Stage
from host_tools.state import State

CHINA_S = 8 * 3_600
DAY_S = 86_400
UNIT_S = {"s": 1, "m": 60, "h": 3_600, "d": DAY_S}
SPAN = re.compile(r"(\d{1,6})([smhd])")
#: The longest that one scenario takes. When a place closes, everybody is out; at midnight live codes end, and
#: lists of the day begin anew: a scenario that is played over such a moment sees other things.
SCENARIO_S = 240
MOMENTS_S = (CLOSING_MINUTE * 60, DAY_S)


def span_s(words: tuple[str, ...]) -> int:
    """A span such as ``8h``. Raises ValueError."""
    found = SPAN.fullmatch(words[0])
    if not found or not int(found[1]):
        raise ValueError("a span of time is written as 90s, 30m, 8h, 2d")
    return int(found[1]) * UNIT_S[found[2]]


def speed_of(words: tuple[str, ...]) -> int:
    """A speed. Raises ValueError."""
    if not words[0].isdigit() or not 1 <= int(words[0]) <= FASTEST:
        raise ValueError(f"a speed is a number from 1 to {FASTEST}")
    return int(words[0])


def until_clear_s(now_unix: float) -> int:
    """How long to wait so that no such moment falls into the next scenario; 0 for not at all."""
    of_day_s = (now_unix + CHINA_S) % DAY_S
    for moment_s in MOMENTS_S:
        if 0 < moment_s - of_day_s <= SCENARIO_S:
            return int(moment_s - of_day_s) + 2
    return 0


class Passing:
    """The clock of a running system."""

    def __init__(self, stage: Stage, state: State) -> None:
        self._stage = stage
        self._path = state.clock.resolve()
        self._page = ClockPage(self._path)

    def now_unix(self) -> int:
        """The time there."""
        return self._page.unix_us() // 1_000_000

    def environment(self) -> dict[str, str]:
        """That of a command which shall see the same time."""
        return {**os.environ, VARIABLE: str(self._path)}

    async def begin(self) -> None:
        """Before a scenario: at the computer's speed, and not shortly before a moment that counts."""
        await self._stage.pass_time(speed=1)
        left_s = until_clear_s(self.now_unix())
        if left_s:
            await self._stage.pass_time(jump_s=left_s)

    async def speed(self, speed: int) -> None:
        """So many times as fast from now on."""
        await self._stage.pass_time(speed=speed)

    async def jump(self, seconds: int) -> None:
        """So much time passes at once; returns when it has."""
        await self._stage.pass_time(jump_s=seconds)
