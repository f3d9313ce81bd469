"""Watches the tasks: feeds the watchdog while all is well, and lets the handheld restart when it is not.

A task ends in one of three ways that nobody wants: it raises, it returns, or it hangs. The first two are
seen here at once; the third by the beats that do not come. Either way the place in the program, never the
data, is noted on flash and the board restarts; if even this loop does not run any more, the watchdog is not
fed and does it.
"""

import asyncio
import binascii
import gc
import io
import os
import sys
import time

if False:
    from typing import Any, Callable, Coroutine

    import machine

#: Pause between two looks at the tasks, and so between two feeds.
CHECK_MS = 500
#: Looks between two lines about the tasks on the console: 20 seconds.
TELL_LOOKS = 40
#: A task that beats must do so at least this often, where `spawn` does not say otherwise.
PERIOD_MS = 20_000
#: What one crash may take, and all that are kept.
MAX_NOTE_BYTES = 700
MAX_NOTES_BYTES = 2_048


class _Watched:
    """A task, its name, whether it ever beat, and the ticks of its last beat."""

    __slots__ = ("beaten_ms", "beats", "critical", "done", "name", "over", "period_ms", "task")

    def __init__(self, name: str, task: "asyncio.Task[Any]", critical: bool, period_ms: int) -> None:
        self.name = name
        self.task = task
        self.critical = critical
        self.period_ms = period_ms
        self.beats = False
        self.beaten_ms = time.ticks_ms()
        self.done = False
        self.over = False


class _Lines(io.IOBase):
    """Takes a printed traceback and keeps its place lines within a limit, and not its message."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._line = bytearray()
        self._places = True
        self.text = bytearray()

    def write(self, data: "bytes | memoryview") -> int:
        """Part of the traceback, as the interpreter prints it."""
        for byte in bytes(data):
            if byte != 10:
                if len(self._line) < 120:
                    self._line.append(byte)
                continue
            # The innermost places come last and tell most: the outer ones make way.
            if self._places and self._line.startswith(b"  File "):
                self.text += self._line[2:] + b"\n"
                if len(self.text) > self._limit:
                    self.text = self.text[len(self.text) - self._limit :]
            elif not self._line.startswith(b"Traceback"):
                self._places = False  # the message begins, and it may have lines of its own
            self._line = bytearray()
        return len(data)


class Supervisor:
    """`wdt` is fed, `note_path` takes crash notes, `restart` resets the board and normally never returns."""

    def __init__(self, wdt: "machine.WDT", note_path: str, restart: "Callable[[], object]") -> None:
        self._wdt = wdt
        self._note_path = note_path
        self._restart = restart
        self._watched: list[_Watched] = []
        self._failed = ""
        #: What a person can report of the fault that restarts the board: equal for faults at one place.
        self.code = "F0000"
        self._started_ms = time.ticks_ms()

    def spawn(
        self, name: str, coro: "Coroutine[Any, Any, Any]", critical: bool = True, period_ms: int = PERIOD_MS
    ) -> None:
        """Start a task. When a critical one ends, whatever the reason, the board restarts.

        From its first `beat` on it must beat every `period_ms`; one that never beats is watched for its end
        alone.
        """
        task = asyncio.create_task(coro)
        self._watched.append(_Watched(name, task, critical, period_ms))

    def beat(self, name: str) -> None:
        """The task of this name is alive and gets on."""
        for watched in self._watched:
            if watched.name == name:
                watched.beats = True
                watched.beaten_ms = time.ticks_ms()

    def dead(self) -> list[str]:
        """Names of tasks that ended."""
        return [watched.name for watched in self._watched if watched.over]

    def told(self) -> str:
        """One line for whoever listens at the console: behind each task's name the seconds since its last
        beat, ``-`` for one that never beat, ``x`` for one that is over.
        """
        now_ms = time.ticks_ms()
        words = "tasks:"
        for watched in self._watched:
            beat = str(time.ticks_diff(now_ms, watched.beaten_ms) // 1000) if watched.beats else "-"
            words += " " + watched.name + " " + ("x" if watched.over else beat)
        return words

    def notes(self) -> str:
        """The crash notes on flash, newest last, at most 2 KB."""
        try:
            with open(self._note_path, "rb") as file:
                data: bytes = file.read(MAX_NOTES_BYTES)
        except OSError:
            return ""
        return "".join(chr(byte) if byte == 10 or 32 <= byte < 127 else "?" for byte in data)

    async def run(self) -> None:
        """Look, feed, sleep; after a failure note it and restart. Returns only where a restart does."""
        loop = asyncio.get_event_loop()
        loop.set_exception_handler(self._on_exception)
        looks = 0
        while True:
            self._look()
            if looks % TELL_LOOKS == 0:
                print(self.told())
            looks += 1
            if self._failed:
                print("supervisor:", self._failed)
                self._restart()
                return
            self._wdt.feed()
            await asyncio.sleep_ms(CHECK_MS)

    def _look(self) -> None:
        now_ms = time.ticks_ms()
        for watched in self._watched:
            if watched.over:
                continue
            if watched.task.done():
                # An exception comes to `_on_exception` a moment after the task is done: look twice.
                if watched.done:
                    watched.over = True
                    self._fail(watched, "ended", None)
                watched.done = True
            elif watched.beats and time.ticks_diff(now_ms, watched.beaten_ms) > watched.period_ms:
                watched.over = True
                self._fail(watched, "hangs", None)

    def _on_exception(self, loop: object, context: "dict[str, Any]") -> None:
        """An exception that no task waited for; the loop hands it over after the task is done."""
        error = context["exception"]
        for watched in self._watched:
            if watched.task is context["future"]:
                if not watched.over:
                    watched.over = True
                    self._fail(watched, type(error).__name__, error)
                return
        # A helper of some task: its loss is not known to matter, so it is noted and that is all.
        self._note("helper", type(error).__name__, error)

    def _fail(self, watched: _Watched, what: str, error: "BaseException | None") -> None:
        self._note(watched.name, what, error)
        if watched.critical and not self._failed:
            self._failed = "%s: %s" % (watched.name, what)

    def _note(self, name: str, what: str, error: "BaseException | None") -> None:
        """Add a note to the file and drop the oldest beyond its limit. Never raises: this is the way out."""
        if isinstance(error, MemoryError):
            gc.collect()
        if isinstance(error, OSError):
            what += " %d" % (error.errno or 0)
        print("supervisor: task %s: %s" % (name, what))
        seconds = time.ticks_diff(time.ticks_ms(), self._started_ms) // 1000
        note = ("%s: %s, after %d s\n" % (name, what, seconds)).encode()
        places = b""
        try:
            if error is not None:
                lines = _Lines(MAX_NOTE_BYTES - len(note) - 11)
                sys.print_exception(error, lines)
                places = bytes(lines.text)
            code = "F%04X" % (binascii.crc32(("%s: %s\n" % (name, what)).encode() + places) & 0xFFFF)
            if not self._failed:
                self.code = code
            note += places + ("code %s\n" % code).encode()
            kept = (self.notes().encode() + note)[-MAX_NOTES_BYTES:]
            with open(self._note_path + ".new", "wb") as file:
                file.write(kept)
                file.flush()
            os.rename(self._note_path + ".new", self._note_path)
        except (OSError, MemoryError):
            print("supervisor: no room for a note")
