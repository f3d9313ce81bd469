"""The listening end of the bridge for one run of the interpreter: connections, framing, answers."""

from __future__ import annotations

import asyncio
import contextlib
import struct
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

from simulator import protocol as p

Answer = bytes | Awaitable[bytes] | None
Handler = Callable[[int, int, int, bytes], Answer]


class _Connection(asyncio.Protocol):
    """One socket of the child; its first two bytes say which."""

    def __init__(self, bridge: Bridge) -> None:
        self._bridge = bridge
        self._buffer = bytearray()
        self._role = -1
        self._task: asyncio.Task[None] | None = None
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A socket was opened."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Bytes from the child."""
        self._buffer += data
        if self._role < 0:
            if len(self._buffer) < 2:
                return
            self._role = self._buffer[0]
            assert self.transport is not None  # noqa: S101
            self._bridge.opened(self._role, self._buffer[1], self.transport, self)
            del self._buffer[:2]
        if self._role == p.CONTROL:
            self._messages()
        else:
            self._buffer.clear()

    def connection_lost(self, exc: Exception | None) -> None:
        """The child, or this side, closed."""
        if self._task:
            self._task.cancel()

    def _messages(self) -> None:
        at = 0
        while len(self._buffer) - at >= p.REQUEST.size:
            operation, unit, aux, size = p.REQUEST.unpack_from(self._buffer, at)
            if size > p.MAX_DATA:
                self._bridge.broken(f"message of {size} bytes")
                return
            end = at + p.REQUEST.size + size
            if len(self._buffer) < end:
                break
            data = bytes(self._buffer[at + p.REQUEST.size : end])
            at = end
            self._one(operation, unit, aux, data)
        del self._buffer[:at]

    @property
    def asked(self) -> bool:
        """Whether the child waits for an answer."""
        return self._task is not None and not self._task.done()

    def _one(self, operation: int, unit: int, aux: int, data: bytes) -> None:
        try:
            answer = self._bridge.handler(operation, unit, aux, data)
        except OSError as e:
            if operation & 0x80:
                self._answer(e.errno or e.args[0], b"")
            return
        except (struct.error, ValueError) as e:
            self._bridge.broken(f"operation {operation:#x}: {e}")
            return
        if isinstance(answer, Awaitable):
            self._task = asyncio.ensure_future(self._later(answer))
        elif operation & 0x80 and answer is not None:
            self._answer(0, answer)

    async def _later(self, answer: Awaitable[bytes]) -> None:
        try:
            self._answer(0, await answer)
        except OSError as e:
            self._answer(e.errno or e.args[0], b"")

    def _answer(self, status: int, data: bytes) -> None:
        if self.transport and not self.transport.is_closing():
            self.transport.write(p.ANSWER.pack(status, len(data)) + data)


class Bridge:
    """A socket in a private directory. ``handler(operation, unit, aux, data)`` answers bytes, an awaitable of
    them, or None for a message without an answer; OSError becomes the firmware's OSError."""

    def __init__(self, handler: Handler, broken: Callable[[str], None]) -> None:
        self.handler = handler
        self.broken = broken
        self.disturbed: Callable[[], None] | None = None
        """Called at each event that is sent."""
        self._server: asyncio.AbstractServer | None = None
        self._directory: Path | None = None
        self._events: asyncio.Transport | None = None
        self._serial: dict[int, asyncio.Transport] = {}
        self._open: list[asyncio.Transport] = []
        self._control: _Connection | None = None

    async def listen(self) -> Path:
        """Start; the path of the socket."""
        self._directory = Path(tempfile.mkdtemp(prefix="yima-sim-"))
        path = self._directory / "board"
        self._server = await asyncio.get_running_loop().create_unix_server(
            lambda: _Connection(self), str(path)
        )
        return path

    def opened(self, role: int, unit: int, transport: asyncio.Transport, connection: _Connection) -> None:
        """A connection said what it is."""
        self._open.append(transport)
        if role == p.CONTROL:
            self._control = connection
        if role == p.EVENTS:
            self._events = transport
        elif role == p.SERIAL:
            self._serial[unit] = transport

    @property
    def asked(self) -> bool:
        """Whether the child waits for an answer."""
        return self._control is not None and self._control.asked

    def event(self, kind: int, unit: int, value: int) -> None:
        """Tell the child."""
        if self._events and not self._events.is_closing():
            self._events.write(p.EVENT.pack(kind, unit, value))
            if self.disturbed:
                self.disturbed()

    def serial(self, unit: int, data: bytes) -> None:
        """Bytes that a UART received."""
        transport = self._serial.get(unit)
        if transport and not transport.is_closing():
            transport.write(data)
            self.event(p.EV_TIME, 0, 0)  # it counts events, and has these bytes by then

    def close(self) -> None:
        """End every connection and remove the socket."""
        if self._server:
            self._server.close()
            self._server = None
        for transport in self._open:
            transport.abort()
        self._open.clear()
        if self._directory:
            with contextlib.suppress(OSError):
                (self._directory / "board").unlink()
            with contextlib.suppress(OSError):
                self._directory.rmdir()
            self._directory = None
