"""Random signatures, good and bad, and constructed ones: `ecdsa`, `cryptography` and every way in which the
handheld verifies must all agree. `YIMA_SOAK=1` (`make soak`) takes 10,000 of each instead of 1,500.
"""

from __future__ import annotations

import hashlib
import os
import random
from pathlib import Path

import ecdsa
import pytest
from batch import WAYS, verify
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, encode_dss_signature

#: Random signatures, and as many constructed ones, for each way.
COUNT = 5000 if os.environ.get("YIMA_SOAK") else 750
N = ecdsa.NIST256p.order


def by_cryptography(public: bytes, digest: bytes, signature: bytes) -> bool:
    key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), b"\x04" + public)
    der = encode_dss_signature(int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big"))
    try:
        key.verify(der, digest, ec.ECDSA(Prehashed(hashes.SHA256())))
    except InvalidSignature:
        return False
    return True


def by_ecdsa(public: bytes, digest: bytes, signature: bytes) -> bool:
    key = ecdsa.VerifyingKey.from_string(public, ecdsa.NIST256p)
    try:
        return key.verify_digest(signature, digest)
    except ecdsa.BadSignatureError:
        return False
    except TypeError:
        return False  # what it raises where the sum is the point at infinity


def octets(number: int) -> bytes:
    return number.to_bytes(32, "big")


def spoiled(kind: int, rng: random.Random, digest: bytes, signature: bytes) -> tuple[bytes, bytes]:
    """Digest and signature, spoiled in one of several ways; kinds 0 and 1 stay good."""
    r, s = signature[:32], signature[32:]
    if kind == 1:
        return digest, r + (N - int.from_bytes(s, "big")).to_bytes(32, "big")
    if kind == 2:
        bit = rng.randrange(512)
        return digest, bytes(b ^ (1 << bit % 8 if i == bit // 8 else 0) for i, b in enumerate(signature))
    if kind == 3:
        bit = rng.randrange(256)
        return bytes(b ^ (1 << bit % 8 if i == bit // 8 else 0) for i, b in enumerate(digest)), signature
    if kind == 4:
        return digest, s + r
    if kind == 5:
        return digest, rng.randbytes(64)
    if kind == 6:
        return digest, r + rng.choice([bytes(32), N.to_bytes(32, "big"), b"\xff" * 32, bytes(31) + b"\1"])
    if kind == 7:
        return digest, rng.choice([bytes(32), N.to_bytes(32, "big"), b"\xff" * 32, bytes(31) + b"\1"]) + s
    return digest, signature


def cases() -> list[tuple[bytes, bytes, bytes]]:
    rng = random.Random(20200522)
    keys = [ecdsa.SigningKey.from_secret_exponent(rng.randrange(1, N), ecdsa.NIST256p) for _ in range(16)]
    found = []
    for i in range(COUNT):
        key = rng.choice(keys)
        # Digests of all sizes of number, not only of full length.
        digest = hashlib.sha256(rng.randbytes(8)).digest()
        if rng.random() < 0.2:
            digest = (int.from_bytes(digest, "big") >> rng.randrange(257)).to_bytes(32, "big")
        signature = key.sign_digest_deterministic(digest, hashfunc=hashlib.sha256)
        public = (rng.choice(keys) if i % 16 == 15 else key).verifying_key.to_string()
        found.append((public, *spoiled(i % 12, rng, digest, signature)))
    return found


def constructed() -> list[tuple[bytes, bytes, bytes]]:
    """Signatures with chosen u1 and u2 under keys that are simple multiples of the generator.

    On the way of many of them equal and opposite points meet, or the sum is infinite.
    """
    rng = random.Random(1976)
    generator = ecdsa.NIST256p.generator
    special = [
        1,
        2,
        3,
        N - 1,
        N - 2,
        1 << 8,
        1 << 32,
        (1 << 32) + 1,
        N - (1 << 32),
        1 << 224,
        N // 2,
        N // 2 + 1,
    ]
    simple = [0, 1, 2, 3, N - 1, N - 2, N // 2 + 1, (1 << 255) - 19]
    found = []
    while len(found) < COUNT:
        secret = rng.choice(special) if len(found) % 8 else rng.randrange(1, N)
        public = ecdsa.SigningKey.from_secret_exponent(secret, ecdsa.NIST256p).verifying_key.to_string()
        for _ in range(min(25, COUNT - len(found))):
            powers = [1 << rng.randrange(256), N - (1 << rng.randrange(255)), rng.randrange(N)]
            u1, u2 = rng.choice(simple + powers) % N, rng.choice(simple + powers) % N or 1
            u1 = rng.choice([u1, u1, u1, -u2 * secret % N, u2 * secret % N])
            k = (u1 + u2 * secret) % N
            r = (generator * k).x() % N if k else rng.randrange(1, N)
            s = r * pow(u2, -1, N) % N
            e = u1 * s % N
            if rng.randrange(5) == 0:
                s = N - s
            if rng.randrange(5) == 0:
                e ^= 1
            found.append((public, octets(e), octets(r) + octets(s)))
    return found


@pytest.mark.parametrize("way", WAYS)
def test_constructed_agree(way: str, tmp_path: Path) -> None:
    signatures = constructed()
    expected = [by_cryptography(*case) for case in signatures]
    assert [by_ecdsa(*case) for case in signatures] == expected
    assert COUNT // 2 < sum(expected) < COUNT
    lines = [" ".join(field.hex() for field in case) for case in signatures]
    answers = verify(way, lines, tmp_path)
    assert [answer == "1" for answer in answers] == expected


@pytest.mark.parametrize("way", WAYS)
def test_all_agree(way: str, tmp_path: Path) -> None:
    signatures = cases()
    expected = [by_cryptography(*case) for case in signatures]
    assert [by_ecdsa(*case) for case in signatures] == expected
    assert COUNT * 3 // 10 < sum(expected) < COUNT * 7 // 10
    lines = [" ".join(field.hex() for field in case) for case in signatures]
    answers = verify(way, lines, tmp_path)
    assert [answer == "1" for answer in answers] == expected
