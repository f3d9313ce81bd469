"""The host's side of a door: the real authority in this process, the real fleet server as a process."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Coroutine
from hashlib import sha256
from pathlib import Path
from typing import Any

from conftest import ROOT
from ports import free_ports

from firmware.core import message, record
from host_tools.authority.app import Authority, make_app
from host_tools.run import WIFI_KEY, WIFI_SSID
from host_tools.server.opener import parse_head
from host_tools.server.packs import Packs
from host_tools.server.schema import Device, Record
from host_tools.server.serve import open_keys, open_pki, open_store
from host_tools.serving import Listener, make_server
from host_tools.state import State

PLACE, SCENE = "Library", "checkpoint"


class Loop:
    """An event loop in a thread."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.errors: list[str] = []
        """What nobody caught in the loop; a test's end must find none."""
        self.loop.set_exception_handler(lambda _, about: self.errors.append(str(about)))
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, Any], timeout_s: float = 60.0) -> Any:
        """The result of a coroutine."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(timeout_s)

    def call(self, function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        """The result of a function that must be called in the loop's thread."""

        async def body() -> Any:
            return function(*arguments, **options)

        return self.run(body())

    def close(self) -> None:
        """Stop the thread."""
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(10)
        self.loop.close()


class Fleet:
    """Authority (in this process) and fleet server (a process of its own) over one state folder."""

    def __init__(self, folder: Path, loop: Loop) -> None:
        self.state = State(folder)
        self.authority = Authority(self.state)
        self.keys = open_keys(self.state)
        self.authority.packs.keep_sealing_key(self.keys.public()[0])
        self.pki = open_pki(self.state)
        self.store = open_store(self.state)
        self.log = folder / "server.log"
        self.port, self.console_port, self.authority_port = free_ports(3)
        self.process: subprocess.Popen[bytes] | None = None
        self._loop = loop
        self._authority_server: Any = None
        self._serving: Any = None

    def start_authority(self) -> None:
        """Serve packs and the wallets."""
        self._authority_server = make_server(Listener(make_app(self.authority), self.authority_port))
        self._serving = asyncio.run_coroutine_threadsafe(self._authority_server.serve(), self._loop.loop)
        until(lambda: self._authority_server.started, "the authority serves")

    def start_server(self) -> None:
        """Start the fleet server, without waiting."""
        argv = [sys.executable, "-m", "host_tools.cli", "server", "serve", "--state", str(self.state.root)]
        argv += ["--port", str(self.port), "--console-port", str(self.console_port)]
        argv += ["--authority", f"http://127.0.0.1:{self.authority_port}"]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(argv, cwd=ROOT, stdout=log, stderr=log)

    def wait_for_server(self, trust: bool = True) -> None:
        """Wait until it listens and, if asked, holds the pack."""
        assert self.process is not None

        def ready() -> bool:
            assert self.process is not None and self.process.poll() is None
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return not trust or self.pack_version() > 0
            return False

        until(ready, "the fleet server is ready", 30)

    def stop_server(self) -> None:
        """Kill the fleet server, as a power cut would."""
        if self.process:
            self.process.kill()
            self.process.wait(10)
            self.process = None

    def provisioning(self, ca_der: bytes | None = None, port: int | None = None, scene: str = SCENE) -> bytes:
        """What a new handheld gets, with a fresh token."""
        token = self.store.create_token(PLACE, scene, int(time.time()), 3600)
        url = f"https://localhost:{port or self.port}"
        root_key = self.authority.keys.root_public
        return message.encode_provisioning(
            root_key, url, ca_der or self.pki.ca_der, token, WIFI_SSID, WIFI_KEY
        )

    def device(self) -> Device | None:
        """The handheld as the server knows it; the tests have one."""
        return next(iter(self.store.devices()), None)

    def served(self, trust: bool = True) -> bool:
        """Whether the handheld has enrolled and, if asked, said that it holds the newest pack."""
        device = self.device()
        if device is None or device.last_seen_unix is None:
            return False
        return not trust or device.pack_version == self.pack_version() > 0

    def pack_version(self) -> int:
        """The version of the newest pack that the server holds, 0 for none."""
        return Packs(self.store).version()

    def rows(self) -> list[Record]:
        """All records, in the order in which they came."""
        return list(self.store.records_after(0, 100_000))

    def held(self) -> int:
        """Up to which sequence the server holds records."""
        device = self.device()
        return device.held_seq if device else 0

    def check_chain(self) -> None:
        """Sequences run from 1 without a gap or a double, in the order of arrival, and the chain holds."""
        value = record.GENESIS
        rows = self.rows()
        assert [row.seq for row in rows] == list(range(1, len(rows) + 1))
        for row in rows:
            begins = row.head if row.head and parse_head(row.head).first == row.seq else b""
            value = sha256(value + begins + (row.sealed or row.raw)).digest()
            assert row.chain == value, row.seq
            assert row.sealed and row.raw not in row.sealed
            assert record.decode(row.raw)[record.SEQ] == row.seq
        device = self.device()
        assert device is not None and device.alert is None
        assert (device.held_seq, device.held_chain) == (len(rows), value)

    def close(self) -> None:
        """End both."""
        self.stop_server()
        if self._authority_server:
            self._authority_server.should_exit = True
            self._serving.result(10)
        self.store.close()


def until(condition: Callable[[], bool], what: str, timeout_s: float = 30.0) -> None:
    """Wait for a condition."""
    ends_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < ends_s, f"not within {timeout_s:.0f} s: {what}"
        time.sleep(0.05)
