"""One LiPo cell behind a divider, as the converter sees it: sag under load and a little noise."""

from __future__ import annotations

import random
from collections.abc import Callable

SCANNER_SAG_MV = 15


class Battery:
    """`millivolts` is the cell at rest; ``loaded()`` tells whether the scanner draws current."""

    def __init__(
        self, millivolts: Callable[[], int], loaded: Callable[[], bool], *, divider: int = 2, seed: int = 1
    ) -> None:
        self._millivolts = millivolts
        self._loaded = loaded
        self._divider = divider
        self._noise = random.Random(seed)  # noqa: S311

    def microvolts(self) -> int:
        """At the converter's pin, in the whole millivolts that a calibrated ESP32 answers."""
        cell = self._millivolts() - (SCANNER_SAG_MV if self._loaded() else 0)
        return max(0, round(cell / self._divider + self._noise.gauss(0, 1.5))) * 1000
