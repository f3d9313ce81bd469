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
FILL = """
size = (os.statvfs("/flash")[3] - %d) * 4096
with open("/flash/data/filler", "wb") as file:
    for _ in range(size // 4096):
        file.write(b"x" * 4096)
"""


def family(door: Door) -> str:
    return door.code(h1=3, h7=FAMILY)


def test_acknowledged_segments_are_removed(tmp_path: Path) -> None:
    with opened(tmp_path) as door:
        door.wifi(False)
        begun = door.expected  # what a pack in force has left
        for _ in range(14):
            assert door.turn(family(door), people=6).verdict == "stop"
        before = flash.journal(door.handheld.image)
        assert before == {"acked": begun, "next_seq": begun + 85, "files": ["00000001.seg", "ack"]}
        door.wifi(True)
        door.settled()
        until(lambda: door.reads("待传 0"), "nothing waits")
        door.cut()
        after = flash.journal(door.handheld.image)
        assert after == {
            "acked": begun + 84,
            "next_seq": begun + 85,
            "files": [f"{begun + 85:08}.seg", "ack"],
        }
        door.boot()
        assert door.turn(door.text("teacher")).verdict == "pass"
        door.settled()


def test_full_flash(tmp_path: Path) -> None:
    """Loudly and never a pass, over a restart too, until the server has taken what is there."""
    with opened(tmp_path) as door:
        begun = door.expected
        door.records(door.turn(door.text("orange")))
        door.cut()
        flash.on_flash(door.handheld.image, FILL % 1)
        door.wifi(False)
        before = door.boot()
        while not [line for line in door.lines(before) if line.startswith("journal:")]:
            door.turn(family(door), people=6)
            assert door.expected < 1000
        door.says("reason_colour_red")  # a stop stays one
        # None of that party was recorded, so there is room for some who come alone.
        assert flash.journal(door.handheld.image)["next_seq"] % 6 == (begun + 2) % 6
        before = door.world.last_event
        while not [line for line in door.lines(before) if line.startswith("journal:")]:
            door.turn(door.text("orange"))
            assert door.expected < 1100
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
