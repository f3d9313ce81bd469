"""The peers on CPython: python-ecdsa, plain and with a precomputed key, and `cryptography`."""

from __future__ import annotations

import time
from collections.abc import Callable

import ecdsa
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, encode_dss_signature
from ecdsa.ellipticcurve import PointJacobi
from ecdsa.util import sigdecode_string

from host_tools.bench.inputs import PUBLIC, make_signatures

Verify = Callable[[bytes, bytes], None]


def by_ecdsa(precomputed: bool) -> Verify:
    """A function of digest and signature that raises for a bad one.

    The library's own ``precompute`` fails for keys read from bytes, so the point is made anew, as a
    generator: that is what it keeps multiples of. They are computed here, before any clock runs.
    """
    key = ecdsa.VerifyingKey.from_string(PUBLIC, ecdsa.NIST256p)
    if precomputed:
        point = key.pubkey.point
        key.pubkey.point = PointJacobi(
            ecdsa.NIST256p.curve, point.x(), point.y(), 1, ecdsa.NIST256p.order, generator=True
        )
    digest, signature = make_signatures()[0]
    key.verify_digest(signature, digest, sigdecode=sigdecode_string)

    def verify(digest: bytes, signature: bytes) -> None:
        key.verify_digest(signature, digest, sigdecode=sigdecode_string)

    return verify


def by_cryptography() -> Verify:
    """The same with `cryptography`, which is OpenSSL."""
    key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), b"\x04" + PUBLIC)
    algorithm = ec.ECDSA(Prehashed(hashes.SHA256()))

    def verify(digest: bytes, signature: bytes) -> None:
        r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
        key.verify(encode_dss_signature(r, s), digest, algorithm)

    return verify


def time_us(verify: Verify, turns: int) -> float:
    """Microseconds for one verification, mean of so many turns over all signatures."""
    signatures = make_signatures()
    start = time.perf_counter()
    for _ in range(turns):
        for digest, signature in signatures:
            verify(digest, signature)
    return (time.perf_counter() - start) / turns / len(signatures) * 1e6
