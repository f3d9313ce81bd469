"""The I2S bus to the loudspeaker: what is sent, what of it is heard, and which clips that was."""

from __future__ import annotations

import errno
import struct
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from host_tools.device import speech
from simulator import protocol as p
from simulator import wiring
from simulator.devices.max98357 import MAX98357
from simulator.timebase import Handle, Timebase

Action = Callable[[int, int, bytes], bytes | Awaitable[bytes] | None]
_MONO_16 = (16, 0)
#: One buffer of the chip's DMA.
_PIECE_BYTES = 512
#: A clip cut off before this is not told from another.
_SHORTEST_BYTES = 2 * speech.RATE_HZ // 4


class I2SPort:
    """The chip's I2S peripheral 0 with its amplifier. `listener` may be set to hear the samples:
    ``listener(data, rate_hz)``, ``listener(b"", 0)`` where the sound breaks off.
    """

    def __init__(
        self,
        time: Timebase,
        note: Callable[[str, dict[str, Any]], None],
        sent: Callable[[int, int], None],
        rom: Path,
    ) -> None:
        """``sent(unit, count)`` is told when bytes have left the buffers; `rom` is the image with clips."""
        self._time = time
        self._sent = sent
        self._note = note
        self._rom = rom
        self._clips: list[tuple[str, bytes]] = []
        self._texts = speech.texts(speech.TEXTS.read_text("utf-8"))
        self._wired = False
        self._unit = 0
        self._bytes_s = 0
        self._waiting = 0
        self._due_s = 0.0
        self._handle: Handle | None = None
        self.listener: Callable[[bytes, int], None] | None = None
        self.amplifier = MAX98357(time.time, self._play, self._hush)
        self._speaking = False

    def operations(self) -> dict[int, Action]:
        """What the bridge's messages do."""
        return {p.I2S_INIT: self._init, p.I2S_WRITE: self._write, p.I2S_STOP: self._stop}

    def _init(self, unit: int, aux: int, data: bytes) -> bytes:
        sck, ws, sd, bits, form, rate_hz = struct.unpack("<BBBBBI", data)
        if unit > 1:
            raise OSError(errno.EINVAL, "")
        pins = (wiring.I2S_SCK, wiring.I2S_WS, wiring.I2S_SD)
        self._wired = (unit, sck, ws, sd) == (wiring.I2S_ID, *pins) and (bits, form) == _MONO_16
        self._unit = unit
        self._bytes_s = rate_hz * bits // 8 * (form + 1)
        self._waiting = 0
        self.amplifier.clock(rate_hz if self._wired else 0)
        return b""

    def _write(self, unit: int, aux: int, data: bytes) -> None:
        if unit != self._unit or not self._bytes_s:
            return
        if self._wired:
            self.amplifier.samples(data)
        self._waiting += len(data)
        if self._handle is None:
            self._due_s = self._time.time()
            self._plan()

    def _plan(self) -> None:
        """The next piece leaves the buffers when its time has passed, whoever listens to it."""
        count = min(self._waiting, _PIECE_BYTES)
        self._due_s += count / self._bytes_s
        self._handle = self._time.call_later(max(0.0, self._due_s - self._time.time()), self._left, count)

    def _left(self, count: int) -> None:
        self._handle = None
        self._waiting -= count
        if self._waiting:
            self._plan()
        self._sent(self._unit, count)

    def _stop(self, unit: int, aux: int, data: bytes) -> None:
        if unit == self._unit:
            self._halt()

    def enable(self, level: bool) -> None:
        """The amplifier's pin SD_MODE."""
        self.amplifier.enable(level)
        if not level:
            self._told()

    def _halt(self) -> None:
        if self._handle:
            self._handle.cancel()
            self._handle = None
        self._bytes_s = self._waiting = 0
        self.amplifier.clock(0)
        self._wired = False
        self._told()

    def reset(self) -> None:
        """The chip restarts: the bus stops and the pin falls."""
        self._halt()
        self.amplifier.enable(False)

    def _play(self, data: bytes, rate_hz: int) -> None:
        if not self._speaking:
            self._speaking = True
            self._note("speech", {"on": True, "rate_hz": rate_hz})
        if self.listener:
            self.listener(data, rate_hz)

    def _hush(self) -> None:
        if self.listener:
            self.listener(b"", 0)

    def _told(self) -> None:
        """The sound is over: say which clips it was."""
        if self._speaking:
            self._speaking = False
            heard = bytes(self.amplifier.heard)
            says = self.words(heard)
            text = "，".join(self._texts.get(text_id, "?") for text_id in says)
            self._note("speech", {"on": False, "bytes": len(heard), "says": says, "text": text})

    def words(self, heard: bytes) -> list[str]:
        """The ids of the clips, in order, in samples that were heard; "?" for what is none of them.

        The last may have been cut off. Of ids that share a clip the first is named.
        """
        if not self._clips:
            self._clips = self._clips_of(self._rom)
        found = []
        heard = _begun(heard)
        while len(heard) >= _SHORTEST_BYTES:
            for text_id, clip in self._clips:
                if heard.startswith(clip) or clip.startswith(heard):
                    found.append(text_id)
                    heard = _begun(heard[len(clip) :])
                    break
            else:
                return [*found, "?"]
        return found

    def _clips_of(self, rom: Path) -> list[tuple[str, bytes]]:
        """Id and samples of the clips in a ROM image."""
        image = rom.read_bytes() if rom.is_file() else b""
        start = image.find(b"YV1")
        if start < 0:
            return []
        heard = speech.unpacked(image[start:])
        names = {speech.number(text_id): text_id for text_id in self._texts}
        return [(names[number], _begun(clip)) for number, clip in heard.items() if number in names]


def _begun(samples: bytes) -> bytes:
    """Samples of 16 bits from the first one on that is not 0."""
    return samples[(len(samples) - len(samples.lstrip(b"\0"))) & ~1 :]
