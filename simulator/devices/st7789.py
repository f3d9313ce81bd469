"""Display controller ST7789 with its 240x320 panel: command stream in, pixels out.

Pixels are kept as RGB565, high byte first, in the panel's own order, whatever MADCTL says. The glass shows
them once the controller is awake and on and the backlight is lit; without INVON this panel (IPS) shows them
inverted.
"""

from __future__ import annotations

from collections.abc import Callable

WIDTH, HEIGHT = 240, 320
MAX_HZ = 62_500_000
SWRESET, SLPIN, SLPOUT, NORON, INVOFF, INVON, DISPOFF, DISPON = 0x01, 0x10, 0x11, 0x13, 0x20, 0x21, 0x28, 0x29
CASET, RASET, RAMWR, MADCTL, COLMOD, RAMWRC, RAMCTRL = 0x2A, 0x2B, 0x2C, 0x36, 0x3A, 0x3C, 0xB0
MY, MX, MV, BGR = 0x80, 0x40, 0x20, 0x08


class ST7789:
    """The controller. ``drawn(x, y, w, h)`` tells where a burst of pixels went; ``changed()`` that the look
    changed."""

    def __init__(self, drawn: Callable[[int, int, int, int], None], changed: Callable[[], None]) -> None:
        self._drawn = drawn
        self._changed = changed
        self.pixels = bytearray(WIDTH * HEIGHT * 2)
        self._selected = False
        self._data = False
        self._resetting = False
        self._reset()

    def _reset(self) -> None:
        self.awake = False
        self.on = False
        self.inverted = False
        self._madctl = 0
        self._colmod = 0x66
        self._little = False
        self._command = 0
        self._parameters = bytearray()
        self._columns = (0, WIDTH - 1)
        self._rows = (0, HEIGHT - 1)
        self._part = b""
        self._at = 0
        self._burst = 0

    def power_off(self) -> None:
        """The supply went: memory and settings are gone."""
        self._reset()
        self.pixels[:] = bytes(len(self.pixels))
        self._changed()

    # Pins

    def select(self, low: bool) -> None:
        """Chip select, active low. A rising edge ends a burst."""
        if not low:
            self._end_burst()
        self._selected = low

    def data_command(self, level: bool) -> None:
        """D/C: low for a command byte."""
        self._data = level

    def reset_pin(self, level: bool) -> None:
        """Hardware reset, active low."""
        if not level and not self._resetting:
            self._end_burst()
            self._reset()
            self._changed()
        self._resetting = not level

    # The stream

    def receive(self, data: bytes) -> None:
        """Bytes clocked in on MOSI."""
        if not self._selected or self._resetting or not data:
            return
        if not self._data:
            for byte in data:
                self._begin(byte)
        elif self._command in (RAMWR, RAMWRC):
            self._write_pixels(data)
        else:
            self._parameter(data)

    def _begin(self, command: int) -> None:
        self._end_burst()
        self._command = command
        self._parameters.clear()
        if command == SWRESET:
            self._reset()
        elif command in (SLPIN, SLPOUT):
            self.awake = command == SLPOUT
        elif command in (INVON, INVOFF):
            self.inverted = command == INVON
        elif command in (DISPON, DISPOFF):
            self.on = command == DISPON
        elif command == RAMWR:
            self._at = 0
            self._part = b""
        else:
            return
        if command != RAMWR:
            self._changed()

    def _parameter(self, data: bytes) -> None:
        p = self._parameters
        p += data[: 16 - len(p)]
        if self._command in (CASET, RASET) and len(p) >= 4:
            limit = HEIGHT if (self._command == CASET) == bool(self._madctl & MV) else WIDTH
            start, end = int.from_bytes(p[0:2], "big"), int.from_bytes(p[2:4], "big")
            span = (min(start, limit - 1), min(max(start, end), limit - 1))
            if self._command == CASET:
                self._columns = span
            else:
                self._rows = span
        elif self._command == MADCTL and p:
            self._madctl = p[0]
        elif self._command == COLMOD and p:
            self._colmod = p[0]
        elif self._command == RAMCTRL and len(p) >= 2:
            self._little = bool(p[1] & 0x08)

    def _write_pixels(self, data: bytes) -> None:
        data = self._part + data
        size = 3 if self._colmod & 7 == 6 else 2
        whole = len(data) // size * size
        self._part = data[whole:]
        pixels = data[:whole]
        if size == 3:
            pixels = self._from_666(pixels)
        elif self._little:
            swapped = bytearray(pixels)
            swapped[0::2], swapped[1::2] = pixels[1::2], pixels[0::2]
            pixels = bytes(swapped)
        self._store(pixels)
        self._burst += len(pixels) // 2

    @staticmethod
    def _from_666(data: bytes) -> bytes:
        out = bytearray()
        for r, g, b in zip(data[0::3], data[1::3], data[2::3], strict=True):
            out += ((r & 0xF8) << 8 | (g & 0xFC) << 3 | b >> 3).to_bytes(2, "big")
        return bytes(out)

    def _store(self, data: bytes) -> None:
        """Fill the window from where the last burst stopped; past its end it starts again at the top."""
        x0, x1 = self._columns
        y0, y1 = self._rows
        width = x1 - x0 + 1
        total = width * (y1 - y0 + 1)
        position = 0
        plain = not self._madctl & (MY | MX | MV)
        while position < len(data):
            row, column = divmod(self._at, width)
            count = min(width - column, (len(data) - position) // 2)
            line = data[position : position + 2 * count]
            if plain:
                start = ((y0 + row) * WIDTH + x0 + column) * 2
                self.pixels[start : start + 2 * count] = line
            else:
                for i in range(count):
                    start = self._place(x0 + column + i, y0 + row) * 2
                    self.pixels[start : start + 2] = line[2 * i : 2 * i + 2]
            position += 2 * count
            self._at = (self._at + count) % total

    def _place(self, x: int, y: int) -> int:
        if self._madctl & MV:
            x, y = y, x
        if self._madctl & MX:
            x = WIDTH - 1 - x
        if self._madctl & MY:
            y = HEIGHT - 1 - y
        return y * WIDTH + x

    def _end_burst(self) -> None:
        if not self._burst:
            return
        self._burst = 0
        if self._madctl & (MX | MY | MV):
            self._drawn(0, 0, WIDTH, HEIGHT)
            return
        x0, x1 = self._columns
        y0, y1 = self._rows
        self._drawn(x0, y0, x1 - x0 + 1, y1 - y0 + 1)

    # The glass

    @property
    def visible(self) -> bool:
        """Whether the glass shows the memory."""
        return self.awake and self.on

    def region(self, x: int, y: int, w: int, h: int) -> bytes:
        """What the glass shows there: RGB565, high byte first, row by row."""
        if not self.visible:
            return bytes(w * h * 2)
        rows = (self.pixels[(row * WIDTH + x) * 2 : (row * WIDTH + x + w) * 2] for row in range(y, y + h))
        data = b"".join(bytes(row) for row in rows)
        flip = not self.inverted
        if self._madctl & BGR:
            data = self._swap_red_blue(data)
        return bytes(b ^ 0xFF for b in data) if flip else data

    @staticmethod
    def _swap_red_blue(data: bytes) -> bytes:
        out = bytearray()
        for high, low in zip(data[0::2], data[1::2], strict=True):
            value = high << 8 | low
            out += (value >> 11 | value & 0x07E0 | (value & 0x1F) << 11).to_bytes(2, "big")
        return bytes(out)
