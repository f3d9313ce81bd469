"""Scenes at a running door: in and out, who is inside, buses without codes, entries by hand, PIN, clock."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from door import Door, opened
from fleet import until

from firmware.core import record
from firmware.core.place import PlaceCode, encode_place
from firmware.core.scene import Scene
from host_tools import pki
from host_tools.authority import content
from host_tools.authority.default_scenes import default_scenes

pytestmark = pytest.mark.xdist_group("door-scenes")
FACTORY_PIN = ("no", "middle", "yes", "yes", "middle", "no")
WRONG_PIN = ("no", "no", "no", "yes", "yes", "yes")
ROWS = {"manual": 0, "language": 1, "pack": 2, "test": 3, "scene": 4, "voice": 5, "clock": 6}
LOCAL_S = 8 * 3600


def menu(door: Door, row: str) -> int:
    """Open the menu and choose a row; the number of the last event before."""
    door.says("label_checked")
    before = door.world.last_event
    door.press("middle")
    door.wait_line("flow: menu", before)
    for _ in range(ROWS[row]):
        door.press("middle")
    door.press("yes")
    return before


def enter(door: Door, presses: tuple[str, ...]) -> None:
    """Press the PIN's keys."""
    for key in presses:
        door.press(key)


def all_fields(door: Door) -> list[dict[int, Any]]:
    """Every record that the server holds."""
    return [record.decode(row.raw) for row in door.fleet.rows()]


def events(door: Door, kind: int) -> list[dict[int, Any]]:
    """Event records of one kind that the server holds."""
    return [fields for fields in all_fields(door) if fields.get(record.EVENT) == kind]


def step(door: Door, after: int, key: str = "yes") -> None:
    """The measuring step, and the answer on the mask."""
    door.wait_line("flow: measure", after)
    door.press(key)


# A venue ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def closing_minute() -> int:
    """A closing time that is half a day away: who is inside stays inside, whenever the tests run."""
    return int((time.time() + LOCAL_S) % 86_400 // 60 + 720) % 1_440


@pytest.fixture(scope="module")
def venue(tmp_path_factory: pytest.TempPathFactory, closing_minute: int) -> Iterator[Door]:
    def scenes() -> list[Scene]:
        made = default_scenes()
        for one in made:
            if one.closing_minute is not None:
                one.closing_minute = closing_minute
        return made

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(content, "default_scenes", scenes)
        with opened(tmp_path_factory.mktemp("venue"), scene="registered_venue") as door:
            yield door
            door.settled()


def test_first_in_then_out_and_the_power_does_not_matter(venue: Door) -> None:
    venue.calm()
    venue.says("dir_both", "label_present")
    came = venue.turn(venue.text("teacher"))
    assert (came.verdict, came.measured) == ("pass", 1)
    until(lambda: venue.reads("在场 1"), "one inside", 20)
    venue.reboot()
    until(lambda: venue.reads("在场 1"), "one inside after a power cut", 20)
    went = venue.turn(venue.text("teacher"))
    assert (went.verdict, went.measured) == ("pass", 0), "who leaves is not measured"
    until(lambda: venue.reads("在场 0"), "nobody inside", 20)
    again = venue.turn(venue.text("teacher"))
    fields = venue.records(came) + venue.records(went) + venue.records(again)
    assert [one[record.DIRECTION] for one in fields] == [0, 1, 0]
    assert len({one[record.SUB] for one in fields}) == 1
    venue.turn(venue.text("teacher"))


def test_a_party_counts_by_heads_and_leaves_together(venue: Door) -> None:
    venue.calm()
    came = venue.turn(venue.text("mother"), people=3)
    assert came.verdict == "pass"
    until(lambda: venue.reads("在场 3"), "three inside", 20)
    went = venue.turn(venue.text("mother"), people=3)
    assert [one[record.DIRECTION] for one in venue.records(went)] == [1, 1, 1]
    until(lambda: venue.reads("在场 0"), "nobody inside", 20)


def test_only_who_may_pass_is_inside(venue: Door) -> None:
    venue.calm()
    assert venue.turn(venue.text("orange")).verdict == "stop"
    assert venue.turn(venue.text("teacher"), mask="no").verdict == "stop"
    until(lambda: venue.reads("在场 0"), "nobody inside", 20)


def test_direction_by_key(venue: Door) -> None:
    venue.calm()
    venue.says("label_checked")
    venue.press("no")
    until(lambda: venue.reads("入") and not venue.reads("入/出"), "in by key", 20)
    for _ in range(2):
        turn = venue.turn(venue.code(h2="李*四"))
        assert (turn.verdict, turn.measured) == ("pass", 1)
    until(lambda: venue.reads("在场 2"), "two inside", 20)
    venue.says("label_checked")
    venue.press("no")
    until(lambda: venue.reads("出") and not venue.reads("入"), "out by key", 20)
    turn = venue.turn(venue.text("shopper"))
    assert venue.records(turn)[0][record.DIRECTION] == 1
    until(lambda: venue.reads("在场 2"), "a stranger who goes changes nothing", 20)
    venue.says("label_checked")
    venue.press("no")
    venue.says("dir_both")


def test_a_night_and_a_clock_that_ran_ahead(venue: Door, closing_minute: int) -> None:
    """Everybody is out after closing time. Then the clock turns out to be wrong, and goes back by the PIN."""
    venue.calm()
    with venue.explained():
        until(lambda: venue.reads("在场 2"), "two inside", 20)
    venue.settled()
    now = time.time()
    closing = now + (closing_minute * 60 - now - LOCAL_S) % 86_400
    venue.cut()
    venue.wifi(False)
    venue.set_clock_chip(offset_s=closing - now + 60)
    venue.boot()
    until(lambda: venue.reads("在场 0"), "nobody inside after closing time", 30)
    venue.wifi(True)
    venue.expected += 2
    venue.wait_held(venue.expected)
    out = events(venue, record.EVENT_FORCED_OUT)
    assert [one[record.DETAIL] for one in out] == [f"{closing_minute // 60:02}:{closing_minute % 60:02}"] * 2
    assert all(one[record.DIRECTION] == 1 and len(one[record.SUB]) == 16 for one in out)
    venue.says("warn_clock")
    venue.expected += 1
    venue.wait_held(venue.expected)
    assert len(events(venue, record.EVENT_CLOCK)) == 1
    turn = venue.turn(venue.text("teacher"))
    assert (turn.verdict, turn.measured) == ("attention", 0)
    assert venue.reasons(turn) == [["clock_untrusted"]]
    before = menu(venue, "clock")
    venue.wait_line("flow: pin", before)
    enter(venue, FACTORY_PIN)
    venue.wait_line("flow: notice notice_clock_set", before)
    venue.expected += 1
    turn = venue.turn(venue.text("teacher"))
    assert turn.verdict == "pass"
    assert abs(venue.records(turn)[0][record.TIME] - time.time()) < 20
    venue.turn(venue.text("teacher"))


# A charter bus of a school ----------------------------------------------------------------------------------


def test_school_bus_counts_without_codes(tmp_path: Path) -> None:
    with opened(tmp_path, scene="school_bus") as door:
        door.says("key_board")
        before = door.world.last_event
        door.press("yes")
        step(door, before)
        door.wait_line("flow: verdict 0", before)
        door.says("label_checked")
        before = door.world.last_event
        door.press("yes")
        step(door, before, "no")
        door.wait_line("flow: verdict 1", before)
        door.expected += 2
        door.wait_held(door.expected)
        good, bad = [fields for fields in all_fields(door) if record.VERDICT in fields]
        assert (good[record.KIND], good[record.REASONS], good[record.VERDICT]) == (4, [63], 0)
        assert (bad[record.KIND], bad[record.REASONS], bad[record.VERDICT]) == (4, [63, 54], 1)
        for fields in (good, bad):
            assert not {record.SUB, record.CTI, record.COLOUR} & set(fields)
        assert good[record.TEMPERATURE][2] > 3600
        # A code that is shown all the same leaves no name.
        assert record.SUB not in door.records(door.turn(door.text("teacher")))[0]
        door.settled()


# Menu, PIN, clock at a checkpoint ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    with opened(tmp_path_factory.mktemp("checkpoint")) as door:
        yield door
        door.settled()


def test_entry_by_hand(door: Door) -> None:
    before = menu(door, "manual")
    door.says("title_manual")
    door.press("middle")
    door.press("yes")
    step(door, before)
    door.wait_line("flow: verdict 2", before)
    door.says("reason_manual_entry", "advice_manual_entry")
    door.expected += 1
    door.wait_held(door.expected)
    fields = all_fields(door)[-1]
    assert (fields[record.KIND], fields[record.MANUAL], fields[record.REASONS]) == (4, 2, [62])
    assert fields[record.TEMPERATURE] and record.SUB not in fields


def test_menu_goes_away_and_a_code_comes_first_again(door: Door) -> None:
    door.says("label_checked")
    before = door.world.last_event
    door.press("middle")
    door.wait_line("flow: menu", before)
    door.press("no")
    door.wait_line("flow: idle", before)
    before = menu(door, "test")
    door.says("title_self_test", "chip_wifi")
    door.press("no")
    door.wait_line("flow: idle", before)
    before = menu(door, "pack")
    door.says("title_pack", "key_back")
    door.press("no")
    door.wait_line("flow: idle", before)
    assert door.turn(door.text("teacher")).verdict == "pass"


def poster(door: Door, place: str, scene_id: str, expires_s: int = 86_400) -> str:
    """A signed place code, as it hangs on a wall."""
    signer, now = door.fleet.authority.keys.place, int(time.time())
    code = PlaceCode(signer.name, place, scene_id, now - 60, now + expires_s, bytes(8))
    return encode_place(code, signer.kid, pki.signer(signer.key))


def test_a_code_on_the_wall_sets_place_and_scene(tmp_path: Path) -> None:
    with opened(tmp_path) as door:
        before = door.show(poster(door, "102路", "transit", -5))
        door.wait_line("flow: place 17", before)
        before = door.show(poster(door, "102路", "transit"))
        door.wait_line("flow: place 0", before)
        door.says("title_place")
        door.press("no")
        door.wait_line("flow: idle", before)
        until(lambda: door.reads("卡口"), "nothing has changed", 20)
        before = door.show(poster(door, "102路", "transit"))
        door.wait_line("flow: place 0", before)
        door.press("yes")
        door.wait_line("flow: notice notice_scene_chosen", before)
        door.expected += 1
        until(lambda: door.reads("公交") and door.reads("102路"), "scene and place on the idle screen", 20)
        shown = door.text("teacher")
        turn = door.turn(shown, mask=None)
        assert (turn.verdict, turn.measured) == ("pass", 1), "the conductor's trigger answers for the mask"
        fields = door.records(turn)[0]
        assert (fields[record.SCENE], fields[record.PLACE], fields[record.MASK]) == ("transit", "102路", 1)
        assert record.SUB not in fields and record.CTI not in fields
        change = events(door, record.EVENT_SCENE)[-1]
        assert change[record.DETAIL] == "place code, was checkpoint"
        door.says("label_checked")
        again = door.turn(shown)
        assert (again.verdict, again.measured) == ("attention", 0)
        assert door.reasons(again) == [["replayed"]]


def test_wrong_pins_lock_and_a_power_cut_does_not_open(door: Door) -> None:
    for number in range(5):
        before = menu(door, "scene")
        door.wait_line("flow: pin", before)
        enter(door, WRONG_PIN)
        word = "notice_pin_wrong" if number < 4 else "notice_pin_locked"
        door.wait_line("flow: notice " + word, before)
        door.wait_line("flow: idle", before)
    door.reboot()
    before = menu(door, "scene")
    door.wait_line("flow: notice notice_pin_locked", before)
    door.wait_line("flow: idle", before)
    assert door.turn(door.text("teacher")).verdict == "pass", "the door stays open meanwhile"


def test_clock_that_fell_back_is_seen_and_lets_nobody_pass(door: Door) -> None:
    door.turn(door.text("teacher"))
    door.settled()
    door.cut()
    door.wifi(False)
    door.set_clock_chip(offset_s=-7200)
    door.boot()
    door.says("warn_clock")
    assert door.reads("--:--")
    turn = door.turn(door.text("teacher"))
    assert (turn.verdict, turn.measured) == ("attention", 0)
    door.wifi(True)
    assert door.reasons(turn) == [["clock_untrusted"]]
    assert door.records(turn)[0][record.CLOCK] == 1
    door.idles_without("--:--")
    assert door.turn(door.text("teacher")).verdict == "pass"


def test_scene_is_asked_for_after_two_days(tmp_path: Path) -> None:
    with opened(tmp_path) as door:
        door.idles_without("请确认场景和地点")
        door.cut()
        door.wifi(False)
        door.set_clock_chip(offset_s=49 * 3600)
        door.boot()
        door.says("label_scene_due", "key_confirm")
        # Nobody is kept waiting for it.
        assert door.turn(door.text("teacher", now_unix=time.time() + 49 * 3600)).verdict == "pass"
        door.says("label_scene_due")
        door.press("yes")
        door.idles_without("请确认场景和地点")
