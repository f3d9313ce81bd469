"""What a door must withstand: texts that are no codes, damaged ones, noise, loose plugs, a failing sensor."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator

import pytest
from door import HEALTHY_CENTI_C, Door, opened

from firmware.core import base45, record

pytestmark = pytest.mark.xdist_group("door-bad-input")
ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    with opened(tmp_path_factory.mktemp("door")) as door:
        yield door
        door.settled()
        assert len(door.events(kind="boot")) == 1  # whatever came, nothing made it restart


def good_code_passes(door: Door) -> None:
    turn = door.turn(door.text("teacher"))
    assert (turn.verdict, door.reasons(turn)) == ("pass", [[]])


@pytest.mark.parametrize(
    "text",
    [
        b"hello",
        b"https://shop.example/?q=1",
        b"ym1:6BF",
        b"YM1",
        b"HC2:6BF",
        b"A" * 4000,
        b" ",
        bytes(range(1, 13)) + bytes(range(14, 256)),
        "龙岩健康码".encode(),
        "龙岩健康码".encode("gbk"),
        b"\x7e\x00\x08\x01\x00\xd9\x50\xab\xcd",
    ],
    ids=lambda text: ascii(text)[:20],
)
def test_text_that_is_no_code(door: Door, text: bytes) -> None:
    turn = door.turn(text)
    assert turn.notice
    assert turn.reason == 10
    assert door.turn(door.text("orange")).verdict == "stop"


def test_code_that_looks_like_the_modules_own_answer(door: Door) -> None:
    """It cannot be told from one, and counts for nothing; the next code does."""
    before = door.show(b"\x02\x00\x00\x01\x00\x33\x31")
    door.wait("uart_last_byte", before)
    time.sleep(0.3)
    assert door.turn(door.text("orange")).verdict == "stop"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("YM1:", "damaged"),
        ("YM1:!!!", "damaged"),
        ("YM1:6BF YM1:", "damaged"),
        ("YM1:" + "F" * 4093, "too_long"),
        ("YM1:" + "G" * 6500, "too_long"),
        ("YM1:" + base45.encode(b"\xd2\x84" + b"\x9f" * 900), "damaged"),
        ("HC1:", "damaged"),
        ("HC1:" + base45.encode(bytes.fromhex("789ced") + bytes(300)), "damaged"),
        ("HC1:" + "0" * 4000, "damaged"),
    ],
    ids=lambda value: str(value)[:14],
)
def test_code_that_is_none_of_ours(door: Door, text: str, reason: str) -> None:
    turn = door.turn(text)
    assert (turn.verdict, turn.measured) == ("attention", 0)
    assert door.reasons(turn) == [[reason]]
    assert door.records(turn)[0][record.KIND] == 0


def test_truncated_codes(door: Door) -> None:
    text = door.text("teacher")
    for length in (5, 20, 60, len(text) // 2, len(text) - 60, len(text) - 3, len(text) - 2, len(text) - 1):
        turn = door.turn(text[:length])
        assert turn.verdict == "attention", length
        assert turn.measured == 0
    good_code_passes(door)


def test_changed_codes_never_pass(door: Door) -> None:
    """One character is another one; the whole of it is tried in tests/host/test_corruption.py."""
    dice = random.Random(20200522)
    text = door.text("teacher")
    places = [4, 5, 6, 7, len(text) - 1, *dice.sample(range(8, len(text) - 1), 25)]
    for place in places:
        other = dice.choice([c for c in ALPHABET if c != text[place]])
        turn = door.turn(text[:place] + other + text[place + 1 :])
        assert turn.verdict in ("stop", "attention"), (place, other)
        assert turn.measured == 0
    for place in range(4):
        assert door.turn(text[:place] + "!" + text[place + 1 :]).notice
    good_code_passes(door)


def test_bytes_that_no_code_has(door: Door) -> None:
    dice = random.Random(7)
    text = door.text("teacher").encode()
    for byte in (0x00, 0x0A, 0x7F, 0x80, 0xFF):
        place = dice.randrange(8, len(text))
        turn = door.turn(text[:place] + bytes((byte,)) + text[place + 1 :])
        assert turn.verdict in ("stop", "attention") and turn.measured == 0
    good_code_passes(door)


def quiet(door: Door, after: int) -> int:
    """Wait until nothing more comes of what was sent; the number of the last event."""
    deadline_s = time.monotonic() + 25
    while time.monotonic() < deadline_s:
        last = door.world.last_event
        time.sleep(0.8)
        lines = [e for e in door.events(after, "console") if e.data["line"].startswith("flow:")]
        if door.world.last_event == last and (not lines or lines[-1].data["line"] == "flow: idle"):
            return last
    raise AssertionError("\n".join(door.console[-20:]))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_noise_on_the_line(door: Door, seed: int) -> None:
    """4 kB that the module did not send, while the handheld waits for a code."""
    dice = random.Random(seed)
    noise = dice.randbytes(4096)
    if seed == 3:  # looks like the module's answers
        noise = b"\x02\x00\x00\x01\x00\x33\x31\x02\x00\x00\xff" * 372
    before = door.world.last_event
    door.loop.call(door.world.uart_noise, noise)
    quiet(door, before)
    lines = door.lines(before)
    assert "flow: verdict 0" not in lines and "flow: measure 1/1" not in lines
    door.expected += len([line for line in lines if line.startswith("flow: verdict")])
    good_code_passes(door)


def test_noise_while_a_person_is_measured(door: Door) -> None:
    before = door.show(door.text("teacher"))
    door.wait_line("flow: measure", before)
    door.loop.call(door.world.uart_noise, random.Random(4).randbytes(4096))
    door.press("yes")
    door.wait_line("flow: verdict 0", before)
    door.expected += 1
    quiet(door, before)
    door.expected += len([line for line in door.lines(before) if line.startswith("flow: verdict")]) - 1
    good_code_passes(door)


def test_module_unplugged_and_back(door: Door) -> None:
    good_code_passes(door)
    before = door.world.last_event
    door.loop.call(door.world.unplug, "gm65")
    door.wait_line("scanner: lost", before, 20)
    door.says("warn_scanner")
    door.show(door.text("teacher"))
    time.sleep(1)
    assert not [line for line in door.lines(before) if line.startswith("flow: checked")]
    door.loop.call(door.world.plug, "gm65")
    door.loop.call(door.world.board.scanner.hide)
    door.wait_line("scanner: back", before, 20)
    good_code_passes(door)
    door.idles_without("扫码模块无应答")


def test_module_that_lost_power_for_a_moment(door: Door) -> None:
    """A loose plug: the module forgets that it was told to scan, and is found again."""
    door.loop.call(door.world.unplug, "gm65")
    door.loop.call(door.world.plug, "gm65")
    good_code_passes(door)


def sensor_answers(door: Door, fault: str) -> None:
    if fault == "unplugged":
        door.loop.call(door.world.unplug, "mlx90614")
    elif fault == "stuck":
        door.loop.call(door.world.i2c_fault, "bus", "stuck")
    else:
        door.loop.call(door.world.i2c_fault, "mlx90614", fault)


@pytest.mark.parametrize("fault", ["nak", "bad_pec", "flag", "ffff", "unplugged", "stuck"])
def test_failing_thermometer(door: Door, fault: str) -> None:
    """`ffff` is 1037.55 °C, were it believed."""
    sensor_answers(door, fault)
    turn = door.turn(door.text("teacher"))
    assert turn.verdict == "attention"
    assert door.reasons(turn) == [["temp_sensor"]]
    assert record.TEMPERATURE not in door.records(turn)[0]
    door.says("reason_temp_sensor")
    door.calm()
    good_code_passes(door)


@pytest.mark.parametrize("fault", ["nak", "bad_pec"])
def test_thermometer_that_stumbles(door: Door, fault: str) -> None:
    """Two failed samples are not a failed sensor."""

    def stumble(_: int) -> None:
        sensor_answers(door, fault)
        threading.Timer(0.35, door.calm).start()

    turn = door.turn(door.text("teacher"), on_measure=stumble)
    assert turn.verdict == "pass"
    assert door.records(turn)[0][record.TEMPERATURE][0] == pytest.approx(HEALTHY_CENTI_C, abs=6)


def test_clock_chip_gone_while_running(door: Door) -> None:
    """The time goes on in the processor."""
    door.loop.call(door.world.unplug, "ds3231")
    good_code_passes(door)
