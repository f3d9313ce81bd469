"""Public keys and ECDH on every engine against `cryptography`."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from batch import has_native_code, run
from conftest import need
from cryptography.hazmat.primitives.asymmetric import ec

N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
P = 0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF
EDGES = (
    1,
    2,
    3,
    4,
    5,
    7,
    8,
    16,
    255,
    257,
    1 << 32,
    (1 << 32) - 1,
    1 << 128,
    1 << 255,
    N - 1,
    N - 2,
    N // 2,
    N // 2 + 1,
)


def raw(key: ec.EllipticCurvePrivateKey) -> str:
    numbers = key.public_key().public_numbers()
    return (numbers.x.to_bytes(32, "big") + numbers.y.to_bytes(32, "big")).hex()


@pytest.mark.parametrize(
    ("interpreter", "engine"),
    [("micropython", "native"), ("micropython", "portable"), ("cpython", "portable")],
)
def test_agrees_with_cryptography(interpreter: str, engine: str, tmp_path: Path) -> None:
    rng = random.Random(56)
    lines, expected = [], []
    if engine == "native":
        need(has_native_code(), 58, "no native code emitter in this MicroPython")
    for secret in [*EDGES, *(rng.randrange(1, N) for _ in range(40))]:
        mine = ec.derive_private_key(secret, ec.SECP256R1())
        peer = ec.derive_private_key(rng.randrange(1, N), ec.SECP256R1())
        lines.append(f"{secret:x} {raw(peer)} {rng.randrange(1, P):x}")
        expected.append(f"{raw(mine)} {mine.exchange(ec.ECDH(), peer.public_key()).hex()}")
    assert run(interpreter, "ecdh_batch.py", lines, tmp_path, engine, heap="4M") == expected
