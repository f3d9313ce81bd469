"""Packages by file and by sheet on a real VfsLfs2: taken, refused with their reasons, cut in between."""

import asyncio
import os

import pack_rig as rig
import ramflash

from firmware.core import pack
from firmware.core.sheet import encode_frames
from firmware.services.intake import Intake

BUFFER = bytearray(64 * ramflash.BLOCK_BYTES)


def fresh(version=1):
    flash = ramflash.RamFlash(64, BUFFER)
    ramflash.format(flash)
    ramflash.mount(flash)
    rig.provision()
    packs = rig.started()
    if version:
        rig.install(packs, version)
    return flash, packs, Intake(packs, "/flash", lambda: rig.NOW)


def package(version, extra=0, kinds=(pack.KEYS, pack.REVOCATIONS, pack.ROSTER), data=None):
    parts = rig.parts_of(version, extra)
    chosen = [part for kind, part in parts if kind in kinds]
    return pack.encode_package(data or rig.manifest_of(version, parts), chosen)


def put(data):
    with open("/flash/inbox.ypk", "wb") as file:
        file.write(data)


def look(intake):
    asyncio.run(intake.look())


def inboxes():
    return sorted(name for name in os.listdir("/flash") if name.startswith("inbox"))


# --- by file


def test_a_file_is_taken():
    _, packs, intake = fresh(0)
    look(intake)
    assert packs.current is None
    put(package(1))
    look(intake)
    assert rig.issuer_of(packs) == 1 and inboxes() == [] and intake.refused == 0
    # What is here already need not come along; what comes along all the same is passed over.
    put(package(2, 2000, (pack.KEYS, pack.REVOCATIONS)))
    look(intake)
    assert rig.issuer_of(packs) == 2
    put(package(3, 0))
    look(intake)
    assert rig.issuer_of(packs) == 3 == rig.issuer_of(rig.started())


def test_a_file_is_refused_with_its_reason():
    _, packs, intake = fresh(5)
    good = package(6)
    wrong = bytearray(good)
    # In the revocations: the part before is here by then.
    wrong[good.find(b"YT1\n", good.find(b"YT1\n") + 1) + 15] ^= 1
    for data, expected in (
        (package(5), pack.OLDER),
        (package(6, 0, (pack.KEYS,)), pack.PART_MISSING),
        (bytes(wrong), pack.PART_DAMAGED),
        (good[:-1], pack.MALFORMED),
        (good + b"\0", pack.MALFORMED),
        (good[:30], pack.MALFORMED),
        (b"", pack.MALFORMED),
        (b"junk" * 99, pack.MALFORMED),
        (package(6, data=rig.manifest_of(6, root=rig.NEXT)), pack.FOREIGN_ROOT),
        (package(6, data=rig.manifest_of(6, expires_unix=rig.NOW)), pack.EXPIRED),
    ):
        put(data)
        look(intake)
        assert intake.refused == expected, (intake.refused, expected)
        assert rig.issuer_of(packs) == 5 and inboxes() == ["inbox.bad"]
    put(good)
    look(intake)
    assert rig.issuer_of(packs) == 6 and intake.refused == 0


def test_a_change_of_root_by_file():
    _, packs, intake = fresh(1)
    put(package(2, data=rig.rotated(2)))
    look(intake)
    assert rig.issuer_of(packs) == 2 and packs._settings.get("root_key") == rig.NEXT.public


def test_every_cut_of_a_file():
    """The file is taken at the next start, or was taken already."""
    flash, _, _ = fresh(1)
    put(package(2, 2100))
    base = bytes(flash.data)
    at = 0
    while True:
        at += 5
        flash = ramflash.RamFlash(64, bytearray(base))
        ramflash.mount(flash)
        packs = rig.started()
        intake = Intake(packs, "/flash", lambda: rig.NOW)
        flash.operations = 0
        flash.cut_at = at
        try:
            look(intake)
        except (ramflash.PowerCut, OSError):
            pass
        packs.current.close()
        if not flash.dead:
            break
        ramflash.mount(ramflash.RamFlash(64, flash.data))
        packs = rig.started()
        assert rig.issuer_of(packs) in (1, 2)
        look(Intake(packs, "/flash", lambda: rig.NOW))
        assert rig.issuer_of(packs) == 2 == rig.issuer_of(rig.started()) and inboxes() in ([], ["inbox.bad"])
        packs.current.close()
    assert at > 50


# --- by sheet


def shuffled(texts):
    order = sorted(range(len(texts)), key=lambda i: i * 7919 % 31)
    return [texts[i].encode() for i in order]


def test_a_sheet_in_any_order_with_repeats():
    for piece_bytes in (600, 222):
        _, packs, intake = fresh(1)
        texts = shuffled(encode_frames(package(2, 300), piece_bytes))
        assert len(texts) > 4
        for count, text in enumerate(texts):
            assert intake.progress[0] == count
            look(intake)
            assert rig.issuer_of(packs) == 1
            assert intake.take(text) == (count + 1, len(texts))
            assert intake.take(texts[0]) == (count + 1, len(texts)), "repeats change nothing"
        look(intake)
        assert rig.issuer_of(packs) == 2 and intake.progress == (0, 0)
        assert "sheet" not in os.listdir("/flash")


def test_what_is_no_frame_changes_nothing():
    _, _, intake = fresh(1)
    assert intake.take(b"YS1:junk") == (0, 0) == intake.progress
    texts = shuffled(encode_frames(package(2), 200))
    intake.take(texts[0])
    for bad in (b"", b"YS1:", texts[1][:-3], texts[1] + b"0", b"YM1:" + texts[1][4:]):
        assert intake.take(bad) == (1, len(texts))


def test_another_sheet_begins_anew():
    _, packs, intake = fresh(1)
    first, second = (shuffled(encode_frames(package(version), 200)) for version in (2, 3))
    assert intake.take(first[0])[0] == 1 and intake.take(first[1])[0] == 2
    for count, text in enumerate(second):
        assert intake.take(text)[0] == count + 1
    look(intake)
    assert rig.issuer_of(packs) == 3


def test_a_sheet_of_one_frame():
    _, packs, intake = fresh(1)
    parts = rig.parts_of(1)
    (text,) = encode_frames(pack.encode_package(rig.manifest_of(2, parts), []))
    assert intake.take(text.encode()) == (1, 1)
    look(intake)
    assert packs.current.version == 2, "the same parts under a newer manifest"


def test_a_sheet_is_refused_like_a_file():
    _, packs, intake = fresh(5)
    for text in encode_frames(package(4)):
        intake.take(text.encode())
    look(intake)
    assert intake.refused == pack.OLDER and rig.issuer_of(packs) == 5 and intake.progress == (0, 0)


def test_a_restart_begins_the_sheet_anew():
    _, packs, intake = fresh(1)
    texts = shuffled(encode_frames(package(2), 200))
    intake.take(texts[0])
    again = Intake(packs, "/flash", lambda: rig.NOW)
    assert again.progress == (0, 0) and again.take(texts[1]) == (1, len(texts))


def test_flash_that_fails():
    flash, _, intake = fresh(1)
    texts = shuffled(encode_frames(package(2), 200))
    intake.take(texts[0])
    flash.failing = True
    assert intake.take(texts[1]) == (0, 0)
    flash.failing = False
    assert intake.take(texts[1]) == (1, len(texts))
    ramflash.unmount()
