"""The authority's packs, read by other people's libraries: what is in them, and when a new one is signed."""

from __future__ import annotations

import contextlib
import hashlib
import json
import struct
import subprocess
import sys

import cbor2
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from fleetkit import NOW, AppClient

from host_tools import files
from host_tools.authority import revocations
from host_tools.authority.app import Authority, make_app
from host_tools.authority.default_scenes import scene_ids
from host_tools.authority.keys import DAY_S
from host_tools.authority.packs import PackBook, UnknownRoot
from host_tools.authority.revocations import Revocations, Revoked
from host_tools.files import FileTrouble
from host_tools.packfile import PackTrouble, open_manifest
from host_tools.state import State

KEYS, REVOCATIONS, CHANGES, SCENES, ROSTER, SEALING = 1, 2, 3, 4, 8, 9
TYPES = {"subject": 1, "code": 2, "key": 3}


@pytest.fixture
def authority(tmp_path):
    return Authority(State(tmp_path), lambda: NOW)


@pytest.fixture
def book(authority):
    return authority.packs


def sign1(data: bytes, root: bytes) -> tuple[dict, object]:
    """Header and payload of a COSE_Sign1, by cbor2 and cryptography alone. Raises InvalidSignature."""
    protected, unprotected, payload, signature = cbor2.loads(data).value
    assert cbor2.loads(data).tag == 18 and unprotected == {}
    key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), b"\x04" + root)
    r, s = (int.from_bytes(half, "big") for half in (signature[:32], signature[32:]))
    message = cbor2.dumps(["Signature1", protected, b"", payload])
    key.verify(encode_dss_signature(r, s), message, ec.ECDSA(hashes.SHA256()))
    return cbor2.loads(protected), cbor2.loads(payload)


def kid(public: bytes) -> bytes:
    return hashlib.sha256(b"\x04" + public).digest()[:8]


def parts(authority, data: bytes, root: bytes | None = None) -> dict[int, bytes]:
    """The parts of a manifest, every one with the length and the SHA-256 that the manifest says."""
    root = root or authority.keys.root_public
    header, payload = sign1(data, root)
    assert header == {1: -7, 4: kid(root)} and set(payload) == {1, 2, 3, 4}
    found = {}
    for number, length, digest in payload[4]:
        part = authority.packs.part(digest)
        assert (len(part), hashlib.sha256(part).digest()) == (length, digest)
        found[number] = part
    return found


def rows(part: bytes) -> list[tuple[bytes, bytes]]:
    """Keys and values of a table, read by hand."""
    magic, value_bytes, _, count = struct.unpack(">4sHHI", part[:12])
    assert magic == b"YT1\n"
    size = 8 + value_bytes
    found = [(part[at : at + 8], part[at + 8 : at + size]) for at in range(12, 12 + count * size, size)]
    assert found == sorted(found, key=lambda row: row[0])
    return found


def blobs(part: bytes) -> list[tuple[bytes, bytes]]:
    tail = 12 + len(rows(part)) * 16
    places = [(key, *struct.unpack(">II", value)) for key, value in rows(part)]
    return [(key, part[tail + offset : tail + offset + length]) for key, offset, length in places]


def revocation_key(revoked: Revoked) -> bytes:
    return hashlib.sha256(bytes([TYPES[revoked.kind]]) + revoked.identity).digest()[:8]


def subjects(first: int, count: int) -> list[Revoked]:
    return [Revoked("subject", number.to_bytes(16, "big")) for number in range(first, first + count)]


def in_force(found: dict[int, bytes]) -> set[bytes]:
    """What a handheld with these parts takes for revoked."""
    changes = dict(rows(found[CHANGES])) if CHANGES in found else {}
    base = {key for key, _ in rows(found[REVOCATIONS])}
    return (base - set(changes)) | {key for key, value in changes.items() if value == b"\x01"}


def test_what_is_in_a_pack(authority, book):
    issued = book.current(NOW)
    _, payload = sign1(issued.data, authority.keys.root_public)
    assert (payload[1], payload[2], payload[3] - NOW) == (1, NOW, 7 * DAY_S) and len(issued.data) < 4096
    found = parts(authority, issued.data)
    keys = {key: cbor2.loads(blob) for key, blob in blobs(found[KEYS])}
    for issuer in (authority.keys.live, authority.keys.printed, authority.keys.place):
        entry = keys[kid(issuer.public)]
        assert (entry[1], entry[2], entry[3], entry[4]) == (kid(issuer.public), -7, issuer.public, "CN-FJ")
        assert entry[7] == list(issuer.kinds)
    assert len(keys) == 3, "the neighbour's key is not trusted"
    assert dict(blobs(found[SCENES])).keys() == {
        hashlib.sha256(name.encode()).digest()[:8] for name in scene_ids()
    }
    assert in_force(found) == set() and ROSTER not in found and SEALING not in found


def test_when_a_new_one_is_signed(authority, book):
    first = book.current(NOW)
    assert book.current(NOW + 3600).data == first.data
    # Another process, or this one after a restart, gives out the same bytes.
    again = PackBook(book._folder, authority.keys, authority.certificates)
    assert again.current(NOW + 3600).data == first.data
    authority.certificates.add(authority.foreign.certificate_file)
    second = book.current(NOW + 3600)
    assert second.version == 2 and again.current(NOW + 3600).data == second.data
    keys = dict(blobs(parts(authority, second.data)[KEYS]))
    assert cbor2.loads(keys[authority.foreign.kid])[7] == [3]
    # Only what changed is another part.
    assert [k for k, p in parts(authority, second.data).items() if p != parts(authority, first.data)[k]] == [
        KEYS
    ]
    assert book.current(NOW + 3600 + DAY_S // 2).version == 3
    # A clock that was set back does not bring an old version back.
    assert book.current(NOW).version == 4


def test_a_version_is_never_used_twice(authority, book, tmp_path):
    assert book.current(NOW).version == 1
    manifest = book._folder / "manifest.cose"
    for lost in (manifest, *(book._folder / "parts").iterdir()):
        lost.unlink()
        fresh = Authority(State(tmp_path), lambda: NOW)
        version = fresh.packs.current(NOW).version
        assert version > book._issued.version
        parts(fresh, fresh.packs.current(NOW).data)
        book = fresh.packs


def test_a_withdrawn_key(authority, book):
    stolen = authority.keys.live
    book.current(NOW)
    book.withdraw_key(stolen.kid, NOW)
    found = parts(authority, book.current(NOW).data)
    keys = dict(blobs(found[KEYS]))
    assert stolen.kid not in keys and authority.keys.live.kid in keys
    assert in_force(found) == {revocation_key(Revoked("key", stolen.kid))}
    authority.certificates.add(authority.foreign.certificate_file)
    book.withdraw_key(authority.foreign.kid, NOW)
    found = parts(authority, book.current(NOW).data)
    assert authority.foreign.kid not in dict(blobs(found[KEYS])) and len(in_force(found)) == 2
    with pytest.raises(PackTrouble):
        book.withdraw_key(bytes(8), NOW)


def test_issuer_keys_side_by_side(authority, book):
    old = authority.keys.printed
    book.current(NOW)
    new = authority.keys.rotate_issuer("printed", NOW)
    keys = {key: cbor2.loads(blob) for key, blob in blobs(parts(authority, book.current(NOW).data)[KEYS])}
    assert keys[old.kid][6] == NOW + 91 * DAY_S and keys[new.kid][5] <= NOW
    later = NOW + 91 * DAY_S
    assert old.kid not in dict(blobs(parts(authority, book.current(later).data)[KEYS]))


def test_a_new_root(authority, book, tmp_path):
    old = authority.keys.root_public
    first = book.current(NOW)
    new = authority.keys.rotate_root(NOW)
    second = book.current(NOW)
    assert second.version == first.version + 1
    # Who knows the new root gets a plain pack, who pins the old one gets it in the old one's word.
    parts(authority, second.data, new)
    wrapped = book.manifest(NOW, kid(old))
    header, payload = sign1(wrapped, old)
    assert header == {1: -7, 3: "yima-root", 4: kid(old)} and payload == {1: new, 2: second.data}
    assert book.manifest(NOW, kid(new)) == book.manifest(NOW) == second.data
    with pytest.raises(UnknownRoot):
        book.manifest(NOW, bytes(8))
    # From the first root one step leads to the third.
    third = authority.keys.rotate_root(NOW)
    fresh = Authority(State(tmp_path), lambda: NOW).packs
    for earlier in (old, new):
        opened = open_manifest(fresh.manifest(NOW, kid(earlier)), earlier)
        assert opened.root_key == third and opened.manifest.version == 3
    with pytest.raises(InvalidSignature):
        sign1(fresh.manifest(NOW, kid(old)), new)


def test_what_a_root_did_not_sign(authority, tmp_path):
    data = authority.packs.current(NOW).data
    stranger = Authority(State(tmp_path / "stranger"), lambda: NOW).packs.current(NOW).data
    for wrong in (stranger, data[:-1] + bytes([data[-1] ^ 1]), data[:-1], b"", bytes(5000)):
        with pytest.raises(PackTrouble):
            open_manifest(wrong, authority.keys.root_public)


def test_revocations_come_and_go(authority, book):
    mixed = [*subjects(1, 3), Revoked("code", b"12345678"), Revoked("key", b"87654321")]
    assert book.revocations.add(mixed, NOW) == 5 and book.revocations.add(mixed[:2], NOW) == 0
    found = parts(authority, book.current(NOW).data)
    assert in_force(found) == {revocation_key(revoked) for revoked in mixed}
    base = found[REVOCATIONS]
    assert book.revocations.remove([mixed[0], *subjects(90, 1)], NOW) == 1
    found = parts(authority, book.current(NOW).data)
    assert found[REVOCATIONS] == base and in_force(found) == {revocation_key(r) for r in mixed[1:]}
    assert book.revocations.add(mixed[:1], NOW + 5) == 1
    assert Revocations(book._folder).all() == {**dict.fromkeys(mixed[1:], NOW), mixed[0]: NOW + 5}


def test_the_base_is_written_only_when_changes_grow(authority, book, monkeypatch):
    monkeypatch.setattr(revocations, "CHANGES_LIMIT", 10)
    book.revocations.add(subjects(0, 10), NOW)
    found = parts(authority, book.current(NOW).data)
    assert len(rows(found[CHANGES])) == 10 and rows(found[REVOCATIONS]) == []
    book.revocations.add(subjects(10, 1), NOW)
    found = parts(authority, book.current(NOW).data)
    assert CHANGES not in found and len(rows(found[REVOCATIONS])) == 11
    base = found[REVOCATIONS]
    # Taken back is a change too; what is taken back and revoked again is none.
    book.revocations.remove(subjects(0, 4), NOW)
    book.revocations.add(subjects(20, 6), NOW)
    found = parts(authority, book.current(NOW).data)
    assert found[REVOCATIONS] == base
    assert sorted(value for _, value in rows(found[CHANGES])) == [b"\x00"] * 4 + [b"\x01"] * 6
    book.revocations.add(subjects(0, 4), NOW)
    found = parts(authority, book.current(NOW).data)
    assert len(rows(found[CHANGES])) == 6
    assert in_force(found) == {revocation_key(r) for r in (*subjects(0, 11), *subjects(20, 6))}


def test_a_hundred_thousand(authority, book):
    everybody = subjects(0, 100_000)
    assert book.revocations.add(everybody, NOW) == 100_000
    found = parts(authority, book.current(NOW).data)
    assert CHANGES not in found and len(found[REVOCATIONS]) == 12 + 8 * 100_000
    assert in_force(found) == {revocation_key(revoked) for revoked in everybody}
    book.revocations.add(subjects(100_000, 50), NOW)
    found = parts(authority, book.current(NOW).data)
    assert len(found[CHANGES]) == 12 + 9 * 50
    with pytest.raises(FileTrouble, match="room"):
        book.revocations.add(subjects(200_000, 40_000), NOW)
    assert len(book.revocations.all()) == 100_050


def test_half_a_line_at_the_end_of_the_log(book):
    book.revocations.add(subjects(0, 3), NOW)
    log = book._folder / "revocations.log"
    whole = log.read_bytes()
    log.write_bytes(whole[:-7])
    again = Revocations(book._folder)
    assert list(again.all()) == subjects(0, 2)
    assert again.add(subjects(2, 1), NOW) == 1 and log.read_bytes() == whole
    log.write_bytes(whole.replace(b"subject", b"sabject", 1))
    with pytest.raises(FileTrouble, match="line 1"):
        Revocations(book._folder).all()


@pytest.mark.parametrize(("kind", "text"), [("subject", "00"), ("code", "xx" * 8), ("key", "00" * 16)])
def test_what_cannot_be_revoked(kind, text):
    with pytest.raises(FileTrouble, match=f"a {kind} is revoked by"):
        revocations.parse(kind, text)


def test_the_roster(authority, book, tmp_path):
    people = [(number.to_bytes(16, "big"), role) for number, role in enumerate(("staff", "new", "returning"))]
    file = tmp_path / "roster.csv"
    lines = ["sub,role,name", *(f"{sub.hex()},{role},张*三" for sub, role in people)]
    file.write_text("\ufeff" + "\r\n".join(lines), encoding="utf-8")
    assert book.keep_roster(file) == 3
    found = parts(authority, book.current(NOW).data)
    expected = {hashlib.sha256(sub).digest()[:8]: bytes([n]) for n, (sub, _) in enumerate(people, 1)}
    assert dict(rows(found[ROSTER])) == expected
    for wrong in ("", "sub\n", "sub,role\nxy,staff\n", f"sub,role\n{'00' * 16},boss\n", "sub,role\n00,new\n"):
        file.write_text(wrong)
        with pytest.raises(FileTrouble) as caught:
            book.keep_roster(file)
        assert "00" not in str(caught.value).replace(str(file), "")
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(FileTrouble):
        book.keep_roster(file)
    assert dict(rows(parts(authority, book.current(NOW).data)[ROSTER])) == expected
    file.write_text("sub,role\n" + "".join(f"{n:032x},staff\n" for n in range(29_127)))
    with pytest.raises(FileTrouble, match="room"):
        book.keep_roster(file)


def test_the_sealing_key(authority, book):
    public = authority.keys.neighbour.public
    book.keep_sealing_key(public)
    version = book.current(NOW).version
    assert parts(authority, book.current(NOW).data)[SEALING] == public + kid(public)
    book.keep_sealing_key(public)
    assert book.current(NOW).version == version


def test_a_package_file(authority, book):
    package = book.package(NOW)
    data = book.current(NOW).data
    assert package[:4] == b"YPK1" and package[4:8] == len(data).to_bytes(4, "big")
    rest, found = package[8:], {}
    manifest, rest = rest[: len(data)], rest[len(data) :]
    while rest:
        digest, length = rest[:32], int.from_bytes(rest[32:36], "big")
        found[digest] = rest[36 : 36 + length]
        assert hashlib.sha256(found[digest]).digest() == digest
        rest = rest[36 + length :]
    assert manifest == data and set(found.values()) == set(parts(authority, data).values())
    assert len(book.package(NOW, {KEYS})) < len(package)
    old = authority.keys.root_public
    authority.keys.rotate_root(NOW)
    package = book.package(NOW)
    length = int.from_bytes(package[4:8], "big")
    assert sign1(package[8 : 8 + length], old)[0][3] == "yima-root"


def test_over_http(authority):
    client = AppClient(make_app(authority), "http://127.0.0.1:8701")
    answer = client.get("/pack")
    assert answer.headers["content-type"] == "application/cose"
    found = parts(authority, answer.content)
    for part in found.values():
        got = client.get(f"/pack/part/{hashlib.sha256(part).hexdigest()}")
        assert got.content == part and got.headers["content-type"] == "application/octet-stream"
    old = authority.keys.root_kid
    authority.keys.rotate_root(NOW)
    assert sign1(client.get("/pack").content, authority.keys.root_public)[0][4] == authority.keys.root_kid
    assert b"yima-root" in client.get(f"/pack?root={old.hex()}").content
    assert client.get("/pack?root=" + "00" * 8).status_code == 404
    assert client.get("/pack?root=zz").status_code == 422
    for path in ("00" * 32, "..%2fversion", "0" * 63, "../version"):
        assert client.get(f"/pack/part/{path}").status_code in (404, 422)
    assert client.get("/pack", headers={"host": "evil.example"}).status_code == 400


def test_the_folder_is_private(authority, book, tmp_path):
    book.revocations.add(subjects(0, 1), NOW)
    book.current(NOW)
    for path in book._folder.rglob("*"):
        if path.is_file() and path.name != ".lock":
            assert path.stat().st_mode & 0o077 == 0, path
    assert json.loads((tmp_path / "authority" / "ring.json").read_text())[0]["label"] == "root"


class Crash(Exception):
    """The process is gone."""


def crashing(monkeypatch, module: str, after: int) -> None:
    """Every write of `module` from number `after` on ends the process."""
    real = files.write_private
    left = [after]

    def write(path, data):
        if left[0] == 0:
            raise Crash
        left[0] -= 1
        real(path, data)

    monkeypatch.setattr(f"{module}.write_private", write)


def test_a_crash_between_any_two_writes(authority, tmp_path, monkeypatch):
    versions = [authority.packs.current(NOW).version]
    for after in range(4):
        authority.packs.revocations.add(subjects(after, 1), NOW)
        with monkeypatch.context() as broken:
            crashing(broken, "host_tools.authority.packs", after)
            with contextlib.suppress(Crash):
                versions.append(authority.packs.current(NOW).version)
        authority = Authority(State(tmp_path), lambda: NOW)
        versions.append(authority.packs.current(NOW).version)
        found = parts(authority, authority.packs.current(NOW).data)
        assert in_force(found) == {revocation_key(revoked) for revoked in subjects(0, after + 1)}
    assert versions == sorted(versions) and len(set(versions)) >= 5


def test_a_crash_while_the_root_changes(authority, tmp_path, monkeypatch):
    for after in range(3):
        before = authority.keys.root_public
        with monkeypatch.context() as broken:
            crashing(broken, "host_tools.authority.keys", after)
            with contextlib.suppress(Crash):
                authority.keys.rotate_root(NOW)
        authority = Authority(State(tmp_path), lambda: NOW)
        assert authority.keys.root_public in (before, authority.keys.roots[-1].key)
        assert (tmp_path / "authority" / "root.pub").read_text() == authority.keys.root_public.hex()
        opened = open_manifest(authority.packs.manifest(NOW, kid(before)), before)
        assert opened.root_key == authority.keys.root_public


def test_commands_at_the_same_time(tmp_path):
    state = tmp_path / "yima"
    Authority(State(state)).packs.current(NOW)
    argv = [sys.executable, "-m", "host_tools.cli", "pack", "revoke", "--state", str(state), "code"]
    running = [subprocess.Popen([*argv, f"{n:016x}"], stdout=subprocess.PIPE, text=True) for n in range(4)]
    said = [process.communicate(timeout=60)[0] for process in running]
    assert [process.returncode for process in running] == [0] * 4, said
    authority = Authority(State(state))
    assert len(authority.packs.revocations.all()) == 4
    assert len(in_force(parts(authority, authority.packs.current(authority.now_unix()).data))) == 4
