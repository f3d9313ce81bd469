"""ST7789 display controller with a 240x320 IPS panel, written over SPI in 16-bit colour.

Commands and waiting times as in the ST7789V data sheet, power and gamma settings as they are known to work
on the common 2.0 to 2.8 inch panels. The driver only writes; the panel's MISO line is not needed.
"""

import asyncio
import struct

if False:
    from machine import PWM, SPI, Pin

_SLEEP_IN = 0x10
_SLEEP_OUT = 0x11
_DISPLAY_OFF = 0x28
_DISPLAY_ON = 0x29
_COLUMNS = 0x2A
_ROWS = 0x2B
_WRITE = 0x2C

#: Command, parameters, wait afterwards in ms.
_START = (
    (_SLEEP_OUT, b"", 120),
    (0x13, b"", 0),  # normal mode: the whole panel
    (0x36, b"\x00", 0),  # top to bottom, left to right, RGB
    (0x3A, b"\x55", 10),  # 16 bits per pixel
    (0xB2, b"\x0c\x0c\x00\x33\x33", 0),  # porches
    (0xB7, b"\x35", 0),  # gate voltages
    (0xBB, b"\x28", 0),  # VCOM
    (0xC0, b"\x0c", 0),  # LCM control
    (0xC2, b"\x01\xff", 0),  # VDV and VRH by command
    (0xC3, b"\x10", 0),  # VRH
    (0xC4, b"\x20", 0),  # VDV
    (0xC6, b"\x0f", 0),  # 60 frames per second
    (0xD0, b"\xa4\xa1", 0),  # supply voltages
    (0xE0, b"\xd0\x00\x02\x07\x0a\x28\x32\x44\x42\x06\x0e\x12\x14\x17", 0),  # gamma, positive
    (0xE1, b"\xd0\x00\x02\x07\x0a\x28\x31\x54\x47\x0e\x1c\x17\x1b\x1e", 0),  # gamma, negative
    (0x21, b"", 0),  # inversion on: IPS panels show negatives without it
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
        for command, parameters, wait_ms in _START:
            self._command(command, parameters)
            if wait_ms:
                await asyncio.sleep_ms(wait_ms)
        black = bytes(480)
        self._window(0, 0, 240, 320)
        self._select(1)
        for _ in range(320):
            self._spi.write(black)
        self._cs.value(1)
        self._command(_DISPLAY_ON)

    def write_window(
        self, x: int, y: int, width: int, height: int, buffer: "bytes | bytearray | memoryview"
    ) -> None:
        """Write `width` x `height` pixels, RGB565 with the high byte first, row by row."""
        self._window(x, y, width, height)
        self._select(1)
        self._spi.write(buffer)
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

    def _window(self, x: int, y: int, width: int, height: int) -> None:
        """Address a window; the next data goes there."""
        self._command(_COLUMNS, struct.pack(">HH", x, x + width - 1))
        self._command(_ROWS, struct.pack(">HH", y, y + height - 1))
        self._command(_WRITE)
