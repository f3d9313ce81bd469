"""`yima pack`: what it prints and writes, and that a handheld's own code takes it."""

from __future__ import annotations

import hashlib
import io
import json
import re

import pytest
import zxingcpp
from fleetkit import NOW

from firmware.core import cbor, pack, sheet
from firmware.core.packmemory import in_memory
from firmware.core.packview import Pack
from firmware.services.pin import pin_hash
from host_tools import cli
from host_tools.authority import sheets
from host_tools.authority.app import Authority
from host_tools.authority.revocations import Revoked
from host_tools.packfile import PackTrouble, open_manifest
from host_tools.state import State


@pytest.fixture
def yima(capsys, tmp_path):
    """Runs `yima pack …` over one folder: status, what it printed, what it complained about."""

    def run(*arguments: object) -> tuple[int, str, str]:
        argv = ["pack", *map(str, arguments), "--state", str(tmp_path / "yima")]
        status = cli.main(argv)
        said = capsys.readouterr()
        return status, said.out, said.err

    assert run("build")[1] == "pack version 1\n"
    return run


@pytest.fixture
def state(tmp_path):
    return State(tmp_path / "yima")


def opened(package: bytes, root: bytes) -> Pack:
    """A package file as a handheld takes it apart."""
    length = pack.package_head(package[: pack.PACKAGE_HEAD], False)[1]
    at = pack.PACKAGE_HEAD + length
    manifest = open_manifest(package[pack.PACKAGE_HEAD : at], root).manifest
    parts = []
    while at < len(package):
        digest, size = pack.package_head(package[at : at + pack.PART_HEAD], True)
        at += pack.PART_HEAD
        parts.append(package[at : at + size])
        assert hashlib.sha256(parts[-1]).digest() == digest
        at += size
    return in_memory(manifest, parts)


def package(yima, state, tmp_path) -> Pack:
    assert yima("file", tmp_path / "out.ypk")[0] == 0
    root = bytes.fromhex(state.root_public_key.read_text())
    return opened((tmp_path / "out.ypk").read_bytes(), root)


def kid_of(yima, word: str) -> str:
    return re.search(rf"^(\w{{16}})  CN-FJ +{word},", yima("show")[1], re.M)[1]


def test_what_is_shown(yima):
    status, out, err = yima("show")
    assert status == 0 and err == "" and out.startswith("version 1, issued ")
    for word in ("part keys", "part scenes", "part rules", "live", "printed", "place", "revoked codes: 0"):
        assert word in out


def test_a_file_that_a_handheld_reads(yima, state, tmp_path):
    found = package(yima, state, tmp_path)
    assert found.scene("transit").mask_implied and len(found.scene_ids()) == 8
    assert list(found.rules()) and found.damaged == 0
    key = found.find(bytes.fromhex(kid_of(yima, "live")))[0]
    assert key.issuer == "CN-FJ" and key.kinds == [1]


def test_revoking(yima, state, tmp_path):
    sub, cti = bytes(range(16)), bytes(range(8))
    assert yima("revoke", "subject", sub.hex())[1] == "1 revoked\npack version 2\n"
    assert yima("revoke", "code", cti.hex(), cti.hex(), "ff" * 8)[1] == "2 revoked\npack version 3\n"
    assert yima("revoke", "code", cti.hex())[1] == "0 revoked\npack version 3\n"
    found = package(yima, state, tmp_path)
    assert found.revoked(pack.SUBJECT, sub) and found.revoked(pack.CODE, cti)
    assert not found.revoked(pack.SUBJECT, bytes(16)) and not found.revoked(pack.KEY, cti)
    (tmp_path / "list").write_text(f"{cti.hex()}\n{'ff' * 8}\n")
    assert yima("unrevoke", "code", "--file", tmp_path / "list")[1] == "2 taken back\npack version 4\n"
    assert not package(yima, state, tmp_path).revoked(pack.CODE, cti)
    for wrong in (("code", "xyz"), ("subject", "00"), ("code",), ("key", "00" * 8)):
        status, out, err = yima("revoke", *wrong)
        assert (status, out) == (2, "") and err.startswith("yima: ") and err.count("\n") == 1


def test_withdrawing_a_key(yima, state, tmp_path):
    stolen = kid_of(yima, "printed")
    assert yima("withdraw-key", stolen)[1] == "pack version 2\n"
    found = package(yima, state, tmp_path)
    assert found.find(bytes.fromhex(stolen)) == [] and found.revoked(pack.KEY, bytes.fromhex(stolen))
    assert kid_of(yima, "printed") != stolen
    assert yima("withdraw-key", "00" * 8)[0] == 2


def test_changing_keys(yima, state, tmp_path):
    old_root = bytes.fromhex(state.root_public_key.read_text())
    old_live = kid_of(yima, "live")
    assert yima("rotate-issuer", "live")[0] == 0
    assert yima("show")[1].count(" live,") == 2 and package(yima, state, tmp_path).find(
        bytes.fromhex(old_live)
    )
    assert yima("rotate-root")[1].endswith("pack version 3\n")
    assert yima("file", tmp_path / "new.ypk")[0] == 0
    data = (tmp_path / "new.ypk").read_bytes()
    new_root = bytes.fromhex(state.root_public_key.read_text())
    # Holders of the old root and of the new one take the same file.
    assert new_root != old_root and opened(data, old_root).version == opened(data, new_root).version == 3


def test_a_sheet_is_read_back(yima, state, tmp_path):
    part = Authority(state)
    whole = part.packs.package(part.now_unix())
    pages = sheets.sheet_pages(whole, "数据包 Pack 1")
    texts = [code.text for page in pages for code in zxingcpp.read_barcodes(page.picture().convert("L"))]
    frames = [sheet.parse_frame(text.encode()) for text in texts]
    assert len(frames) == frames[0][2] and len(pages) == (len(frames) + 5) // 6
    assert b"".join(piece for _, _, _, piece in sorted(frames, key=lambda f: f[1])) == whole
    status, out, _ = yima("sheet", tmp_path / "out.pdf")
    assert status == 0 and f"{len(whole)} bytes" in out
    data = (tmp_path / "out.pdf").read_bytes()
    assert data.startswith(b"%PDF-") and data.count(b"/Type /Page\n") == len(pages)


def test_a_sheet_of_some_parts(yima, state, tmp_path):
    part = Authority(state)
    part.packs.revocations.add([Revoked("subject", n.to_bytes(16, "big")) for n in range(20_000)], NOW)
    status, _, err = yima("sheet", tmp_path / "out.pdf")
    assert status == 2 and "--only" in err
    assert yima("sheet", tmp_path / "out.pdf", "--only", "keys", "scenes")[0] == 0
    with pytest.raises(PackTrouble):
        sheets.sheet_pages(b"", "nothing")


def test_rules_of_ones_own(yima, state, tmp_path):
    before = list(package(yima, state, tmp_path).rules())
    rule = {
        "id": "closed",
        "reason": 1001,
        "logic": True,
        "zh": "今日闭馆\n明日再来",
        "en": "closed today\ncome tomorrow",
    }
    (tmp_path / "rules.json").write_text(json.dumps({"rules": ["default", rule]}), encoding="utf-8")
    (tmp_path / "sets.json").write_text(json.dumps({"colours": ["green", "blue"]}))
    assert yima("rules", tmp_path / "rules.json", "--value-sets", tmp_path / "sets.json")[0] == 0
    found = package(yima, state, tmp_path)
    assert list(found.rules())[:-1] == before
    assert found.text(1001, "zh") == ("今日闭馆", "明日再来")
    assert found.text(1001, "en") == ("closed today", "come tomorrow")
    assert cbor.loads(found.value_set("colours").data) == ["blue", "green"]
    assert yima("rules", "default")[1] == "pack version 3\n"
    found = package(yima, state, tmp_path)
    assert (
        list(found.rules()) == before
        and found.text(1001, "zh") is None
        and found.value_set("colours") is None
    )
    (tmp_path / "rules.json").write_text("[1]")
    assert yima("rules", tmp_path / "rules.json")[0] == 2


def test_the_pin(yima, state, tmp_path, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("132231\n"))
    assert yima("pin")[1] == "pack version 2\n"
    kept = package(yima, state, tmp_path).config()[1]
    assert len(kept) == 24 and kept == pin_hash(b"\x00\x02\x01\x01\x02\x00", kept[:8])
    for wrong in ("12312", "123456", "１２３１２３", ""):
        monkeypatch.setattr("sys.stdin", io.StringIO(wrong))
        status, _, err = yima("pin")
        assert status == 2 and "six" not in err and (not wrong or wrong not in err)


def test_roster_and_sealing_key(yima, state, tmp_path):
    (tmp_path / "roster.csv").write_text(f"sub,role\n{'00' * 16},returning\n")
    assert yima("roster", tmp_path / "roster.csv")[1] == "1 people\npack version 2\n"
    key = Authority(state).keys.neighbour.public
    (tmp_path / "key").write_text(key.hex())
    assert yima("sealing-key", tmp_path / "key")[1] == "pack version 3\n"
    found = package(yima, state, tmp_path)
    assert found.role(bytes(16)) == pack.RETURNING and found.role(b"x" * 16) == pack.VISITOR
    assert found.sealing_key()[0] == key
    (tmp_path / "key").write_text("hello")
    assert yima("sealing-key", tmp_path / "key")[0] == 2
