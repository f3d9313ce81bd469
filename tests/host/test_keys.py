"""The authority's keys lie locked, are changed side by side, and open in other people's tools."""

from __future__ import annotations

import io
import shutil
import subprocess

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from fleetkit import NOW

from host_tools import pki
from host_tools.authority import locked_key
from host_tools.authority.keys import DAY_S, KIND_PLACE, Keys
from host_tools.authority.locked_key import FILE_VARIABLE, VARIABLE, Passphrases, lock_key
from host_tools.files import FileTrouble


@pytest.fixture(autouse=True)
def nobody_says_a_passphrase(monkeypatch):
    for name in (VARIABLE, FILE_VARIABLE):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("random", [True, False])
def test_others_open_what_is_locked(tmp_path, random):
    key = ec.generate_private_key(ec.SECP256R1())
    pem = lock_key(key, Passphrases("通行 pass".encode(), random))
    opened = serialization.load_pem_private_key(pem, "通行 pass".encode())
    assert opened.private_numbers() == key.private_numbers()
    for wrong in (b"", b"other", None):
        with pytest.raises((ValueError, TypeError)):
            serialization.load_pem_private_key(pem, wrong)
    if (openssl := shutil.which("openssl")) is not None:
        path = tmp_path / "key.pem"
        path.write_bytes(pem)
        said = subprocess.run([openssl, "asn1parse", "-in", path], capture_output=True, text=True, check=True)
        assert ":scrypt" in said.stdout and ":aes-256-cbc" in said.stdout
        assert (
            subprocess.run([openssl, "pkey", "-in", path, "-passin", "pass:通行 pass", "-noout"]).returncode
            == 0
        )


def test_a_generated_passphrase_is_said_once(tmp_path, capsys):
    keys = Keys(tmp_path, NOW)
    said = capsys.readouterr().err
    assert VARIABLE in said and str(tmp_path / "passphrase") in said
    assert (tmp_path / "passphrase").read_text().strip() not in said
    files = list(tmp_path.rglob("*.key"))
    assert len(files) == 5
    for path in [*files, tmp_path / "passphrase", tmp_path / "ring.json"]:
        assert path.stat().st_mode & 0o077 == 0, path
    assert all(b"BEGIN ENCRYPTED PRIVATE KEY" in path.read_bytes() for path in files)
    again = Keys(tmp_path, NOW + 99)
    assert (again.root_public, again.live.kid) == (keys.root_public, keys.live.kid)
    assert capsys.readouterr().err == ""


def test_unlocked_keys_of_earlier_versions_are_locked(tmp_path):
    root, live = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    (tmp_path / "root.key").write_bytes(pki.key_pem(root))
    (tmp_path / "issuer-live.key").write_bytes(pki.key_pem(live))
    (tmp_path / "issuer-live.since").write_text("1234")
    keys = Keys(tmp_path, NOW)
    assert keys.root_public == pki.public_bytes(root.public_key())
    assert keys.live.public == pki.public_bytes(live.public_key()) and keys.live.not_before_unix == 1234
    left = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert b"BEGIN PRIVATE KEY" not in left
    assert (tmp_path / "root.pub").read_text() == keys.root_public.hex()


def test_another_passphrase_takes_over(tmp_path, monkeypatch):
    root = Keys(tmp_path, NOW).root_public
    monkeypatch.setenv(VARIABLE, "what the director knows")
    assert Keys(tmp_path, NOW).root_public == root
    assert not (tmp_path / "passphrase").exists()
    # The generated one opens nothing any more, and neither does anyone who knows nothing.
    monkeypatch.setenv(VARIABLE, "a guess")
    with pytest.raises(FileTrouble, match="does not open"):
        Keys(tmp_path, NOW)
    monkeypatch.delenv(VARIABLE)
    monkeypatch.setattr(locked_key.sys, "stdin", io.StringIO())
    with pytest.raises(FileTrouble, match=VARIABLE):
        Keys(tmp_path, NOW)
    (tmp_path / "said").write_text("what the director knows\n")
    monkeypatch.setenv(FILE_VARIABLE, str(tmp_path / "said"))
    assert Keys(tmp_path, NOW).root_public == root


def test_old_and_new_issuer_keys_side_by_side(tmp_path):
    keys, other = Keys(tmp_path, NOW), Keys(tmp_path, NOW)
    old = other.live
    new = keys.rotate_issuer("live", NOW)
    assert new.kid != old.kid
    # Another process sees it without being told.
    assert other.live.kid == new.kid
    trusted = {entry.kid: entry for entry in other.trusted(NOW)}
    assert {old.kid, new.kid} <= set(trusted)
    assert trusted[old.kid].not_after_unix == NOW + 2 * DAY_S < trusted[new.kid].not_after_unix
    later = {entry.kid for entry in other.trusted(NOW + 2 * DAY_S)}
    assert new.kid in later and old.kid not in later
    with pytest.raises(FileTrouble, match="live, printed"):
        keys.rotate_issuer("root", NOW)


def test_a_withdrawn_key_stops_at_once(tmp_path):
    keys = Keys(tmp_path, NOW)
    stolen = keys.printed
    assert keys.withdraw(stolen.kid, NOW) and not keys.withdraw(stolen.kid, NOW)
    assert not keys.withdraw(bytes(8), NOW)
    again = Keys(tmp_path, NOW)
    assert again.printed.kid != stolen.kid
    assert stolen.kid not in {entry.kid for entry in again.trusted(NOW)}
    assert [entry.kid for entry in again.withdrawn] == [stolen.kid]
    assert keys.place.kinds == (KIND_PLACE,)


def test_the_root_changes_and_the_old_one_stays_to_vouch(tmp_path):
    keys = Keys(tmp_path, NOW)
    old = keys.root_public
    new = keys.rotate_root(NOW)
    again = Keys(tmp_path, NOW)
    assert again.root_public == new != old
    assert [entry.key for entry in again.roots] == [old, new]
    assert pki.public_bytes(again.root_private(again.roots[0]).public_key()) == old
    assert (tmp_path / "root.pub").read_text() == new.hex()


@pytest.mark.parametrize("content", ["", "{}", "[1]", '[{"label": "root"}]', "[" * 10_000])
def test_a_ring_that_cannot_be_read(tmp_path, content):
    Keys(tmp_path, NOW)
    (tmp_path / "ring.json").write_text(content)
    with pytest.raises(FileTrouble, match=r"ring\.json"):
        Keys(tmp_path, NOW)


def test_a_key_that_was_put_in_anothers_place(tmp_path):
    Keys(tmp_path, NOW)
    shutil.copy(tmp_path / "issuer-neighbour.key", tmp_path / "issuer-live.key")
    with pytest.raises(FileTrouble, match=r"issuer-live\.key"):
        Keys(tmp_path, NOW)
