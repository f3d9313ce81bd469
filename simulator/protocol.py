"""The wire between the interpreter (shims) and this process: one AF_UNIX socket per role.

A connection starts with two bytes: role, unit.

``CONTROL`` carries the child's messages: a header of 8 bytes, little-endian ``<BBHI``: operation, unit (a
pin, a bus), `aux`, length of the data that follows. An operation with the top bit set waits for an answer:
``<hI`` status (0, or an errno as ``OSError`` has it) and length, then that many bytes. Others are posted;
order is kept, so that the data/command pin of the display and its SPI bursts arrive as they were sent.

``EVENTS`` carries this process's notices, 4 bytes each: kind, unit, value (u16 little-endian).

``SERIAL`` carries the bytes that a UART receives, already paced by the baud rate. The child reports what it
has taken out of its receive buffer (``UART_TAKEN``), so that an overflow can be told exactly.
"""

from __future__ import annotations

import struct

CONTROL, EVENTS, SERIAL = 0, 1, 2

REQUEST = struct.Struct("<BBHI")
ANSWER = struct.Struct("<hI")
EVENT = struct.Struct("<BBH")
MAX_DATA = 1 << 20
"""More than one message ever holds: a full frame is 153,600 bytes."""

# Posted.
PIN_OUT = 0x01  # unit pin, aux level
PWM = 0x04  # unit pin, data <II frequency in Hz (0 stops), duty 0..65536
SPI_WRITE = 0x05  # unit bus, data
UART_TX = 0x06  # unit UART, data
UART_TAKEN = 0x07  # unit UART, aux bytes taken out of the receive buffer
WDT_FEED = 0x08
TIMER = 0x09  # unit timer, aux generation, data <IB period in ms (0 stops), periodic
RTC_SET = 0x0A  # data <q: seconds the interpreter's clock differs from this computer's
BOOTED = 0x0B  # data <IIIII: heap bytes of the shims, bytes in use, bytes free, flash erases, flash writes
UART_STOP = 0x0C  # unit UART
IDLE = (
    0x0D  # aux events taken so far, data <II µs that a board would have worked, ms to wait (FFFFFFFF: no end)
)
INTERRUPTED = 0x0E  # KeyboardInterrupt is raised now
HEAP = 0x0F  # data <II heap bytes in use, bytes free
I2S_WRITE = 0x10  # unit bus, data: samples
I2S_STOP = 0x11  # unit bus

# Answered.
PIN_IN = 0x81  # unit pin, aux 1 pull-down, 2 pull-up; answer: level
I2C_WRITE = 0x82  # unit bus, aux address | stop << 8, data; answer: <H acknowledged bytes
I2C_READ = 0x83  # unit bus, aux address | stop << 8, data <H length; answer: the bytes
I2C_INIT = 0x84  # unit bus, data <BBI sda, scl, frequency
SPI_INIT = 0x85  # unit bus, data <IBBBB baud, polarity, phase, sck, mosi
UART_INIT = 0x87  # unit UART, data <IBBI baud, tx, rx, size of the receive buffer
UART_FLUSH = 0x88  # unit UART; answered when the last byte has left
ADC = 0x89  # unit pin; answer: <I microvolts
WDT_START = 0x8A  # data <I timeout in ms
RESET = 0x8B  # unit: reset cause of the next start; never answered
NVS = 0x8C  # unit operation, data namespace \0 key \0 value; see simulator/nvs.py
WLAN = 0x8D  # unit operation, data; see simulator/radio.py
ADDRESS = 0x8E  # aux port, data host; answer: <H port of the relay on 127.0.0.1
HELLO = 0x8F  # answer: HELLO_ANSWER
PASS = 0x91  # data <I µs that a board would have worked, as it goes on; answered when the chips got there
POWER_CUT = 0x90  # the armed power cut has come; never answered
I2S_INIT = 0x92  # unit bus, data <BBBBBI bit clock, word clock, data, bits, 0 mono or 1 stereo, rate in Hz
FLASH_ERASE = 0x9E  # unit partition (see simulator/wear.py), aux sector; answer: one byte, 0 for a good one

HELLO_ANSWER = struct.Struct("<BBqI6s")
"""Reset cause, flags, clock difference in s, power cut after so many flash operations (0 never), chip
id."""

# Events.
EV_LEVEL = 1  # unit pin, value level
EV_TIMER = 2  # unit timer, value generation
EV_CUT = 3  # value: cut the power at the Nth flash operation from now
EV_UART_IDLE = 4  # unit UART: a burst of received bytes has ended
EV_HEAP = 6  # report the heap
EV_I2S_SENT = 8  # unit bus, value: so many bytes have left its buffers
EV_TIME = (
    7  # nothing but a reason to look: a moment has come, bytes lie on a UART, or the clock goes otherwise
)
EV_INTERRUPT = 5  # value 1: raise KeyboardInterrupt; 0: never mind, if it was not raised yet

SERIAL_PROMPT, SKIP_MAIN = 1, 2
"""Flags of HELLO_ANSWER: end in a prompt on the serial port; do not run main.py."""

WRITE_NVS, READ_NVS, ERASE_NVS, COMMIT_NVS = 0, 1, 2, 3
WLAN_ACTIVE, WLAN_CONNECT, WLAN_DISCONNECT, WLAN_STATUS, WLAN_SCAN = 0, 1, 2, 3, 4

PWRON_RESET, HARD_RESET, WDT_RESET, DEEPSLEEP_RESET, SOFT_RESET = 1, 2, 3, 4, 5
