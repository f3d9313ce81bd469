"""The simulated handheld: the interpreter as a child process on a simulated board, with a power switch."""

from __future__ import annotations

import asyncio
import os
import struct
import sys
import time
from collections import deque
from collections.abc import Awaitable
from pathlib import Path

from simulator import protocol as p
from simulator.board import Answer, Board
from simulator.clock import Clock
from simulator.interpreter import Interpreter
from simulator.serialport import SerialPort
from simulator.vitals import Vitals
from simulator.world import World

START_TIMEOUT_S = 15.0
CRASHES, CRASH_WINDOW_S = 3, 30.0
"""So many deaths of the interpreter that nobody ordered within the window, and the board stays off."""
CONSOLE_LINES = 2000
BLOCK = 4096
HEAP = "256k"
"""Of the interpreter: words have 64 bits and the shims take 25 kB (docs/architecture.md, "Memory")."""
EPOCH_2000 = 946684800


class HandheldError(Exception):
    """The handheld cannot start; the message is for a person."""


class Handheld:
    """One handheld with its profile directory: ``flash.img`` (needed), ``rom.img``, ``journal.img``,
    ``nvs.json``, ``rtc.json``, ``scanner.bin``.

    `state` is "off", "running" or "dead" (the interpreter kept dying). Several may live by one `clock`.
    """

    def __init__(
        self,
        profile: Path,
        *,
        micropython: str | None = None,
        heap: str = HEAP,
        serial: bool = False,
        clock: Clock | None = None,
    ) -> None:
        beside = str(Path(sys.executable).with_name("micropython"))
        self.profile = profile
        self.micropython = micropython or os.environ.get("MICROPYTHON") or beside
        self.heap = heap
        self.world = World(clock)
        self.state = "off"
        self.console: deque[str] = deque(maxlen=CONSOLE_LINES)
        self.boot: dict[str, int] = {}
        """Heap figures of the last start: bytes of the shims, in use and free when boot.py begins."""
        self.vitals = Vitals()
        self.serial: SerialPort | None = None
        """The serial port, from the first `start` on if one was asked for."""
        self._with_serial = serial
        self._board: Board | None = None
        self._run: Interpreter | None = None
        self._pending: set[asyncio.Future[None]] = set()
        self._cause = p.PWRON_RESET
        self._cut_at = 0
        self.cut_loop = 0
        """Power cuts of the loop so far plus one, 0 while there is no loop; see `cut_in_a_loop`."""
        self._deaths: deque[float] = deque(maxlen=CRASHES)
        self._begun: asyncio.Future[bool] | None = None
        self._heap: asyncio.Future[tuple[int, int]] | None = None
        self._switch = asyncio.Lock()
        """One hand on the power switch at a time."""

    @property
    def image(self) -> Path:
        """The flash chip's contents."""
        return self.profile / "flash.img"

    @property
    def rom(self) -> Path:
        """The ROM partition's contents, mounted as /rom; may be missing."""
        return self.profile / "rom.img"

    @property
    def has_board(self) -> bool:
        """Whether it was started once."""
        return self._board is not None

    @property
    def board(self) -> Board:
        """The board; it is there from the first `start` on."""
        if self._board is None:
            raise HandheldError("the handheld was not started yet")
        return self._board

    @property
    def pid(self) -> int | None:
        """Process id of the interpreter, None while off."""
        return self._run.pid if self._run else None

    def check(self) -> None:
        """Whether everything is there to start. Raises HandheldError."""
        if not self.image.is_file():
            raise HandheldError(
                f"{self.image} is missing: the handheld has no firmware. `yima run` installs it."
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

    # The power switch

    async def start(self) -> None:
        """Power on. Returns when boot.py begins. Raises HandheldError."""
        async with self._switch:
            await self._start()

    async def _start(self) -> None:
        if self._run:
            return
        self.check()
        if self._board is None:
            self._board = Board(self.world, self.profile)
            self.world.attach(self._board)
        if self._with_serial and self.serial is None:
            self.serial = SerialPort(self._line)
        self._deaths.clear()
        await self._spawn(p.PWRON_RESET)

    async def stop(self) -> None:
        """Power off, quietly."""
        async with self._switch:
            await self._end()
            if self._board:
                self._board.power_off()
            if self.serial:
                self.serial.close()
                self.serial = None

    async def kill(self) -> None:
        """Cut the power at this moment; it stays off until `start`."""
        async with self._switch:
            await self._cut()

    async def _cut(self) -> None:
        await self._end()
        self.board.power_off()
        self.world.note("power", {"state": "cut"})

    async def power_cycle(self) -> None:
        """Cut the power and switch on again."""
        async with self._switch:
            await self._cut()
            await self._start()

    async def restart(self, cause: int = p.HARD_RESET) -> None:
        """Reset the chip; the other chips keep their power. Does nothing while off."""
        async with self._switch:
            if self._run:
                await self._end()
                await self._again(cause)

    def cut_power_at(self, flash_operations: int) -> None:
        """Cut the power in the middle of the Nth erase or program from now, or from the next start while off.
        0 disarms.
        """
        if self._run:
            self._run.bridge.event(p.EV_CUT, 0, flash_operations)
        else:
            self._cut_at = flash_operations

    def cut_in_a_loop(self, on: bool) -> None:
        """Cut the power in the middle of the first flash write, switch on, cut at the second write of that
        run, and so on: each start gets one write further. `off` leaves the handheld running.
        """
        self.cut_loop = int(on)
        self.cut_power_at(self.cut_loop)
        self.world.note("fault", {"cut_loop": self.cut_loop})

    async def heap_now(self, limit_s: float = 1.0) -> tuple[int, int] | None:
        """Heap bytes in use and free, garbage included; None if the firmware does not look up in time."""
        if not self._run:
            return None
        if self._heap is None or self._heap.done():
            self._heap = asyncio.get_running_loop().create_future()
            self._run.bridge.event(p.EV_HEAP, 0, 0)
        try:
            return await asyncio.wait_for(asyncio.shield(self._heap), limit_s)
        except asyncio.TimeoutError:
            return None

    # The interpreter

    async def _spawn(self, cause: int) -> None:
        self._cause = cause
        begun: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._begun = begun
        run = Interpreter(
            lambda *message: self._handle(run, *message),
            self._line,
            lambda code: self._ended(run, code),
            self.world.clock,
            self.serial,
        )
        if self.serial:
            self.serial.rebooted(cause)
        self._run = run
        self.board.session = _Session(self, run)
        self.state = "running"
        try:
            await run.start(self.micropython, self.heap, self.image, self.rom)
            started = await asyncio.wait_for(begun, START_TIMEOUT_S)
        except asyncio.TimeoutError:
            started = False
        except BaseException:
            await self._end()
            raise
        if not started:
            await self._end()
            self.state = "dead"
            last = "\n".join(list(self.console)[-20:])
            raise HandheldError(f"the interpreter did not start:\n{last}")

    async def _end(self) -> None:
        """Kill the interpreter, if there is one."""
        run, self._run = self._run, None
        self.state = "off"
        if run:
            await run.kill()
        if self._board:
            self._board.session = None
            self._board.reset()

    async def _again(self, cause: int) -> None:
        self.world.note("reset", {"cause": cause})
        await self._spawn(cause)

    def _line(self, text: str) -> None:
        if self.vitals.takes(text):
            self.world.note("tasks", {})
            return
        self.console.append(text)
        self.world.note("console", {"line": text})

    def _ended(self, run: Interpreter, code: int) -> None:
        """The interpreter died without an order."""
        self.world.note("exit", {"code": code})
        if self._begun and not self._begun.done():
            self._begun.set_result(False)
        elif self._run is run and self.serial and code >= 0:  # Ctrl-D at the prompt, or sys.exit
            self.order(run, p.SOFT_RESET)
        elif self._run is run:
            self._soon(self._recover(run))

    async def _recover(self, run: Interpreter) -> None:
        async with self._switch:
            if self._run is not run:
                return
            await self._end()
            now = time.monotonic()
            self._deaths.append(now)
            if len(self._deaths) == CRASHES and now - self._deaths[0] < CRASH_WINDOW_S:
                self.state = "dead"
                self.world.note("power", {"state": "dead"})
            else:
                await self._again(p.HARD_RESET)

    async def _ordered(self, run: Interpreter, cause: int) -> None:
        """The run asks for its own end: a reset with a cause, or 0 for a power cut."""
        async with self._switch:
            if self._run is not run:
                return
            if cause:
                await self._end()
                await self._again(cause)
                return
            await self._cut()
            if self.cut_loop:
                self.cut_loop += 1
                self._cut_at = self.cut_loop
                self.world.note("fault", {"cut_loop": self.cut_loop})
                await self._start()

    def _soon(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._pending.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Future[None]) -> None:
        self._pending.discard(task)
        error = None if task.cancelled() else task.exception()
        if isinstance(error, HandheldError):
            self._line(str(error))
            self.world.note("power", {"state": self.state})
        elif error:
            raise error

    def order(self, run: Interpreter, cause: int) -> None:
        """A run's own reset (its cause) or armed power cut (0)."""
        self._soon(self._ordered(run, cause))

    def _handle(self, run: Interpreter, operation: int, unit: int, aux: int, data: bytes) -> Answer:
        if self._run is not run:
            return None
        if operation == p.HELLO:
            cut, self._cut_at = self._cut_at, 0
            flags = 0
            if self.serial:
                flags = p.SERIAL_PROMPT | (p.SKIP_MAIN if self.serial.skip_main else 0)
            return p.HELLO_ANSWER.pack(self._cause, flags, self._clock_difference(), cut, self.board.chip_id)
        if operation == p.BOOTED:
            shims, used, free = struct.unpack("<III", data)
            self.boot = {"shims": shims, "used": used, "free": free}
            self.vitals.started(self._cause, used, free)
            self.world.note("boot", {**self.boot, "cause": self._cause})
            if self.serial:
                self.serial.begun(run)
            if self._begun and not self._begun.done():
                self._begun.set_result(True)
            return None
        if operation == p.HEAP:
            used, free = struct.unpack("<II", data)
            self.vitals.heap_is(used, free)
            if self._heap and not self._heap.done():
                self._heap.set_result((used, free))
            return None
        if operation == p.INTERRUPTED and self.serial:
            self.serial.heard()
            return None
        if operation in (p.RESET, p.POWER_CUT):
            self.order(run, unit if operation == p.RESET else 0)
            return None
        return self.board.handle(operation, unit, aux, data)

    def _clock_difference(self) -> int:
        """After power-on the chip's clock stands at 2000-01-01 00:00:00; over resets it runs on."""
        if self._cause == p.PWRON_RESET:
            self.board.clock_difference_s = EPOCH_2000 - int(self.world.clock.unix())
        return self.board.clock_difference_s


class _Session:
    """What the board may do with the interpreter."""

    def __init__(self, handheld: Handheld, run: Interpreter) -> None:
        self._handheld = handheld
        self._run = run
        self.event = run.bridge.event
        self.serial = run.bridge.serial

    def restart(self, cause: int) -> None:
        """Kill and start anew."""
        self._handheld.order(self._run, cause)
