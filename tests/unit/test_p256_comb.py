"""The comb on the portable engine, under both interpreters; see tests/mpy/test_p256_native.py too."""

import hashlib

from firmware.core import p256
from firmware.core.p256_comb import Secrets, Verifier, build_table_steps
from firmware.core.p256_portable import PortableEngine

N = p256.N
G = (p256.GX, p256.GY, 1)
LENGTHS = (1, 2, 4)


def finish(steps):
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def key_of(point):
    z = p256.inverse(point[2], p256.P)
    x, y = point[0] * z * z % p256.P, point[1] * z * z * z % p256.P
    return x.to_bytes(32, "big") + y.to_bytes(32, "big")


def multiple(k):
    """k * G by doubling and adding: another way than the one under test."""
    x, y, z = 1, 1, 0
    for i in range(255, -1, -1):
        if z:
            x, y, z = p256._double(x, y, z)
        if k >> i & 1:
            x, y, z = p256._add(x, y, z, p256.GX, p256.GY)
    return x, y, z


def signature(secret, u1, u2):
    """A digest and a signature that verify with just these two scalars, or None for r or s = 0."""
    point = multiple((u1 + u2 * secret) % N)
    r = int.from_bytes(key_of(point)[:32], "big") % N if point[2] else 5
    s = r * p256.inverse(u2, N) % N
    return (u1 * s % N).to_bytes(32, "big"), r.to_bytes(32, "big") + s.to_bytes(32, "big")


def sha(text):
    return hashlib.sha256(text).digest()


ENGINE = PortableEngine()
GENERATOR = key_of(G)
TABLE = finish(build_table_steps(ENGINE, GENERATOR, 4))
VERIFIER = Verifier(ENGINE, TABLE)


def agree(table, key, digest, sig):
    expected = p256.verify(key, digest, sig)
    assert finish(VERIFIER.verify_steps(table, key, digest, sig)) == expected, (len(table), digest, sig)
    return expected


def test_table_entries():
    # Point m of sub-table s: the sum of the teeth, with a minus where m has a 0.
    table = finish(build_table_steps(ENGINE, GENERATOR, 2))
    assert len(table) == 2 * 8192
    for s, m in ((0, 127), (0, 0), (0, 85), (1, 127), (1, 1), (1, 64)):
        k = 1 << 224
        for t in range(7):
            k += (1 if m >> t & 1 else -1) << (32 * t)
        key = key_of(multiple((k << (16 * s)) % N))
        for i in (0, 32):
            expected = int.from_bytes(key[i : i + 32], "big") * ENGINE.scale % p256.P
            at = 8192 * s + 64 * m + i
            assert table[at : at + 32] == expected.to_bytes(32, "little"), (s, m)


def test_every_length_of_table():
    secret = 0xC0FFEE
    key = key_of(multiple(secret))
    digest, sig = signature(secret, 0x1234567 << 200, 0x89ABCDEF << 90)
    for v in LENGTHS:
        table = finish(build_table_steps(ENGINE, key, v))
        assert agree(table, key, digest, sig)
        assert not agree(table, key, digest, sig[:32] + (1).to_bytes(32, "big"))
    assert finish(VERIFIER.verify_steps_cold(key, digest, sig))
    assert not finish(VERIFIER.verify_steps_cold(key, sha(b"other"), sig))
    assert not finish(VERIFIER.verify_steps_cold(key[:63], digest, sig))
    assert not finish(VERIFIER.verify_steps_cold(bytes(64), digest, sig))


def test_exceptional_cases():
    # Keys that are small multiples of the generator: points meet, cancel and vanish on the way.
    for secret in (1, N - 1, 2, 1 << 32, N - (1 << 32)):
        key = key_of(multiple(secret))
        table = finish(build_table_steps(ENGINE, key, 1))
        for u1, u2 in (
            (0, 1),
            (1, 1),
            (N - 1, 1),
            (1, N - 1),
            (5, 3),
            (0, N - 2),
            (N - secret, 1),
            (secret, 1),
        ):
            digest, sig = signature(secret, u1, u2)
            good = agree(table, key, digest, sig)
            assert good == ((u1 + u2 * secret) % N != 0)


def test_x_above_the_order():
    # r + n < p: a point with x = n + r, found by its y; u1 and u2 follow from any key made from it.
    x = N
    while True:
        x += 1
        square = (x * x * x - 3 * x + p256.B) % p256.P
        y = pow(square, (p256.P + 1) >> 2, p256.P)
        if y * y % p256.P == square:
            break
    point = (x, y, 1)
    # s = r: u2 = 1, u1 = e / r; the key is the point less u1 * G.
    e = 7
    r = x - N
    u1 = e * p256.inverse(r, N) % N
    less = key_of(multiple(N - u1))
    key = key_of(p256._add(*point, int.from_bytes(less[:32], "big"), int.from_bytes(less[32:], "big")))
    table = finish(build_table_steps(ENGINE, key, 1))
    sig = r.to_bytes(32, "big") * 2
    assert agree(table, key, e.to_bytes(32, "big"), sig)
    assert not agree(table, key, (e + 1).to_bytes(32, "big"), sig)


def test_bad_input():
    digest, sig = signature(1, 3, 4)
    assert not finish(VERIFIER.verify_steps(TABLE, GENERATOR, digest, sig[:63]))
    assert not finish(VERIFIER.verify_steps(TABLE, GENERATOR, digest[:31], sig))
    n = N.to_bytes(32, "big")
    for bad in (bytes(32) + sig[32:], sig[:32] + bytes(32), n + sig[32:], sig[:32] + n):
        assert not finish(VERIFIER.verify_steps(TABLE, GENERATOR, digest, bad))
    for table in (b"", bytes(8191), bytes(3 * 8192), bytes(8 * 8192)):
        try:
            finish(VERIFIER.verify_steps(table, GENERATOR, digest, sig))
        except p256.P256Error:
            pass
        else:
            raise AssertionError(len(table))


def test_one_at_a_time():
    digest, sig = signature(1, 3, 4)
    first = VERIFIER.verify_steps(TABLE, GENERATOR, digest, sig)
    next(first)
    assert finish(VERIFIER.verify_steps(TABLE, GENERATOR, digest, sig)) == p256.verify(GENERATOR, digest, sig)
    try:
        finish(first)
    except p256.P256Error:
        pass
    else:
        raise AssertionError("went on in another's workspace")


def test_inverse():
    values = [1, 2, 3, 1 << 255, (1 << 256) - 1, p256.P - 1, N - 1, 0x29, 1 << 31, (1 << 30) - 1]
    for i in range(40):
        values.append(int.from_bytes(sha(b"%d" % i), "big") >> (5 * i))
    for modulus in (p256.P, N):
        for value in values:
            assert p256.inverse(value, modulus) * value % modulus == (1 if value % modulus else 0), value
        assert p256.inverse(0, modulus) == p256.inverse(modulus, modulus) == 0


def test_multiples():
    secrets = Secrets(ENGINE, TABLE)
    other = key_of(multiple(99))
    for secret in (1, 2, 3, N - 1, (1 << 255) + 12345):
        assert finish(secrets.public_key_steps(secret, 17)) == key_of(multiple(secret))
        assert (
            finish(secrets.shared_secret_steps(secret, other, 17)) == key_of(multiple(99 * secret % N))[:32]
        )
    for secret, blind in ((0, 1), (N, 1), (1, 0), (1, p256.P)):
        try:
            finish(secrets.public_key_steps(secret, blind))
        except p256.P256Error:
            pass
        else:
            raise AssertionError(secret)
