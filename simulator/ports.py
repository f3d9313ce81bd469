"""The board's side of its serial port and I2C bus: what the ESP32's peripherals do with the wires."""

from __future__ import annotations

import errno
import struct
from collections.abc import Callable

from simulator.devices.smbus import I2CChip
from simulator.devices.wire import Wire, resample
from simulator.noise import Noise
from simulator.timebase import Timebase


class BusError(Exception):
    """A bus transfer failed; `number` is the errno that the firmware sees."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class UartPort:
    """UART of the chip: a receive buffer that overflows, a transmitter with its own baud rate."""

    def __init__(
        self, time: Timebase, to_chip: Callable[[bytes, int], None], note: Callable[..., None]
    ) -> None:
        self._to_chip = to_chip
        self._note = note
        self._transmit = Wire(time, self._sent)
        self.line = Wire(time, self._received)
        """What other chips send to this port."""
        self.deliver: Callable[[bytes], None] | None = None
        """Hands bytes to the interpreter; set while it listens."""
        self.idle: Callable[[], None] | None = None
        self.baud = 0
        self.connected = False
        self._limit = 0
        self._waiting = 0
        self.noise = Noise()
        """On the line towards this port."""
        self.lost = 0
        """Bytes that found the receive buffer full, since the start."""

    def stop(self) -> None:
        """The port is not set up (any more)."""
        self.connected = False
        self.deliver = None
        self.baud = 0

    def start(self, baud: int, connected: bool, receive_buffer: int) -> None:
        """Set up; what waited in the buffer is dropped."""
        self.baud = baud
        self.connected = connected
        self._limit = receive_buffer
        self._waiting = 0

    def taken(self, count: int) -> None:
        """The firmware has read bytes."""
        self._waiting = max(0, self._waiting - count)

    def send(self, data: bytes) -> None:
        """The firmware writes."""
        if self.baud:
            self._transmit.send(data, self.baud)

    @property
    def flushed(self) -> bool:
        """Whether all that was written has left."""
        return self._transmit.idle

    def _sent(self, data: bytes, baud: int) -> None:
        if self.connected:
            self._to_chip(data, baud)

    def _received(self, data: bytes, baud: int) -> None:
        if not self.connected or not self.deliver:
            return
        data = self.noise.through(resample(data, baud, self.baud))
        room = self._limit - self._waiting
        if len(data) > room:
            self.lost += len(data) - room
            self._note("uart_overflow", {"bytes": len(data) - room})
            data = data[:room]
        if data:
            self._waiting += len(data)
            self.deliver(data)
        if self.idle and self.line.idle:
            self.idle()


class I2CBus:
    """A bus with its chips. Transfers take no time; errors are those of the ESP32."""

    def __init__(self) -> None:
        self.chips: dict[int, I2CChip] = {}
        self.wired = False
        self.frequency = 0
        self.noise = Noise()
        """A struck byte is not acknowledged, or read with a wrong bit."""
        self.stuck = False
        """SDA held low by a chip: every transfer times out."""

    def _chip(self, address: int) -> I2CChip:
        if self.stuck:
            raise BusError(errno.ETIMEDOUT)
        chip = self.chips.get(address) if self.wired else None
        if chip is None:
            raise BusError(errno.ENODEV)
        return chip

    def write(self, address: int, stop: bool, data: bytes) -> bytes:
        """Number of acknowledged bytes as ``<H``. Raises BusError."""
        chip = self._chip(address)
        if self.noise.strikes(len(data) + 1):
            raise BusError(errno.ENODEV)
        acknowledged = chip.write(data, stop, self.frequency)
        if acknowledged is None:
            raise BusError(errno.ENODEV)
        if acknowledged < len(data):
            raise BusError(errno.ETIMEDOUT if self.stuck else errno.ENODEV)
        return struct.pack("<H", acknowledged)

    def read(self, address: int, stop: bool, count: int) -> bytes:
        """`count` bytes. Raises BusError."""
        data = self._chip(address).read(count, stop, self.frequency)
        if data is None:
            raise BusError(errno.ENODEV)
        return self.noise.through(data)
