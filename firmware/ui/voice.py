"""The spoken result: clips from flash through the loudspeaker, while the checker has it switched on.

A clip has a name; the id of its text in firmware/ui/texts.txt is ``say_`` and that name. What has no clip is
not said: the queue listens, too. The file is described in host_tools/device/speech.py; nothing of it is kept
in memory.
"""

import binascii
import struct

from firmware.core import adpcm, reasons

if False:
    from typing import Protocol

    from firmware.core.adpcm import Decode
    from firmware.core.decision import Decision

    class Speaker(Protocol):
        """What is needed of drivers.speaker.Speaker."""

        def play(self, fill: "Fill", after_ms: int = 0) -> None: ...  # noqa: D102

        def stop(self) -> None: ...  # noqa: D102

    from typing import Callable

    Fill = Callable[[bytearray], int]

#: Between two clips, and between the buzzer and the first; in bytes of a clip, of which each is two samples.
_PAUSE_BYTES = 400
PAUSE_MS = 100
_LEAST = 8


class Voice:
    """Says clips by their names. `on` is the checker's choice."""

    def __init__(self, data: memoryview, speaker: "Speaker", decode: "Decode") -> None:
        """`data` is the clip file; what is none holds no clips."""
        self.on = False
        self._data = data
        self._speaker = speaker
        self._decode = decode
        self._state = adpcm.start()
        self._queue: "list[tuple[int, int]]" = []
        self._pause = 0

    def say(self, names: "tuple[str, ...]", after_ms: int = 0) -> None:
        """Say these one after the other, in place of what is being said."""
        self.stop()
        if not self.on:
            return
        self._queue = [place for place in [self._find(name) for name in names] if place]
        self._next(0)
        if self._queue:
            self._speaker.play(self._fill, after_ms)

    def stop(self) -> None:
        """Be silent, at once."""
        self._speaker.stop()

    def _find(self, name: str) -> "tuple[int, int] | None":
        """Where a clip begins and ends."""
        data = self._data
        wanted = binascii.crc32(b"say_" + name.encode()) & 0xFFFF
        for at in range(_LEAST, _LEAST + 8 * data[3], 8):
            if data[at] << 8 | data[at + 1] == wanted:
                _, length, start = struct.unpack_from(">HHI", data, at)
                return start, start + length
        return None

    def _next(self, pause: int) -> None:
        """Begin the first clip of the queue."""
        self._state = adpcm.start()
        self._pause = pause

    def _fill(self, block: bytearray) -> int:
        """Put what comes next into a block; how many bytes, 0 at the end."""
        room = len(block) // 4
        if self._pause:
            count = min(room, self._pause)
            self._pause -= count
            block[:] = bytes(len(block))
            return 4 * count
        if not self._queue:
            return 0
        at, end = self._queue[0]
        count = min(room, end - at)
        self._decode(self._data, at, count, self._state, adpcm.STEPS, block)
        if at + count < end:
            self._queue[0] = (at + count, end)
        else:
            self._queue.pop(0)
            self._next(_PAUSE_BYTES)
        return 4 * count


def words_of(outcome: int, decisions: "list[Decision]", out: bool) -> "tuple[str, ...]":
    """What to say of a verdict: one word for all, and for one person alone the first reason that leads to
    it."""
    if outcome == reasons.PASS:
        return ("out" if out else "pass",)
    word = "stop" if outcome == reasons.STOP else "attention"
    if len(decisions) == 1:
        for reason in decisions[0].reasons:
            if reasons.verdict_of(reason) == outcome:
                return word, reasons.name_of(reason)
    return (word,)
