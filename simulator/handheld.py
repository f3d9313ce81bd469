"""The simulated handheld: the interpreter as a child process on a simulated board, with a power switch."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import os
import signal
import struct
import sys
import time
from collections import deque
from collections.abc import Coroutine
from pathlib import Path

from simulator import protocol as p
from simulator.board import Answer, Board
from simulator.bridge import Bridge
from simulator.build import EMPTY_ROM, ROOT, SHIMS_ROM, compile_shims
from simulator.world import World

START_TIMEOUT_S = 15.0
CRASHES, CRASH_WINDOW_S = 3, 30.0
"""So many deaths of the interpreter that nobody ordered within the window, and the board stays off."""
CONSOLE_LINES = 2000
BLOCK = 4096


class HandheldError(Exception):
    """The handheld cannot start; the message is for a person."""


class Handheld:
    """One handheld with its profile directory: ``flash.img`` (needed), ``rom.img``, ``nvs.json``,
    ``rtc.json``, ``scanner.bin``.

    `state` is "off", "running" or "dead" (the interpreter kept dying).
    """

    def __init__(self, profile: Path, *, micropython: str | None = None, heap: str = "200k") -> None:
        self.profile = profile
        self.micropython = (
            micropython or os.environ.get("MICROPYTHON") or str(Path(sys.executable).with_name("micropython"))
        )
        self.heap = heap
        self.world = World()
        self.state = "off"
        self.console: deque[str] = deque(maxlen=CONSOLE_LINES)
        self.boot: dict[str, int] = {}
        """Heap figures of the last start: bytes of the shims, in use and free when boot.py begins."""
        self._board: Board | None = None
        self._bridge: Bridge | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._watch: asyncio.Task[None] | None = None
        self._pending: set[asyncio.Task[None]] = set()
        self._cause = p.PWRON_RESET
        self._cut_at = 0
        self._deaths: deque[float] = deque(maxlen=CRASHES)
        self._booted = asyncio.Event()
        self._lock = asyncio.Lock()

    @property
    def image(self) -> Path:
        """The flash chip's contents."""
        return self.profile / "flash.img"

    @property
    def rom(self) -> Path:
        """The ROM partition's contents, mounted as /rom; may be missing."""
        return self.profile / "rom.img"

    @property
    def board(self) -> Board:
        """The board; it is there from the first `start` on."""
        if self._board is None:
            raise HandheldError("the handheld was not started yet")
        return self._board

    @property
    def pid(self) -> int | None:
        """Process id of the interpreter, None while off."""
        return self._process.pid if self._process else None

    # The power switch

    async def start(self) -> None:
        """Power on. Returns when boot.py begins. Raises HandheldError."""
        if self.state == "running":
            return
        self.check()
        self.profile.mkdir(parents=True, exist_ok=True)
        if self._board is None:
            self._board = Board(self.world, self.profile)
            self.world.attach(self._board)
        self._cause = p.PWRON_RESET
        self._deaths.clear()
        await self._spawn()

    def check(self) -> None:
        """Whether everything is there to start. Raises HandheldError."""
        if not self.image.is_file():
            raise HandheldError(
                f"{self.image} is missing: the handheld has no firmware. "
                "Make it with `python -m host_tools.device.image`, or use `yima run`, which does."
            )
        size = self.image.stat().st_size
        if size % BLOCK or size < 16 * BLOCK:
            raise HandheldError(
                f"{self.image} is no flash image: {size} bytes is not a number of {BLOCK}-byte blocks"
            )
        if not Path(self.micropython).is_file():
            raise HandheldError(
                f"there is no MicroPython interpreter at {self.micropython}; set MICROPYTHON="
            )

    async def stop(self) -> None:
        """Power off, and release everything."""
        await self._end("off")
        if self._board:
            self._board.power_off()
            self._board.relay.close()

    async def kill(self) -> None:
        """Cut the power at this moment; it stays off until `start`."""
        self.world.note("power", {"state": "cut"})
        await self._end("off")
        self.board.power_off()

    async def power_cycle(self) -> None:
        """Cut the power and switch on again."""
        await self.kill()
        await self.start()

    async def restart(self, cause: int = p.HARD_RESET) -> None:
        """Reset the chip; the other chips keep their power."""
        await self._end("off")
        self.board.reset()
        self._cause = cause
        self.world.note("reset", {"cause": cause})
        await self._spawn()

    def cut_power_at(self, flash_operations: int) -> None:
        """Cut the power in the middle of the Nth erase or program from now (or from the next start). 0
        disarms."""
        self._cut_at = flash_operations
        if self._bridge:
            self._bridge.event(p.EV_CUT, 0, flash_operations)

    # The child process

    async def _spawn(self) -> None:
        shims = await asyncio.to_thread(compile_shims)
        self._booted.clear()
        bridge = Bridge(self._handle, self._broken)
        self._bridge = bridge
        self.board.session = _Session(self, bridge)
        path = await bridge.listen()
        environment = {"PATH": os.environ.get("PATH", ""), "TZ": "UTC", "MICROPYPATH": f"{shims}:.frozen"}
        for name in ("LD_PRELOAD", "LD_LIBRARY_PATH", "FAKETIME", "SYSTEMROOT"):
            if name in os.environ:
                environment[name] = os.environ[name]
        rom = self.rom if self.rom.is_file() else shims / EMPTY_ROM
        packages = _packages_of(self.micropython)
        heap = self.heap if packages else _grown(self.heap, rom, shims / SHIMS_ROM)
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-SIE",
            str(ROOT / "simulator" / "launch.py"),
            str(os.getpid()),
            packages,
            str(rom.resolve()),
            str(shims / SHIMS_ROM),
            self.micropython,
            "-X",
            f"heapsize={heap}",
            "-m",
            "_start",
            str(path),
            str(self.image.resolve()),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=environment,
            cwd=shims,
            start_new_session=True,
        )
        self.state = "running"
        self._watch = asyncio.create_task(self._follow(self._process, bridge))
        try:
            await asyncio.wait_for(self._booted.wait(), START_TIMEOUT_S)
        except asyncio.TimeoutError:
            await self._end("dead")
            raise HandheldError(
                "the interpreter did not start:\n" + "\n".join(list(self.console)[-20:])
            ) from None

    async def _follow(self, process: asyncio.subprocess.Process, bridge: Bridge) -> None:
        """Read the console until the process ends; then decide what follows."""
        assert process.stdout is not None  # noqa: S101
        while True:
            try:
                line = await process.stdout.readline()
            except ValueError:  # a line beyond the stream's limit: dropped
                continue
            if not line:
                break
            text = line.decode("utf-8", "replace").rstrip("\r\n")
            self.console.append(text)
            self.world.note("console", {"line": text})
        code = await process.wait()
        if self._process is process:  # nobody ordered it
            self.world.note("exit", {"code": code})
            self._deaths.append(time.monotonic())
            often = len(self._deaths) == CRASHES and time.monotonic() - self._deaths[0] < CRASH_WINDOW_S
            self._process = None
            bridge.close()
            self.board.session = None
            self.board.reset()
            if often or not self._booted.is_set():
                self.state = "dead"
                self.world.note("power", {"state": "dead"})
            else:
                self._later(self._again(p.HARD_RESET))

    async def _again(self, cause: int) -> None:
        self._cause = cause
        self.world.note("reset", {"cause": cause})
        with contextlib.suppress(HandheldError):
            await self._spawn()

    def _later(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.ensure_future(work)
        self._pending.add(task)
        task.add_done_callback(self._pending.discard)

    async def _end(self, state: str) -> None:
        """Kill the child's process group and wait for it."""
        process, self._process = self._process, None
        self.state = state
        if process:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
        if self._bridge:
            self._bridge.close()
            self._bridge = None
        if self._board:
            self._board.session = None
        watch, self._watch = self._watch, None
        if watch and watch is not asyncio.current_task():
            await asyncio.wait([watch], timeout=5)

    def _broken(self, why: str) -> None:
        self.world.note("exit", {"bridge": why})
        self._later(self.restart(p.HARD_RESET))

    def _handle(self, operation: int, unit: int, aux: int, data: bytes) -> Answer:
        if operation == p.HELLO:
            cut, self._cut_at = self._cut_at, 0
            return p.HELLO_ANSWER.pack(self._cause, 0, self._rtc_difference(), cut, self.board.chip_id)
        if operation == p.BOOTED:
            shims, used, free = struct.unpack("<III", data)
            self.boot = {"shims": shims, "used": used, "free": free}
            self.world.note("boot", {**self.boot, "cause": self._cause})
            self._booted.set()
            return None
        if operation == p.RESET:
            self._later(self.restart(unit))
            return None
        if operation == p.POWER_CUT:
            self._later(self.kill())
            return None
        return self.board.handle(operation, unit, aux, data)

    def _rtc_difference(self) -> int:
        """After power-on the chip's clock stands at 2000-01-01 00:00:00; over resets it runs on."""
        if self._cause == p.PWRON_RESET:
            self.board.clock_difference_s = 946684800 - int(time.time())
        return self.board.clock_difference_s


def _packages_of(micropython: str) -> str:
    """The folder from which MicroPython can be loaded into a Python process, "" for a plain executable."""
    if Path(micropython) != Path(sys.executable).with_name("micropython"):
        return ""
    spec = importlib.util.find_spec("micropython_module")
    return str(Path(spec.origin).parent) if spec and spec.origin else ""


def _grown(heap: str, *images: Path) -> str:
    """`heap` with room for ROM images that cannot be mapped."""
    unit = {"k": 1024, "m": 1024 * 1024}
    size = int(heap[:-1]) * unit[heap[-1].lower()] if heap[-1].lower() in unit else int(heap)
    return str(size + sum(image.stat().st_size for image in images))


class _Session:
    """What the board may do with the interpreter."""

    def __init__(self, handheld: Handheld, bridge: Bridge) -> None:
        self._handheld = handheld
        self._bridge = bridge
        self.event = bridge.event
        self.serial = bridge.serial

    def restart(self, cause: int) -> None:
        """Kill and start anew."""
        self._handheld._later(self._handheld.restart(cause))

    def cut(self) -> None:
        """The power goes."""
        self._handheld._later(self._handheld.kill())
