"""Flash that wears: erases are counted by sector, and a worn sector shows to whoever reads it back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from boards import make_image
from test_bridge import line, play

from simulator.handheld import Handheld
from simulator.wear import LIFE, Wear

RING = """
from esp32 import Partition
p = Partition.find(Partition.TYPE_DATA, label="journal")[0]
buf = bytearray(64)
def works(sector):
    p.ioctl(6, sector)
    try:
        p.writeblocks(sector, bytes(range(64)), 0)
    except OSError as e:
        return e.errno
    p.readblocks(sector, buf, 0)
    return bytes(buf) == bytes(range(64))
print("FIRST", works(3), works(3), works(5))
import machine, time
key = machine.Pin(6, machine.Pin.IN, machine.Pin.PULL_UP)
while key.value():
    time.sleep_ms(5)
print("THEN", works(3), works(5), works(3))
"""
FILES = """
import os, time, machine
key = machine.Pin(6, machine.Pin.IN, machine.Pin.PULL_UP)
print("READY")
while key.value():
    time.sleep_ms(5)
for n in range(20):
    with open("/data%d" % (n % 3), "wb") as f:
        f.write(bytes((n + 1,)) * 3000)
good = 0
for n in range(17, 20):
    with open("/data%d" % (n % 3), "rb") as f:
        good += f.read() == bytes((n + 1,)) * 3000
print("GOOD", good)
"""


def with_ring(tmp_path: Path, main: str) -> Path:
    (tmp_path / "journal.img").write_bytes(b"\xff" * 4096 * 8)
    return make_image(tmp_path, {"/main.py": main})


def test_erases_are_counted_by_sector_and_kept(tmp_path: Path) -> None:
    async def body(h: Handheld) -> None:
        assert await line(h, "FIRST") == "True True True"
        h.world.press("yes", 400)
        assert await line(h, "THEN") == "True True True"

    with_ring(tmp_path, RING)
    play(tmp_path, RING, body)
    stored = json.loads((tmp_path / "wear.json").read_text())
    assert stored["erases"]["journal"] == [0, 0, 0, 4, 0, 2, 0, 0]
    assert len(stored["erases"]["files"]) == 128 and stored["worn"] == {"files": [], "journal": []}
    again = Wear(tmp_path)
    assert again.summary()["journal"] == {"sectors": 8, "erases": 6, "most": 4, "worn": 0}
    assert again.life == LIFE


def test_a_sector_that_was_erased_too_often_fails(tmp_path: Path) -> None:
    async def body(h: Handheld) -> None:
        assert await line(h, "FIRST") == "True True True"
        h.board.wear.life = 2
        h.world.press("yes", 400)
        # Three erases are too many for sector 3, and not for sector 5; it stays so.
        assert await line(h, "THEN") == "5 True 5"
        assert h.board.wear.picture()["journal"]["worn"] == [3]

    with_ring(tmp_path, RING)
    play(tmp_path, RING, body)
    assert Wear(tmp_path).picture()["journal"]["worn"] == [3]


def test_the_next_sector_fails_and_a_new_chip_is_whole(tmp_path: Path) -> None:
    async def body(h: Handheld) -> None:
        await line(h, "FIRST")
        h.board.wear.wear_out_next("journal")
        h.world.press("yes", 400)
        assert await line(h, "THEN") == "5 True 5"
        h.board.wear.heal()
        after = h.world.last_event
        await h.power_cycle()
        await h.world.wait_for(
            "console", 10, after=after, where=lambda e: e.data["line"] == "FIRST True True True"
        )
        picture = h.board.wear.picture()["journal"]
        # The key may still be down, and more erases under way.
        assert picture["worn"] == [] and 2 <= picture["erases"][3] <= 4

    with_ring(tmp_path, RING)
    play(tmp_path, RING, body)


def test_the_file_system_goes_round_a_worn_sector(tmp_path: Path) -> None:
    async def body(h: Handheld) -> None:
        await line(h, "READY")
        h.board.wear.wear_out_next("files")
        h.world.press("yes", 400)
        assert await line(h, "GOOD", 20) == "3", "LittleFS reads back what it writes"
        (worn,) = h.board.wear.picture()["files"]["worn"]
        assert h.image.read_bytes()[worn * 4096 + 40] == 0, "the byte that stays at zero"
        assert h.board.wear.summary()["files"]["erases"] >= 20

    play(make_image(tmp_path, {"/main.py": FILES}), FILES, body)


def test_there_is_no_sector_beyond_the_last(tmp_path: Path) -> None:
    (tmp_path / "flash.img").write_bytes(bytes(4096 * 4))
    wear = Wear(tmp_path)
    for unit, sector in ((0, 4), (1, 0), (2, 0)):
        with pytest.raises(ValueError, match="no sector"):
            wear.erased(unit, sector)
    with pytest.raises(ValueError, match="attic"):
        wear.wear_out_next("attic")
