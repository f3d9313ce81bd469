from signer import Signer, run

from firmware.core import cbor, cose, p256, trust
from firmware.core.trust import IssuerKey, TrustError

ROOT = Signer("root")
ISSUER = Signer("issuer").public


def issuer_key(**changes):
    fields = {
        "kid": trust.kid_of_key(ISSUER),
        "alg": cose.ES256,
        "key": ISSUER,
        "issuer": "福建省",
        "not_before_unix": 1590000000,
        "not_after_unix": 1690000000,
        "kinds": [trust.KIND_LIVE, trust.KIND_PAPER],
    }
    fields.update(changes)
    return IssuerKey(**fields)


def encoded(keys, root=ROOT):
    return trust.encode_trust(3, 1590000000, 1600000000, keys, root.public, root.sign)


def opened(data, root=ROOT.public):
    return run(trust.open_steps(data, root, p256.verify_steps))


def refused(data, root=ROOT.public):
    try:
        opened(data, root)
    except TrustError:
        return True
    return False


def changed(fields, key, value):
    fields = dict(fields)
    fields[key] = value
    return fields


def signed(payload, header=None, unprotected=None):
    """A list with any payload, signed all the same."""
    protected = cbor.dumps(header or {1: -7, 4: trust.kid_of_key(ROOT.public)})
    signature = ROOT.sign(cose.sig_structure(protected, payload))
    return cbor.dumps(cbor.Tag(18, [protected, unprotected or {}, payload, signature]))


def test_round_trip():
    rsa = issuer_key(
        kid=b"rsa-rsa-", alg=cose.PS256, key=b"\xc1" * 256, exponent=65537, kinds=[trust.KIND_DCC]
    )
    other = issuer_key(kid=b"p384p384", alg=cose.ES384, key=b"", kinds=[trust.KIND_DCC])
    found = opened(encoded([issuer_key(), rsa, other]))
    assert (found.version, found.issued_unix, found.expires_unix) == (3, 1590000000, 1600000000)
    assert len(found.keys) == 3
    (key,) = found.find(trust.kid_of_key(ISSUER))
    assert key.key == ISSUER and key.issuer == "福建省" and key.kinds == [1, 2] and key.exponent is None
    assert (key.not_before_unix, key.not_after_unix, key.alg) == (1590000000, 1690000000, -7)
    (key,) = found.find(b"rsa-rsa-")
    assert key.exponent == 65537 and len(key.key) == 256
    assert found.find(b"p384p384")[0].key == b""
    assert found.find(b"nobody--") == []


def test_kids_that_meet_by_chance_are_both_found():
    found = opened(encoded([issuer_key(), issuer_key(issuer="other")]))
    assert [key.issuer for key in found.find(trust.kid_of_key(ISSUER))] == ["福建省", "other"]


def test_another_root_is_refused():
    data = encoded([issuer_key()])
    assert not refused(data)
    assert refused(data, Signer("other").public)
    assert refused(encoded([issuer_key()], Signer("other")))
    # Right kid, wrong signature.
    sign1 = cose.parse_sign1(data)
    assert refused(cose.encode_sign1(sign1.protected, sign1.payload, b"\x01" * 64))
    assert refused(cose.encode_sign1(sign1.protected, sign1.payload + b"", sign1.signature[:63]))


def test_any_bit_matters():
    data = encoded([issuer_key()])
    for i in range(0, len(data), 9):
        assert refused(data[:i] + bytes([data[i] ^ 4]) + data[i + 1 :]), i
    assert refused(data[:-1]) and refused(data + b"\0") and refused(b"")


def test_header_is_held_to_the_letter():
    payload = cbor.dumps({1: 1, 2: 0, 3: 0, 4: []})
    kid = trust.kid_of_key(ROOT.public)
    assert not refused(signed(payload))
    for header in ({1: -35, 4: kid}, {1: -7}, {1: -7, 4: kid, 3: 0}, {1: -7, 4: b"12345678"}):
        assert refused(signed(payload, header)), header
    assert refused(signed(payload, None, {4: kid}))


def test_payload_is_held_to_its_form():
    entry = {1: b"k" * 8, 2: -7, 3: ISSUER, 4: "i", 5: 0, 6: 1, 7: [1]}
    good = {1: 1, 2: 0, 3: 0, 4: [entry]}
    assert not refused(signed(cbor.dumps(good)))
    for key, value in ((1, -1), (1, "1"), (2, None), (3, True), (4, {}), (4, [1]), (5, 0)):
        assert refused(signed(cbor.dumps(changed(good, key, value)))), (key, value)
    for key, value in (
        (1, b"k" * 7),
        (2, "ES256"),
        (3, ISSUER[:63]),
        (4, b"i"),
        (4, "i" * 65),
        (5, -1),
        (6, "1"),
        (7, []),
        (7, [0]),
        (7, [5]),
        (7, [1, 2, 3, 4, 1]),
        (8, 3),
        (9, 0),
    ):
        assert refused(signed(cbor.dumps(changed(good, 4, [changed(entry, key, value)])))), (key, value)
    for missing in (1, 2, 3, 4):
        assert refused(signed(cbor.dumps({k: v for k, v in good.items() if k != missing})))


def test_limits():
    assert refused(bytes(trust.MAX_BYTES + 1))
    many = [issuer_key(alg=cose.ES384, key=b"", issuer="i", not_before_unix=0)] * 1025
    try:
        encoded(many)
    except TrustError:
        pass
    else:
        assert False
    assert len(opened(encoded(many[:1024])).keys) == 1024


def test_what_would_not_be_accepted_is_not_made():
    for bad in (issuer_key(kid=b"short"), issuer_key(kinds=[]), issuer_key(exponent=3), issuer_key(key=b"")):
        try:
            encoded([bad])
        except TrustError:
            continue
        assert False
