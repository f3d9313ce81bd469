"""Child processes of one command: started in order, watched, restarted with a ceiling, ended together.

Each child leads a process group of its own, so that Ctrl-C reaches only the command, which then ends its
children in order. `host_tools.guard` ends them if the command itself is killed.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import httpx

RESTART_CEILING = 3
#: A child that has run this long starts counting its restarts anew.
FORGIVEN_AFTER_S = 600.0
RESTART_PAUSES_S = (0.5, 1.0, 2.0)
HEALTH_TIMEOUT_S = 30.0
HEALTH_POLL_S = 0.1
STOP_TIMEOUT_S = 6.0
#: A log that has grown beyond this starts anew.
LOG_LIMIT_BYTES = 1_000_000
TAIL_LINES = 6


class ChildTrouble(Exception):
    """A child does not start or keeps dying; the message names it and quotes the end of its log."""


@dataclass(frozen=True)
class Program:
    """What to start, and the URL that answers 200 once it works; it does not see the variables `withheld`."""

    name: str
    argv: tuple[str, ...]
    health_url: str | None = None
    cwd: Path | None = None
    withheld: tuple[str, ...] = ()


@dataclass
class _Child:
    program: Program
    log: Path
    process: asyncio.subprocess.Process | None = None
    started_s: float = 0.0
    restarts: int = 0
    watcher: asyncio.Task[None] | None = None
    ready: asyncio.Event = field(default_factory=asyncio.Event)


class Supervisor:
    """Starts programs and keeps them running until `stop`; `failure` resolves when one keeps dying.

    They get this process's environment, and `environment` beside it.
    """

    def __init__(
        self, log_folder: Path, tell: Callable[[str], None], environment: dict[str, str] | None = None
    ) -> None:
        self._environment = environment or {}
        self._log_folder = log_folder
        self._tell = tell
        self._children: list[_Child] = []
        self._stopping = False
        self._guard: subprocess.Popen[bytes] | None = None
        self.failure: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def start(self, program: Program) -> None:
        """Start `program` and wait until it is healthy. Raises ChildTrouble; then `stop` ends what runs."""
        self._log_folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        child = _Child(program, self._log_folder / f"{program.name}.log")
        with contextlib.suppress(FileNotFoundError):
            if child.log.stat().st_size > LOG_LIMIT_BYTES:
                child.log.unlink()
        self._children.append(child)
        await self._spawn(child)
        await self._healthy(child)
        child.watcher = asyncio.create_task(self._watch(child))

    def pid(self, name: str) -> int | None:
        """The process id of a running child."""
        for child in self._children:
            if child.program.name == name and child.process and child.process.returncode is None:
                return child.process.pid
        return None

    async def stop(self) -> None:
        """End all children, last started first; returns when they are gone. Safe to call twice."""
        self._stopping = True
        for child in reversed(self._children):
            if child.watcher:
                child.watcher.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await child.watcher
            await self._end(child)
        self._children.clear()
        if self._guard:
            assert self._guard.stdin is not None  # noqa: S101 - for the type checker
            with contextlib.suppress(BrokenPipeError):
                self._guard.stdin.close()
            await asyncio.to_thread(self._guard.wait)
            self._guard = None

    def kill(self) -> None:
        """Kill all children at once; for whoever presses Ctrl-C twice."""
        for child in self._children:
            if child.process and child.process.returncode is None:
                _signal_group(child.process.pid, signal.SIGKILL)

    # Inside ----------------------------------------------------------------------------------------------

    async def _spawn(self, child: _Child) -> None:
        with child.log.open("ab") as log:
            child.process = await asyncio.create_subprocess_exec(
                *child.program.argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                cwd=child.program.cwd,
                env={
                    **{name: os.environ[name] for name in os.environ if name not in child.program.withheld},
                    **self._environment,
                },
            )
        child.started_s = time.monotonic()
        self._tell_guard("+", child.process.pid)

    async def _healthy(self, child: _Child) -> None:
        """Wait for the health URL. Raises ChildTrouble after HEALTH_TIMEOUT_S or when the child dies."""
        assert child.process is not None  # noqa: S101 - for the type checker
        url = child.program.health_url
        if url is None:
            return
        ends_s = time.monotonic() + HEALTH_TIMEOUT_S
        async with httpx.AsyncClient(timeout=2.0, trust_env=False) as client:
            while time.monotonic() < ends_s:
                if child.process.returncode is not None:
                    raise ChildTrouble(
                        f"{child.program.name} ended with status {child.process.returncode}{_tail(child.log)}"
                    )
                with contextlib.suppress(httpx.HTTPError):
                    if (await client.get(url)).status_code == 200:
                        return
                await asyncio.sleep(HEALTH_POLL_S)
        raise ChildTrouble(
            f"{child.program.name} does not answer after {HEALTH_TIMEOUT_S:.0f} s{_tail(child.log)}"
        )

    async def _watch(self, child: _Child) -> None:
        """Restart the child when it dies, until the ceiling is reached."""
        assert child.process is not None  # noqa: S101 - for the type checker
        name = child.program.name
        while True:
            status = await child.process.wait()
            self._forget(child)
            if self._stopping:
                return
            if time.monotonic() - child.started_s > FORGIVEN_AFTER_S:
                child.restarts = 0
            if child.restarts >= RESTART_CEILING:
                self._fail(
                    f"{name} died {child.restarts + 1} times, last with status {status}{_tail(child.log)}"
                )
                return
            pause_s = RESTART_PAUSES_S[min(child.restarts, len(RESTART_PAUSES_S) - 1)]
            child.restarts += 1
            self._tell(f"{name} ended with status {status}; restart {child.restarts} of {RESTART_CEILING}")
            await asyncio.sleep(pause_s)
            await self._spawn(child)
            try:
                await self._healthy(child)
            except ChildTrouble as e:
                if child.process.returncode is None:
                    # It runs but does not work: the next round restarts it.
                    self._tell(str(e))
                    _signal_group(child.process.pid, signal.SIGKILL)

    def _fail(self, message: str) -> None:
        if not self.failure.done():
            self.failure.set_result(message)

    async def _end(self, child: _Child) -> None:
        process = child.process
        if process is None:
            return
        if process.returncode is None:
            _signal_group(process.pid, signal.SIGTERM)
            try:
                await asyncio.wait_for(process.wait(), STOP_TIMEOUT_S)
            except asyncio.TimeoutError:
                _signal_group(process.pid, signal.SIGKILL)
                await process.wait()
        self._forget(child)

    def _forget(self, child: _Child) -> None:
        """The leader is gone: so must be the rest of its group."""
        assert child.process is not None  # noqa: S101 - for the type checker
        _signal_group(child.process.pid, signal.SIGKILL)
        self._tell_guard("-", child.process.pid)

    def _tell_guard(self, sign: str, group: int) -> None:
        if self._guard is None:
            self._guard = subprocess.Popen(
                [sys.executable, "-m", "host_tools.guard"],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                start_new_session=True,
                cwd=Path(__file__).resolve().parents[1],
            )
        pipe: IO[bytes] | None = self._guard.stdin
        assert pipe is not None  # noqa: S101 - for the type checker
        with contextlib.suppress(BrokenPipeError):
            pipe.write(f"{sign}{group}\n".encode())
            pipe.flush()


def _signal_group(group: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def _tail(log: Path) -> str:
    """The end of a log, to stand behind a message."""
    try:
        with log.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - 4_000))
            lines = file.read().decode("utf-8", "replace").splitlines()[-TAIL_LINES:]
    except OSError:
        lines = []
    return f", see {log}" + "".join(f"\n    {line}" for line in lines)
