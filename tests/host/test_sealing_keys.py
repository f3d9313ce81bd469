"""The server's sealing keys: made once, kept private, changed without losing what is on its way."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from test_opener import Sealed, raw, sealed_by

from firmware.core import trust
from host_tools.files import FileTrouble
from host_tools.server import opener, sealing_keys
from host_tools.server.sealing_keys import SealingKeys


def sealed_for(keys: SealingKeys, folder: Path, device: str = "device-1", count: int = 3) -> Sealed:
    """Records sealed for the key that is current, by the firmware's own code."""
    _, kid = keys.public()
    pem = (folder / f"{kid.hex()}.key").read_bytes()
    private = serialization.load_pem_private_key(pem, None)
    assert isinstance(private, ec.EllipticCurvePrivateKey)
    secret = private.private_numbers().private_value
    records = [b"record %d" % n for n in range(count)]
    made = sealed_by("cpython", "portable", folder, [(secret, device, 1, records)], kid)[0]
    assert raw(private) == keys.public()[0]
    return made


def follow(made: Sealed) -> list[opener.Followed]:
    return opener.follow([made.head, *made.records], made.first, made.chain_before, made.device)


def test_a_key_is_made_once(tmp_path: Path) -> None:
    folder = tmp_path / "sealing"
    public, kid = SealingKeys(folder).public()
    assert kid == trust.kid_of_key(public) and len(public) == 64
    assert SealingKeys(folder).public() == (public, kid)
    for path in folder.iterdir():
        if path.name != ".lock":
            assert path.stat().st_mode & 0o077 == 0
    assert sorted(p.name for p in folder.iterdir()) == sorted([".lock", f"{kid.hex()}.key", "current"])


def test_opens_what_was_sealed_for_any_of_its_keys(tmp_path: Path) -> None:
    keys = SealingKeys(tmp_path)
    old = sealed_for(keys, tmp_path)
    before = keys.public()
    assert keys.rotate() != before and keys.public() != before
    new = sealed_for(keys, tmp_path, "device-2")
    for made in (old, new):
        for again in (keys, SealingKeys(tmp_path)):
            assert [again.open(place) for place in follow(made)] == [b"record 0", b"record 1", b"record 2"]


def test_another_server_opens_nothing(tmp_path: Path) -> None:
    ours, theirs = SealingKeys(tmp_path / "ours"), SealingKeys(tmp_path / "theirs")
    made = sealed_for(ours, tmp_path / "ours")
    theirs.public()
    with pytest.raises(opener.CannotOpenError, match="no key of ours"):
        theirs.open(follow(made)[0])


def test_few_segments_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealing_keys, "MAX_SEGMENTS", 2)
    keys = SealingKeys(tmp_path)
    made = [sealed_for(keys, tmp_path, f"device-{n}", 1) for n in range(4)]
    for _ in range(2):
        for one in made:
            assert keys.open(follow(one)[0]) == b"record 0"
    assert len(keys._segments) == 2


def test_damaged_folders(tmp_path: Path) -> None:
    keys = SealingKeys(tmp_path)
    _, kid = keys.public()
    path = tmp_path / f"{kid.hex()}.key"
    other = SealingKeys(tmp_path / "other")
    other_path = tmp_path / "other" / f"{other.public()[1].hex()}.key"
    rsa_like = ec.generate_private_key(ec.SECP384R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    sound = path.read_bytes()
    for content, what in (
        (b"", "no private key"),
        (os.urandom(200), "no private key"),
        (other_path.read_bytes(), "another key"),
        (rsa_like, "not a key on P-256"),
        (sound * 40, "larger"),
    ):
        path.write_bytes(content)
        with pytest.raises(FileTrouble, match=what):
            SealingKeys(tmp_path).public()
    path.write_bytes(sound)
    (tmp_path / "current").write_text("nonsense")
    with pytest.raises(FileTrouble, match="names no key"):
        SealingKeys(tmp_path).public()
