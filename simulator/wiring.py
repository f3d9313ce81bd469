"""Which GPIO of the simulated board goes where: docs/wiring.md, written down a second time on purpose.

The firmware has its own table. If the two disagree, the chip at the wrong pin is dead, as it would be on a
desk.
"""

from __future__ import annotations

UART_ID = 1
UART_TX = 17
UART_RX = 18
SCANNER_POWER = 2

I2C_ID = 0
I2C_SDA = 8
I2C_SCL = 9

SPI_ID = 1
SPI_SCK = 12
SPI_MOSI = 11
PANEL_CS = 10
PANEL_DC = 13
PANEL_RESET = 14
PANEL_BACKLIGHT = 21

KEYS = {"no": 4, "middle": 5, "yes": 6}
BUZZER = 7
LED = {38: 0, 39: 1, 40: 2}
"""GPIO of each colour of the LED, and its place in (red, green, blue)."""
VIBRATION = 41

I2S_ID = 0
I2S_SCK = 15
I2S_WS = 16
I2S_SD = 42
AMPLIFIER = 47
"""The amplifier's SD_MODE: off while it is low."""

BATTERY = 1
BATTERY_DIVIDER = 2
