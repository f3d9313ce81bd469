"""Runs under MicroPython: the screens through the real display driver, on a bus that counts.

ui_mpy.py ASSETS count            a line for each job: name, bytes on the bus, windows as x1,y1,x2,y2
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
    """SPI, D/C and the backlight in one; counts bytes, and reads windows from the commands (ST7789V, 9.1)."""

    def __init__(self) -> None:
        self.sent = 0
        self.windows: "list[str]" = []
        self._data = self._command = 0
        self._spans: "dict[int, tuple[int, int]]" = {}
        self.freq = self.duty_u16 = self.nothing

    def nothing(self, value: int) -> None:
        """The backlight."""

    def value(self, level: int) -> None:
        """D/C."""
        self._data = level

    def write(self, data: bytes) -> None:
        """What goes to the panel."""
        self.sent += len(data)
        if not self._data:
            self._command = data[0]
            if self._command == 0x2C:
                (x1, x2), (y1, y2) = self._spans[0x2A], self._spans[0x2B]
                self.windows.append("%d,%d,%d,%d" % (x1, y1, x2 + 1, y2 + 1))
        elif self._command in (0x2A, 0x2B):
            self._spans[self._command] = (data[0] << 8 | data[1], data[2] << 8 | data[3])


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
            bus.sent = 0
            bus.windows.clear()
            job.draw()
            print(name, bus.sent, *bus.windows)
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
