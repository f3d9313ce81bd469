"""The start: what is broken is named and the rest works; without clock or pack nobody passes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import flash
import pytest
from door import Door, opened
from fleet import until

from firmware.core import record

pytestmark = pytest.mark.xdist_group("door-start")
DAY_S = 86_400


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    with opened(tmp_path_factory.mktemp("door")) as door:
        yield door


@pytest.fixture
def door(shared: Door) -> Iterator[Door]:
    shared.calm()
    shared.cut()
    yield shared
    shared.loop.call(shared.world.hold, "yes", False)
    shared.world.battery_mv = 3980
    shared.calm()
    shared.reboot()
    shared.settled()


CHIPS = ("scanner", "thermometer", "clock", "battery", "keys", "flash")


def failures(door: Door, after: int) -> list[str]:
    """Chips that the self-test names; the others must be fine."""
    lines = [line for line in door.lines(after) if line.startswith("self-test: chip_")]
    found = {line.split("_", 1)[1].split()[0]: line.split()[-1] for line in lines}
    assert set(found) == set(CHIPS) and set(found.values()) <= {"ok", "FAILED"}
    return [chip for chip in CHIPS if found[chip] == "FAILED"]


def boot_with_a_fault(door: Door, chip: str) -> None:
    """Boot; the self-test says in plain words what is broken, and the handheld comes up all the same."""
    before = door.boot(wait=False)
    door.says(f"chip_{chip}", f"fail_{chip}", timeout_s=12)
    door.wait_line("flow: idle", before, 25)
    assert failures(door, before) == [chip]


def test_all_is_well(door: Door) -> None:
    before = door.boot()
    assert failures(door, before) == []
    times = {e.data["line"]: e.t_ms for e in door.events(before, "console")}
    boot = door.events(before, "boot")[0]
    assert times["flow: idle"] - boot.t_ms < 6000  # no fault, no pause


def test_no_scanner(door: Door) -> None:
    door.loop.call(door.world.unplug, "gm65")
    boot_with_a_fault(door, "scanner")
    door.says("warn_scanner")
    before = door.world.last_event
    door.loop.call(door.world.plug, "gm65")
    door.wait_line("scanner: back", before, 20)
    assert door.turn(door.text("teacher")).verdict == "pass"


def test_no_thermometer(door: Door) -> None:
    door.loop.call(door.world.unplug, "mlx90614")
    boot_with_a_fault(door, "thermometer")
    turn = door.turn(door.text("teacher"))
    assert door.reasons(turn) == [["temp_sensor"]]
    door.calm()
    assert door.turn(door.text("teacher")).verdict == "pass"


def test_no_clock_chip(door: Door) -> None:
    """The server's time does until the power goes."""
    door.loop.call(door.world.unplug, "ds3231")
    door.wifi(False)
    boot_with_a_fault(door, "clock")
    door.says("warn_clock")
    assert door.reads("--:--")
    door.wifi(True)
    door.idles_without("--:--")
    assert door.turn(door.text("teacher")).verdict == "pass"


def test_stuck_key(door: Door) -> None:
    door.loop.call(door.world.hold, "yes", True)
    boot_with_a_fault(door, "keys")
    assert door.turn(door.text("orange")).verdict == "stop"


def test_no_battery(door: Door) -> None:
    door.world.battery_mv = 2000
    boot_with_a_fault(door, "battery")
    door.says("warn_battery")
    assert door.turn(door.text("orange")).verdict == "stop"


def test_several_at_once(door: Door) -> None:
    for chip in ("gm65", "mlx90614", "ds3231"):
        door.loop.call(door.world.unplug, chip)
    before = door.boot(wait=False)
    door.says("fail_scanner", "fail_thermometer", "fail_clock", timeout_s=12)
    door.wait_line("flow: idle", before, 25)
    assert failures(door, before) == ["scanner", "thermometer", "clock"]


def test_clock_that_stopped(door: Door) -> None:
    """The clock chip's cell was empty: nobody passes until the server has told the time."""
    door.set_clock_chip(offset_s=-400 * DAY_S, stopped=True)
    door.wifi(False)
    boot_with_a_fault(door, "clock")
    door.says("warn_clock")
    assert door.reads("--:--")
    turn = door.turn(door.text("teacher"))
    assert (turn.verdict, turn.measured) == ("attention", 0)
    door.says("reason_clock_untrusted")
    door.wifi(True)
    fields = door.records(turn)[0]
    assert (fields[record.REASONS], fields[record.CLOCK]) == ([32], 1)
    door.idles_without("--:--")
    door.idles_without("本机时间不可靠")
    assert not door.world.board.clock.stopped
    turn = door.turn(door.text("teacher"))
    assert turn.verdict == "pass"
    assert door.records(turn)[0][record.CLOCK] == 0
    before = door.reboot()
    assert failures(door, before) == []


def test_clock_that_is_far_behind(door: Door) -> None:
    """It runs, but shows a time before this release."""
    door.set_clock_chip(offset_s=-400 * DAY_S)
    door.wifi(False)
    boot_with_a_fault(door, "clock")
    turn = door.turn(door.text("teacher"))
    door.wifi(True)
    assert door.reasons(turn) == [["clock_untrusted"]]
    door.idles_without("--:--")
    assert abs(door.world.board.clock.offset_s) < 5


def test_clock_that_is_behind_the_pack(door: Door) -> None:
    """Later than the release, but earlier than a signature that it holds."""
    door.set_clock_chip(offset_s=-2 * DAY_S)
    door.wifi(False)
    door.boot()
    turn = door.turn(door.text("teacher"))
    door.wifi(True)
    assert door.reasons(turn) == [["clock_untrusted"]]


def test_pack_that_has_expired(tmp_path: Path) -> None:
    with opened(tmp_path) as door:
        door.cut()
        door.set_clock_chip(offset_s=8 * DAY_S)
        door.wifi(False)
        door.boot()
        door.says("warn_trust_expired")
        turn = door.turn(door.text("teacher", now_unix=time.time() + 8 * DAY_S))
        assert (turn.verdict, turn.measured) == ("attention", 0)
        door.says("reason_trust_expired")
        # Back again: a record has been made then, so nobody knows what time it is.
        door.set_clock_chip()
        door.reboot()
        door.says("warn_clock")
        door.wifi(True)
        assert door.reasons(turn) == [["trust_expired"]]
        turn = door.turn(door.text("teacher"))
        assert door.reasons(turn) == [["clock_untrusted"]]


def test_damaged_manifest(door: Door) -> None:
    """A pack on flash is not trusted for lying there."""
    script = (
        "file = open('/flash/data/pack/manifest', 'r+b')\n"
        "file.seek(-5, 2)\nfile.write(b'xxxxx')\nfile.close()"
    )
    flash.on_flash(door.handheld.image, script)
    door.wifi(False)
    before = door.boot()
    assert [line for line in door.lines(before) if line.startswith("self-test: pack: bad signature")]
    door.says("warn_no_trust")
    turn = door.turn(door.text("teacher"))
    assert (turn.verdict, turn.measured) == ("attention", 0)
    door.says("reason_no_trust_list")
    # Without a pack there is no key to seal a record with; the pack that comes leaves one instead.
    door.wifi(True)
    event = door.records(turn)[0]
    assert event[record.EVENT] == record.EVENT_PACK and record.VERDICT not in event
    door.idles_without("没有信任库，请联网")
    assert door.turn(door.text("teacher")).verdict == "pass"


def test_no_pack_yet(tmp_path: Path) -> None:
    """Enrolled at a server that has none to give: nobody passes, and the idle screen says why."""
    with opened(tmp_path, trust=False) as door:
        door.says("warn_no_trust")
        turn = door.turn(door.text("teacher"))
        assert (turn.verdict, turn.measured) == ("attention", 0)
        door.says("reason_no_trust_list")
        assert door.turn(door.text("poster")).notice
        door.fleet.start_authority()
        until(lambda: door.fleet.pack_version() > 0, "pack at the server", 20)
        assert door.fleet.held() == 0, "there is no key to seal a record with"
        door.wifi(False)
        time.sleep(1.5)
        door.wifi(True)
        until(door.fleet.served, "pack on the handheld", 20)
        # The pack's record has the number that the turn's would have had.
        assert door.turn(door.text("teacher")).verdict == "pass"
