"""What passes over the board's buses: messages of UART, I2C and SPI, noted for the timeline."""

from __future__ import annotations

import errno
import struct
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from simulator import protocol as p
from simulator import wiring
from simulator.devices import st7789
from simulator.ports import BusError

if TYPE_CHECKING:
    from simulator.board import Answer, Board

READ, WRITE = "in", "out"
FLUSH_POLL_S = 0.002


class Wires:
    """The buses of one board."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self.spi_ready = False
        """Whether the display's bus was set up on the right pins, and not too fast."""
        self.spi_bytes = 0
        """Bytes that went to the display since the simulator's start."""

    def operations(self) -> dict[int, Callable[[int, int, bytes], Answer]]:
        """What does each message of the buses."""
        uart = self._board.uart
        return {
            p.SPI_INIT: self._spi_init,
            p.SPI_WRITE: self._spi_write,
            p.UART_INIT: self._uart_init,
            p.UART_TX: self._uart_tx,
            p.UART_TAKEN: lambda unit, aux, data: uart.taken(aux) if unit == wiring.UART_ID else None,
            p.UART_STOP: lambda unit, aux, data: uart.stop() if unit == wiring.UART_ID else None,
            p.UART_FLUSH: self._uart_flush,
            p.I2C_INIT: self._i2c_init,
            p.I2C_WRITE: self._i2c_write,
            p.I2C_READ: self._i2c_read,
        }

    def _spi_init(self, bus: int, aux: int, data: bytes) -> bytes:
        hz, polarity, phase, sck, mosi = struct.unpack("<IBBBB", data)
        wired = (bus, sck, mosi) == (wiring.SPI_ID, wiring.SPI_SCK, wiring.SPI_MOSI)
        self.spi_ready = wired and polarity == phase and hz <= st7789.MAX_HZ
        return b""

    def _spi_write(self, bus: int, aux: int, data: bytes) -> None:
        board = self._board
        self.spi_bytes += len(data)
        board.trace.add("spi", WRITE, data, "data" if board.data_selected() else "command")
        if self.spi_ready and bus == wiring.SPI_ID:
            board.panel.receive(data)

    def _uart_init(self, unit: int, aux: int, data: bytes) -> bytes:
        board = self._board
        baud, tx, rx, size = struct.unpack("<IBBI", data)
        if unit == wiring.UART_ID:
            board.uart.start(baud, (tx, rx) == (wiring.UART_TX, wiring.UART_RX), size)
            session = board.session
            if session:

                def deliver(received: bytes) -> None:
                    board.trace.add("uart", READ, received)
                    session.serial(unit, received)

                board.uart.deliver = deliver
                board.uart.idle = lambda: session.event(p.EV_UART_IDLE, unit, 0)
        return b""

    def _uart_tx(self, unit: int, aux: int, data: bytes) -> None:
        self._board.trace.add("uart", WRITE, data)
        if unit == wiring.UART_ID:
            self._board.uart.send(data)

    async def _flushed(self) -> bytes:
        while not self._board.uart.flushed:
            await self._board.time.sleep(FLUSH_POLL_S)
        return b""

    def _uart_flush(self, unit: int, aux: int, data: bytes) -> Awaitable[bytes]:
        return self._flushed()

    def _i2c_init(self, bus: int, aux: int, data: bytes) -> bytes:
        i2c = self._board.i2c
        sda, scl, i2c.frequency = struct.unpack("<BBI", data)
        i2c.wired = (bus, sda, scl) == (wiring.I2C_ID, wiring.I2C_SDA, wiring.I2C_SCL)
        return b""

    def _i2c_write(self, bus: int, aux: int, data: bytes) -> bytes:
        to, trace = f"{aux & 0xFF:02x}", self._board.trace
        try:
            answer = self._board.i2c.write(aux & 0xFF, bool(aux & 0x100), data)
        except BusError as e:
            trace.add("i2c", WRITE, data, to, errno.errorcode.get(e.number, str(e.number)))
            raise
        trace.add("i2c", WRITE, data, to)
        return answer

    def _i2c_read(self, bus: int, aux: int, data: bytes) -> bytes:
        to, trace = f"{aux & 0xFF:02x}", self._board.trace
        try:
            answer = self._board.i2c.read(aux & 0xFF, bool(aux & 0x100), struct.unpack("<H", data)[0])
        except BusError as e:
            trace.add("i2c", READ, b"", to, errno.errorcode.get(e.number, str(e.number)))
            raise
        trace.add("i2c", READ, answer, to)
        return answer
