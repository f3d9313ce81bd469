"""People, ID numbers and an authority for tests of the register."""

from __future__ import annotations

import random
from pathlib import Path

from fleetkit import NOW

from host_tools.authority.app import Authority
from host_tools.authority.people import Registration
from host_tools.state import State

DAY_S = 86_400
# The example of the standard itself (GB 11643-1999).
ID_NUMBER = "11010519491231002X"


class Clock:
    def __init__(self, now: int = NOW) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def id_number(seed: int) -> str:
    """A resident ID that nobody has; the check character by the sum of the standard, not by our code."""
    dice = random.Random(seed)
    digits = "350802" + "19800101" + f"{dice.randrange(1000):03d}"
    for last in "0123456789X":
        total = sum(
            (10 if c == "X" else int(c)) * pow(2, 17 - place, 11) for place, c in enumerate(digits + last)
        )
        if total % 11 == 1:
            return digits + last
    raise AssertionError


def open_authority(folder: Path, clock: Clock) -> Authority:
    return Authority(State(folder), clock)


def registration(**changes: object) -> Registration:
    return Registration(**{"name": "张三丰", "id_number": ID_NUMBER, **changes})
