"""Fleet server processes over a PostgreSQL of their own, for bench and tests."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from host_tools.bench.programs import ROOT
from host_tools.server.serve import DATABASE_VARIABLE, open_pki
from host_tools.state import State

START_S = 30


def free_port() -> int:
    """A port on which nobody listens now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class ServerProcess:
    """`yima server serve` over the database at `url`."""

    def __init__(self, state: State, url: str, port: int | None = None, console: int | None = None) -> None:
        self.port = port or free_port()
        self.console_port = console or free_port()
        argv = [sys.executable, "-m", "host_tools.cli", "server", "serve", "--state", str(state.root)]
        argv += ["--port", str(self.port), "--console-port", str(self.console_port)]
        environment = {**os.environ, DATABASE_VARIABLE: url}
        self.process = subprocess.Popen(argv, cwd=ROOT, env=environment, stderr=subprocess.DEVNULL)

    def wait(self) -> None:
        """Wait until it listens. Raises TimeoutError."""
        ends_s = time.monotonic() + START_S
        while time.monotonic() < ends_s and self.process.poll() is None:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return
            time.sleep(0.05)
        raise TimeoutError("the fleet server does not start")

    def kill(self) -> None:
        """End it at once, as a crash would."""
        self.process.kill()
        self.process.wait()


@contextlib.contextmanager
def servers(folder: Path, url: str, count: int) -> Iterator[list[ServerProcess]]:
    """So many server processes over one database and one state folder."""
    state = State(folder)
    open_pki(state)
    running = [ServerProcess(state, url) for _ in range(count)]
    try:
        for one in running:
            one.wait()
        yield running
    finally:
        for one in running:
            one.process.terminate()
        for one in running:
            try:
                one.process.wait(10)
            except subprocess.TimeoutExpired:
                one.kill()
