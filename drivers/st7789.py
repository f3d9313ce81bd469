"""ST7789 display controller with a 240x320 IPS panel, written over SPI in 16-bit colour.

Commands and waiting times as in the ST7789V data sheet, power and gamma settings as they are known to work
on the common 2.0 to 2.8 inch panels. The driver only writes; the panel's MISO line is not needed.
"""

import asyncio
import struct

if False:
    from machine import PWM, SPI, Pin

_SLEEP_IN = 0x10
_DISPLAY_OFF = 0x28
_DISPLAY_ON = 0x29
_COLUMNS = 0x2A
_ROWS = 0x2B
_WRITE = 0x2C

#: Per command: its byte, the number of parameters (plus 0x80 where a wait follows), parameters, wait in ms.
_START = (
    b"\x11\x80\x78"  # sleep out, 120 ms
    b"\x13\x00"  # normal mode: the whole panel
    b"\x36\x01\x00"  # top to bottom, left to right, RGB
    b"\x3a\x81\x55\x0a"  # 16 bits per pixel, 10 ms
    b"\xb2\x05\x0c\x0c\x00\x33\x33"  # porches
    b"\xb7\x01\x35"  # gate voltages
    b"\xbb\x01\x28"  # VCOM
    b"\xc0\x01\x0c"  # LCM control
    b"\xc2\x02\x01\xff"  # VDV and VRH by command
    b"\xc3\x01\x10"  # VRH
    b"\xc4\x01\x20"  # VDV
    b"\xc6\x01\x0f"  # 60 frames per second
    b"\xd0\x02\xa4\xa1"  # supply voltages
    b"\xe0\x0e\xd0\x00\x02\x07\x0a\x28\x32\x44\x42\x06\x0e\x12\x14\x17"  # gamma, positive
    b"\xe1\x0e\xd0\x00\x02\x07\x0a\x28\x31\x54\x47\x0e\x1c\x17\x1b\x1e"  # gamma, negative
    b"\x21\x00"  # inversion on: IPS panels show negatives without it
)


class ST7789:
    """One panel. `start()` before anything else; `backlight` is a PWM, bright at full duty."""

    def __init__(self, spi: "SPI", cs: "Pin", dc: "Pin", reset: "Pin", backlight: "PWM") -> None:
        self._spi = spi
        self._cs = cs
        self._dc = dc
        self._reset = reset
        self._backlight = backlight
        self._backlight.freq(5000)
        self.brightness(0)

    async def start(self) -> None:
        """Reset the controller, set it up and clear it; the backlight stays dark until `brightness`."""
        self._cs.value(1)
        self._reset.value(1)
        await asyncio.sleep_ms(10)
        self._reset.value(0)
        await asyncio.sleep_ms(10)
        self._reset.value(1)
        await asyncio.sleep_ms(120)
        at = 0
        while at < len(_START):
            end = at + 2 + (_START[at + 1] & 0x7F)
            self._command(_START[at], _START[at + 2 : end])
            if _START[at + 1] & 0x80:
                await asyncio.sleep_ms(_START[end])
                end += 1
            at = end
        black = bytes(480)
        self.open_window(0, 0, 240, 320)
        for _ in range(320):
            self.write(black)
        self.close_window()
        self._command(_DISPLAY_ON)

    def open_window(self, x: int, y: int, width: int, height: int) -> None:
        """Address a window of `width` x `height` pixels; the panel is selected until `close_window`."""
        self._command(_COLUMNS, struct.pack(">HH", x, x + width - 1))
        self._command(_ROWS, struct.pack(">HH", y, y + height - 1))
        self._command(_WRITE)
        self._select(1)

    def write(self, pixels: "bytes | bytearray | memoryview") -> None:
        """The next pixels of the window, RGB565 with the high byte first, row by row."""
        self._spi.write(pixels)

    def close_window(self) -> None:
        """All pixels of the window are written."""
        self._cs.value(1)

    def brightness(self, percent: int) -> None:
        """Set the backlight, 0 (off) to 100."""
        self._backlight.duty_u16(65535 * max(0, min(100, percent)) // 100)

    async def sleep(self) -> None:
        """Backlight and panel off; `start()` wakes it. The picture is lost."""
        self.brightness(0)
        self._command(_DISPLAY_OFF)
        self._command(_SLEEP_IN)
        await asyncio.sleep_ms(120)

    def _select(self, data: int) -> None:
        """Choose the chip, and command (0) or data (1)."""
        self._dc.value(data)
        self._cs.value(0)

    def _command(self, command: int, parameters: bytes = b"") -> None:
        self._select(0)
        self._spi.write(bytes((command,)))
        self._cs.value(1)
        if parameters:
            self._select(1)
            self._spi.write(parameters)
            self._cs.value(1)
