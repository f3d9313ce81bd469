from signer import Signer, run

from firmware.core import cbor, cose, p256, pack
from firmware.core.hmac256 import sha256
from firmware.core.pack import PackError
from firmware.core.trust import kid_of_key

ROOT = Signer("root")
NEXT = Signer("next root")
ISSUED = 1_790_000_000
EXPIRES = 1_790_604_800
PARTS = [(pack.KEYS, b"keys"), (pack.REVOCATIONS, b"revoked" * 99), (4711, b"of a later time")]


def encoded(root=ROOT, version=7, parts=PARTS):
    return pack.encode_manifest(version, ISSUED, EXPIRES, parts, root.public, root.sign)


def opened(data, root=ROOT):
    return run(pack.open_steps(data, root.public, p256.verify_steps))


def reason(data, root=ROOT):
    """Why a manifest is refused, 0 if it is not."""
    try:
        opened(data, root)
    except PackError as e:
        return e.reason
    return 0


def signed(payload, header=None, unprotected=None, by=ROOT, tag=18):
    """A manifest with any payload, signed all the same."""
    protected = cbor.dumps(header or {1: -7, 4: kid_of_key(by.public)})
    signature = by.sign(cose.sig_structure(protected, payload))
    message = [protected, unprotected or {}, payload, signature]
    return cbor.dumps(cbor.Tag(tag, message) if tag else message)


def wrapped(manifest, by=ROOT, key=NEXT, kind="yima-root", extra=None):
    fields = {1: key.public, 2: manifest}
    fields.update(extra or {})
    return signed(cbor.dumps(fields), {1: -7, 3: kind, 4: kid_of_key(by.public)}, by=by)


def test_round_trip():
    found = opened(encoded())
    assert found.root_key == ROOT.public
    manifest = found
    assert (manifest.version, manifest.issued_unix, manifest.expires_unix) == (7, ISSUED, EXPIRES)
    assert list(manifest.parts()) == [(kind, len(data), sha256(data)) for kind, data in PARTS]
    assert manifest.part(pack.REVOCATIONS) == (693, sha256(b"revoked" * 99))
    assert manifest.part(pack.RULES) is None


def test_another_root_is_refused():
    data = encoded()
    assert reason(data, NEXT) == pack.FOREIGN_ROOT
    sign1 = cose.parse_sign1(data)
    assert reason(cose.encode_sign1(sign1.protected, sign1.payload, b"\x01" * 64)) == pack.BAD_SIGNATURE
    other = cose.parse_sign1(encoded(version=8))
    assert reason(cose.encode_sign1(sign1.protected, other.payload, sign1.signature)) == pack.BAD_SIGNATURE


def test_any_bit_matters():
    data = encoded()
    for i in range(0, len(data), 9):
        assert reason(data[:i] + bytes([data[i] ^ 4]) + data[i + 1 :]), i
    for bad in (data[:-1], data + b"\0", b"", data[1:]):
        assert reason(bad) == pack.MALFORMED


def test_header_is_held_to_the_letter():
    payload = cbor.dumps({1: 1, 2: 0, 3: 0, 4: []})
    kid = kid_of_key(ROOT.public)
    assert reason(signed(payload)) == 0
    for header in ({1: -35, 4: kid}, {1: -7}, {1: -7, 4: kid, 5: 0}, {1: -7, 3: "yima-roof", 4: kid}):
        assert reason(signed(payload, header)), header
    assert reason(signed(payload, {1: -7, 4: b"12345678"})) == pack.FOREIGN_ROOT
    assert reason(signed(payload, None, {4: kid})) == pack.MALFORMED
    assert reason(signed(payload, tag=0)) == pack.MALFORMED and reason(signed(payload, tag=17))


def test_payload_is_held_to_its_form():
    entry = [pack.KEYS, 5, bytes(32)]
    good = {1: 1, 2: 0, 3: 0, 4: [entry]}
    assert reason(signed(cbor.dumps(good))) == 0
    for key, value in (
        (1, -1),
        (1, 1 << 32),
        (2, None),
        (3, True),
        (3, 1 << 32),
        (4, {}),
        (4, [entry, entry]),
        (4, [[i, 1, bytes(32)] for i in range(17)]),
        (4, [entry[:2]]),
        (4, [[1, 5, bytes(31)]]),
        (4, [[1, -5, bytes(32)]]),
        (4, [[0x10000, 5, bytes(32)]]),
        (5, 0),
    ):
        fields = dict(good)
        fields[key] = value
        assert reason(signed(cbor.dumps(fields))) == pack.MALFORMED, (key, value)
    for missing in (1, 2, 3, 4):
        assert reason(signed(cbor.dumps({k: v for k, v in good.items() if k != missing}))) == pack.MALFORMED
    assert reason(signed(b"\xff")) == pack.MALFORMED


def test_limits_of_parts():
    for kind in range(1, 11):
        limit = pack.limit_of(kind)
        assert limit
        at = cbor.dumps({1: 1, 2: 0, 3: 0, 4: [[kind, limit, bytes(32)]]})
        assert reason(signed(at)) == 0
        over = cbor.dumps({1: 1, 2: 0, 3: 0, 4: [[kind, limit + 1, bytes(32)]]})
        assert reason(signed(over)) == pack.PART_TOO_LARGE
    assert pack.limit_of(0) == pack.limit_of(11) == 0
    assert reason(bytes(pack.MAX_MANIFEST + 1)) == pack.MALFORMED
    try:
        encoded(parts=[(pack.SEALING_KEY, bytes(129))])
    except PackError as e:
        assert e.reason == pack.PART_TOO_LARGE
    else:
        assert False


def test_change_of_root():
    inner = encoded(NEXT)
    data = pack.encode_rotation(inner, NEXT.public, ROOT.public, ROOT.sign)
    found = opened(data)
    assert found.root_key == NEXT.public and found.version == 7
    # Who has the new key already checks by that.
    assert opened(data, NEXT).root_key == NEXT.public
    assert opened(inner, NEXT).root_key == NEXT.public
    # Nobody else gets in.
    assert reason(inner) == pack.FOREIGN_ROOT
    assert reason(data, Signer("third")) == pack.FOREIGN_ROOT
    assert reason(wrapped(inner)) == 0


def test_change_of_root_needs_both_signatures():
    inner = encoded(NEXT)
    stranger = Signer("stranger")
    assert reason(wrapped(inner, by=stranger)) == pack.FOREIGN_ROOT
    assert reason(wrapped(inner, key=stranger)) == pack.FOREIGN_ROOT
    assert reason(wrapped(encoded(stranger))) == pack.FOREIGN_ROOT
    # The old root's name under another's signature, and the other way round.
    forged = cose.parse_sign1(wrapped(inner))
    assert reason(cose.encode_sign1(forged.protected, forged.payload, bytes(64))) == pack.BAD_SIGNATURE
    bad = cose.parse_sign1(inner)
    bad = cose.encode_sign1(bad.protected, bad.payload, b"\x01" * 64)
    assert reason(wrapped(bad)) == pack.BAD_SIGNATURE
    # A wrapper that names our own key as the new one is no way around the inner signature.
    assert reason(wrapped(inner, by=stranger, key=ROOT)) == pack.FOREIGN_ROOT
    assert reason(wrapped(bad), NEXT) == pack.BAD_SIGNATURE


def test_change_of_root_is_held_to_its_form():
    inner = encoded(NEXT)
    assert reason(wrapped(inner, kind=3)) == pack.MALFORMED
    assert reason(wrapped(inner, extra={3: 0})) == pack.MALFORMED
    assert reason(wrapped(inner, extra={1: b"short"})) == pack.MALFORMED
    assert reason(wrapped(wrapped(inner))), "wrapped twice"
    assert reason(wrapped(b"")) == pack.MALFORMED and reason(wrapped(b"\xd2")) == pack.MALFORMED


def test_package():
    manifest = encoded()
    data = pack.encode_package(manifest, [part for _, part in PARTS])
    magic, length = pack.package_head(data[:8], False)
    assert magic == b"YPK1"
    assert data[8 : 8 + length] == manifest
    at = 8 + length
    for _, part in PARTS:
        digest, size = pack.package_head(data[at : at + 36], True)
        at += 36 + size
        assert digest == sha256(part) and data[at - size : at] == part
    assert at == len(data)
    for bad in (b"", data[:7], b"YPK2" + data[4:8], b"YPK1" + bytes(4), b"YPK1\0\0\x10\x01"):
        try:
            pack.package_head(bad, False)
        except PackError as e:
            assert e.reason == pack.MALFORMED
        else:
            assert False, bad
    try:
        pack.package_head(bytes(35), True)
    except PackError:
        pass
    else:
        assert False


def test_keys_of_parts():
    assert pack.revocation_key(pack.SUBJECT, b"s" * 16) == sha256(b"\x01" + b"s" * 16)[:8]
    assert pack.revocation_key(pack.CODE, b"s" * 16) != pack.revocation_key(pack.SUBJECT, b"s" * 16)
    assert pack.text_key(1001, 1) == b"\0\0\x03\xe9\0\0\0\1"


def test_every_refusal_has_its_name():
    names = [pack.name_of(number) for number in range(1, 10)]
    assert len(set(names)) == 9
    assert str(PackError(pack.OLDER, "3")) == "pack: older (3)"
