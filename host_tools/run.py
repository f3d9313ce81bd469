"""`yima run`: authority, fleet server and simulated handheld as one command."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
import time
import webbrowser
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import httpx

from firmware.core import message
from firmware.core.errors import CoreError
from firmware.core.trust import kid_of_key
from host_tools import clockpage
from host_tools.authority.app import Authority
from host_tools.authority.locked_key import FILE_VARIABLE, VARIABLE
from host_tools.authority.office_gate import load_or_create_password
from host_tools.device.build import ROOT, BuildError, build
from host_tools.device.engines import target_of
from host_tools.device.image import ImageError, prepare
from host_tools.files import FileTrouble, read_limited, try_lock, write_private
from host_tools.server import console
from host_tools.server.serve import SEALING, open_keys, open_pki, open_store
from host_tools.server.store import Store
from host_tools.state import (
    AUTHORITY_PORT,
    CONSOLE_PORT,
    DEVICES_PORT,
    HANDHELD_PORT,
    HOST,
    State,
)
from host_tools.supervise import ChildTrouble, Program, Supervisor

#: The network of the simulated air (simulator/, docs/wiring.md).
WIFI_SSID = "yima"
WIFI_KEY = "yima-door-2020"
PLACE = "龙岩动车站"
SCENE = "checkpoint"
TOKEN_LIFE_S = 86_400
TRUST_LIMIT_S = 15.0
#: What opens the authority's keys is nobody else's business.
PASSPHRASE = (VARIABLE, FILE_VARIABLE)
FLASH_IMAGE = "flash.img"
KEY_STORE = "nvs.json"
PROVISIONING = "provisioning.cbor"


class RunTrouble(Exception):
    """The system cannot be started or kept running; the message is for people."""


@dataclass(frozen=True)
class Running:
    """Where the parts of a running system are."""

    authority: str
    server: str
    console: str
    console_key: str
    handheld: str
    pid: int
    handhelds: tuple[str, ...] = ()


class System:
    """The supervised system over one state folder."""

    def __init__(
        self,
        state: State,
        port_base: int,
        tell: Callable[[str], None],
        devices: int = 1,
        serial: bool = False,
        speed: int = 1,
    ) -> None:
        self._state = state
        self._speed = speed
        self._base = port_base
        self._tell = tell
        self._profiles = state.handhelds(devices)
        self._serial = serial
        self._lock: int | None = None
        self.supervisor: Supervisor | None = None

    async def start(self) -> Running:
        """Start everything and wait until it works. Raises RunTrouble; call `stop` in any case."""
        state, base = self._state, self._base
        self._lock = try_lock(state.run_lock)
        if self._lock is None:
            raise RunTrouble(f"{state.root} is in use by another yima run")
        check_ports(base, len(self._profiles))
        authority_url = f"http://{HOST}:{base + AUTHORITY_PORT}"
        console_url = f"http://{HOST}:{base + CONSOLE_PORT}"
        handheld_urls = [f"http://{HOST}:{base + HANDHELD_PORT + at}" for at in range(len(self._profiles))]
        # localhost and not 127.0.0.1: a name is what TLS libraries of all ages can check.
        server_url = f"https://localhost:{base + DEVICES_PORT}"
        clock = clockpage.ClockPage.create(state.clock).path.resolve()
        self.supervisor = supervisor = Supervisor(state.log, self._tell, {clockpage.VARIABLE: str(clock)})
        preparing = asyncio.create_task(asyncio.to_thread(self._prepare, server_url))
        try:
            provisioning = await preparing
            image = asyncio.create_task(asyncio.to_thread(self._install, provisioning))
            try:
                await supervisor.start(
                    Program(
                        "authority",
                        _cli(state, "authority", "serve", "--port", str(base + AUTHORITY_PORT)),
                        f"{authority_url}/healthz",
                        ROOT,
                    )
                )
                await supervisor.start(
                    Program(
                        "server",
                        _cli(
                            state,
                            "server",
                            "serve",
                            "--port",
                            str(base + DEVICES_PORT),
                            "--console-port",
                            str(base + CONSOLE_PORT),
                            "--authority",
                            authority_url,
                        ),
                        f"{console_url}/healthz",
                        ROOT,
                        PASSPHRASE,
                    )
                )
            finally:
                await image
            await _wait_for_pack(console_url, console.load_or_create_key(state.server))
            await supervisor.start(
                Program(
                    "handheld",
                    (
                        sys.executable,
                        "-m",
                        "simulator",
                        *(word for p in self._profiles for word in ("--profile", str(p.resolve()))),
                        "--port",
                        str(base + HANDHELD_PORT),
                        "--authority",
                        authority_url,
                        "--sealing-keys",
                        str((state.server / SEALING).resolve()),
                        *(["--serial"] if self._serial else []),
                        *(["--speed", str(self._speed)] if self._speed > 1 else []),
                    ),
                    f"{handheld_urls[-1]}/api/state",
                    ROOT,
                    PASSPHRASE,
                )
            )
        except (ChildTrouble, BuildError, ImageError, FileTrouble, CoreError) as e:
            raise RunTrouble(str(e)) from e
        running = Running(
            authority=authority_url,
            server=server_url,
            console=console_url,
            console_key=console.load_or_create_key(state.server),
            handheld=handheld_urls[0],
            pid=os.getpid(),
            handhelds=tuple(handheld_urls),
        )
        write_private(state.run_file, json.dumps(asdict(running), indent=1).encode())
        return running

    async def stop(self) -> None:
        """End everything that `start` started."""
        if self._lock is None:
            return
        if self.supervisor:
            await self.supervisor.stop()
        self._state.run_file.unlink(missing_ok=True)
        self._state.clock.unlink(missing_ok=True)
        os.close(self._lock)
        self._lock = None

    def _prepare(self, server_url: str) -> list[bytes | None]:
        """Make keys and certificates, and what each handheld needs to enrol, None where it has enrolled."""
        authority = Authority(self._state)
        # Into the first pack: without it no handheld can keep a record.
        authority.packs.keep_sealing_key(open_keys(self._state).public()[0])
        root_public = authority.keys.root_public
        ca_der = open_pki(self._state).ca_der
        store = open_store(self._state)
        try:
            return [provision(store, profile, root_public, server_url, ca_der) for profile in self._profiles]
        finally:
            store.close()

    def _install(self, provisionings: list[bytes | None]) -> None:
        for profile, provisioning in zip(self._profiles, provisionings, strict=True):
            install(profile, provisioning)


def provision(
    store: Store, profile: Path, root_public: bytes, server_url: str, ca_der: bytes
) -> bytes | None:
    """What the handheld of a profile needs to enrol, None where it has enrolled. Raises FileTrouble."""
    now_unix = int(clockpage.now())
    image, given_file = profile / FLASH_IMAGE, profile / PROVISIONING
    if image.exists() and given_file.exists():
        old = read_limited(given_file)
        given = message.parse_provisioning(old)
        if given.server_url != server_url:
            raise FileTrouble(
                f"the handheld of {profile} knows its server as {given.server_url}: "
                "start with that --port-base, or with another --state"
            )
        status, device_id = store.token_state(given.token, now_unix)
        if status == "open" and given.root_key == root_public:
            return old
        device = store.device(device_id) if device_id else None
        if device and device.last_seen_unix is not None:
            return None
    elif not image.exists():
        # A handheld without its flash is a new one: an old identity would have no journal.
        (profile / KEY_STORE).unlink(missing_ok=True)
    token = store.create_token(PLACE, SCENE, now_unix, TOKEN_LIFE_S, kid_of_key(root_public))
    provisioning = message.encode_provisioning(root_public, server_url, ca_der, token, WIFI_SSID, WIFI_KEY)
    write_private(given_file, provisioning)
    return provisioning


def install(profile: Path, provisioning: bytes | None) -> None:
    """Compile the firmware and bring it into the flash image of a profile. Raises BuildError, ImageError."""
    tree = build(ROOT / "build" / "device", target_of(micropython()))
    prepare(profile / FLASH_IMAGE, tree, provisioning, micropython())


async def _wait_for_pack(console_url: str, key: str) -> None:
    """Wait until the server has the pack, so that a handheld gets it at its first contact."""
    ends_s = time.monotonic() + TRUST_LIMIT_S
    headers = {"authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(timeout=2.0, trust_env=False, headers=headers) as client:
        while time.monotonic() < ends_s:
            with contextlib.suppress(httpx.HTTPError):
                answer = await client.get(f"{console_url}/api/summary")
                if answer.status_code == 200 and answer.json()["pack_version"]:
                    return
            await asyncio.sleep(0.1)
    raise RunTrouble("the server does not get the authority's pack")


def micropython() -> str:
    """The interpreter of the simulated handheld: ``MICROPYTHON``, or the one beside this Python."""
    return os.environ.get("MICROPYTHON") or str(Path(sys.executable).parent / "micropython")


def check_ports(base: int, devices: int = 1) -> None:
    """Raises RunTrouble where a port of the system, with so many handhelds, is taken."""
    handhelds = range(HANDHELD_PORT, HANDHELD_PORT + devices)
    for offset in (AUTHORITY_PORT, DEVICES_PORT, CONSOLE_PORT, *handhelds):
        if not port_free(base + offset):
            raise RunTrouble(
                f"port {base + offset} is in use; end what uses it or choose others with --port-base"
            )


def port_free(port: int) -> bool:
    """Whether one could listen on `port`."""
    with socket.socket() as probe:
        # As servers do: a connection that is only just closed does not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def find_running(state: State) -> Running | None:
    """The system that runs over this state folder, None where none does."""
    if not state.run_file.exists():
        return None
    lock = try_lock(state.run_lock)
    if lock is not None:
        # What is written there was left behind by a run that was killed.
        os.close(lock)
        return None
    try:
        said = json.loads(read_limited(state.run_file))
        return Running(**{**said, "handhelds": tuple(said.get("handhelds", ()))})
    except (FileTrouble, ValueError, TypeError, AttributeError):
        return None


def run(
    state: State, port_base: int, browser: bool, devices: int = 1, serial: bool = False, speed: int = 1
) -> int:
    """Run until Ctrl-C or SIGTERM; the exit status. Raises RunTrouble."""
    return asyncio.run(_run(state, port_base, browser, devices, serial, speed))


async def _run(state: State, port_base: int, browser: bool, devices: int, serial: bool, speed: int) -> int:
    stop = asyncio.Event()
    system = System(state, port_base, _say, devices, serial, speed)
    loop = asyncio.get_running_loop()

    def interrupted() -> None:
        if stop.is_set() and system.supervisor:
            system.supervisor.kill()
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, interrupted)
    _say("starting …")
    starting = asyncio.create_task(system.start())
    stopping = asyncio.create_task(stop.wait())
    try:
        starts: list[asyncio.Future[Any]] = [starting, stopping]
        await asyncio.wait(starts, return_when=asyncio.FIRST_COMPLETED)
        if not starting.done():
            starting.cancel()
            with contextlib.suppress(asyncio.CancelledError, RunTrouble):
                await starting
            return 0
        running = starting.result()
        _announce(running, load_or_create_password(state.authority))
        if browser and has_display():
            await asyncio.to_thread(webbrowser.open, running.handheld)
        assert system.supervisor is not None  # noqa: S101 - for the type checker
        failure = system.supervisor.failure
        ends: list[asyncio.Future[Any]] = [failure, stopping]
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        if failure.done():
            raise RunTrouble(failure.result())
        _say("stopping …")
        return 0
    finally:
        stopping.cancel()
        await system.stop()


def _announce(running: Running, password: str) -> None:
    _say("Yima is running. Ctrl-C stops everything.")
    for url in running.handhelds:
        _say(f"  handheld  {url}/")
    if len(running.handhelds) > 1:
        _say(f"  all       {running.handheld}/devices")
    _say(f"  town      {running.authority}/")
    _say(f"  office    {running.authority}/office/  password {password}")
    _say(f"  records   {running.console}/?key={running.console_key}")


def has_display() -> bool:
    """Whether a browser could show a window."""
    return sys.platform != "linux" or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _cli(state: State, *arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-m", "host_tools.cli", *arguments, "--state", str(state.root.resolve()))


def _say(line: str) -> None:
    print(line, flush=True)
