import ym1
from signer import Signer, run
from ym1 import DAY, ISSUER, KID, NOW, claims, code, key, trusting

from firmware.core import base45, cbor, codes, cose, p256, reasons

COMPANION = {1: 0, 2: "李*", 10: b"k" * 16, 4: [2, NOW], 6: [1, 8], 8: ["北京", NOW], 9: "123X"}


def check(text, trust_list=False, now=NOW, verify_steps=p256.verify_steps):
    checked = run(
        codes.check_steps(text, trusting() if trust_list is False else trust_list, now, verify_steps)
    )
    assert (checked.code is None) == (checked.reason != reasons.OK)
    return checked


def reason(text, *arguments):
    return reasons.name_of(check(text, *arguments).reason)


def yes(public_key, digest, signature):
    """Instead of a verifier where signatures are not what is tested."""
    return True
    yield


def unsigned(payload, protected=None, unprotected=None, tag=18):
    """A code with anything in it; for `yes` only."""
    protected = cbor.dumps({1: -7, 4: KID}) if protected is None else protected
    value = [
        protected,
        unprotected or {},
        payload if isinstance(payload, bytes) else cbor.dumps(payload),
        bytes(64),
    ]
    return b"YM1:" + base45.encode(cbor.dumps(cbor.Tag(tag, value) if tag else value)).encode()


def structure(*arguments):
    return reasons.name_of(check(unsigned(*arguments), False, NOW, yes).reason)


def test_good_code():
    got = check(code()).code
    assert got.kind == codes.KIND_LIVE and got.issuer == ym1.NAME and got.kid == KID and got.cti == b"c" * 8
    assert (got.issued_unix, got.expires_unix) == (NOW - 30, NOW + 9 * 3600)
    (person,) = got.people
    assert person.sub == b"s" * 16 and person.name == "张*三" and person.colour == codes.COLOUR_GREEN
    assert person.test == (codes.RESULT_NEGATIVE, NOW - DAY)
    assert person.igg is None and person.groups == [] and person.arrival is None and person.id_tail is None
    assert cbor.loads(got.payload)[codes.CTI] == b"c" * 8


def test_a_live_code_is_small():
    assert len(code()) < 300


def test_printed_code_with_companions():
    health = {1: 2, 3: 1, 5: [1, NOW], 6: [8], 7: [COMPANION], 8: ["武汉", NOW], 9: "004X"}
    got = check(code(claims(health))).code
    assert got.kind == codes.KIND_PAPER
    holder, companion = got.people
    assert holder.colour == codes.COLOUR_ORANGE and holder.igg == (1, NOW) and holder.id_tail == "004X"
    assert holder.groups == [8] and holder.arrival == ("武汉", NOW)
    assert companion.sub == b"k" * 16 and companion.name == "李*" and companion.test == (2, NOW)
    assert companion.groups == [1, 8] and companion.arrival == ("北京", NOW) and companion.id_tail == "123X"


def test_text_that_is_no_code():
    for text in (
        b"",
        b"YM1",
        b"ym1:ABC",
        b"YM2:" + code()[4:],
        b" " + code(),
        b"https://example.org",
        bytes(5000),
    ):
        assert reason(text) == "not_a_code", text


def test_length_is_looked_at_before_the_content():
    assert reason(b"YM1:" + b"0" * 4092) == "damaged"
    assert reason(b"YM1:" + b"0" * 4093) == "too_long"
    assert reason(b"HC1:" + b"\xff" * 9000) == "too_long"


def test_damaged_text():
    text = code()
    for bad in (
        b"YM1:",
        text[:-1],
        text + b"0",
        text + b" ",
        text[:60],
        text[:4] + text[5:],
        text.lower()[4:],
        b"HC1:",
    ):
        assert reason(bad) in ("damaged", "not_a_code"), bad
    assert reason(text[:-1]) == reason(text[:100]) == reason(text + b"000") == "damaged"


def test_untagged_code_is_as_good():
    data = base45.decode(code()[4:])
    assert check(b"YM1:" + base45.encode(data[1:]).encode()).reason == reasons.OK
    assert reason(b"YM1:" + base45.encode(b"\xd8\x3d" + data).encode()) == "damaged"


def test_no_trust_list():
    assert reason(code(), None) == "no_trust_list"
    # What is wrong with the code itself comes first.
    assert reason(b"YM1:000", None) == "damaged"


def test_unknown_issuer():
    assert reason(code(claims(), b"unknown!")) == "unknown_issuer"
    assert reason(code(), trusting(key(kid=b"unknown!"))) == "unknown_issuer"


def test_forged_signatures():
    assert reason(code(claims(), KID, Signer("forger").sign)) == "bad_signature"
    data = bytearray(base45.decode(code()[4:]))
    data[-1] ^= 1
    assert reason(b"YM1:" + base45.encode(bytes(data)).encode()) == "bad_signature"
    # A changed colour.
    one, other = code(claims({1: 2})), code(claims({1: 0}))
    data, green = base45.decode(one[4:]), base45.decode(other[4:])
    mixed = green[:-64] + data[-64:]
    assert reason(b"YM1:" + base45.encode(mixed).encode()) == "bad_signature"


def test_kids_that_meet_by_chance():
    other = Signer("other").public
    assert check(code(), trusting(key(key=other), key())).reason == reasons.OK
    assert check(code(), trusting(key(), key(key=other))).reason == reasons.OK
    assert reason(code(), trusting(key(key=other), key(key=other))) == "bad_signature"


def test_unsupported_keys_are_never_called_forged():
    rsa = key(alg=cose.PS256, key=bytes(256), exponent=65537)
    assert reason(code(), trusting(rsa)) == "unsupported_key"
    assert reason(code(), trusting(key(alg=cose.ES384, key=b""))) == "unsupported_key"
    assert check(code(), trusting(rsa, key())).reason == reasons.OK


def test_algorithm_must_be_the_keys():
    header = cbor.dumps({1: -37, 4: KID})
    assert structure(claims(), header) == "bad_signature"
    assert structure(claims(), cbor.dumps({1: 5, 4: KID})) == "bad_signature"


def test_header_is_held_to_its_form():
    assert structure(claims()) == "ok"
    for header in ({1: -7}, {4: KID}, {1: -7, 4: KID, 3: 0}, {1: "ES256", 4: KID}, {1: -7, 4: "12345678"}):
        assert structure(claims(), cbor.dumps(header)) == "damaged", header
    assert structure(claims(), None, {4: KID}) == "damaged"
    assert structure(claims(), b"") == "damaged"
    assert structure(claims(), None, None, 17) == "damaged"


def test_claims_are_held_to_their_form():
    for name, value in (
        ("ISS", b"x"),
        ("ISS", ""),
        ("ISS", "x" * 65),
        ("SUB", bytes(15)),
        ("SUB", "s" * 16),
        ("EXP", -1),
        ("EXP", 1 << 40),
        ("IAT", "now"),
        ("IAT", None),
        ("CTI", b""),
        ("HEALTH", []),
        ("HEALTH", {}),
    ):
        assert structure(claims(None, **{name: value})) == "damaged", (name, value)
    for field, value in (
        (1, 4),
        (1, True),
        (2, ""),
        (2, "名" * 17),
        (2, b"x"),
        (3, 2),
        (4, [0]),
        (4, [3, 0]),
        (4, [0, 0, 0]),
        (4, {}),
        (5, None),
        (6, []),
        (6, [0]),
        (6, [9]),
        (6, [1] * 9),
        (7, []),
        (7, [COMPANION] * 6),
        (7, [{}]),
        (7, [1]),
        (8, ["x"]),
        (8, ["x" * 49, 0]),
        (8, [0, "x"]),
        (9, "x" * 17),
        (9, 1234),
        (10, b"k" * 16),
        ("1", 0),
    ):
        assert structure(claims({field: value})) == "damaged", (field, value)
    for field, value in ((1, 4), (3, 0), (7, []), (10, b""), (11, 0)):
        companion = dict(COMPANION)
        companion[field] = value
        assert structure(claims({7: [companion]})) == "damaged", field
    for missing in list(claims()):
        assert structure({k: v for k, v in claims().items() if k != missing}) == "damaged", missing
    assert structure(cbor.dumps(claims()) + b"\0") == "damaged"
    assert structure(b"") == structure([]) == "damaged"


def test_issuer_must_be_trusted_for_it():
    for changes in (
        {"kinds": [2]},
        {"kinds": [3]},
        {"not_before_unix": NOW - 29},
        {"not_after_unix": NOW - 31},
        {"not_after_unix": NOW - 1},
        {"issuer": "other"},
    ):
        assert reason(code(), trusting(key(**changes))) == "issuer_not_valid", changes
    assert reason(code(claims({3: 1})), trusting(key(kinds=[1]))) == "issuer_not_valid"
    assert check(code(claims({3: 1})), trusting(key(kinds=[2]))).reason == reasons.OK
    # Without a clock only the time of issue counts.
    assert check(code(), trusting(key(not_after_unix=NOW - 1)), None).reason == reasons.OK
    assert reason(code(), trusting(key(not_after_unix=NOW - 31)), None) == "issuer_not_valid"


def test_expiry_is_not_judged_here():
    assert check(code(claims(None, EXP=NOW - 1000)), trusting(), NOW).reason == reasons.OK


def test_what_would_not_be_accepted_is_not_made():
    for bad in (claims({1: 9}), claims(None, SUB=b""), {}):
        try:
            codes.encode_ym1(bad, KID, ISSUER.sign)
        except codes.CodeError as e:
            assert e.reason == reasons.DAMAGED
            continue
        assert False


def test_a_full_party_still_fits():
    companion = dict(COMPANION)
    companion.update({2: "名" * 16, 5: [0, NOW], 6: [1, 2, 3, 4, 5, 6, 7, 8]})
    health = dict(companion)
    del health[10]
    health[7] = [companion] * 5
    assert len(check(code(claims(health))).code.people) == 6


def test_the_work_comes_in_slices():
    slices = 0
    steps = codes.check_steps(code(), trusting(), NOW, p256.verify_steps)
    try:
        while True:
            assert next(steps) is None
            slices += 1
    except StopIteration:
        pass
    assert slices > 60


def test_a_sample_of_corruptions_never_passes():
    # Every byte in tests/host/test_corruption.py; a few here, so that MicroPython sees some whole.
    text = code()
    for i in range(0, len(text), 11):
        for value in (text[i] ^ 1, 32, 255):
            if value != text[i]:
                changed = text[:i] + bytes([value]) + text[i + 1 :]
                assert check(changed).reason != reasons.OK, (i, value)


def test_what_finds_no_memory_is_refused():
    def full(public_key, digest, signature):
        yield None
        raise MemoryError

    checked = check(code(), False, NOW, full)
    assert checked.code is None and reasons.name_of(checked.reason) == "too_long"
