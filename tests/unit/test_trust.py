from firmware.core import cbor, cose, trust
from firmware.core.trust import IssuerKey, TrustError, encode_issuer_key, parse_issuer_key

ISSUER = bytes(range(64))


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


def refused(data):
    try:
        parse_issuer_key(data)
    except TrustError:
        return True
    return False


def test_round_trip():
    key = parse_issuer_key(encode_issuer_key(issuer_key()))
    assert key.key == ISSUER and key.issuer == "福建省" and key.kinds == [1, 2] and key.exponent is None
    assert (key.not_before_unix, key.not_after_unix, key.alg) == (1590000000, 1690000000, -7)
    rsa = issuer_key(alg=cose.PS256, key=b"\xc1" * 256, exponent=65537, kinds=[trust.KIND_DCC])
    key = parse_issuer_key(encode_issuer_key(rsa))
    assert key.exponent == 65537 and len(key.key) == 256 and key.usable()
    other = issuer_key(alg=cose.ES384, key=b"", kinds=[trust.KIND_DCC, trust.KIND_PLACE])
    key = parse_issuer_key(encode_issuer_key(other))
    assert key.key == b"" and key.kinds == [3, 4] and not key.usable()


def test_form():
    good = {1: b"k" * 8, 2: -7, 3: ISSUER, 4: "i", 5: 0, 6: 1, 7: [1]}
    assert not refused(cbor.dumps(good))
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
        fields = dict(good)
        fields[key] = value
        assert refused(cbor.dumps(fields)), (key, value)
    for missing in good:
        assert refused(cbor.dumps({k: v for k, v in good.items() if k != missing})), missing
    data = cbor.dumps(good)
    for bad in (b"", data[:-1], data + b"\0", b"\xff", cbor.dumps([good]), bytes(2000)):
        assert refused(bad)


def test_what_would_not_be_accepted_is_not_made():
    for bad in (issuer_key(kid=b"short"), issuer_key(kinds=[]), issuer_key(exponent=3), issuer_key(key=b"")):
        try:
            encode_issuer_key(bad)
        except TrustError:
            continue
        assert False
