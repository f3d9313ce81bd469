"""The simulator's clock: board, chips and firmware live in its time, which may run faster or jump.

At speed 1 simulated time is the computer's. At any other speed, and while it jumps, time goes from one event
to the next: it stands while a handheld's firmware computes, and when every firmware waits and no chip has
anything to do before a moment, that moment comes at once, or as late as the speed asks for. So nothing is
ever late for want of a fast computer, and two runs see the same times. What the firmware's work costs on a
board is charged by simulator/shims/_sim.py; docs/simulator.md tells what runs on which clock.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import shutil
import tempfile
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

from host_tools.clockpage import FASTEST, ClockPage, monotonic_us
from simulator.timebase import VirtualCall

FOREVER_MS = 0xFFFFFFFF
"""A program's wait without an end."""
HANG_US = 1_000_000
"""A program that computes for longer, by the computer's clock, does not hold time up any more: it may hang,
or stand at the prompt."""
TICK_S = 0.01
"""How often time is set while it goes at a speed and nothing happens."""
LAG_US = 50_000
"""What cannot be had at a speed is not made up for beyond this."""
LONGEST_JUMP_S = 31 * 86_400
HOP_US = 1_000_000
"""In a jump time goes on by as much as this while nothing is under way: shorter waits end late by so much,
all together. Loops that count their waits must end before somebody takes them for dead."""
UNDER_WAY_US = 250_000
"""Something is under way while a chip has something to do within this time,"""
WAITS_US = 100_000
"""or a program within this."""


class Runner:
    """A program whose waits the clock must know. ``wake()`` ends its wait; ``asks()`` tells whether it waits
    for an answer of the board."""

    def __init__(self, clock: Clock, wake: Callable[[], None], asks: Callable[[], bool]) -> None:
        self._clock = clock
        self.wake = wake
        self._asks = asks
        self._sent = 0
        self.until_us: int | None = None
        """Until when it waits; None while it computes."""
        self.since_us = monotonic_us()
        """Since when it computes, by the computer's clock."""

    @property
    def busy(self) -> bool:
        """Whether it computes."""
        return self.until_us is None and not self._asks()

    def disturbed(self) -> None:
        """Something was sent to it: it computes until it says that it has taken that and waits again."""
        self._sent = (self._sent + 1) & 0xFFFF
        if self.until_us is not None:
            self.until_us = None
            self.since_us = monotonic_us()

    def works(self, spent_us: int) -> None:
        """It goes on computing, and a board would have taken so long by now: the chips live on meanwhile."""
        self._clock.spend(spent_us)
        self._clock.catch_up()

    def waits(self, taken: int, spent_us: int, wait_ms: int) -> None:
        """It has taken so many events, has spent so much time of a board, and waits for so long."""
        clock = self._clock
        clock.spend(spent_us)
        if taken == self._sent:
            self.until_us = FOREVER_US if wait_ms == FOREVER_MS else (clock.now_us // 1000 + wait_ms) * 1000
        clock.look()


FOREVER_US = 1 << 61


def _settle(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


class Clock:
    """A time base for chips (simulator/timebase.py) that can be made faster. Used from one event loop.

    `page` is where others read it; without one it has its own.
    """

    def __init__(self, page: ClockPage | None = None, speed: int = 1) -> None:
        if page is None:
            folder = tempfile.mkdtemp(prefix="yima-clock-")
            weakref.finalize(self, shutil.rmtree, folder, True)
            page = ClockPage.create(Path(folder) / "clock")
        self.page = page
        self.slow: list[Callable[[], bool]] = []
        """While one of these says so, time goes as fast as the computer's: a network is at work outside."""
        self._now_us = page.now_us()
        self._speed = 1
        self._rush_us: int | None = None
        self._arrived: list[asyncio.Future[None]] = []
        self._runners: list[Runner] = []
        self._calls: list[tuple[int, int, VirtualCall]] = []
        self._order = itertools.count()
        self._timer: asyncio.Handle | None = None
        self._looking = False
        self._anchor = (0, 0)
        self._pace: int | None = 0
        page.run_from(self._now_us)
        self.speed = speed

    # As a time base --------------------------------------------------------------------------------------

    @property
    def now_us(self) -> int:
        """Simulated time in µs: at speed 1 without jumps the computer's monotonic clock."""
        return self._now_us if self.stepping else self.page.now_us()

    def time(self) -> float:
        """Simulated seconds."""
        return self.now_us / 1e6

    def unix(self) -> float:
        """The date and time of day."""
        return self.page.unix_us() / 1e6

    def call_later(self, delay: float, callback: Callable[..., Any], *args: Any) -> VirtualCall:
        """Call after `delay` simulated seconds."""
        call = VirtualCall(callback, args)
        due_us = self.now_us + max(0, round(delay * 1e6))
        heapq.heappush(self._calls, (due_us, next(self._order), call))
        if self._calls[0][2] is call or self.stepping:
            self.look()
        return call

    async def sleep(self, seconds: float) -> None:
        """Wait for simulated seconds."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.call_later(seconds, _settle, done)
        await done

    # Speed -----------------------------------------------------------------------------------------------

    @property
    def stepping(self) -> bool:
        """Whether time goes from event to event, and not with the computer's clock."""
        return self._speed != 1 or self._rush_us is not None

    @property
    def speed(self) -> int:
        """How many times as fast as the computer's clock time goes at most."""
        return self._speed

    @speed.setter
    def speed(self, speed: int) -> None:
        """From 1 to FASTEST; 0 is as fast as it goes. Raises ValueError."""
        if not 0 <= speed <= FASTEST:
            raise ValueError(f"a speed is from 1 to {FASTEST}")
        self._change(speed, self._rush_us)

    async def jump(self, seconds: float) -> None:
        """Let so much time pass as fast as it goes; everything that falls into it happens. Raises ValueError.

        Returns when it has passed.
        """
        if not 0 < seconds <= LONGEST_JUMP_S:
            raise ValueError(f"a jump is from 1 to {LONGEST_JUMP_S} seconds")
        arrived: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._arrived.append(arrived)
        target_us = self.now_us + round(seconds * 1e6)
        self._change(self._speed, max(target_us, self._rush_us or 0))
        await arrived

    def _change(self, speed: int, rush_us: int | None) -> None:
        before, now_us = self.stepping, self.now_us
        self._speed, self._rush_us = speed, rush_us
        self._anchor = (0, 0)
        self._now_us = now_us
        if self.stepping == before:
            if before:
                self.look()
            return
        if self.stepping:
            self.page.stand_at(now_us)
        else:
            self.page.run_from(now_us)
        for runner in self._runners:  # what it waits for comes in another way from now on
            runner.wake()
        self.look()

    # Programs --------------------------------------------------------------------------------------------

    def run(self, runner: Runner) -> None:
        """A program starts."""
        self._runners.append(runner)

    def end(self, runner: Runner) -> None:
        """It is gone."""
        if runner in self._runners:
            self._runners.remove(runner)
            self.look()

    def spend(self, us: int) -> None:
        """A board has worked for so long: time that is charged while it stands."""
        if self.stepping and us:
            self._set(self._now_us + us)

    def catch_up(self) -> None:
        """Whatever is due happens, though a program computes."""
        now_us = self.now_us
        while self._next_call_us() <= now_us:
            self._call()
        if self.stepping:
            self._wake(now_us)

    # From event to event ---------------------------------------------------------------------------------

    def look(self) -> None:
        """Something has changed: look soon what comes next."""
        if not self._looking:
            self._looking = True
            if self._timer:
                self._timer.cancel()
            try:
                loop = asyncio.get_running_loop()
            except RuntimeError:  # nothing runs yet
                self._looking = False
                return
            self._timer = loop.call_soon(self._step)

    def _again(self, seconds: float) -> None:
        if not self._looking:
            self._timer = asyncio.get_running_loop().call_later(seconds, self._step)

    def _set(self, now_us: int) -> None:
        self._now_us = now_us
        self.page.stand_at(now_us)

    def _next_call_us(self) -> int:
        while self._calls and self._calls[0][2].callback is None:
            heapq.heappop(self._calls)
        return self._calls[0][0] if self._calls else FOREVER_US

    def _run_due(self, now_us: int) -> None:
        """Call what is due, until that makes a program compute."""
        while self._next_call_us() <= now_us:
            self._call()
            if self.stepping and any(runner.busy for runner in self._runners):
                return

    def _call(self) -> None:
        call = heapq.heappop(self._calls)[2]
        assert call.callback  # noqa: S101 - `_next_call_us` has dropped the others
        call.callback(*call.args)

    def _wake(self, now_us: int) -> None:
        """End the waits that are over."""
        for runner in self._runners:
            if runner.until_us is not None and runner.until_us <= now_us:
                runner.wake()

    def _step(self) -> None:
        self._looking = False
        self._timer = None
        if not self.stepping:
            self._run_due(self.now_us)
            if not self.stepping and self._calls:
                self._again(max(0, self._next_call_us() - self.now_us) / 1e6)
            return
        real_us = monotonic_us()
        busy = [runner.since_us for runner in self._runners if runner.busy]
        if busy and real_us - min(busy) < HANG_US:
            self._again((HANG_US - real_us + min(busy)) / 1e6)
            return
        target_us = self._target()
        pace = 0 if self._rush_us is not None else self._speed
        if busy or any(slow() for slow in self.slow):
            pace = 1
        if pace:
            allowed_us = self._allowed(real_us, pace)
            if target_us > allowed_us:
                self._set(max(self._now_us, allowed_us))
                self._again(min((target_us - allowed_us) / pace / 1e6, TICK_S))
                return
        elif target_us == FOREVER_US:
            return
        self._set(max(self._now_us, target_us))
        self._arrive()

    def _target(self) -> int:
        """The next moment at which anything happens; in a jump, and with nothing under way, a later one."""
        call_us, wait_us = self._next_call_us(), min(self._waits())
        if self._rush_us is None:
            return min(call_us, wait_us)
        left_us = call_us - self._now_us
        if left_us > UNDER_WAY_US and wait_us - self._now_us >= WAITS_US:
            wait_us = max(wait_us, self._now_us + min(HOP_US, left_us * 9 // 10))
        return min(call_us, wait_us, self._rush_us)

    def _waits(self) -> list[int]:
        """Until when programs wait; a large number always among them."""
        return [FOREVER_US, *(runner.until_us for runner in self._runners if runner.until_us is not None)]

    def _allowed(self, real_us: int, pace: int) -> int:
        """How far time may have come at a pace."""
        ahead = pace == 1 and self._anchor[1] + real_us - self._anchor[0] < self._now_us
        if ahead or pace != self._pace or not self._anchor[0]:  # what is charged comes on top of a pace of 1
            self._pace, self._anchor = pace, (real_us, self._now_us)
        allowed_us = self._anchor[1] + (real_us - self._anchor[0]) * pace
        if allowed_us - self._now_us > LAG_US * pace:
            allowed_us = self._now_us + LAG_US * pace
            self._anchor = (real_us, allowed_us)
        return allowed_us

    def _arrive(self) -> None:
        """A moment has come: end a jump, call what is due, wake who waited for it."""
        now_us = self._now_us
        if self._rush_us is not None and now_us >= self._rush_us:
            for arrived in self._arrived:
                _settle(arrived)
            self._arrived.clear()
            self._change(self._speed, None)
        self._run_due(now_us)
        if self.stepping:
            self._wake(now_us)
        self.look()
