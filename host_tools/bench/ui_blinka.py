"""The handheld's screens on Blinka displayio, on CPython: the drawing figures' peer, the tests' oracle.

    python -m host_tools.bench.ui_blinka FOLDER ASSETS time NAME N    microseconds of one redraw, least of N

`stage` puts Blinka's displayio where firmware/ui looks for drivers.displayio. Blinka itself runs unmodified,
from the folder that requirements/oracle.txt is installed into, up to its FourWire bus; in place of the pins
and the SPI that a computer does not have, there is a list that gets every byte with the level of D/C.
"""

from __future__ import annotations

import importlib
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

#: Of MicroPython's framebuf, whose other things the screens leave to the display.
_GS2_HMSB = 5


def unpacked(memory: memoryview, width: int, height: int, bits: int) -> list[list[int]]:
    """The rows of values of a picture of 2 or 4 bits per value, rows padded to whole bytes."""
    row_bytes = (width * bits + 7) // 8
    rows = []
    for y in range(height):
        row = []
        for x in range(width):
            byte = memory[y * row_bytes + x * bits // 8]
            # Of two bits the first pixel is the lowest, of four the highest.
            shift = x % 4 * 2 if bits == 2 else 4 - x % 2 * 4
            row.append(byte >> shift & (1 << bits) - 1)
        rows.append(row)
    return rows


def _module(name: str, **contents: Any) -> ModuleType:
    module = ModuleType(name)
    vars(module).update(contents)
    sys.modules[name] = module
    return module


def stage(folder: Path) -> ModuleType:
    """Import Blinka's displayio from `folder`, and let firmware/ui find it as drivers.displayio.

    Returns the module that stands in for drivers.displayio. For a program of its own: it changes what every
    later import gets.
    """
    sys.path.insert(0, str(folder))
    pin = type("Pin", (), {})
    _module("microcontroller", Pin=pin, pin=ModuleType("pin"))
    _module("digitalio", DigitalInOut=pin)
    _module("busio", SPI=pin, I2C=pin)
    displayio = importlib.import_module("displayio")
    busdisplay = importlib.import_module("busdisplay")
    fourwire = importlib.import_module("fourwire")
    _module("framebuf", FrameBuffer=object, GS2_HMSB=_GS2_HMSB)

    class Bitmap(displayio.Bitmap):  # type: ignore[name-defined, misc]
        """Blinka's, with the two things that firmware/ui/fonts.py asks for beyond CircuitPython's."""

        @property
        def bits_per_value(self) -> int:
            """Bits of one value."""
            return int(self._bits_per_value)

        def lend(self, memory: memoryview) -> None:
            """The pixels in some memory, copied."""
            for y, row in enumerate(unpacked(memory, self.width, self.height, self.bits_per_value)):
                for x, value in enumerate(row):
                    self[x, y] = value

        def dirty(self, x1: int = 0, y1: int = 0, x2: int = -1, y2: int = -1) -> None:
            """A line of text has no pixels in ours; here its glyphs are drawn when it has changed."""
            cells = getattr(self, "cells", None)
            if cells:
                self.fill(0)
                for memory, left, top in cells():
                    size = int(len(memory) * 4) ** 0.5
                    for y, row in enumerate(unpacked(memory, int(size), int(size), 2)):
                        for x, value in enumerate(row):
                            if value and left + x < self.width and top + y < self.height:
                                self[left + x, top + y] = value
            super().dirty(x1, y1, x2, y2)

    class TileGrid(displayio.TileGrid):  # type: ignore[name-defined, misc]
        """Blinka's, over a bitmap of its own class with the same contents: it is slow with any other."""

        def __init__(self, bitmap: Any, **arguments: Any) -> None:
            self._given = bitmap
            plain = displayio.Bitmap.__new__(displayio.Bitmap)
            plain.__dict__ = bitmap.__dict__
            super().__init__(plain, **arguments)

        @property
        def bitmap(self) -> Any:
            """The bitmap that it was made with."""
            return self._given

    class Wire(fourwire.FourWire):  # type: ignore[name-defined, misc]
        """Blinka's bus without pins: what it would send goes to `sink(level of D/C, bytes)`."""

        def __init__(self, sink: Callable[[int, bytes], None]) -> None:
            self._sink = sink

        def reset(self) -> None:
            """There is no pin for it."""

        def _free(self) -> bool:
            return True

        def _begin_transaction(self) -> bool:
            return False

        def _send(self, data_type: int, chip_select: int, data: bytes) -> None:
            self._sink(data_type, bytes(data))

        def _end_transaction(self) -> None:
            pass

    class Display(busdisplay.BusDisplay):  # type: ignore[name-defined, misc]
        """Blinka's, made like ours, with a panel; refreshed by hand."""

        def __init__(self, panel: Any, width: int = 240, height: int = 320) -> None:
            super().__init__(Wire(_Windows(panel).take), b"", width=width, height=height, auto_refresh=False)

        def __new__(cls, *arguments: Any) -> Any:
            # There can be one.
            displayio.release_displays()
            return super().__new__(cls)

    return _module(
        "drivers.displayio",
        Bitmap=Bitmap,
        Display=Display,
        Group=displayio.Group,
        Palette=displayio.Palette,
        TileGrid=TileGrid,
    )


class _Windows:
    """Reads the commands of a MIPI display and gives windows of pixels to a panel."""

    def __init__(self, panel: Any) -> None:
        self._panel = panel
        self._command = 0
        self._spans: dict[int, tuple[int, int]] = {}

    def take(self, is_data: int, data: bytes) -> None:
        """Bytes with the level of D/C."""
        if not is_data:
            self._command = data[0]
        elif self._command in (0x2A, 0x2B):
            self._spans[self._command] = int.from_bytes(data[:2], "big"), int.from_bytes(data[2:4], "big")
        elif self._command == 0x2C:
            (x1, x2), (y1, y2) = self._spans[0x2A], self._spans[0x2B]
            self._panel.open_window(x1, y1, x2 - x1 + 1, y2 - y1 + 1)
            self._panel.write(data)
            self._panel.close_window()


def redraw_us(folder: Path, assets: Path, name: str, turns: int) -> float:
    """Microseconds of one redraw on Blinka, the least of some; `name` is one of ui_jobs_mpy.NAMES."""
    stage(folder)
    # Only now: it takes the display that it finds.
    jobs = importlib.import_module("host_tools.bench.ui_jobs_mpy")

    job = jobs.Job(name, str(assets), jobs.Nowhere())
    least = float("inf")
    for turn in range(turns):
        job.prepare(turn)
        start = time.perf_counter_ns()
        job.draw()
        least = min(least, (time.perf_counter_ns() - start) / 1000)
    return least


if __name__ == "__main__":
    print(redraw_us(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[4], int(sys.argv[5])))
