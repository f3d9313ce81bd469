"""The power goes at any moment: the handheld comes back, and what it has shown or sent is still there."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest
from door import Door, opened
from fleet import until

from firmware.core import record
from simulator.world import Event

pytestmark = pytest.mark.slow
FAMILY = [{1: 3, 2: "李*", 10: bytes((number,)) * 16} for number in range(3)]


class Queue:
    """People with red codes, some of them families, each code with a number of its own.

    `shown` are the codes whose verdict came on: the light's red is the last thing that comes.
    """

    def __init__(self, door: Door) -> None:
        self._door = door
        self._number = 0
        self._scanned = True
        self.shown: set[bytes] = set()
        self.sizes: dict[bytes, int] = {}
        door.loop.call(door.world.listen, self._look)

    @property
    def current(self) -> bytes:
        """The number of the code before the camera."""
        return self._number.to_bytes(8, "big")

    def step(self) -> None:
        """The next one comes."""
        self._number += 1
        self._scanned = False
        family = FAMILY if self._number % 3 == 0 else None
        self.sizes[self.current] = 4 if family else 1
        self._door.show(self._door.code(cti=self.current, h1=3, h7=family))

    @property
    def served(self) -> bool:
        """Whether the current one has been turned away."""
        return self.current in self.shown

    def _look(self, event: Event) -> None:
        if event.kind == "led":
            red, _, blue = event.data["rgb"]
            self._scanned |= blue > 0 and not red
            if red > 200 and self._scanned:
                self.shown.add(self.current)

    def check(self) -> None:
        """All that was shown is at the server, once; and nothing that was not before the camera."""
        door, shown = self._door, set(self.shown)
        door.boot()
        waiting = door.turn(door.text("orange"))
        assert waiting.verdict == "stop"
        until(
            lambda: door.fleet.rows()[-1:] != [] and last(door).get(record.COLOUR) == 2, "the last record", 60
        )
        door.fleet.check_chain()
        found: dict[bytes, int] = {}
        for row in door.fleet.rows()[:-1]:
            fields = record.decode(row.raw)
            if record.EVENT in fields:
                continue
            cti = fields[record.CTI]
            found[cti] = found.get(cti, 0) + 1
        assert shown <= set(found)
        for cti, count in found.items():
            assert count == self.sizes[cti] or (count < self.sizes[cti] and cti not in shown), cti


def last(door: Door) -> dict:
    return record.decode(door.fleet.rows()[-1].raw)


@pytest.mark.xdist_group("door-kill-1")
def test_killed_at_any_moment(tmp_path: Path) -> None:
    """SIGKILL from the first moment of the start to the middle of a running queue."""
    dice = random.Random(20200522)
    with opened(tmp_path) as door:
        queue = Queue(door)
        moments = [dice.uniform(0.0, 2.4) for _ in range(4)] + [dice.uniform(2.2, 4.5) for _ in range(10)]
        dice.shuffle(moments)
        for moment_s in moments:
            door.cut()
            before = door.boot(wait=False)
            ends_s = time.monotonic() + moment_s
            ready = False
            while time.monotonic() < ends_s:
                if (ready and queue.served) or (not ready and "flow: idle" in door.lines(before)):
                    ready = True
                    queue.step()
                time.sleep(0.005)
        door.cut()
        assert len(queue.shown) > 20
        queue.check()


@pytest.mark.xdist_group("door-kill-2")
def test_cut_in_the_middle_of_a_write(tmp_path: Path) -> None:
    """The flash is left half programmed at its Nth erase or program: of the queue, and of the start."""
    with opened(tmp_path) as door:
        queue = Queue(door)
        for operation in range(1, 11):
            door.loop.call(door.handheld.cut_power_at, operation)
            ends_s = time.monotonic() + 8
            while door.handheld.state == "running" and time.monotonic() < ends_s:
                if queue.served or not queue.sizes:
                    queue.step()
                time.sleep(0.005)
            assert door.handheld.state == "off", operation
            door.boot()
            queue.step()
        for operation in (1, 2, 3):
            door.cut()
            door.loop.call(door.handheld.cut_power_at, operation)
            door.boot(wait=False)
            time.sleep(3)
        door.cut()
        queue.check()
