"""What the inspector tells of a real handheld, against the server: journal, packs, settings, tasks, heap."""

from __future__ import annotations

import re
from collections.abc import Iterator

import flash
import pytest
from conftest import ROOT
from door import Door, opened
from fleet import until

from host_tools.device.image import BLOCK_BYTES, JOURNAL_IMAGE
from host_tools.look.ring_image import read_ring
from host_tools.server.sealing_keys import SealingKeys
from host_tools.server.views import record_json
from simulator.inspector import Inspector

pytestmark = pytest.mark.xdist_group("door-inspect")


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    with opened(tmp_path_factory.mktemp("door")) as door:
        yield door


@pytest.fixture
def inspector(door: Door) -> Inspector:
    return Inspector(door.handheld, SealingKeys(door.fleet.state.server / "sealing"))


def test_the_journal_shows_what_the_server_got_and_what_waits(door: Door, inspector: Inspector) -> None:
    turn = door.turn(door.text("teacher"))
    door.wait_held(turn.sequences[-1])
    seen = door.loop.run(inspector.journal(50))
    rows = {row.seq: record_json(row) for row in door.fleet.rows()}
    assert seen["with_key"] and seen["last"] == turn.sequences[-1]
    assert {row["seq"] for row in seen["records"]} == set(rows)
    for row in seen["records"]:
        theirs = rows[row["seq"]]
        for name in (
            "time_unix",
            "place",
            "scene",
            "kind",
            "colour",
            "verdict",
            "mask",
            "sub",
            "body_centi_c",
            "event",
        ):
            assert row["opened"].get(name) == theirs[name], name
        assert bytes.fromhex(row["sealed"]) == next(
            r.sealed for r in door.fleet.rows() if r.seq == row["seq"]
        )
    door.wifi(False)
    offline = door.turn(door.code())
    newest = door.loop.run(inspector.journal(1))["records"][0]
    assert newest["seq"] == offline.sequences[0] and newest["acknowledged"] is False
    door.wifi(True)
    door.wait_held(offline.sequences[0])

    def acknowledged() -> bool:
        return bool(door.loop.run(inspector.journal(1))["records"][0]["acknowledged"])

    until(acknowledged, "the flash knows of the acknowledgement", 20)
    theirs = flash.journal(door.handheld.image)
    seen = door.loop.run(inspector.journal(1))
    assert (seen["acknowledged"], seen["last"] + 1) == (theirs["acked"], theirs["next_seq"])
    assert door.loop.run(Inspector(door.handheld, None).journal(1))["records"][0]["opened"] is None


def test_settings_and_packs_are_those_in_force(door: Door, inspector: Inspector) -> None:
    seen = door.loop.run(inspector.flash())
    device = door.fleet.device()
    assert device is not None
    values = {row["key"]: row["value"] for row in seen["settings"]["values"]}
    assert values["device_id"] == device.id and values["wifi_ssid"] == "yima"
    assert values["wifi_key"] == "set, not shown" and "yima-door" not in str(seen)
    root = door.fleet.authority.keys
    assert values["root_key"] == f"kid {root.root_kid.hex()}"
    assert [row["state"] for row in seen["settings"]["slots"]].count("sound") >= 1
    pack = seen["packs"][0]
    assert (pack["which"], pack["state"]) == ("in force", "valid")
    assert pack["version"] == door.fleet.pack_version() and pack["root_kid"] == root.root_kid.hex()
    assert {part["state"] for part in pack["parts"]} == {"whole"}
    assert {"keys", "scenes", "sealing key"} <= {part["name"] for part in pack["parts"]}
    assert 0 < seen["room"]["free_blocks"] < seen["room"]["blocks"]
    assert "/data/pack/manifest" in {row["path"] for row in seen["files"]}
    assert seen["crashes"] == {}


def test_tasks_tell_of_their_beats(door: Door, inspector: Inspector) -> None:
    spawned = re.findall(r'supervisor\.spawn\(\s*"(\w+)"', (ROOT / "firmware" / "main.py").read_text("utf-8"))
    vitals = door.handheld.vitals
    until(lambda: any(row["beat_s"] is not None for row in vitals.tasks()["tasks"]), "a beat is told", 40)
    told = vitals.tasks()
    assert [row["name"] for row in told["tasks"]] == spawned
    beats = {row["name"]: row["beat_s"] for row in told["tasks"]}
    assert beats["keys"] is None and beats["housekeeping"] is not None and beats["housekeeping"] < 20
    assert not any(row["over"] for row in told["tasks"]) and told["starts"]["power-on"] == 1
    assert not any(line.startswith("tasks:") for line in door.console), "not between what people read"


def test_heap_over_time(door: Door) -> None:
    door.loop.run(door.handheld.heap_now())
    points = list(door.handheld.vitals.heap)
    assert len(points) >= 2 and [t for t, _, _ in points] == sorted(t for t, _, _ in points)
    assert len({used + free for _, used, free in points}) == 1, "one heap"
    assert points[-1][1] > points[0][1], "the firmware takes more than the shims at the start"


def test_nobody_passes_while_the_journals_next_sector_is_worn_out(door: Door) -> None:
    door.cut()
    path = door.handheld.image.with_name(JOURNAL_IMAGE)
    image = bytearray(path.read_bytes())
    newest = read_ring(bytes(image))[-1]
    at = newest.place * BLOCK_BYTES + newest.used_bytes
    image[at : at + 8] = bytes(8)  # as a power cut leaves it: the sector takes no more
    path.write_bytes(image)
    wear = door.world.board.wear
    wear.wear_out_next("journal")
    door.boot()
    turn = door.turn(door.code())
    door.expected -= 1  # it was not kept
    assert turn.verdict == "attention"
    assert wear.summary()["journal"]["worn"] == 1
    assert read_ring(path.read_bytes())[-1].number == newest.number
    wear.heal()
    turn = door.turn(door.code())
    assert turn.verdict == "pass", "a chip in its place, and the journal goes on"
    door.wait_held(turn.sequences[-1])


def test_damage_and_crash_notes_show(door: Door, inspector: Inspector) -> None:
    door.cut()
    seen = door.loop.run(inspector.flash())
    part = next(p for p in seen["packs"][0]["parts"] if p["name"] == "scenes")
    image = door.handheld.image
    kept = image.read_bytes()
    try:
        flash.on_flash(
            image,
            f"""
path = "/flash/data/pack/{part["digest"]}"
with open(path, "rb") as file:
    data = bytearray(file.read())
data[0] ^= 1
with open(path, "wb") as file:
    file.write(data)
os.remove("/flash/data/settings.0")
with open("/flash/data/crash.txt", "w") as file:
    file.write("sync: OSError 5, after 7 s\\nFile \\"x\\", line 1\\n")
    file.write("sync: hangs, after 99 s\\nflow: ended, after 3 s\\n")
""",
        )
        seen = door.loop.run(inspector.flash())
    finally:
        image.write_bytes(kept)
    states = {p["name"]: p["state"] for p in seen["packs"][0]["parts"]}
    assert states.pop("scenes") == "damaged" and set(states.values()) == {"whole"}
    assert seen["settings"]["slots"][0]["state"] == "missing"
    assert seen["crashes"]["sync"] == {"times": 2, "last": "hangs, after 99 s"}
    door.handheld.vitals.takes("tasks: sync 3 flow x keys -")
    rows = {row["name"]: row for row in door.handheld.vitals.tasks(seen["crashes"])["tasks"]}
    assert rows["sync"]["failures"] == 2 and rows["flow"]["over"] and rows["keys"]["beat_s"] is None
    door.boot()


def test_a_record_of_the_console_is_no_task_line(door: Door) -> None:
    for line in (
        "tasks:",
        "tasks: flow",
        "tasks: flow 1 sync",
        "tasks: flow one",
        "tasks: a b c",
        " tasks: flow 1",
    ):
        assert not door.handheld.vitals.takes(line), line
