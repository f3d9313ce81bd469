"""The authority's town, codes and certificates, read back by other people's libraries."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import zlib

import base45
import cbor2
import pytest
import zxingcpp
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from fleetkit import NOW, AppClient
from PIL import Image

from host_tools import pki
from host_tools.authority import pictures, town
from host_tools.authority.app import Authority, make_app
from host_tools.authority.trust import issuer_key, load_certificates
from host_tools.files import FileTrouble
from host_tools.packfile import PackTrouble
from host_tools.state import State

HEALTH = -65537
DAY_S = 86_400


class Clock:
    def __init__(self, now: int) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock(NOW)


@pytest.fixture
def authority(tmp_path, clock):
    return Authority(State(tmp_path), clock)


@pytest.fixture
def client(authority):
    return AppClient(make_app(authority), "http://127.0.0.1:8701")


def verify_es256(public: bytes, message: bytes, signature: bytes) -> None:
    """Raises InvalidSignature."""
    key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), b"\x04" + public)
    numbers = (int.from_bytes(half, "big") for half in (signature[:32], signature[32:]))
    key.verify(encode_dss_signature(*numbers), message, ec.ECDSA(hashes.SHA256()))


def opened(text: str, public: bytes) -> tuple[dict, dict]:
    """Header and claims of a YM1 code, by cbor2, base45 and cryptography alone. Raises InvalidSignature."""
    assert text.startswith("YM1:")
    value = cbor2.loads(base45.b45decode(text[4:]))
    assert value.tag == 18
    protected, unprotected, payload, signature = value.value
    assert unprotected == {}
    verify_es256(public, cbor2.dumps(["Signature1", protected, b"", payload]), signature)
    return cbor2.loads(protected), cbor2.loads(payload)


def shown(authority, person_id, medium=None):
    return authority.show(authority.town.find(person_id), medium)


def test_the_same_seed_gives_the_same_town():
    assert town.build() == town.build() == town.build(town.SEED)
    other = town.build(1)
    assert [p.id for p in other.people] == [p.id for p in town.build().people]
    assert [p.sub for p in other.people] != [p.sub for p in town.build().people]
    subs = [q.sub for p in town.build().people for q in (p, *p.companions)]
    assert len(set(subs)) == len(subs) and {len(sub) for sub in subs} == {16}
    for person in town.build().people:
        assert "*" in person.name and len(person.id_tail) == 4


def test_live_and_printed_codes(authority):
    live = shown(authority, "teacher")
    header, claims = opened(live.text, authority.keys.live.public)
    assert header == {1: -7, 4: hashlib.sha256(b"\x04" + authority.keys.live.public).digest()[:8]}
    person = authority.town.find("teacher")
    assert claims[1] == "CN-FJ" and claims[2] == person.sub and len(claims[7]) == 8
    assert claims[6] == NOW and 0 < claims[4] - NOW <= DAY_S
    # It ends with the day in China.
    assert (claims[4] + 8 * 3600) % DAY_S == 0
    health = claims[HEALTH]
    assert health == {1: 0, 2: person.name, 3: 0, 4: [0, NOW - 2 * DAY_S], 6: [6]}
    assert len(live.text) < 300 and pictures.version(live.text) <= 10
    _, printed = opened(shown(authority, "teacher", "paper").text, authority.keys.printed.public)
    assert printed[HEALTH][3] == 1 and printed[HEALTH][9] == person.id_tail
    # Every code has an id of its own, and the live key does not sign paper.
    assert opened(shown(authority, "teacher").text, authority.keys.live.public)[1][7] != claims[7]
    with pytest.raises(InvalidSignature):
        opened(shown(authority, "teacher", "paper").text, authority.keys.live.public)


def test_what_the_others_show(authority, clock):
    keys = authority.keys
    _, mother = opened(shown(authority, "mother").text, keys.live.public)
    assert [c[2] for c in mother[HEALTH][7]] == [c.name for c in authority.town.find("mother").companions]
    assert len(shown(authority, "mother").text) < 500
    assert shown(authority, "grandfather", "live").medium is town.Medium.PAPER
    assert opened(shown(authority, "orange").text, keys.live.public)[1][HEALTH][1] == 2
    assert opened(shown(authority, "positive").text, keys.live.public)[1][HEALTH][4][0] == 1
    assert opened(shown(authority, "arrival").text, keys.live.public)[1][HEALTH][8] == ["CN-HL", NOW - 72_000]
    assert opened(shown(authority, "screenshot").text, keys.live.public)[1][6] == NOW - 1200
    _, old = opened(shown(authority, "yesterday").text, keys.live.public)
    assert old[6] < old[4] <= NOW
    assert opened(shown(authority, "neighbour").text, keys.neighbour.public)[1][1] == "CN-GD"
    with pytest.raises(InvalidSignature):
        opened(shown(authority, "forger").text, keys.live.public)
    assert shown(authority, "poster").text.startswith("https://")
    # A moment before midnight a code can still be shown.
    clock.now = opened(shown(authority, "teacher").text, keys.live.public)[1][4] - 1
    assert opened(shown(authority, "teacher").text, keys.live.public)[1][4] > clock.now + 60


def test_the_foreign_certificate(authority):
    text = shown(authority, "visitor").text
    certificate = x509.load_pem_x509_certificate(authority.foreign.certificate_file.read_bytes())
    value = cbor2.loads(zlib.decompress(base45.b45decode(text.removeprefix("HC1:"))))
    protected, _, payload, signature = value.value
    digest = hashlib.sha256(certificate.public_bytes(serialization.Encoding.DER)).digest()
    assert cbor2.loads(protected) == {1: -7, 4: digest[:8]}
    public = pki.public_bytes(certificate.public_key())
    verify_es256(public, cbor2.dumps(["Signature1", protected, b"", payload]), signature)
    claims = cbor2.loads(payload)
    assert claims[4] > NOW > claims[6] and claims[-260][1]["nam"]["fnt"] == "BEISPIEL"


def test_pictures_hold_the_text(authority):
    for person in authority.town.people:
        text = authority.show(person, None).text
        found = zxingcpp.read_barcodes(Image.open(io.BytesIO(pictures.png(text))))
        assert [code.text for code in found] == [text], person.id
        # A health code is alphanumeric throughout, which scanners pass on unchanged.
        if text.startswith("YM1:"):
            assert pictures._qr(text).mode == "alphanumeric"


def certificate(key) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COUNTRY_NAME, "XY")])
    made = pki.self_signed(ec.generate_private_key(ec.SECP256R1()), "x", "XY", 30)
    builder = x509.CertificateBuilder(
        name, name, key.public_key(), 7, made.not_valid_before_utc, made.not_valid_after_utc
    )
    return builder.sign(key, None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256())


def test_kinds_of_certificates():
    key = rsa.generate_private_key(65537, 2048)
    entry = issuer_key(certificate(key))
    assert (entry.alg, entry.exponent, int.from_bytes(entry.key, "big")) == (
        -37,
        65537,
        key.public_key().public_numbers().n,
    )
    assert entry.usable() and not issuer_key(certificate(rsa.generate_private_key(65537, 1024))).usable()
    entry = issuer_key(certificate(ec.generate_private_key(ec.SECP384R1())))
    assert (entry.alg, entry.key, entry.exponent) == (-35, b"", None)
    with pytest.raises(PackTrouble):
        issuer_key(certificate(ed25519.Ed25519PrivateKey.generate()))


def test_certificate_files(tmp_path):
    made = [certificate(ec.generate_private_key(ec.SECP256R1())) for _ in range(3)]
    bundle = tmp_path / "bundle.pem"
    bundle.write_bytes(b"".join(c.public_bytes(serialization.Encoding.PEM) for c in made))
    assert load_certificates(bundle) == made
    one = tmp_path / "one.der"
    one.write_bytes(made[0].public_bytes(serialization.Encoding.DER))
    assert load_certificates(one) == made[:1]
    for content in (b"", b"hello", one.read_bytes()[:-1], b"-----BEGIN CERTIFICATE-----\nAA", bytes(1000)):
        bad = tmp_path / "bad"
        bad.write_bytes(content)
        with pytest.raises(PackTrouble, match="bad"):
            load_certificates(bad)
    bad.write_bytes(bytes(300_000))
    with pytest.raises(FileTrouble, match="larger"):
        load_certificates(bad)
    with pytest.raises(FileTrouble, match="nowhere"):
        load_certificates(tmp_path / "nowhere")


def test_all_or_nothing_of_a_bundle(authority, tmp_path):
    good = certificate(ec.generate_private_key(ec.SECP256R1()))
    bad = certificate(ed25519.Ed25519PrivateKey.generate())
    bundle = tmp_path / "bundle.pem"
    bundle.write_bytes(b"".join(c.public_bytes(serialization.Encoding.PEM) for c in (good, bad)))
    before = authority.packs.current(NOW).data
    with pytest.raises(PackTrouble):
        authority.certificates.add(bundle)
    assert authority.packs.current(NOW).data == before


def test_keys_are_private_and_stay(authority, tmp_path, clock):
    for path in tmp_path.rglob("*.key"):
        assert path.stat().st_mode & 0o077 == 0, path
    clock.now += 1000
    again = Authority(State(tmp_path), clock)
    assert again.keys.root_public == authority.keys.root_public
    assert again.keys.live.public == authority.keys.live.public
    # Validity does not move with a restart: the pack stays the same bytes.
    assert again.packs.current(NOW).data == authority.packs.current(NOW).data
    (tmp_path / "authority" / "root.key").write_text("nonsense")
    with pytest.raises(FileTrouble, match=r"root\.key"):
        Authority(State(tmp_path), clock)


def test_pages_and_api(client, authority):
    page = client.get("/").text
    people = client.get("/api/people").json()
    assert [p["id"] for p in people] == [p.id for p in authority.town.people]
    for person in people:
        assert person["name"] in page and f"/wallet/{person['id']}" in page
    # Neither pseudonym nor ID number leaves by the lists.
    text = json.dumps(people) + page
    for person in authority.town.people:
        assert person.sub.hex() not in text and f'"{person.id_tail}"' not in text
    wallet = client.get("/wallet/mother")
    assert "绿码" in wallet.text and "data:image/svg" in wallet.text
    for companion in authority.town.find("mother").companions:
        assert companion.name in wallet.text
    code = client.get("/api/people/teacher/code?medium=live").json()
    opened(code["text"], authority.keys.live.public)
    picture = Image.open(io.BytesIO(base64.b64decode(code["png_base64"])))
    assert zxingcpp.read_barcodes(picture)[0].text == code["text"]
    answer = client.get("/api/people/grandfather/code.png?medium=live")
    assert answer.headers["content-type"] == "image/png"
    read = zxingcpp.read_barcodes(Image.open(io.BytesIO(answer.content)))[0].text
    assert opened(read, authority.keys.printed.public)[1][HEALTH][3] == 1


def test_what_is_not_there(client):
    for path in ("/wallet/nobody", "/api/people/nobody/code", "/api/people/nobody/code.png", "/wallet/%00"):
        answer = client.get(path)
        assert answer.status_code == 404 and answer.json()["status"] == 404
    assert client.get("/api/people/teacher/code?medium=stone").status_code == 422
    assert client.get("/pack", headers={"host": "evil.example"}).status_code == 400
    assert client.post("/api/people").status_code == 405
    assert "unsafe" not in client.get("/").headers["content-security-policy"]


def test_two_processes_agree_on_a_key(tmp_path):
    first = pki.load_or_create_key(tmp_path / "a.key")
    assert pki.public_bytes(pki.load_or_create_key(tmp_path / "a.key").public_key()) == pki.public_bytes(
        first.public_key()
    )
