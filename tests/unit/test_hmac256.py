from binascii import hexlify, unhexlify

from firmware.core.hmac256 import equal, hmac_sha256, sha256

# RFC 4231 test cases 1 to 3, 6 and 7: key, data, HMAC-SHA-256.
CASES = (
    (b"\x0b" * 20, b"Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
    (
        b"Jefe",
        b"what do ya want for nothing?",
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
    ),
    (b"\xaa" * 20, b"\xdd" * 50, "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"),
    (
        b"\xaa" * 131,
        b"Test Using Larger Than Block-Size Key - Hash Key First",
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
    ),
    (
        b"\xaa" * 131,
        b"This is a test using a larger than block-size key and a larger than block-size data. "
        b"The key needs to be hashed before being used by the HMAC algorithm.",
        "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2",
    ),
)


def test_cases_of_rfc_4231():
    for key, data, want in CASES:
        assert hexlify(hmac_sha256(key, data)).decode() == want
        assert hmac_sha256(key, data[:7], data[7:]) == unhexlify(want)


def test_sha256_of_parts():
    # FIPS 180-2 appendix B.1.
    want = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert hexlify(sha256(b"a", b"", b"bc")).decode() == want


def test_equal():
    assert equal(b"", b"")
    assert equal(b"abc", b"abc")
    assert not equal(b"abc", b"abd")
    assert not equal(b"abc", b"bbc")
    assert not equal(b"abc", b"ab")
