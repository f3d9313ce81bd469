"""What handhelds seal, opened by others: `cryptography`, cbor2, and cwt as a whole COSE implementation."""

from __future__ import annotations

import random
from hashlib import sha256
from pathlib import Path

import cbor2
import pytest
from batch import INTERPRETERS, has_native_code, run
from conftest import need
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESCCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cwt import COSE, COSEKey
from test_formats import valid

from host_tools.server import opener

KID = b"sealkey1"
WAYS = [("micropython", "native"), ("micropython", "portable"), ("cpython", "portable")]


class Sealed:
    """A segment as one of the interpreters sealed it."""

    def __init__(
        self, private: ec.EllipticCurvePrivateKey, device: str, first: int, seed: bytes, answer: str
    ):
        head, records, chain = answer.split(" ")
        self.private, self.device, self.first = private, device, first
        self.head = bytes.fromhex(head)
        self.records = [bytes.fromhex(record) for record in records.split(",")]
        self.chain_before = sha256(seed).digest()
        self.chain_after = bytes.fromhex(chain)


def raw(private: ec.EllipticCurvePrivateKey) -> bytes:
    numbers = private.public_key().public_numbers()
    return numbers.x.to_bytes(32, "big") + numbers.y.to_bytes(32, "big")


def sealed_by(
    interpreter: str,
    engine: str,
    folder: Path,
    cases: list[tuple[int, str, int, list[bytes]]],
    kid: bytes = KID,
) -> list[Sealed]:
    lines, made = [], []
    for number, (secret, device, first, records) in enumerate(cases):
        private = ec.derive_private_key(secret, ec.SECP256R1())
        seed = b"seed %d" % number
        row = raw(private).hex(), kid.hex(), device.encode().hex(), str(first), seed.hex()
        lines.append(" ".join(row) + " " + ",".join(record.hex() for record in records))
        made.append((private, device, first, seed))
    answers = run(interpreter, "seal_batch.py", lines, folder, engine, heap="4M")
    return [Sealed(*case, answer) for case, answer in zip(made, answers, strict=True)]


@pytest.fixture(scope="module")
def segment(tmp_path_factory: pytest.TempPathFactory) -> Sealed:
    records = [b"record %d" % i * (i + 1) for i in range(6)]
    return sealed_by("cpython", "portable", tmp_path_factory.mktemp("s"), [(77, "device-7", 41, records)])[0]


@pytest.mark.parametrize("interpreter", INTERPRETERS)
def test_ccm_and_hkdf_agree_with_cryptography(interpreter: str, tmp_path: Path) -> None:
    rng = random.Random(57)
    lines, expected = [], []
    sizes = [*range(70), 255, 256, 512, *(rng.randrange(2000) for _ in range(30))]
    for size in sizes:
        key, nonce, plaintext = rng.randbytes(16), rng.randbytes(13), rng.randbytes(size)
        data = rng.randbytes(rng.randrange(120))
        lines.append(f"{key.hex()} {nonce.hex()} {data.hex()} {plaintext.hex()}")
        derived = HKDF(SHA256(), 1 + size % 100, nonce, data).derive(plaintext)
        sealed = AESCCM(key, tag_length=8).encrypt(nonce, plaintext, data)
        expected.append(f"{sealed.hex()} {derived.hex()}")
    assert run(interpreter, "ccm_batch.py", lines, tmp_path) == expected


@pytest.mark.parametrize(("interpreter", "engine"), WAYS)
def test_opens_what_was_sealed(interpreter: str, engine: str, tmp_path: Path) -> None:
    if engine == "native":
        need(has_native_code(), 12, "no native code emitter in this MicroPython")
    rng = random.Random(58)
    cases = []
    for number in range(12):
        records = [rng.randbytes(rng.choice((1, 15, 16, 17, 120, 511, 512))) for _ in range(1 + number)]
        first = rng.choice((1, 255, 256, 65536, 0xFFFFFF00))
        cases.append((rng.randrange(1, 1 << 255), f"设备-{number}" * (1 + number % 3), first, records))
    for made, (*_, records) in zip(sealed_by(interpreter, engine, tmp_path, cases), cases, strict=True):
        items = [made.head, *made.records]
        followed = opener.follow(items, made.first, made.chain_before, made.device)
        assert followed[-1].chain_after == made.chain_after
        whole = opener.Segment(made.private, opener.parse_head(made.head))
        for place, record in zip(followed, records, strict=True):
            assert whole.open(place.sealed, place.chain_before) == record
            assert opener.open_record(made.private, made.head, place.sealed, place.chain_before) == record
            assert len(place.sealed) <= len(record) + 23


def second_opener(private: ec.EllipticCurvePrivateKey, head: bytes, sealed: bytes, chain: bytes) -> bytes:
    """Straight from RFC 9052 and 9053, without a line of the project's code."""
    message = cbor2.loads(head)
    assert message.tag == 96
    protected, unprotected, _, recipients = message.value
    device, first = cbor2.loads(protected)[-65537]
    recipient_protected, recipient, _ = recipients[0]
    assert cbor2.loads(recipient_protected)[4] == KID
    cose_key = recipient[-1]
    numbers = ec.EllipticCurvePublicNumbers(
        int.from_bytes(cose_key[-2], "big"), int.from_bytes(cose_key[-3], "big"), ec.SECP256R1()
    )
    shared = private.exchange(ec.ECDH(), numbers.public_key())
    context = cbor2.dumps([10, [None] * 3, [None] * 3, [128, recipient_protected]])
    key = HKDF(SHA256(), 16, b"\0" * 32, context).derive(shared)
    record_protected, record_unprotected, ciphertext = cbor2.loads(sealed)
    partial = record_unprotected[6]
    padded = bytes(13 - len(partial)) + partial
    nonce = bytes(a ^ b for a, b in zip(padded, unprotected[5], strict=True))
    outside = cbor2.dumps([device, first, int.from_bytes(partial, "big"), chain])
    data = cbor2.dumps(["Encrypt0", record_protected, outside])
    return AESCCM(key, tag_length=8).decrypt(nonce, ciphertext, data)


def test_a_second_opener_agrees(segment: Sealed) -> None:
    for place in opener.follow(
        [segment.head, *segment.records], segment.first, segment.chain_before, segment.device
    ):
        plain = second_opener(segment.private, segment.head, place.sealed, place.chain_before)
        index = place.sequence - segment.first
        assert plain == b"record %d" % index * (index + 1)


def test_a_cose_library_opens_the_head(segment: Sealed) -> None:
    def key(private: ec.EllipticCurvePrivateKey) -> COSEKey:
        encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
        pem = private.private_bytes(encoding, form, serialization.NoEncryption())
        return COSEKey.from_pem(pem, kid=KID, alg="ECDH-ES+HKDF-256")

    context = [10, [None] * 3, [None] * 3, [128, cbor2.dumps({1: -25, 4: KID})]]
    assert COSE.new().decode(segment.head, keys=[key(segment.private)], context=context) == b""
    with pytest.raises(Exception, match=r"."):
        other = ec.derive_private_key(78, ec.SECP256R1())
        COSE.new().decode(segment.head, keys=[key(other)], context=context)


def test_another_key_opens_nothing(segment: Sealed) -> None:
    other = ec.derive_private_key(78, ec.SECP256R1())
    with pytest.raises(opener.CannotOpenError):
        opener.Segment(other, opener.parse_head(segment.head))
    with pytest.raises(opener.CannotOpenError):
        opener.open_record(other, segment.head, segment.records[0], segment.chain_before)


def test_every_changed_bit_is_noticed(segment: Sealed) -> None:
    for data, is_head in ((segment.head, True), (segment.records[0], False)):
        for at in range(len(data) * 8):
            bad = bytearray(data)
            bad[at // 8] ^= 1 << at % 8
            head, sealed = (bytes(bad), segment.records[0]) if is_head else (segment.head, bytes(bad))
            with pytest.raises(opener.OpenerError):
                opener.open_record(segment.private, head, sealed, segment.chain_before)


def test_out_of_its_place(segment: Sealed) -> None:
    items = [segment.head, *segment.records]
    places = opener.follow(items, segment.first, segment.chain_before, segment.device)
    whole = opener.Segment(segment.private, opener.parse_head(segment.head))
    for place in places:
        for other in places:
            if other is not place:
                with pytest.raises(opener.CannotOpenError):
                    whole.open(place.sealed, other.chain_before)


def test_batches_that_do_not_hold_together(segment: Sealed, tmp_path: Path) -> None:
    def follow(items: list[bytes], first: int = segment.first, **more: bytes) -> list[opener.Followed]:
        return opener.follow(items, first, segment.chain_before, segment.device, **more)

    head, records = segment.head, segment.records
    other = sealed_by("cpython", "portable", tmp_path, [(77, "device-7", 40, records[:3])])[0]
    later = sealed_by("cpython", "portable", tmp_path, [(77, "device-7", 43, records[:3])])[0]
    foreign = sealed_by("cpython", "portable", tmp_path, [(77, "device-8", 41, records[:3])])[0]
    assert len(follow([head, *records])) == 6
    assert follow([]) == [] and follow([head]) == []
    # the segment's rest after a restart of the server's, with the head once more
    assert len(follow([head, *records[2:]], 43, head_before=head)) == 4
    # and a new segment behind it
    assert [p.head.first for p in follow([head, *records[:2], later.head, *later.records])] == [
        41,
        41,
        43,
        43,
        43,
    ]
    for bad in (
        records,
        [head, *records[1:]],
        [head, records[1], records[0]],
        [head, records[0], records[0]],
        [head, records[0], records[2]],
        [later.head, *records],
        [foreign.head, *records],
        [head, *records[:2], other.head, *records[2:]],
        [head, b"junk"],
        [head[:-1], *records],
    ):
        with pytest.raises(opener.OpenerError):
            follow(bad)
    with pytest.raises(opener.OpenerError):
        follow([other.head, *records[2:]], 43, head_before=head)


def test_strange_bytes(segment: Sealed) -> None:
    rng = random.Random(59)
    for data in (segment.head, segment.records[3]):
        for _ in range(2000):
            bad = bytearray(data[: rng.randrange(len(data) + 1)] + rng.randbytes(rng.randrange(3)))
            for _ in range(rng.randrange(4)):
                if bad:
                    bad[rng.randrange(len(bad))] = rng.randrange(256)
            for parse in (opener.parse_head, opener.parse_sealed):
                try:
                    parse(bytes(bad))
                except opener.OpenerError:
                    pass
    with pytest.raises(opener.OpenerError, match="too long"):
        opener.parse_head(bytes(193))
    with pytest.raises(opener.OpenerError, match="too long"):
        opener.parse_sealed(bytes(536))


def test_the_published_form(segment: Sealed) -> None:
    """Against the CDDL of docs/formats.md; embedded parts by themselves, as test_formats.py says."""
    head = cbor2.loads(segment.head).value
    recipient_protected = head[3][0][0]
    context = [10, [None] * 3, [None] * 3, [128, recipient_protected]]
    outside = [segment.device, segment.first, segment.first + 3, segment.chain_before]
    good = {
        "segment-head": segment.head,
        "head-header": head[0],
        "recipient-header": recipient_protected,
        "sealed-record": segment.records[3],
        "record-header": cbor2.loads(segment.records[3])[0],
        "external-data": cbor2.dumps(outside),
        "kdf-context": cbor2.dumps(context),
    }
    for rule, data in good.items():
        assert valid("sealed", rule, data), rule
    bad = {
        "segment-head": segment.head[2:],
        "head-header": cbor2.dumps({1: 10, -65537: [segment.device]}),
        "recipient-header": cbor2.dumps({1: -26, 4: KID}),
        "sealed-record": cbor2.dumps([b"", {6: bytes(4)}]),
        "record-header": cbor2.dumps({1: 11}),
        "external-data": cbor2.dumps(outside[:3]),
        "kdf-context": cbor2.dumps(context[:3]),
    }
    for rule, data in bad.items():
        assert not valid("sealed", rule, data), rule
