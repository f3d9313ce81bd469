"""The network behind the simulated Wi-Fi: one listening port on this computer per host and port asked for.

While the link is up, connections are forwarded. When it goes, those that exist stall without a word, as radio
silence does; new ones are refused.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct

CONNECT_S = 2.0
KEEP_S = 10.0
CHUNK = 16384


class Relay:
    """Listeners and connections of one run of the board."""

    def __init__(self) -> None:
        self._up = asyncio.Event()
        self._servers: set[asyncio.Server] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._refused: socket.socket | None = None
        self._served = True
        self._calling = 0

    @property
    def served(self) -> bool:
        """Whether the servers behind the network are up."""
        return self._served

    @served.setter
    def served(self, up: bool) -> None:
        """Going down resets what is open; from then on connections are refused."""
        self._served = up
        if not up:
            for server in self._servers:
                server.close()
            self._servers.clear()
            for task in self._tasks:
                task.cancel()

    @property
    def busy(self) -> bool:
        """Whether something is under way: the other end of it lives by the computer's clock."""
        return bool(self._calling or self._tasks)

    def link(self, up: bool) -> None:
        """The radio's link came or went."""
        if up:
            self._up.set()
            return
        self._up.clear()
        for server in self._servers:
            server.close()
        self._servers.clear()

    def close(self) -> None:
        """The board restarted: everything is cut."""
        self.link(False)
        for task in self._tasks:
            task.cancel()
        if self._refused:
            self._refused.close()
            self._refused = None

    async def port(self, host: str, port: int) -> int:
        """A local port that leads there. The target is called first: if it refuses, so does the port."""
        if not self._served:
            return self._closed_port()
        self._calling += 1
        try:
            upstream = await asyncio.wait_for(asyncio.open_connection(host, port), CONNECT_S)
        except (OSError, asyncio.TimeoutError):
            return self._closed_port()
        finally:
            self._calling -= 1
        waiting = [upstream]
        server: asyncio.Server

        async def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.ensure_future(self._carry(reader, writer, waiting, host, port))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

        server = await asyncio.start_server(accepted, "127.0.0.1", 0)
        self._servers.add(server)
        asyncio.get_running_loop().call_later(KEEP_S, self._expire, server, waiting)
        number: int = server.sockets[0].getsockname()[1]
        return number

    def _expire(
        self, server: asyncio.Server, waiting: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]]
    ) -> None:
        server.close()
        self._servers.discard(server)
        while waiting:
            waiting.pop()[1].close()

    def _closed_port(self) -> int:
        """A port of our own that is bound and does not listen: connecting is refused, and nobody else can
        have it."""
        if self._refused is None:
            self._refused = socket.socket()
            self._refused.bind(("127.0.0.1", 0))
        number: int = self._refused.getsockname()[1]
        return number

    async def _carry(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        waiting: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]],
        host: str,
        port: int,
    ) -> None:
        try:
            there = waiting.pop() if waiting else await asyncio.open_connection(host, port)
        except OSError:
            self._reset(writer)
            return
        try:
            await asyncio.gather(self._pump(reader, there[1]), self._pump(there[0], writer))
        except OSError:
            self._reset(writer)
        except asyncio.CancelledError:
            self._reset(writer)
            raise
        finally:
            there[1].close()
            writer.close()

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while True:
            data = await source.read(CHUNK)
            await self._up.wait()
            if not data:
                with contextlib.suppress(OSError, NotImplementedError):
                    sink.write_eof()
                return
            sink.write(data)
            await sink.drain()

    @staticmethod
    def _reset(writer: asyncio.StreamWriter) -> None:
        sock = writer.get_extra_info("socket")
        if sock is not None:
            with contextlib.suppress(OSError):  # where this end is the one that broke, it is closed already
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.close()
