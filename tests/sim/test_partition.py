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


JOURNAL_MAIN = """
import cryptolib, esp32, os
from firmware.core import cbor
from firmware.core.seal import Segment, SegmentKey
from firmware.services.journal import Journal
class Keys:
    kid = b"sealkey1"
    ready = True
    def prepare_steps(self):
        yield None
    def begin(self, device, first):
        key = SegmentKey(os.urandom(16), os.urandom(64), os.urandom(13), self.kid)
        return Segment(cryptolib.aes, key, device, first)
partition = esp32.Partition.find(esp32.Partition.TYPE_DATA, label="journal")[0]
journal = Journal(partition, Keys(), lambda: "device-1", lambda: 0)
journal.open()
print("HELD", journal.acked, journal.next_seq - 1)
while True:
    first = journal.next_seq
    journal.append_all([cbor.dumps({1: first + n, 2: "x" * 300}) for n in range(1 + first % 3)])
    print("PROMISED", journal.acked, journal.next_seq - 1)
    if first % 7 == 0:
        journal.acknowledge(first)
    for _ in journal.tend_steps():
        pass
"""
MODULES = (
    *(f"core/{name}" for name in ("cbor", "ccm", "errors", "hkdf", "hmac256", "p256", "record")),
    *(f"core/{name}" for name in ("record", "ring_format", "seal", "shape")),
    *(f"services/{name}" for name in ("journal", "ring")),
)


def test_the_sealed_journal_on_the_board(tmp_path: Path) -> None:
    """Power cuts in the middle of an erase or program: what was promised is there at the next start."""
    blank(tmp_path, 6)
    files = {f"/firmware/{m}.py": (ROOT / "firmware" / f"{m}.py").read_text("utf-8") for m in MODULES}
    make_image(tmp_path, {"/main.py": JOURNAL_MAIN, **files}, 160)

    async def run() -> None:
        handheld = Handheld(tmp_path, heap="2M")
        promised = (0, 0)
        try:
            for cut in (1, 2, 3, 7, 20, 21, 22, 23, 24, 50):
                mark = handheld.world.last_event
                handheld.cut_power_at(cut)
                await handheld.start()
                held = await handheld.world.wait_for(
                    "console", after=mark, where=lambda e: e.data["line"].startswith("HELD")
                )
                acked, last = map(int, held.data["line"].split()[1:])
                assert acked >= promised[0] and last >= promised[1]
                # the party that was under way may be there, nothing else
                assert last <= promised[1] + 3
                await handheld.world.wait_for("power", after=mark, where=lambda e: e.data["state"] == "cut")
                lines = [line for line in handheld.console if line.startswith(("HELD", "PROMISED"))]
                promised = tuple(map(int, lines[-1].split()[1:]))
        finally:
            await handheld.stop()
        assert promised[1] > 60

    asyncio.run(run())


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
