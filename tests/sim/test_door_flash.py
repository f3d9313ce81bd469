"""The handheld's flash: what is acknowledged makes room, and where there is none nobody passes unrecorded."""

from __future__ import annotations

from pathlib import Path

import flash
import pytest
from door import Door, opened
from fleet import until

pytestmark = pytest.mark.xdist_group("door-flash")
#: Five companions with red codes: six records at once, and nobody is measured.
FAMILY = [{1: 3, 2: "李*", 10: bytes((number,)) * 16} for number in range(5)]
#: Room for some hundred records.
SECTORS = 6


def family(door: Door) -> str:
    return door.code(h1=3, h7=FAMILY)


def test_acknowledged_sectors_are_used_again(tmp_path: Path) -> None:
    with opened(tmp_path, journal_blocks=SECTORS) as door:
        first = door.expected
        for _ in range(3):
            door.wifi(False)
            for _ in range(7):
                assert door.turn(family(door), people=6).verdict == "stop"
            door.wifi(True)
            door.settled()
            until(lambda: door.reads("待传 0"), "nothing waits")
        door.cut()
        after = flash.journal(door.handheld.image)
        assert (after["acked"], after["next_seq"]) == (first + 126, first + 127)
        assert after["used"] == 1, "126 records do not fit the ring at once"
        door.boot()
        assert door.turn(door.text("teacher")).verdict == "pass"
        door.settled()


def test_full_journal(tmp_path: Path) -> None:
    """Loudly and never a pass, over a restart too, until the server has taken what is there."""
    with opened(tmp_path, journal_blocks=SECTORS) as door:
        door.records(door.turn(door.text("orange")))
        door.cut()
        already = door.expected
        door.wifi(False)
        before = door.boot()
        while not [line for line in door.lines(before) if line.startswith("journal:")]:
            door.turn(family(door), people=6)
            assert door.expected < 200
        door.says("reason_colour_red")  # a stop stays one
        # None of that party was recorded, so there is room for some who come alone.
        assert (flash.journal(door.handheld.image)["next_seq"] - 1 - already) % 6 == 0
        before = door.world.last_event
        while not [line for line in door.lines(before) if line.startswith("journal:")]:
            door.turn(door.text("orange"))
            assert door.expected < 300
        recorded = flash.journal(door.handheld.image)["next_seq"] - 1
        assert 30 < recorded <= door.expected
        for _ in range(2):
            turn = door.turn(door.text("teacher"))
            assert (turn.verdict, turn.measured) == ("attention", 1)
            door.says("reason_not_recorded", "advice_not_recorded")
            tones = [e.data["hz"] for e in door.events(turn.ended - 10, "tone") if e.data["hz"]]
            assert 1500 in tones
            door.wait_line("flow: idle", turn.ended)
            door.says("warn_journal_full")
            door.reboot()
        assert flash.journal(door.handheld.image)["next_seq"] == recorded + 1
        door.expected = recorded
        door.wifi(True)
        door.wait_held(recorded)
        until(lambda: door.reads("待传 0"), "nothing waits")
        turn = door.turn(door.text("teacher"))
        assert turn.verdict == "pass"
        assert turn.sequences[0] == recorded + 1
        door.settled()
        door.idles_without("记录已存满，请联网")
