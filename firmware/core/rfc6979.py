"""Deterministic ECDSA with device keys: P-256 with SHA-256, nonces as RFC 6979 makes them.

A nonce that repeats, or leaks some bits, gives the private key away; made of key and message by HMAC, it
needs no random numbers. The multiple of the generator is computed in `p256_comb.Secrets`. The rest are big
integers: 1 / k is taken of a blinded number, so that the inversion's time says nothing about k.
"""

from firmware.core.hmac256 import hmac_sha256
from firmware.core.p256 import N, P256Error, inverse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from firmware.core.p256_comb import Secrets

_TRIES = 8  # for random numbers and nonces; each fails once in 2**32


def nonces(secret: int, digest: bytes) -> "Iterator[int]":
    """Candidates for k, 0 < k < N (RFC 6979 section 3.2); the first is all that anybody will ever need.

    `secret` is the private key, `digest` SHA-256 of the message, 32 bytes. With hash and order of 256 bits
    each, bits2int takes the digest as it is, and bits2octets subtracts N at most once.
    """
    seed = secret.to_bytes(32, "big") + (int.from_bytes(digest, "big") % N).to_bytes(32, "big")
    v = b"\x01" * 32
    k = bytes(32)
    for step in (b"\x00", b"\x01"):
        k = hmac_sha256(k, v, step, seed)
        v = hmac_sha256(k, v)
    while True:
        v = hmac_sha256(k, v)
        nonce = int.from_bytes(v, "big")
        if 0 < nonce < N:
            yield nonce
        k = hmac_sha256(k, v, b"\x00")
        v = hmac_sha256(k, v)


def sign_steps(
    secrets: "Secrets", secret: int, digest: bytes, random: "Callable[[int], bytes]"
) -> "Generator[None, None, bytes]":
    """The signature r‖s, 64 bytes, over a digest of 32 bytes; in slices.

    0 < secret < N. `random(n)` gives n fresh random bytes, os.urandom for one: they hide what timing could
    tell, and leave no trace in the signature. Raises P256Error where secret or digest are out of range, or
    `random` gives nothing of use.
    """
    if not 0 < secret < N:
        raise P256Error("scalar range")
    if len(digest) != 32:
        raise P256Error("digest length")
    candidates = nonces(secret, digest)
    for _ in range(_TRIES):
        k = next(candidates)
        point = yield from secrets.public_key_steps(k, _below_n(random))
        r = int.from_bytes(point[:32], "big") % N
        blind = _below_n(random)
        s = inverse(k * blind % N, N) * blind % N * (int.from_bytes(digest, "big") + r * secret) % N
        if r and s:
            return r.to_bytes(32, "big") + s.to_bytes(32, "big")
        yield None
    raise P256Error("no signature")


def _below_n(random: "Callable[[int], bytes]") -> int:
    """A random number from 1 to N - 1."""
    for _ in range(_TRIES):
        number = int.from_bytes(random(32), "big")
        if 0 < number < N:
            return number
    raise P256Error("random numbers")
