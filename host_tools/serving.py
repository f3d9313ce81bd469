"""Run one or several web applications in this process until a signal asks for an end."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol

from host_tools.state import HOST

#: Streams (server-sent events) that are still open after this are cut.
GRACE_S = 2
#: A request's head must be complete so soon after the connection, or the answer before it.
HEAD_S = 20


@dataclass(frozen=True)
class Listener:
    """An application and where it listens."""

    app: FastAPI
    port: int
    tls: ssl.SSLContext | None = None
    host: str = HOST


class _Impatient(H11Protocol):
    """Closes a connection whose next request does not begin, or whose head does not end, within HEAD_S."""

    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        self._rest()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        # Pipelined bytes may be the beginning of a head already.
        self._watch()

    def _watch(self) -> None:
        """While a request is being answered there is no hurry; before that the time runs, and only once."""
        if self.cycle is not None and not self.cycle.response_complete:
            self._rest()
        elif self._timer is None:
            self._timer = self.loop.call_later(HEAD_S, self._late)

    def _rest(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _late(self) -> None:
        self._timer = None
        if self.cycle is None or self.cycle.response_complete:
            self.transport.close()


class _Server(uvicorn.Server):
    """Leaves the signals alone: with two servers in one process the second would take them from the first."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def make_server(listener: Listener) -> uvicorn.Server:
    """A server that logs no addresses and no paths: both can hold personal data or keys."""
    config = uvicorn.Config(
        listener.app,
        host=listener.host,
        port=listener.port,
        log_level="warning",
        # Whoever runs the program says how it logs.
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        ws="none",
        http=_Impatient,
        timeout_keep_alive=15,
        timeout_graceful_shutdown=GRACE_S,
        limit_concurrency=512,
    )
    config.load()
    config.ssl = listener.tls
    return _Server(config)


async def serve(listeners: list[Listener], on_stop: Callable[[], None] | None = None) -> None:
    """Serve all of them; SIGINT or SIGTERM ends it, and so does the end of any one.

    `on_stop` is called as the end begins, so that endless answers can finish.
    """
    servers = [make_server(listener) for listener in listeners]

    def stop() -> None:
        if on_stop:
            on_stop()
        for server in servers:
            server.should_exit = True

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    tasks = [asyncio.ensure_future(server.serve()) for server in servers]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stop()
        await asyncio.gather(*tasks)


def run(listeners: list[Listener]) -> None:
    """The same from synchronous code."""
    asyncio.run(serve(listeners))
