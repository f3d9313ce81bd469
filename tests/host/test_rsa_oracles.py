"""PS256: random keys, good and spoiled signatures; `cryptography` and the handheld's verifier must agree."""

from __future__ import annotations

import hashlib
import random
from pathlib import Path

import pytest
from batch import INTERPRETERS, run
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

# Sizes that are no multiple of eight have their encoded message's first byte narrower, or one byte less.
SIZES = (2048, 2049, 2051, 3072, 4096)
SHA256 = hashes.SHA256()


def pss(salt: int, mgf_hash: hashes.HashAlgorithm = SHA256) -> padding.PSS:
    return padding.PSS(padding.MGF1(mgf_hash), salt)


def number(value: int) -> bytes:
    return value.to_bytes((value.bit_length() + 7) // 8, "big")


def key_of(bits: int) -> rsa.RSAPrivateKey:
    """A key of exactly this size; for odd sizes OpenSSL itself stays a bit below."""
    key = rsa.generate_private_key(65537, bits - bits % 2)
    if bits % 2:
        p = key.private_numbers().p
        q = rsa.generate_private_key(65537, bits + 1).private_numbers().q
        d = pow(65537, -1, (p - 1) * (q - 1))
        public = rsa.RSAPublicNumbers(65537, p * q)
        parts = rsa.rsa_crt_dmp1(d, p), rsa.rsa_crt_dmq1(d, q), rsa.rsa_crt_iqmp(p, q)
        key = rsa.RSAPrivateNumbers(p, q, d, *parts, public).private_key()
    assert key.key_size == bits
    return key


def by_cryptography(public: rsa.RSAPublicKey, digest: bytes, signature: bytes) -> bool:
    # OpenSSL takes a signature without its leading zeros; RFC 8017 section 8.1.2 does not.
    if len(signature) != (public.key_size + 7) // 8:
        return False
    try:
        public.verify(signature, digest, pss(32), Prehashed(SHA256))
    except InvalidSignature:
        return False
    return True


def raw(key: rsa.RSAPrivateKey, encoded: int) -> bytes:
    """The signature that an encoded message would have."""
    private = key.private_numbers()
    n = private.public_numbers.n
    return pow(encoded, private.d, n).to_bytes(len(number(n)), "big")


def encode(bits: int, digest: bytes, salt: bytes, **changes: int) -> int:
    """EMSA-PSS (RFC 8017 section 9.1.1), with one thing wrong on demand: what no library would sign."""
    size = (bits - 1 + 7) // 8
    block = hashlib.sha256(bytes(8) + digest + salt).digest()
    data = bytes(size - len(salt) - 34) + bytes([changes.get("one", 1)]) + salt
    data = bytes(b ^ (i == changes.get("zero", -1)) for i, b in enumerate(data))
    mask = b"".join(hashlib.sha256(block + i.to_bytes(4, "big")).digest() for i in range(size // 32 + 1))
    masked = int.from_bytes(data, "big") ^ int.from_bytes(mask[: len(data)], "big")
    masked &= (1 << bits - 1 - 8 * 33) - 1
    encoded = (masked << 256 | int.from_bytes(block, "big")) << 8 | changes.get("trailer", 0xBC)
    return encoded | changes.get("high", 0) << bits - 1


def of_one_key(size: int, rng: random.Random) -> list[tuple[rsa.RSAPublicKey, bytes, bytes]]:
    key = rsa.generate_private_key(3, size) if size == 3072 else key_of(size)
    public = key.public_key()
    n = public.public_numbers().n
    found = []

    def add(signature: bytes) -> None:
        found.append((public, digest, signature))

    for i in range(6):
        digest = hashlib.sha256(rng.randbytes(8)).digest()
        good = key.sign(digest, pss(32), Prehashed(SHA256))
        add(good)
        bit = rng.randrange(size)
        add((int.from_bytes(good, "big") ^ 1 << bit).to_bytes(len(good), "big"))
        salt = rng.randbytes(32)
        add(raw(key, encode(size, digest, salt)))
        for changes in ({"one": 2}, {"one": 0}, {"zero": i}, {"trailer": 0xCC}):
            add(raw(key, encode(size, digest, salt, **changes)))
        add(raw(key, encode(size, digest, salt, high=1) % n))
    for wrong in (0, 20, 31, 33, 64):
        add(key.sign(digest, pss(wrong), Prehashed(SHA256)))
        add(raw(key, encode(size, digest, bytes(wrong))))
    add(key.sign(digest, pss(32, hashes.SHA384()), Prehashed(SHA256)))
    add(key.sign(digest, padding.PKCS1v15(), Prehashed(SHA256)))
    add(good[1:])
    add(good + b"\0")
    add(b"\0" + good)
    add(b"")
    for value in (0, 1, n - 1, n, (1 << 8 * len(good)) - 1):
        add(value.to_bytes(len(good), "big"))
    if int.from_bytes(good, "big") + n < 1 << 8 * len(good):
        add((int.from_bytes(good, "big") + n).to_bytes(len(good), "big"))
    digest = bytes(32)
    add(good)
    return found


@pytest.fixture(scope="module")
def cases() -> list[tuple[rsa.RSAPublicKey, bytes, bytes]]:
    rng = random.Random(20200522)
    return [case for size in SIZES for case in of_one_key(size, rng)]


@pytest.mark.parametrize("interpreter", INTERPRETERS)
def test_all_agree(
    interpreter: str, tmp_path: Path, cases: list[tuple[rsa.RSAPublicKey, bytes, bytes]]
) -> None:
    expected = [by_cryptography(*case) for case in cases]
    assert sum(expected) == 6 * 2 * len(SIZES)
    lines = []
    for public, digest, signature in cases:
        numbers = public.public_numbers()
        lines.append(f"{number(numbers.n).hex()} {numbers.e} {digest.hex()} {signature.hex()}")
    answers = run(interpreter, "rsa_batch.py", lines, tmp_path)
    assert [answer == "1" for answer in answers] == expected


@pytest.mark.parametrize("interpreter", INTERPRETERS)
def test_keys_that_are_refused(interpreter: str, tmp_path: Path) -> None:
    """Each with a signature that is good under it, as far as such a one exists."""
    digest = hashlib.sha256(b"").digest()
    lines, expected = [], []

    def add(modulus: bytes, exponent: int, signature: bytes, good: bool) -> None:
        lines.append(f"{modulus.hex()} {exponent} {digest.hex()} {signature.hex()}")
        expected.append(good)

    for size, good in ((1024, False), (2047, False), (2048, True), (4096, True), (4097, False)):
        key = key_of(size)
        n = key.public_key().public_numbers().n
        add(number(n), 65537, key.sign(digest, pss(32), Prehashed(SHA256)), good)
    n = (1 << 2047) + 11
    modulus = number(n)
    # Under the exponent 1 anybody signs, with an encoded message as the signature.
    forged = encode(2048, digest, bytes(32)).to_bytes(256, "big")
    for exponent in (0, 1, 2, 65536, 1 << 32, (1 << 32) + 1, 65537 << 64):
        add(modulus, exponent, forged, False)
    add(b"\0" + modulus, 3, b"\0" + forged, False)
    add(number(n - 1), 3, forged, False)
    add(bytes(256), 3, forged, False)
    add(b"\x7f" + modulus[1:], 3, forged, False)
    answers = run(interpreter, "rsa_batch.py", lines, tmp_path)
    assert [answer == "1" for answer in answers] == expected
