"""The spoken result: what goes over I2S is what the build made, at the right moments, never in the way."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from boards import PRESSES
from conftest import ROOT, micropython
from door import FEVER_CENTI_C, Door, opened
from test_bridge import line, play

from host_tools.device import speech
from host_tools.device.build import build
from host_tools.device.engines import target_of
from simulator.handheld import Handheld
from simulator.world import Event

pytestmark = pytest.mark.xdist_group("door-voice")


def clips() -> dict[str, bytes]:
    """What the build made, decoded: samples by id."""
    tree = build(ROOT / "build" / "device", target_of(micropython()))
    heard = speech.unpacked((tree / "rom" / "assets" / "voice.bin").read_bytes())
    names = speech.texts(speech.TEXTS.read_text("utf-8"))
    return {text_id: heard[speech.number(text_id)] for text_id in names}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    with opened(tmp_path_factory.mktemp("door")) as door:
        yield door
        door.settled()


def switch(door: Door) -> None:
    """Open the menu and choose the voice's row."""
    door.says("label_checked")
    before = door.world.last_event
    door.press("middle")
    door.wait_line("flow: menu", before)
    for _ in range(5):
        door.press("middle")
    door.press("yes")
    door.wait_line("flow: idle", before)


def said(door: Door, after: int) -> list[str]:
    """The ids of the clips that were heard to their end, of the first speech after an event."""
    event = door.wait("speech", after, where=lambda e: not e.data["on"])
    return list(event.data["says"])


MUSIC = """
import machine, time, asyncio, struct
pin = machine.Pin
enable = pin(47, pin.OUT, value=0)
def start(**changes):
    options = dict(sck=pin(15), ws=pin(16), sd=pin(42), mode=machine.I2S.TX, bits=16,
        format=machine.I2S.MONO, rate=8000, ibuf=2048)
    options.update(changes)
    return machine.I2S(options.pop("id", 0), **options)
for change in ({"id": 2}, {"bits": 24}, {"mode": 7}, {"format": 5}, {"ibuf": 0}):
    try:
        start(**change)
        print("TAKEN", change)
    except ValueError as e:
        print("REFUSED", e)
tune = bytearray(6000)
for i in range(3000):
    struct.pack_into("<h", tune, 2 * i, i * 37 % 20000 - 10000)
"""


#: Until somebody listens.
WAIT = """
watch(4)
print("READY")
while 4 not in pressed:
    time.sleep_ms(5)
"""


async def listen(h: Handheld, listener: Callable[[bytes, int], None]) -> None:
    """Hear all that a program with WAIT in it plays from there on."""
    await line(h, "READY")
    h.board.i2s.listener = listener
    h.world.press("no")


def heard_of(h: Handheld) -> list[Event]:
    return [e for e in h.world.events if e.kind == "speech"]


def test_samples_arrive_as_they_were_sent_and_take_their_time(tmp_path: Path) -> None:
    main = (
        PRESSES
        + MUSIC
        + WAIT
        + """
enable(1)
bus = start()
begun = time.ticks_ms()
print("WROTE", bus.write(tune))
print("TOOK", time.ticks_diff(time.ticks_ms(), begun))
time.sleep_ms(300)
enable(0)
bus.deinit()
try:
    bus.write(b"12")
except OSError as e:
    print("CLOSED", e.errno)
print("END")
time.sleep(9)
"""
    )
    tune = b"".join(struct.pack("<h", i * 37 % 20000 - 10000) for i in range(3000))
    found: list[bytes] = []

    async def body(h: Handheld) -> None:
        await listen(h, lambda data, rate_hz: found.append(data))
        assert await line(h, "WROTE") == "6000"
        # All but what the buffers hold has been heard by then.
        assert int(await line(h, "TOOK")) >= (6000 - 2048) / 16 - 20
        await line(h, "CLOSED")
        await line(h, "END")
        assert b"".join(found) == tune == bytes(h.board.i2s.amplifier.heard)
        assert [e.data["on"] for e in heard_of(h)] == [True, False]
        assert heard_of(h)[-1].data["says"] == ["?"]

    console = play(tmp_path, main, body)
    assert [text for text in console if text.startswith(("REFUSED", "TAKEN"))] == [
        f"REFUSED invalid {word}" for word in ("id", "bits", "mode", "format", "ibuf")
    ]


@pytest.mark.parametrize(
    "fault", ["enable(0)", "bus.deinit(); bus = start(ws=pin(48))", "bus.deinit(); bus = start(rate=11025)"]
)
def test_wrong_wires_and_a_sleeping_amplifier_are_silent(tmp_path: Path, fault: str) -> None:
    main = MUSIC + f"\nenable(1)\nbus = start()\n{fault}\nbus.write(tune)\nprint('END')\ntime.sleep(9)\n"

    async def body(h: Handheld) -> None:
        await line(h, "END")
        assert not heard_of(h) and not h.board.i2s.amplifier.heard

    play(tmp_path, main, body)


def test_what_is_cut_off_is_not_heard(tmp_path: Path) -> None:
    main = (
        PRESSES
        + MUSIC
        + WAIT
        + "\nenable(1)\nbus = start()\nbus.write(tune[:4000])\nenable(0)\nprint('END')\ntime.sleep(9)\n"
    )
    cut: list[int] = []

    async def body(h: Handheld) -> None:
        await listen(h, lambda data, rate_hz: cut.append(rate_hz))
        await line(h, "END")
        # What was taken beyond the 2,048 bytes of the buffers was heard before `write` came back.
        assert 4000 - 2048 <= len(h.board.i2s.amplifier.heard) < 4000 and cut[-1] == 0

    play(tmp_path, main, body)


def test_a_full_bus_leaves_time_for_others(tmp_path: Path) -> None:
    main = (
        MUSIC
        + """
turns = [0]
async def count():
    while True:
        turns[0] += 1
        await asyncio.sleep_ms(5)
async def main():
    task = asyncio.create_task(count())
    enable(1)
    writer = asyncio.StreamWriter(start(), {})
    writer.out_buf = tune
    await writer.drain()
    print("TURNS", turns[0])
asyncio.run(main())
time.sleep(9)
"""
    )

    async def body(h: Handheld) -> None:
        # 250 ms of sound are waited for.
        assert int(await line(h, "TURNS")) >= 10
        assert len(h.board.i2s.amplifier.heard) == 6000

    play(tmp_path, main, body)


def test_silent_until_it_is_switched_on(door: Door) -> None:
    before = door.world.last_event
    door.turn(door.code())
    door.wait_line("flow: idle", before)
    assert not door.events(before, "speech")
    assert not door.world.board.i2s.amplifier.sounding


def test_each_verdict_says_its_words(door: Door) -> None:
    before = door.world.last_event
    switch(door)
    assert said(door, before) == ["say_on"]
    turn = door.turn(door.code())
    assert said(door, turn.ended) == ["say_pass"]
    assert bytes(door.world.board.i2s.amplifier.heard).startswith(clips()["say_pass"])
    # The colour of a code is not for the queue.
    turn = door.turn(door.text("orange"))
    assert said(door, turn.ended) == ["say_stop"]
    turn = door.turn(door.text("screenshot"))
    assert said(door, turn.ended) == ["say_attention", "say_stale"]
    door.world.skin_centi_c = FEVER_CENTI_C
    turn = door.turn(door.code())
    assert said(door, turn.ended) == ["say_stop", "say_fever"]


def test_the_verdict_comes_first_and_the_next_code_ends_what_is_said(door: Door) -> None:
    turn = door.turn(door.text("screenshot"))
    begins = door.wait("speech", turn.ended)
    lights = [e for e in door.events(turn.began, "led") if e.number < begins.number]
    tones = [e for e in door.events(turn.ended - 12, "tone") if e.data["hz"] == 0]
    assert lights and begins.number > turn.ended
    assert begins.number > tones[-1].number, "the voice waits for the buzzer"
    before = door.show(door.text("orange"))
    ends = door.wait("speech", before)
    full = ["say_attention", "say_stale"]
    assert not ends.data["on"] and ends.data["says"] == full[: len(ends.data["says"])]
    assert ends.data["bytes"] < sum(len(clips()[text_id]) for text_id in full)
    checked = door.wait_line("flow: checked", before)
    assert ends.number < checked.number
    door.expected += 1
    verdict = door.wait_line("flow: verdict", before)
    again = door.wait("speech", ends.number)
    assert again.number > verdict.number, "nothing is sent to the loudspeaker between code and verdict"
    assert said(door, again.number) == ["say_stop"]


def test_a_restart_keeps_the_choice_and_the_menu_ends_it(door: Door) -> None:
    door.reboot()
    turn = door.turn(door.code())
    assert said(door, turn.ended) == ["say_pass"]
    door.wait_line("flow: idle", turn.ended)
    switch(door)
    before = door.world.last_event
    door.turn(door.code())
    door.wait_line("flow: idle", before)
    assert not door.events(before, "speech")
