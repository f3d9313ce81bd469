"""The part of CircuitPython's ``displayio`` that the screens need, over MicroPython's ``framebuf``.

Names, arguments and semantics are CircuitPython's (https://docs.circuitpython.org, module displayio), so
that code written against this module runs on CircuitPython's own. Left out: ColorConverter, OnDiskBitmap,
bitmaps of more than 256 values, display rotation, automatic refresh. What is added is marked "not
CircuitPython".

A display remembers what it showed: ``refresh()`` sends the rectangles that changed and nothing else. They
are drawn in bands, for a whole picture is too large for the heap of an ESP32. The panel takes RGB565 with
the high byte first, framebuf stores the low byte first: all colours in palettes and bands are kept
byte-swapped, so that a band goes to the panel as it is.
"""

import framebuf

from drivers.displayio_layers import Group, Plan, TileGrid
from drivers.displayio_pixels import Bitmap, Palette, cut, pixels, union

if False:
    from typing import Protocol

    from drivers.displayio_pixels import Area

    class Panel(Protocol):
        """What a display draws on."""

        def open_window(self, x: int, y: int, width: int, height: int) -> None:
            """Say where the next pixels go."""

        def write(self, pixels: memoryview) -> None:
            """The next of them, RGB565 with the high byte first, row by row."""

        def close_window(self) -> None:
            """That was all of them."""


__all__ = ["Bitmap", "Display", "Group", "Palette", "TileGrid"]

#: Two rectangles become one where that costs at most this many pixels more: a window command is not free.
_MERGE_PIXELS = 256
#: More changed rectangles than this are sent as their common rectangle.
_MAX_AREAS = 16


def _merged(dirty: "list[Area]", screen: "Area") -> "list[Area]":
    """The changed rectangles cut to the screen, near ones put together, none overlapping another much."""
    areas: "list[Area]" = []
    if screen in dirty:
        return [screen]
    for area in dirty:
        area = cut(area, screen)
        if area[0] >= area[2] or area[1] >= area[3]:
            continue
        i = 0
        while i < len(areas):
            both = union(area, areas[i])
            if pixels(both) <= pixels(area) + pixels(areas[i]) + _MERGE_PIXELS:
                area = both
                areas.pop(i)
                i = 0
            else:
                i += 1
        areas.append(area)
    if len(areas) > _MAX_AREAS:
        area = areas[0]
        for other in areas:
            area = union(area, other)
        areas = [area]
    return areas


class Display:
    """Shows `root_group` on a panel.

    Each changed rectangle is one window of the panel, written in bands. One band of `band_rows` full rows is
    kept; it is the only large buffer.
    """

    def __init__(self, panel: "Panel", width: int = 240, height: int = 320, band_rows: int = 10) -> None:
        self.width = width
        self.height = height
        self._panel = panel
        self._band = bytearray(width * band_rows * 2)
        self._root: "Group | None" = None
        self._full = True

    @property
    def root_group(self) -> "Group | None":
        """What is shown; None is black."""
        return self._root

    @root_group.setter
    def root_group(self, group: "Group | None") -> None:
        if self._root is not None and group is not self._root:
            self._root._leave([])
        self._root = group
        self._full = True

    def refresh(self) -> bool:
        """Send what has changed since the last refresh; always True, for no frame is ever late."""
        plan = Plan()
        screen = (0, 0, self.width, self.height)
        if self._root is not None:
            self._root._collect(0, 0, 1, True, plan)
        areas = [screen] if self._full else _merged(plan.dirty, screen)
        for area in areas:
            self._send(area, plan)
        self._full = False
        for grid, _, _ in plan.grids:
            grid.bitmap._dirty = None
        return True

    def _send(self, area: "Area", plan: Plan) -> None:
        """Draw and send one rectangle, in as many bands as it takes."""
        x1, y1, x2, y2 = area
        width = x2 - x1
        rows = len(self._band) // (2 * width)
        band = memoryview(self._band)
        self._panel.open_window(x1, y1, width, y2 - y1)
        grids = [shown for shown in plan.grids if shown[1][0] < x2 and shown[1][2] > x1]
        while y1 < y2:
            end = min(y2, y1 + rows)
            clip = (x1, y1, x2, end)
            canvas = framebuf.FrameBuffer(self._band, width, end - y1, framebuf.RGB565)
            if not (grids and grids[0][0]._hides(grids[0][1], clip)):
                canvas.fill(0)
            for grid, where, scale in grids:
                if where[1] < end and where[3] > y1:
                    grid._draw(canvas, where, clip, scale)
            self._panel.write(band[: 2 * width * (end - y1)])
            y1 = end
        self._panel.close_window()
