"""SHA-256 (FIPS 180-4) and HMAC with it (RFC 2104); MicroPython has no hmac module."""

import hashlib

_BLOCK = 64


def sha256(*parts: bytes) -> bytes:
    """The 32-byte SHA-256 of the concatenation of `parts`, without building it."""
    hasher = hashlib.sha256()
    for part in parts:
        hasher.update(part)
    digest: bytes = hasher.digest()
    return digest


def hmac_sha256(key: bytes, *parts: bytes) -> bytes:
    """The 32-byte HMAC of the concatenation of `parts`, without building it."""
    if len(key) > _BLOCK:
        key = sha256(key)
    key = key + bytes(_BLOCK - len(key))
    inner = sha256(bytes([b ^ 0x36 for b in key]), *parts)
    return sha256(bytes([b ^ 0x5C for b in key]), inner)


def equal(one: bytes, other: bytes) -> bool:
    """Whether two byte strings are equal, in a time that depends on their lengths only."""
    if len(one) != len(other):
        return False
    difference = 0
    for i in range(len(one)):
        difference |= one[i] ^ other[i]
    return difference == 0
