"""The models of I2S and of the amplifier, in virtual time."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import pytest

from firmware.core import adpcm
from host_tools.device import speech
from simulator import protocol as p
from simulator import wiring
from simulator.sound import I2SPort
from simulator.timebase import VirtualTime

PINS = (wiring.I2S_SCK, wiring.I2S_WS, wiring.I2S_SD)
LOUD = bytes(range(1, 251)) * 8


class Rig:
    """A bus whose firmware is this test."""

    def __init__(self, rom: Path) -> None:
        self.time = VirtualTime()
        self.notes: list[tuple[str, dict[str, Any]]] = []
        self.sent: list[tuple[float, int]] = []
        self.heard: list[tuple[bytes, int]] = []
        self.port = I2SPort(
            self.time,
            lambda kind, data: self.notes.append((kind, data)),
            lambda unit, count: self.sent.append((round(self.time.time(), 4), count)),
            rom,
        )
        self.port.listener = lambda data, rate_hz: self.heard.append((data, rate_hz))
        self._do = self.port.operations()

    def start(
        self, *, unit: int = 0, pins: tuple[int, int, int] = PINS, bits: int = 16, rate_hz: int = 8000
    ) -> None:
        self._do[p.I2S_INIT](unit, 0, struct.pack("<BBBBBI", *pins, bits, 0, rate_hz))

    def write(self, data: bytes, unit: int = 0) -> None:
        self._do[p.I2S_WRITE](unit, 0, data)

    def stop(self) -> None:
        self._do[p.I2S_STOP](0, 0, b"")


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path / "rom.img")


def test_every_message_has_a_number_of_its_own() -> None:
    """The bridge's two sides are written by number; two messages of one number are each other's garbage."""
    events = [value for name, value in vars(p).items() if name.startswith("EV_")]
    assert len(set(events)) == len(events) > 5
    text = Path(p.__file__).read_text("utf-8")
    names = [line.split()[0] for line in text.splitlines() if " = 0x" in line and line[0].isupper()]
    values = [getattr(p, name) for name in names]
    assert len(set(values)) == len(values) > 20


def test_buffers_empty_at_the_rate(rig: Rig) -> None:
    rig.start()
    rig.port.enable(True)
    rig.write(LOUD[:1280])
    rig.time.advance(1)
    assert rig.sent == [(0.032, 512), (0.064, 512), (0.08, 256)]
    rig.write(LOUD[:512])
    rig.time.advance(1)
    assert rig.sent[3:] == [(1.032, 512)]


def test_what_is_heard_and_when_it_breaks_off(rig: Rig) -> None:
    rig.start()
    rig.port.enable(True)
    rig.write(LOUD[:1600])
    assert rig.heard == [(LOUD[:1600], 8000)] and rig.port.amplifier.sounding
    rig.time.advance(0.05)
    rig.port.enable(False)
    assert rig.heard[-1] == (b"", 0) and not rig.port.amplifier.sounding
    assert bytes(rig.port.amplifier.heard) == LOUD[:800]
    assert rig.notes[0] == ("speech", {"on": True, "rate_hz": 8000})
    assert rig.notes[1][1]["bytes"] == 800 and len(rig.notes) == 2
    rig.write(LOUD)
    assert len(rig.heard) == 2, "the amplifier is asleep"


def test_a_sound_that_ended_by_itself_is_not_broken_off(rig: Rig) -> None:
    rig.start()
    rig.port.enable(True)
    rig.write(LOUD[:160])
    rig.time.advance(1)
    rig.stop()
    assert rig.heard == [(LOUD[:160], 8000)] and rig.notes[-1][1]["bytes"] == 160
    rig.write(LOUD)
    assert len(rig.heard) == 1, "there is no clock any more"


@pytest.mark.parametrize(
    "wrong",
    [{"unit": 1}, {"pins": (15, 42, 16)}, {"bits": 32}, {"rate_hz": 11025}],
    ids=lambda w: next(iter(w)),
)
def test_a_wrong_bus_is_silent_but_takes_its_time(rig: Rig, wrong: dict[str, Any]) -> None:
    rig.start(**wrong)
    rig.port.enable(True)
    rig.write(LOUD[:512], wrong.get("unit", 0))
    rig.time.advance(1)
    assert not rig.heard and not rig.notes and rig.sent


def test_a_reset_ends_everything(rig: Rig) -> None:
    rig.start()
    rig.port.enable(True)
    rig.write(LOUD)
    rig.port.reset()
    rig.time.advance(1)
    assert not rig.sent and rig.heard[-1] == (b"", 0)


def test_it_knows_which_clips_it_heard(tmp_path: Path) -> None:
    clips = {"say_pass": bytes(range(1, 200)) * 10, "say_stop": bytes(range(200, 1, -1)) * 10}
    (tmp_path / "rom.img").write_bytes(b"before" + speech.packed(clips) + b"behind")
    rig = Rig(tmp_path / "rom.img")
    whole = {}
    for name, clip in clips.items():
        out = bytearray(4 * len(clip))
        adpcm.decode(clip, 0, len(clip), adpcm.start(), adpcm.STEPS, out)
        whole[name] = bytes(out)
    one, two = whole["say_pass"], whole["say_stop"]
    assert rig.port.words(one + bytes(1600) + two) == ["say_pass", "say_stop"]
    assert rig.port.words(two + bytes(8) + one[:5000]) == ["say_stop", "say_pass"]
    assert rig.port.words(one[:5000]) == ["say_pass"]
    assert rig.port.words(one[400:]) == ["?"]
    assert rig.port.words(one + LOUD * 4) == ["say_pass", "?"]
    assert rig.port.words(b"") == rig.port.words(one[:1000]) == []
