"""CBOR and base45 against the libraries, on generated and mutated inputs; `make soak` takes many."""

from __future__ import annotations

import math
import os
import random

import base45 as base45_library
import cbor2

from firmware.core import base45, cbor

CASES = int(os.environ.get("YIMA_ORACLE_CASES", "2000"))
SEED = int(os.environ.get("YIMA_FUZZ_SEED", "20200522"))


def value(rng: random.Random, depth: int) -> object:
    kind = rng.randrange(9 if depth else 6)
    if kind == 0:
        return rng.choice([None, True, False])
    if kind == 1:
        number = rng.getrandbits(rng.randrange(65))
        return number if rng.random() < 0.6 else -1 - number
    if kind == 2:
        return rng.randbytes(rng.randrange(30))
    if kind == 3:
        return "".join(rng.choice("abcé李€😀 ") for _ in range(rng.randrange(12)))
    if kind == 4:
        return rng.choice([0.0, -0.0, 1.5, -(2.0**-24), 1e300, math.inf, math.nan, 65504.0, 3.4e38])
    if kind == 5:
        return rng.randrange(100)
    if kind < 8:
        keys = [
            rng.choice([rng.randrange(-9, 99), chr(rng.randrange(97, 123)) * 3])
            for _ in range(rng.randrange(5))
        ]
        return {key: value(rng, depth - 1) for key in keys}
    return [value(rng, depth - 1) for _ in range(rng.randrange(5))]


def same(one: object, other: object) -> bool:
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, float) and math.isnan(one):
        return math.isnan(other)
    return one == other


def mutated(rng: random.Random, data: bytes) -> bytes:
    out = bytearray(data)
    for _ in range(rng.randrange(1, 4)):
        at = rng.randrange(len(out) + 1)
        kind = rng.randrange(4)
        if kind == 0 and at < len(out):
            out[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            out[at:at] = rng.randbytes(rng.randrange(1, 3))
        elif kind == 2:
            del out[at : at + rng.randrange(1, 4)]
        elif at < len(out):
            out[at] = rng.randrange(256)
    return bytes(out)


def test_cbor() -> None:
    rng = random.Random(SEED)
    taken = refused = 0
    for _ in range(CASES):
        whole = value(rng, 4)
        data = cbor2.dumps(whole)
        assert same(cbor.loads(data), whole), data.hex()
        changed = mutated(rng, data)
        try:
            ours = cbor.loads(changed)
        except cbor.CborError:
            refused += 1
            continue
        taken += 1
        # What is taken here, the library takes too, with the same value. Tags are left alone here only.
        if not any(0xC0 <= byte < 0xE0 for byte in changed):
            assert same(cbor2.loads(changed), ours), changed.hex()
        # And what the writer makes of it is read as the same again.
        try:
            again = cbor.dumps(ours)
        except cbor.CborError:
            continue
        assert same(cbor.loads(again), ours) or isinstance(ours, cbor.Tag), changed.hex()
    assert taken > CASES // 20 and refused > CASES // 10


def strict(text: str) -> bytes | None:
    """The library's answer, held to RFC 9285: one text for any bytes."""
    try:
        found: bytes = base45_library.b45decode(text)
    except ValueError:
        return None
    return found if base45_library.b45encode(found).decode() == text else None


def test_base45() -> None:
    rng = random.Random(SEED)
    taken = refused = 0
    for _ in range(CASES):
        data = rng.randbytes(rng.randrange(40))
        text = base45.encode(data)
        assert text.encode() == base45_library.b45encode(data) and base45.decode(text) == data
        characters = list(text)
        for _ in range(rng.randrange(1, 3)):
            at = rng.randrange(len(characters) + 1)
            characters[at : at + rng.randrange(2)] = rng.choice(
                [*base45.ALPHABET, "a", "\n", "é", "", "::", ":::"]
            )
        changed = "".join(characters)
        try:
            ours = base45.decode(changed)
        except base45.Base45Error:
            ours = None
        assert ours == strict(changed), changed
        taken, refused = taken + (ours is not None), refused + (ours is None)
    assert taken > CASES // 20 and refused > CASES // 20
