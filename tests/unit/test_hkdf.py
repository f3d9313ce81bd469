from binascii import hexlify, unhexlify

from firmware.core.hkdf import MAX_BYTES, hkdf_sha256

# RFC 5869 appendix A, test cases 1 to 3: secret, salt, info, length, key material.
CASES = (
    (
        b"\x0b" * 22,
        bytes(range(13)),
        bytes(range(0xF0, 0xFA)),
        42,
        "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
    ),
    (
        bytes(range(80)),
        bytes(range(0x60, 0xB0)),
        bytes(range(0xB0, 0x100)),
        82,
        "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09"
        "da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87",
    ),
    (
        b"\x0b" * 22,
        b"",
        b"",
        42,
        "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8",
    ),
)


def test_cases_of_rfc_5869():
    for secret, salt, info, length, want in CASES:
        assert hexlify(hkdf_sha256(secret, salt, info, length)).decode() == want


def test_a_shorter_key_is_the_beginning_of_a_longer_one():
    secret, salt, info, _, want = CASES[1]
    for length in (1, 16, 31, 32, 33, 64, 65):
        assert hkdf_sha256(secret, salt, info, length) == unhexlify(want)[:length]
    assert len(hkdf_sha256(b"", b"", b"", MAX_BYTES)) == MAX_BYTES


def test_lengths_that_there_are_not():
    for length in (0, -1, MAX_BYTES + 1):
        try:
            hkdf_sha256(b"x", b"", b"", length)
        except ValueError:
            continue
        raise AssertionError(length)
