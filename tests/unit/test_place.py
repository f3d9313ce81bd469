from signer import Signer, run
from ym1 import DAY, ISSUER, KID, NAME, NOW, code, key, trusting

from firmware.core import base45, cbor, cose, p256, reasons
from firmware.core.codes import CodeError
from firmware.core.place import PlaceCode, check_place_steps, encode_place
from firmware.core.trust import KIND_LIVE, KIND_PLACE

SIGNING = trusting(key(kinds=[KIND_LIVE, KIND_PLACE]))


def place(**changes):
    fields = {
        "issuer": NAME,
        "place": "101路 闽F12345",
        "scene": "transit",
        "issued_unix": NOW - DAY,
        "expires_unix": NOW + 30 * DAY,
        "cti": b"c" * 8,
    }
    fields.update(changes)
    return PlaceCode(**fields)


def text(sign=ISSUER.sign, **changes):
    return encode_place(place(**changes), KID, sign).encode()


def found(text, trust=SIGNING, now=NOW):
    told, why = run(check_place_steps(text, trust, now, p256.verify_steps))
    assert (told is None) == (why != reasons.OK)
    return told, why


def reason(*arguments, **named):
    return reasons.name_of(found(*arguments, **named)[1])


def test_a_place_is_told():
    told = found(text())[0]
    assert (told.place, told.scene, told.issuer, told.cti) == (place().place, "transit", NAME, b"c" * 8)
    assert len(text()) < 300


def test_who_may_sign_it():
    assert reason(text(), trust=None) == "no_trust_list"
    assert reason(text(), trust=trusting()) == "issuer_not_valid"  # this key signs people's codes only
    assert reason(text(), trust=trusting(key(kid=b"another!", kinds=[KIND_PLACE]))) == "unknown_issuer"
    assert reason(text(issuer="CN-GD")) == "issuer_not_valid"
    assert reason(text(sign=Signer("forger").sign)) == "bad_signature"
    old = trusting(key(kinds=[KIND_PLACE], not_after_unix=NOW - 1))
    assert reason(text(), trust=old) == "issuer_not_valid"


def test_when_it_holds():
    assert reason(text(), now=None) == "clock_untrusted"
    assert reason(text(), now=NOW + 30 * DAY - 1) == "ok"
    assert reason(text(), now=NOW + 30 * DAY) == "expired"
    assert reason(text(issued_unix=NOW + 3600)) == "ok"
    assert reason(text(issued_unix=NOW + 3601)) == "not_yet_valid"


def test_other_texts():
    assert reason(code()) == "not_a_code"
    assert reason(b"YL1:") == reason(b"YL1:x") == "damaged"
    assert reason(b"YL1:" + b"A" * 1021) == "too_long"
    # A person's code under a place's prefix is signed, and still none.
    assert reason(b"YL1:" + code()[4:]) == "damaged"
    good = text()
    for at in range(4, len(good), 7):
        changed = good[:at] + (b"A" if good[at : at + 1] != b"A" else b"B") + good[at + 1 :]
        assert found(changed)[0] is None, at


def test_wrong_claims():
    payload = cbor.loads(cose.parse_sign1(base45.decode(text()[4:])).payload)
    for claim, value in ((1, ""), (2, ""), (2, "x" * 65), (2, 5), (3, "x" * 33), (4, -1), (7, b"c"), (8, 0)):
        fields = dict(payload)
        fields[claim] = value
        protected = cbor.dumps({cose.ALG: cose.ES256, cose.KID: KID})
        data = cbor.dumps(fields)
        signed = cose.encode_sign1(protected, data, ISSUER.sign(cose.sig_structure(protected, data)))
        assert reason(b"YL1:" + base45.encode(signed).encode()) == "damaged", (claim, value)


def test_what_is_none_is_not_encoded():
    for changes in ({"place": ""}, {"scene": "x" * 33}, {"cti": b""}):
        try:
            text(**changes)
        except CodeError:
            continue
        assert False, changes
