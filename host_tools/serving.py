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

from host_tools.state import HOST

#: Streams (server-sent events) that are still open after this are cut.
GRACE_S = 2


@dataclass(frozen=True)
class Listener:
    """An application and where it listens."""

    app: FastAPI
    port: int
    tls: ssl.SSLContext | None = None
    host: str = HOST


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
        access_log=False,
        server_header=False,
        proxy_headers=False,
        ws="none",
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
