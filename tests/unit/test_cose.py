from binascii import hexlify, unhexlify

from firmware.core import cbor, cose
from firmware.core.hmac256 import sha256

# The layout of the COSE working group's example ecdsa-sig-01: protected header {1: -7}.
PROTECTED = unhexlify("a10126")
CONTENT = b"This is the content."


def refused(data, parse=cose.parse_sign1):
    try:
        parse(data)
    except cose.CoseError:
        return True
    return False


def test_sig_structure_of_rfc_9052():
    want = b"\x84\x6aSignature1\x43\xa1\x01\x26\x40\x54" + CONTENT
    assert cose.sig_structure(PROTECTED, CONTENT) == want
    sign1 = cose.parse_sign1(cose.encode_sign1(PROTECTED, CONTENT, bytes(64)))
    assert cose.sign1_digest(sign1) == sha256(want)


def test_sign1_round_trip():
    data = cose.encode_sign1(PROTECTED, CONTENT, b"s" * 64)
    assert data[0] == 0xD2
    for form in (data, data[1:]):
        sign1 = cose.parse_sign1(form)
        assert sign1.protected == PROTECTED and sign1.header == {cose.ALG: cose.ES256}
        assert sign1.unprotected == {} and sign1.payload == CONTENT and sign1.signature == b"s" * 64


def test_protected_bytes_stay_as_received():
    # {1: -7} with its key written long: the digest must cover these very bytes.
    odd = unhexlify("a1180126")
    sign1 = cose.parse_sign1(cose.encode_sign1(odd, CONTENT, bytes(64)))
    assert sign1.header == {1: -7} and sign1.protected == odd
    assert cose.sign1_digest(sign1) == sha256(cose.sig_structure(odd, CONTENT))
    assert cose.sig_structure(odd, CONTENT) != cose.sig_structure(PROTECTED, CONTENT)


def test_cwt_tag_only_where_it_is_asked_for():
    data = b"\xd8\x3d" + cose.encode_sign1(PROTECTED, CONTENT, bytes(64))
    assert refused(data)
    assert cose.parse_sign1(data, cwt=True).payload == CONTENT
    assert cose.parse_sign1(data[2:], cwt=True).payload == CONTENT
    assert refused(b"\xd8\x3d" + data)


def test_empty_protected_header():
    assert cose.parse_sign1(cbor.dumps([b"", {4: b"k"}, b"p", b"s"])).header == {}


def test_what_is_no_sign1():
    for value in (
        1,
        [],
        [b"", {}, b""],
        [b"", {}, b"", b"", b""],
        ["", {}, b"", b""],
        [b"", [], b"", b""],
        [b"", {}, None, b""],
        [b"", {}, b"", "s"],
        [b"\x01", {}, b"", b""],
        [b"\xa1", {}, b"", b""],
        cbor.Tag(17, [b"", {}, b"", b""]),
        cbor.Tag(18, cbor.Tag(18, [b"", {}, b"", b""])),
    ):
        assert refused(cbor.dumps(value)), value
    assert refused(b"") and refused(b"\xd2")


def test_mac0_round_trip():
    data = cose.encode_mac0(b"k" * 32, b"device", CONTENT)
    mac0 = cose.parse_mac0(data)
    assert mac0.kid == b"device" and mac0.payload == CONTENT
    assert mac0.verify(b"k" * 32)
    assert not mac0.verify(b"l" + b"k" * 31)


def test_mac0_with_any_byte_changed():
    data = cose.encode_mac0(b"k" * 32, b"device", CONTENT)
    for i in range(len(data)):
        changed = data[:i] + bytes([data[i] ^ 1]) + data[i + 1 :]
        try:
            mac0 = cose.parse_mac0(changed)
        except cose.CoseError:
            continue
        assert not mac0.verify(b"k" * 32), i


def test_what_is_no_mac0():
    good = cbor.dumps({1: 5, 4: b"d"})
    for value in (
        [good, {}, b"", bytes(32)],
        cbor.Tag(18, [good, {}, b"", bytes(32)]),
        cbor.Tag(17, [good, {4: b"d"}, b"", bytes(32)]),
        cbor.Tag(17, [good, {}, b"", bytes(31)]),
        cbor.Tag(17, [cbor.dumps({1: 4, 4: b"d"}), {}, b"", bytes(32)]),
        cbor.Tag(17, [cbor.dumps({1: 5}), {}, b"", bytes(32)]),
        cbor.Tag(17, [cbor.dumps({1: 5, 4: "d"}), {}, b"", bytes(32)]),
    ):
        assert refused(cbor.dumps(value), cose.parse_mac0), hexlify(cbor.dumps(value))
