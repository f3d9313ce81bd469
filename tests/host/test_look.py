"""Looking at a journal's image from outside: what lies there, what the keys open, what is damaged."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from sealedkit import SealedHandheld

from firmware.core import record, ring_format
from host_tools.look.journal_view import journal_view
from host_tools.look.ring_image import RingImageError, read_ring
from host_tools.server.sealing_keys import SealingKeys

SECTORS = 8
RECORD_AT = ring_format.SECTOR_HEAD
UNIX = 1_790_000_000


def laid(handheld: SealedHandheld, sizes: list[int], acknowledged: int, start: int = 1) -> bytearray:
    """A ring's image with so many of the handheld's records in each sector, and the acknowledgement last."""
    image = bytearray(b"\xff" * SECTORS * ring_format.SECTOR_BYTES)
    at = 0
    for index, size in enumerate(sizes):
        number = start + index
        data = bytearray(ring_format.encode_sector(number, at + 1, 0, UNIX, handheld.chains[at]))
        head = b""
        for sequence in range(at + 1, at + size + 1):
            if handheld.heads[sequence - 1] != head:
                head = handheld.heads[sequence - 1]
                first = next(s for s, h in enumerate(handheld.heads, 1) if h == head)
                content = struct.pack(">II", first, UNIX) + head
                data += ring_format.frame(number, ring_format.HEAD, content)
            data += ring_format.frame(number, ring_format.RECORD, handheld.sealed[sequence - 1])
        at += size
        if acknowledged and index == len(sizes) - 1:
            data += ring_format.frame(number, ring_format.ACKNOWLEDGED, struct.pack(">I", acknowledged))
        place = number % SECTORS * ring_format.SECTOR_BYTES
        image[place : place + len(data)] = data
    return image


def handheld_with(keys: SealingKeys, count: int, new_segment_at: int = 4) -> SealedHandheld:
    handheld = SealedHandheld("D1", b"s" * 16)
    handheld.begin(*keys.public())
    for sequence in range(1, count + 1):
        if sequence == new_segment_at:
            handheld.begin(*keys.public())
        handheld.write()
    return handheld


def test_records_are_opened_across_sectors_and_segments(keys: SealingKeys) -> None:
    handheld = handheld_with(keys, 7)
    # The second sector lies before the first: the ring has gone round.
    image = bytes(laid(handheld, [3, 2, 2], acknowledged=5, start=SECTORS - 1))
    seen = journal_view(image, keys, 40)
    assert (seen["sectors"], seen["acknowledged"], seen["last"], seen["with_key"]) == (SECTORS, 5, 7, True)
    assert [(row["place"], row["number"], row["records"]) for row in seen["rows"]] == [
        (7, 7, 3),
        (0, 8, 2),
        (1, 9, 2),
    ]
    assert [row["seq"] for row in seen["records"]] == [7, 6, 5, 4, 3, 2, 1]
    assert [row["acknowledged"] for row in seen["records"]] == [False, False] + [True] * 5
    for row in seen["records"]:
        fields = record.decode(handheld.records[row["seq"] - 1])
        assert bytes.fromhex(row["sealed"]) == handheld.sealed[row["seq"] - 1]
        assert row["opened"]["time_unix"] == fields[record.TIME]
        assert (row["opened"]["verdict"], row["opened"]["kind"], row["opened"]["mask"]) == (
            "pass",
            "live",
            "worn",
        )
        assert row["opened"]["body_centi_c"] == 3660 and row["opened"]["sub"] == "000102"
    places = [f.place for s in read_ring(image) for f in s.frames if f.place]
    assert [place.chain_after for place in places] == handheld.chains[1:]


def test_without_keys_or_with_others_it_stays_sealed(keys: SealingKeys, tmp_path: Path) -> None:
    image = bytes(laid(handheld_with(keys, 2), [2], 0))
    closed = journal_view(image, None, 40)
    assert closed["with_key"] is False
    assert {row["why_not"] for row in closed["records"]} == {"no sealing keys here"}
    others = SealingKeys(tmp_path / "others")
    others.public()
    for row in journal_view(image, others, 40)["records"]:
        assert row["opened"] is None and "no key of ours" in row["why_not"]
    assert len(journal_view(image, keys, 1)["records"]) == 1


def test_a_torn_frame_ends_its_sector_and_a_changed_record_stays_closed(keys: SealingKeys) -> None:
    handheld = handheld_with(keys, 3)
    image = laid(handheld, [3], 0)
    sector = read_ring(bytes(image))[0]
    last = sector.frames[-1]
    at = 1 * ring_format.SECTOR_BYTES + last.offset
    image[at + ring_format.FRAME_HEAD + 30] ^= 1
    torn = journal_view(bytes(image), keys, 40)
    assert torn["last"] == 2 and torn["rows"][0]["torn_bytes"] > len(last.content)
    changed = bytearray(last.content)
    changed[-1] ^= 1
    frame = ring_format.frame(sector.number, ring_format.RECORD, bytes(changed))
    image[at : at + len(frame)] = frame
    newest = journal_view(bytes(image), keys, 40)["records"][0]
    assert newest["seq"] == 3 and newest["opened"] is None and "changed" in newest["why_not"]


def test_what_is_no_ring() -> None:
    for image in (b"\xff" * 5000, b"\xff" * (ring_format.SECTOR_BYTES * 4097)):
        with pytest.raises(RingImageError):
            read_ring(image)
    blank = journal_view(b"\xff" * ring_format.SECTOR_BYTES * 4, None, 5)
    assert blank["rows"] == [] and blank["records"] == [] and blank["last"] == 0
    # A sector of another place is left over from another ring.
    stray = bytearray(b"\xff" * ring_format.SECTOR_BYTES * 4)
    stray[: ring_format.SECTOR_HEAD] = ring_format.encode_sector(1, 1, 0, 0, bytes(32))
    assert read_ring(bytes(stray)) == []


def test_events_are_named(keys: SealingKeys) -> None:
    handheld = SealedHandheld("D1", b"s" * 16)
    handheld.begin(*keys.public())
    event = {key: value for key, value in handheld.fields().items() if key <= record.SCENE}
    handheld.append(record.encode({**event, record.EVENT: record.EVENT_PACK, record.DETAIL: "3"}))
    opened = journal_view(bytes(laid(handheld, [1], 0)), keys, 5)["records"][0]["opened"]
    assert (opened["event"], opened["detail"], opened["place"]) == ("pack_installed", "3", "Library")
    assert "verdict" not in opened
