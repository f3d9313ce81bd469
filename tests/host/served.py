"""Applications behind real sockets, for tests that want HTTP as it is."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time

from host_tools.serving import Listener, make_server


@contextlib.contextmanager
def serving(*apps_of_port, on_stop=lambda: None):
    """Serve applications from one loop in a thread; yields their addresses."""
    ports = []
    for _ in apps_of_port:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            ports.append(probe.getsockname()[1])
    listeners = [Listener(app(port), port) for app, port in zip(apps_of_port, ports, strict=True)]
    servers = [make_server(listener) for listener in listeners]

    async def serve() -> None:
        await asyncio.gather(*(server.serve() for server in servers))

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    ends = time.monotonic() + 10
    while not all(server.started for server in servers) and time.monotonic() < ends:
        time.sleep(0.02)
    try:
        yield [f"http://127.0.0.1:{port}" for port in ports]
    finally:
        on_stop()
        for server in servers:
            server.should_exit = True
        thread.join(10)
