"""Deterministic signatures on every engine: RFC 6979's vectors, `ecdsa` and `cryptography`."""

from __future__ import annotations

import hashlib
import random
from pathlib import Path

import ecdsa.rfc6979
import pytest
from batch import has_native_code, run
from conftest import need
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, decode_dss_signature
from verify_batch import GENERATOR, finish

from firmware.core.p256 import N, P256Error
from firmware.core.p256_comb import Secrets, build_table_steps
from firmware.core.p256_portable import PortableEngine
from firmware.core.rfc6979 import sign_steps

ENGINES = pytest.mark.parametrize(
    ("interpreter", "engine"),
    [("micropython", "native"), ("micropython", "portable"), ("cpython", "portable")],
)
# RFC 6979, A.2.5: the private key, and k, r, s for two messages with SHA-256.
SECRET = 0xC9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721
VECTORS = {
    b"sample": (
        0xA6E3C57DD01ABE90086538398355DD4C3B17AA873382B0F24D6129493D8AAD60,
        0xEFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716,
        0xF7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8,
    ),
    b"test": (
        0xD16B6AE827F17175E040871A1C7EC3500192C4C92677336EC2537ACAEE0008E0,
        0xF1ABB023518351CD71D881567B1EA663ED3EFCF6C5132B354F28D3B0B7D38367,
        0x019F4113742A2B14BD25926B49C649155F267E60D3814B4C0CC84250E46F0083,
    ),
}


def sign(interpreter: str, engine: str, cases: list[tuple[int, bytes]], folder: Path) -> list[list[str]]:
    if engine == "native":
        need(has_native_code(), len(cases), "no native code emitter in this MicroPython")
    lines = [f"{secret:x} {digest.hex()}" for secret, digest in cases]
    return [line.split() for line in run(interpreter, "sign_batch.py", lines, folder, engine, heap="4M")]


@ENGINES
def test_vectors_of_the_rfc(interpreter: str, engine: str, tmp_path: Path) -> None:
    cases = [(SECRET, hashlib.sha256(message).digest()) for message in VECTORS]
    for answer, (k, r, s) in zip(sign(interpreter, engine, cases, tmp_path), VECTORS.values(), strict=True):
        assert answer[:2] == [f"{r:064x}{s:064x}", f"{k:x}"]


@ENGINES
def test_agrees_with_the_libraries(interpreter: str, engine: str, tmp_path: Path) -> None:
    rng = random.Random(6979)
    digests = [bytes(32), b"\xff" * 32, N.to_bytes(32, "big"), (N - 1).to_bytes(32, "big")]
    cases = [
        (secret, digest)
        for secret in (1, 2, N - 1, N - 2, 1 << 128, rng.randrange(1, N))
        for digest in (*digests, rng.randbytes(32), rng.randbytes(32))
    ]
    for (secret, digest), answer in zip(cases, sign(interpreter, engine, cases, tmp_path), strict=True):
        signature, nonce, following = bytes.fromhex(answer[0]), int(answer[1], 16), int(answer[2], 16)
        key = ecdsa.SigningKey.from_secret_exponent(secret, ecdsa.NIST256p, hashfunc=hashlib.sha256)
        assert key.sign_digest_deterministic(digest) == signature
        for retries, k in enumerate((nonce, following)):
            assert ecdsa.rfc6979.generate_k(N, secret, hashlib.sha256, digest, retries) == k
        theirs = ec.derive_private_key(secret, ec.SECP256R1()).sign(
            digest, ec.ECDSA(Prehashed(hashes.SHA256()), deterministic_signing=True)
        )
        r, s = decode_dss_signature(theirs)
        assert r.to_bytes(32, "big") + s.to_bytes(32, "big") == signature


def test_refuses_what_it_cannot_sign_with() -> None:
    engine = PortableEngine()
    secrets = Secrets(engine, finish(build_table_steps(engine, GENERATOR, 1)))
    for secret, digest in ((0, bytes(32)), (N, bytes(32)), (1, bytes(31)), (1, bytes(33))):
        with pytest.raises(P256Error):
            finish(sign_steps(secrets, secret, digest, random.Random(1).randbytes))
    for byte in (b"\x00", b"\xff"):
        with pytest.raises(P256Error, match="random numbers"):
            finish(sign_steps(secrets, 1, bytes(32), lambda count, byte=byte: byte * count))
