"""One run of the MicroPython interpreter: the child process, its bridge and its console."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import os
import signal
import struct
import sys
from collections.abc import Callable
from pathlib import Path

from simulator import protocol as p
from simulator.bridge import Answer, Bridge, Handler
from simulator.build import EMPTY_ROM, ROOT, SHIMS_ROM, compile_shims
from simulator.clock import Clock, Runner
from simulator.serialport import SerialPort

CONSOLE_LIMIT = 1 << 16
"""A console line longer than this is dropped."""
KEPT = ("LD_LIBRARY_PATH", "SYSTEMROOT")
"""What the child may see of this process's environment."""


class Interpreter:
    """A child process that runs a flash image. ``handler`` answers the bridge; ``line`` gets the console;
    ``ended(code)`` is called when the process is gone and nobody has asked for it. With a serial port the
    console is there, and `line` gets what the port lets through. `clock` is the one that it lives by.
    """

    def __init__(
        self,
        handler: Handler,
        line: Callable[[str], None],
        ended: Callable[[int], None],
        clock: Clock,
        serial: SerialPort | None = None,
    ) -> None:
        self._handler = handler
        self._clock = clock
        self._line = line
        self._serial = serial
        self._ended = ended
        self._process: asyncio.subprocess.Process | None = None
        self._watch: asyncio.Task[None] | None = None
        self._killed = False
        self.bridge = Bridge(self._handle, self._broken)
        self._runner = Runner(clock, lambda: self.bridge.event(p.EV_TIME, 0, 0), lambda: self.bridge.asked)
        self.bridge.disturbed = self._runner.disturbed

    @property
    def pid(self) -> int | None:
        """The process id."""
        return self._process.pid if self._process else None

    @property
    def asking(self) -> bool:
        """Whether the child waits for an answer of the bridge."""
        return self.bridge.asked

    def interrupt(self, on: bool) -> None:
        """Raise KeyboardInterrupt in the child when it looks at its events; or take that back."""
        self.bridge.event(p.EV_INTERRUPT, 0, int(on))

    async def start(self, micropython: str, heap: str, image: Path, rom: Path) -> None:
        """Start it; `rom` may be missing. It dies with this process."""
        shims = await asyncio.to_thread(compile_shims)
        path = await self.bridge.listen()
        environment = {"PATH": os.environ.get("PATH", ""), "TZ": "UTC", "MICROPYPATH": f"{shims}:.frozen"}
        environment.update({name: os.environ[name] for name in KEPT if name in os.environ})
        rom = rom if rom.is_file() else shims / EMPTY_ROM
        packages = _packages_of(micropython)
        heap = heap if packages else _grown(heap, rom, shims / SHIMS_ROM)
        console = self._serial.plug() if self._serial else -1
        try:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-SIE",
                str(ROOT / "simulator" / "launch.py"),
                str(os.getpid()),
                packages,
                str(rom.resolve()),
                str(shims / SHIMS_ROM),
                str(self._clock.page.path.resolve()),
                micropython,
                *(["-i"] if self._serial else []),
                "-X",
                f"heapsize={heap}",
                "-m",
                "_start",
                str(path),
                str(image.resolve()),
                stdin=console if self._serial else asyncio.subprocess.DEVNULL,
                stdout=console if self._serial else asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                limit=CONSOLE_LIMIT,
                env=environment,
                cwd=shims,
                start_new_session=True,
            )
        finally:
            if self._serial:
                os.close(console)
        self._clock.run(self._runner)
        self._watch = asyncio.create_task(self._follow(self._process))

    def _handle(self, operation: int, unit: int, aux: int, data: bytes) -> Answer:
        if operation == p.IDLE:
            self._runner.waits(aux, *struct.unpack("<II", data))
            return None
        if operation == p.PASS:
            self._runner.works(*struct.unpack("<I", data))
            return b""
        return self._handler(operation, unit, aux, data)

    async def _follow(self, process: asyncio.subprocess.Process) -> None:
        if self._serial:
            await self._serial.drained()
        elif process.stdout:
            await self._lines(process.stdout)
        code = await process.wait()
        self._clock.end(self._runner)
        self.bridge.close()
        if not self._killed:
            self._ended(code)

    async def _lines(self, stdout: asyncio.StreamReader) -> None:
        while True:
            try:
                line = await stdout.readline()
            except ValueError:  # beyond the limit: dropped
                continue
            if not line:
                break
            self._line(line.decode("utf-8", "replace").rstrip("\r\n"))

    def _broken(self, why: str) -> None:
        """The child talks nonsense; it ends as if it had crashed."""
        self._line(f"bridge: {why}")
        self._signal()

    def _signal(self) -> None:
        if self._process:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    async def kill(self) -> None:
        """End the process group at once, and wait until it is gone."""
        self._killed = True
        self._signal()
        self.bridge.close()
        if self._watch:
            await self._watch


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
