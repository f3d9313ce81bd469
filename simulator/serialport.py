"""The handheld's serial port: a pseudo-terminal that mpremote and terminal programs open like a cable.

Two pseudo-terminals lie behind each other. The outer one keeps its name for as long as the simulator runs.
The inner one is the console of one run of the interpreter, whose prompt already speaks the raw mode and raw
paste. What lies between does what a board does beyond that: Ctrl-C stops running code, Ctrl-D at an empty
prompt and ``machine.soft_reset()`` start anew (boot.py, then main.py unless the prompt was raw), and lines
end in CR LF.

Where the interpreter is, is read from its terminal's settings (a waiting prompt clears all local modes) and,
in raw mode, from the bytes that pass: input, Ctrl-D, output until 04 3E.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import termios
import tty
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from simulator import protocol as p

INTERRUPT, LEAVE_RAW, ENTER_RAW, END = b"\x03", b"\x02", b"\x01", b"\x04"
RAW_PROMPT = b"raw REPL; CTRL-B to exit\r\n>"
RAW_DONE = b"\x04>"
REBOOT = b"MPY: soft reboot\r\n"
CHUNK = 4096
MOST_WAITING = 1 << 16
"""Bytes that may wait in either direction before their source is no longer read."""
STALL_S = 2.0
"""A client that takes nothing for so long is gone: what nobody reads is dropped from then on."""
INSIST_S = 0.4
"""Code that has not heard an interrupt after this time never waits, and gets a signal."""
MAX_LINE = 1 << 16
_LFLAG = 3


class Run(Protocol):
    """What the port may do with the interpreter."""

    @property
    def pid(self) -> int | None:
        """Its process id."""

    @property
    def asking(self) -> bool:
        """Whether it waits for the simulator's answer."""

    def interrupt(self, on: bool) -> None:
        """Raise KeyboardInterrupt at its next look at events, or take that back."""


class SerialPort:
    """The port of one handheld; `path` is what a client opens. ``line(text)`` gets console lines, as long as
    the prompt is not raw.
    """

    def __init__(self, line: Callable[[str], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._line = line
        self._outer, self._slave = os.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._outer, False)
        os.set_blocking(self._slave, False)
        self.path = os.ttyname(self._slave)
        self.raw = False
        """Whether the prompt is raw."""
        self.skip_main = False
        """Whether the next start leaves main.py out, as it does after a soft reset of a raw prompt."""
        self._executing = False
        self._quiet = False
        self._given = False
        self._tail = b""
        self._text = b""
        self._run: Run | None = None
        self._inner = -1
        self._gone: asyncio.Future[None] | None = None
        self._to_client = bytearray()
        self._to_child = bytearray()
        self._client = False
        self._unheard = False
        self._stalled: asyncio.TimerHandle | None = None
        self._insisting: asyncio.TimerHandle | None = None
        self._loop.add_reader(self._outer, self._from_client)

    def close(self) -> None:
        """Give the pseudo-terminal back."""
        self.unplug()
        self._loop.remove_reader(self._outer)
        self._loop.remove_writer(self._outer)
        if self._stalled:
            self._stalled.cancel()
        os.close(self._outer)
        os.close(self._slave)

    # One run of the interpreter

    def plug(self) -> int:
        """A console for a new run: the file descriptor of its end; the caller closes it after the start."""
        self.unplug()
        self._inner, child = os.openpty()
        tty.setraw(child)
        modes = termios.tcgetattr(child)
        modes[_LFLAG] = termios.NOFLSH  # the mark of running code; it changes nothing else
        termios.tcsetattr(child, termios.TCSANOW, modes)
        os.set_blocking(self._inner, False)
        self._gone = self._loop.create_future()
        self._executing = self._quiet = self._given = self._unheard = False
        self._tail = self._text = b""
        self._to_child[:] = ENTER_RAW if self.skip_main else b""
        self.raw = False
        self._loop.add_reader(self._inner, self._from_child)
        self._feed()
        return child

    def begun(self, run: Run) -> None:
        """The new run is about to run boot.py. A Ctrl-C that came while it started counts from now on."""
        self._run = run
        if self._unheard:
            self._interrupt()

    def unplug(self) -> None:
        """The run is over and its console empty."""
        self._run = None
        if self._insisting:
            self._insisting.cancel()
            self._insisting = None
        if self._inner >= 0:
            self._loop.remove_reader(self._inner)
            self._loop.remove_writer(self._inner)
            os.close(self._inner)
            self._inner = -1
        if self._gone and not self._gone.done():
            self._gone.set_result(None)

    async def drained(self) -> None:
        """Wait until the run has closed its console and everything it wrote is read."""
        if self._gone:
            await self._gone

    def rebooted(self, cause: int) -> None:
        """A start comes, for this reason. After a soft reset a raw prompt stays raw; the client is told."""
        self.skip_main = self.raw and cause == p.SOFT_RESET
        if cause == p.SOFT_RESET:
            self._say(REBOOT)

    # From the client

    def _from_client(self) -> None:
        try:
            data = os.read(self._outer, CHUNK)
        except OSError:
            return
        self._client = True
        for part in _parts(data):
            if part == INTERRUPT and self._running() and (self._begins() or self._minds()):
                self._interrupt()
            else:
                self._follow_input(part)
                self._to_child += part
        self._feed()
        if len(self._to_child) > MOST_WAITING:
            self._loop.remove_reader(self._outer)

    def _follow_input(self, part: bytes) -> None:
        if not self.raw or self._executing:
            return
        if LEAVE_RAW in part:
            self.raw = False
            return
        text, end, _ = part.partition(END)
        self._given = self._given or bool(text.strip(b"\r\n"))
        self._executing = self._quiet = bool(end) and self._given

    def _feed(self) -> None:
        """Write what waits for the interpreter; when it takes no more, go on later."""
        if self._inner < 0:
            self._to_child.clear()
            return
        try:
            while self._to_child:
                del self._to_child[: os.write(self._inner, self._to_child[:CHUNK])]
        except BlockingIOError:
            self._loop.add_writer(self._inner, self._feed)
            return
        except OSError:
            self._to_child.clear()
        self._loop.remove_writer(self._inner)
        self._loop.add_reader(self._outer, self._from_client)

    # Interrupts

    def _running(self) -> bool:
        """Whether code runs, and not a prompt that reads what is typed."""
        if self._inner < 0:
            return False
        if self.raw:
            return self._executing
        modes: int = termios.tcgetattr(self._inner)[_LFLAG]
        return modes != 0

    def _minds(self) -> bool:
        """Whether Ctrl-C means anything to the code: ``micropython.kbd_intr(-1)`` makes it a byte."""
        if self._run is None or self._run.pid is None:
            return True
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{self._run.pid}/status").read_text("ascii").splitlines():
                if line.startswith("SigCgt:"):
                    return bool(int(line.split()[1], 16) >> (signal.SIGINT - 1) & 1)
        return True

    def _begins(self) -> bool:
        """Whether raw mode has only just taken code: Ctrl-C means something to it in a moment."""
        return self.raw and self._quiet

    def _interrupt(self) -> None:
        self._unheard = True
        if self._run is None:
            return
        self._run.interrupt(True)
        self._insist_later()

    def _insist_later(self) -> None:
        if self._insisting:
            self._insisting.cancel()
        self._insisting = self._loop.call_later(INSIST_S, self._insist)

    def heard(self) -> None:
        """The interpreter has raised KeyboardInterrupt."""
        self._unheard = False

    def _insist(self) -> None:
        self._insisting = None
        if not self._unheard or self._run is None:
            return
        if self._running() and self._run.asking:
            self._insist_later()
            return
        self._unheard = False
        self._run.interrupt(False)
        if self._running() and self._minds() and self._run.pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._run.pid, signal.SIGINT)

    # From the interpreter

    def _from_child(self) -> None:
        try:
            data = os.read(self._inner, CHUNK)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._loop.remove_reader(self._inner)
            if self._text:
                self._line(self._text.decode("utf-8", "replace"))
                self._text = b""
            if self._gone and not self._gone.done():
                self._gone.set_result(None)
            return
        was_raw = self.raw
        self._follow_output(data)
        if not was_raw:
            self._tell(data)
            if not self._running() or self._minds():  # else: the bytes of a mounted folder
                data = data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        self._say(data)
        if len(self._to_client) > MOST_WAITING and self._client:
            self._loop.remove_reader(self._inner)

    def _follow_output(self, data: bytes) -> None:
        seen = self._tail + data
        if not self.raw:
            at = seen.find(RAW_PROMPT)
            if at >= 0:
                self.raw = True
                self._executing = self._given = False
                seen = seen[at + len(RAW_PROMPT) :]
        if self.raw and self._executing:
            self._quiet = self._quiet and not data.strip(b"OK\x01\x04")
            at = seen.rfind(RAW_DONE)
            if at >= 0:
                self._executing = self._given = False
                seen = seen[at + len(RAW_DONE) :]
                if self._unheard and self._run:
                    self._unheard = False
                    self._run.interrupt(False)
        self._tail = seen[-len(RAW_PROMPT) :]

    def _tell(self, data: bytes) -> None:
        *lines, rest = (self._text + data).split(b"\n")
        self._text = rest[-MAX_LINE:]
        for line in lines:
            self._line(line.rstrip(b"\r").decode("utf-8", "replace"))

    # To the client

    def _say(self, data: bytes) -> None:
        self._to_client += data
        self._deliver()

    def _deliver(self) -> None:
        try:
            while self._to_client:
                del self._to_client[: os.write(self._outer, self._to_client[:CHUNK])]
                self._took()
        except BlockingIOError:
            if not self._client:
                self._drop()
            elif self._stalled is None:
                self._stalled = self._loop.call_later(STALL_S, self._give_up)
            self._loop.add_writer(self._outer, self._deliver)
            return
        self._loop.remove_writer(self._outer)
        if self._inner >= 0 and self._gone and not self._gone.done():
            self._loop.add_reader(self._inner, self._from_child)

    def _took(self) -> None:
        if self._stalled:
            self._stalled.cancel()
            self._stalled = None

    def _give_up(self) -> None:
        self._stalled = None
        self._client = False
        self._drop()
        self._deliver()

    def _drop(self) -> None:
        """Nobody listens: the oldest goes, so that a client which comes later sees the newest."""
        with contextlib.suppress(BlockingIOError):
            while os.read(self._slave, CHUNK):
                pass
        del self._to_client[: max(0, len(self._to_client) - CHUNK // 2)]


def _parts(data: bytes) -> list[bytes]:
    """Split so that each Ctrl-C stands alone."""
    parts: list[bytes] = []
    for at, part in enumerate(data.split(INTERRUPT)):
        if at:
            parts.append(INTERRUPT)
        if part:
            parts.append(part)
    return parts
