"""Runs under MicroPython: the screens through the real display driver, on a bus that counts.

ui_mpy.py ASSETS count            a line for each job: name, bytes on the bus, windows, pixels
ui_mpy.py ASSETS time NAME N      microseconds of one redraw, the least of N
ui_mpy.py ASSETS passage K        the first K calls of a passage's screens; whoever counts is outside
"""

import gc
import sys
import time

try:
    import asyncio
except ImportError:  # WebAssembly's MicroPython, where only `passage` runs: nothing there waits
    asyncio = sys.modules["asyncio"] = sys

from drivers.st7789 import ST7789
from host_tools.bench.ui_jobs_mpy import NAMES, Job, Scene

if False:
    from typing import Any


class Bus:
    """SPI, pins and the backlight in one; counts bytes, and windows by their command."""

    def __init__(self) -> None:
        self.sent = 0
        self.windows = 0
        self._data = 0
        self.freq = self.duty_u16 = self.nothing

    def nothing(self, value: int) -> None:
        """Chip select, reset, backlight."""

    def value(self, level: int) -> None:
        """D/C."""
        self._data = level

    def write(self, data: bytes) -> None:
        """What goes to the panel."""
        self.sent += len(data)
        if not self._data and data[0] == 0x2C:
            self.windows += 1


class Line:
    """A pin that nobody looks at."""

    def value(self, level: int) -> None:
        """High or low."""


def main(assets: str, mode: str, name: str, count: int) -> None:
    """Print what the mode prints."""
    bus = Bus()
    pin: "Any" = Line()
    panel = ST7789(bus, pin, bus, pin, bus)
    if mode != "passage":
        asyncio.run(panel.start())
    if mode == "count":
        for name in NAMES:
            job = Job(name, assets, panel)
            job.prepare(0)
            bus.sent = bus.windows = 0
            job.draw()
            # A window takes three commands and two corners of four bytes.
            print(name, bus.sent, bus.windows, (bus.sent - 11 * bus.windows) // 2)
        return
    if mode == "passage":
        scene = Scene(assets, panel)
        scene.idle("14:07")
        scene.refresh()
        for call in (scene.checking, scene.measure, scene.verdict)[:count]:
            call()
            scene.refresh()
        return
    job = Job(name, assets, panel)
    least_us = 0
    for turn in range(count):
        job.prepare(turn)
        gc.collect()
        start = time.ticks_us()
        job.draw()
        spent_us = time.ticks_diff(time.ticks_us(), start)
        least_us = spent_us if not turn or spent_us < least_us else least_us
    print(least_us)


main(
    sys.argv[1],
    sys.argv[2],
    sys.argv[3] if len(sys.argv) > 4 else "",
    int(sys.argv[-1]) if len(sys.argv) > 3 else 0,
)
