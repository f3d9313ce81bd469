# heap: 3M
"""The comb on the native engine: tests/unit/test_p256_comb.py with the limb kernel, and the kernel itself."""

import hashlib

from firmware.core import p256
from firmware.core.p256_comb import Secrets, Verifier, build_table_steps
from firmware.core.p256_limbs import run
from firmware.core.p256_native import NativeEngine
from firmware.core.p256_portable import LIMB_SCALE, PortableEngine
from firmware.core.p256_slots import gather, invert, scatter, select

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


ENGINE = NativeEngine()
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


# The kernel alone, against integers.

R_INVERSE = p256.inverse(LIMB_SCALE, p256.P)
P = p256.P
SLOTS = 24


def workspace():
    ws = bytearray(40 * SLOTS)
    put(ws, 1, P)
    put(ws, 2, (1 << 256) - P)
    ws[120:152] = P.to_bytes(32, "little")
    put(ws, 4, N)
    return ws


def put(ws, slot, value):
    for i in range(40 * slot, 40 * slot + 40, 2):
        ws[i] = value & 255
        ws[i + 1] = value >> 8 & 31
        value >>= 13


def get(ws, slot):
    value = 0
    for i in range(40 * slot + 38, 40 * slot - 1, -2):
        assert ws[i + 1] < 32
        value = value << 13 | ws[i] | ws[i + 1] << 8
    return value


def numbers(count, below):
    """Random and extreme ones: many limbs all ones or all zeros."""
    state = b"\1"
    for _ in range(count):
        state = sha(state)
        value = int.from_bytes(state + sha(state), "big")
        kind = state[0] & 7
        if kind == 0:
            value = below - 1 - (value & 3)
        elif kind == 1:
            value &= 3
        elif kind == 2:
            value = (1 << 256) - (1 << state[1])
        elif kind == 3:
            value = (1 << state[1]) - 1
        yield value % below


def program(*words):
    return b"".join([bytes((word & 255, word >> 8)) for word in words]) + b"\xff\xff"


def test_field_operations():
    ws = workspace()
    source = numbers(6 * 400, P * 153 // 100)
    for _ in range(400):
        a, b, c, d, e, f = [next(source) for k in range(6)]
        for slot, value in enumerate((a, b, c, d, e, f)):
            put(ws, 5 + slot, value)
        at = [40 * (5 + slot) for slot in range(7)]
        for less, minus, minus2 in ((0, 0, 0), (1, 0, 0), (0, 1, 1), (1, 1, 1), (1, 1, 0)):
            run(0, 0, ws, program(at[0], at[1], less * at[2], at[6], minus * at[3], minus2 * at[4]), 0, 0, 1)
            got = get(ws, 11)
            expected = a * (b - less * c) * R_INVERSE - minus * d - minus2 * e
            assert (got - expected) % P == 0, (a, b, c, d, e, less, minus, minus2)
            assert got < P * 153 // 100
        for times in (1, 2, 3):
            run(0, 0, ws, program(65534, at[0], at[1], at[6], times, 0), 0, 0, 1)
            got = get(ws, 11)
            assert (got - (a + b) * times) % P == 0 and got < P * 102 // 100
        # In place, and moved by the base.
        run(0, 0, ws, program(at[0] - 79, at[0] - 79, 0, at[0] - 79, 0, 0), 80, 0, 1)
        assert (get(ws, 5) - a * a * R_INVERSE) % P == 0


def test_kernel_inverse():
    ws = workspace()
    stuck = 0
    for modulus, slot in ((P, 40), (N, 160)):
        for i in range(6000):
            value = int.from_bytes(sha(b"%d" % i), "big") % modulus
            if i < 300:
                value = value >> (i % 250) or 1
            put(ws, 5, value)
            if invert(0, 0, ws, 240, 200, slot, 280):
                got = get(ws, 6)
                assert got < modulus and got * value % modulus == 1, value
            elif i >= 300:
                stuck += 1
        # Up to 1.53 times the modulus, as field elements are; the leading words change places first.
        for i in range(6000):
            value = modulus + int.from_bytes(sha(b"above %d" % i), "big") // 2
            put(ws, 5, value)
            if invert(0, 0, ws, 240, 200, slot, 280):
                assert get(ws, 6) * value % modulus == 1, value
            else:
                stuck += 1
        for value in (0, modulus):
            put(ws, 5, value)
            assert not invert(0, 0, ws, 240, 200, slot, 280)
    assert stuck < 100, stuck


def test_points_in_and_out():
    ws = workspace()
    table = bytearray(128 * 64)
    values = list(numbers(256, P))
    for i, value in enumerate(values):
        table[32 * i : 32 * i + 32] = value.to_bytes(32, "little")
    back = bytearray(128 * 64)
    for digit in range(256):
        point = digit - 128 if digit > 127 else 127 - digit
        x, y = values[2 * point], values[2 * point + 1]
        gather(0, 0, ws, 200, 0, table, bytes((digit,)), 1, 5, 0)
        assert get(ws, 5) == x and get(ws, 6) == (y if digit > 127 else P - y)
        put(ws, 5, x + P // 2)
        scatter(0, 0, ws, 200, 0, back, bytes((point,)), 1)
        assert back[64 * point : 64 * point + 32] == ((x + P // 2) % P).to_bytes(32, "little")
        out = bytearray(64)
        select(0, 0, table, digit, out)
        assert out == table[64 * point : 64 * point + 64]


def test_tables_are_those_of_integers():
    other = PortableEngine(LIMB_SCALE)
    for k in (1, N - 5, 0x1234567890ABCDEF << 100):
        for v in LENGTHS:
            key = key_of(multiple(k))
            assert finish(build_table_steps(ENGINE, key, v)) == finish(build_table_steps(other, key, v))


def test_memory():
    import gc

    key = key_of(multiple(0xC0FFEE))
    digest, sig = signature(0xC0FFEE, 3 << 99, 1 << 222)
    table = finish(build_table_steps(ENGINE, key, 4))
    assert finish(VERIFIER.verify_steps(table, key, digest, sig))
    gc.collect()
    gc.disable()
    before = gc.mem_alloc()
    finish(VERIFIER.verify_steps(table, key, digest, sig))
    used = gc.mem_alloc() - before
    gc.enable()
    assert used < 4000, used
