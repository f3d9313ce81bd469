"""The journal's partition of the simulated board: what NOR flash does, what it refuses, its power cuts."""

from __future__ import annotations

import asyncio
from pathlib import Path

from boards import make_image
from conftest import micropython
from test_bridge import line, play

from host_tools.device.build import build
from host_tools.device.engines import BOARD
from host_tools.device.image import BLOCK_BYTES, JOURNAL_BLOCKS, prepare
from simulator.handheld import Handheld

ROOT = Path(__file__).resolve().parents[2]


def blank(folder: Path, blocks: int = 8) -> Path:
    image = folder / "journal.img"
    image.write_bytes(b"\xff" * 4096 * blocks)
    return image


def test_programs_only_what_is_erased(tmp_path: Path) -> None:
    image = blank(tmp_path)
    main = """
from esp32 import Partition
p = Partition.find(Partition.TYPE_DATA, label="journal")[0]
none = len(Partition.find(1, label="other")), len(Partition.find())
print("SIZE", p.ioctl(4, 0), p.ioctl(5, 0), p.info()[3:5], *none)
p.writeblocks(3, b"\\xf0abc", 100)
buf = bytearray(6)
p.readblocks(3, buf, 99)
print("READ", bytes(buf))
p.writeblocks(3, b"\\x30", 100)
def refused(call, *args):
    try:
        call(*args)
    except OSError as e:
        return e.errno
    return 0
refusals = [
    refused(p.writeblocks, 3, b"\\x31", 100),
    refused(p.writeblocks, 8, b"x", 0),
    refused(p.writeblocks, 7, b"xy", 4095),
    refused(Partition, "vfs"),
]
print("REFUSED", *refusals)
p.ioctl(6, 3)
p.writeblocks(3, b"\\x31", 100)
p.writeblocks(4, bytes(4096))
p.writeblocks(4, bytes(4096))
p.readblocks(3, buf, 99)
print("AGAIN", bytes(buf))
"""

    async def body(h: Handheld) -> None:
        assert await line(h, "SIZE") == "8 4096 (32768, 'journal') 0 0"
        assert await line(h, "READ") == r"b'\xff\xf0abc\xff'"
        assert await line(h, "REFUSED") == "5 22 22 2"
        assert await line(h, "AGAIN") == r"b'\xff1\xff\xff\xff\xff'"

    play(tmp_path, main, body)
    data = image.read_bytes()
    assert data[3 * 4096 + 100 : 3 * 4096 + 102] == b"1\xff"
    assert data[4 * 4096 : 5 * 4096] == bytes(4096) and set(data[: 3 * 4096]) == {0xFF}


def test_a_board_without_the_partition(tmp_path: Path) -> None:
    main = """
from esp32 import Partition
print("FOUND", Partition.find(Partition.TYPE_DATA, label="journal"))
"""

    async def body(h: Handheld) -> None:
        assert await line(h, "FOUND") == "[]"

    play(tmp_path, main, body)


def test_power_cuts_tear_it_too(tmp_path: Path) -> None:
    image = blank(tmp_path)
    main = """
from esp32 import Partition
p = Partition("journal")
for n in range(100):
    p.writeblocks(1, b"abcdefgh", 8 * n)
print("ALIVE")
"""
    make_image(tmp_path, {"/main.py": main})

    async def run() -> None:
        handheld = Handheld(tmp_path)
        # the journal's partition and the file system are one chip: both count
        handheld.cut_power_at(5)
        try:
            await handheld.start()
            await handheld.world.wait_for("power", where=lambda e: e.data["state"] == "cut")
        finally:
            await handheld.stop()

    asyncio.run(run())
    assert image.read_bytes()[4096:].rstrip(b"\xff") == b"abcdefgh" * 4 + b"abcd"


def test_installing_makes_it_and_keeps_it(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    (tree / "flash").mkdir(parents=True)
    (tree / "rom.img").write_bytes(b"rom")
    image, journal = tmp_path / "flash.img", tmp_path / "journal.img"
    prepare(image, tree, None, micropython(), 32)
    assert journal.read_bytes() == b"\xff" * 4096 * JOURNAL_BLOCKS
    with journal.open("r+b") as file:
        file.write(b"records")
    prepare(image, tree, None, micropython(), 32)
    assert journal.read_bytes()[:7] == b"records"
    # a handheld with a new flash is a new handheld
    image.unlink()
    prepare(image, tree, None, micropython(), 32)
    assert journal.read_bytes()[:7] == b"\xff" * 7


def test_the_partition_table() -> None:
    """No gaps, no overlaps, sectors whole, and what the tools make fits in."""
    rows = {}
    end = 0x9000
    for text in (ROOT / "host_tools" / "device" / "partitions.csv").read_text("utf-8").splitlines():
        if text.startswith("#"):
            continue
        name, kind, subtype, offset, size, flags = (part.strip() for part in text.split(","))
        assert int(offset, 16) == end and int(size, 16) % BLOCK_BYTES == 0 and flags == ""
        rows[name] = (kind, subtype, int(size, 16))
        end += int(size, 16)
    assert end == 8 * 1024 * 1024
    assert rows["journal"] == ("data", "0x40", JOURNAL_BLOCKS * BLOCK_BYTES)
    assert rows["romfs"][:2] == ("data", "0x8f") and rows["vfs"][0] == "data"
    assert (build(ROOT / "build" / "device", BOARD) / "rom.img").stat().st_size <= rows["romfs"][2]
