"""ECDSA verification on P-256 with SHA-256 (FIPS 186-5 section 6.4.2, SP 800-186 section 3.2.1.3).

Bytecode only, and public data only: nothing here needs, or has, constant time. The scalars are written in
width-5 non-adjacent form and walked together (Straus), points in Jacobian coordinates, table points affine.

Everything else in Yima knows just `verify_steps`, `verify` and `check_public_key`.
"""

import binascii
import struct

from firmware.core.errors import CoreError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator

P = 0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
GX = 0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296
GY = 0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5

# Bits of the leading words of an inversion: what a small integer holds.
_WORD = 60 if struct.calcsize("P") > 4 else 30

# Width of the non-adjacent form: digits are odd and below 2**(width - 1), so 8 odd multiples per point.
_WIDTH = 5
_DIGITS_PER_SLICE = 4


class P256Error(CoreError):
    """A public key that is no point of the curve."""


def check_public_key(public_key: bytes) -> None:
    """Raise P256Error unless `public_key`, x‖y, is a point of P-256 (SP 800-56A section 5.6.2.3.3)."""
    if len(public_key) != 64:
        raise P256Error("public key length")
    x, y = _halves(public_key)
    if x >= P or y >= P:
        raise P256Error("public key range")
    if (y * y - (x * x - 3) * x - B) % P:
        raise P256Error("public key is not on the curve")


def verify(public_key: bytes, digest: bytes, signature: bytes) -> bool:
    """Whether `signature` (r‖s, 64 bytes) over `digest` (32 bytes) is good under `public_key` (x‖y)."""
    steps = verify_steps(public_key, digest, signature)
    while True:
        try:
            next(steps)
        except StopIteration as e:
            return bool(e.value)


def verify_steps(public_key: bytes, digest: bytes, signature: bytes) -> "Generator[None, None, bool]":
    """`verify` in slices: yields None between pieces of about one sixtieth of the work, returns the answer.

    Never raises for any bytes: wrong lengths, numbers out of range and keys off the curve answer False.
    """
    if len(signature) != 64 or len(digest) != 32:
        return False
    try:
        check_public_key(public_key)
    except P256Error:
        return False
    r, s = _halves(signature)
    if not 0 < r < N or not 0 < s < N:
        return False
    yield None
    w = inverse(s, N)
    u1 = int.from_bytes(digest, "big") * w % N
    u2 = r * w % N
    yield None
    digits_g = _naf(u1)
    yield None
    digits_q = _naf(u2)
    yield None
    table_q = yield from _odd_multiples(*_halves(public_key))
    table_g = _generator_table()
    point = yield from _walk(digits_g, table_g, digits_q, table_q)
    x, _, z = point
    if z == 0:
        return False
    # x/z² mod P must equal r mod N; r + N is the only other residue below P. No inversion is needed.
    zz = z * z % P
    return (r * zz - x) % P == 0 or (r + N < P and ((r + N) * zz - x) % P == 0)


def _halves(data: bytes) -> tuple[int, int]:
    """The two big-endian 32-byte numbers in 64 bytes."""
    return int.from_bytes(data[:32], "big"), int.from_bytes(data[32:], "big")


def inverse(value: int, modulus: int) -> int:
    """1 / value modulo a prime below 2**256, or 0 for a multiple of it.

    Lehmer's form of Euclid: a few quotients at a time come from leading words that are small integers, then
    the long numbers are updated at once. A quotient may be wrong now and then: any step of determinant 1
    will do, only signs have to be put right.
    """
    a = modulus
    b = value % modulus
    u = 0
    w = 1
    stop = 1 << (_WORD // 2 - 1)
    nearly = 1 << (_WORD - 4)
    full = 1 << (_WORD - 1)
    size = 256 - _WORD
    while True:
        x = a >> size
        y = b >> size
        if y > stop:
            u0 = v1 = 1
            u1 = v0 = 0
            while True:
                q = x // y
                x -= q * y
                u0 -= q * u1
                v0 -= q * v1
                if x <= stop:
                    x = y
                    u0, u1 = u1, u0
                    v0, v1 = v1, v0
                    break
                q = y // x
                y -= q * x
                u1 -= q * u0
                v1 -= q * v0
                if y <= stop:
                    break
            if not size:
                break
            a, b = u0 * a + v0 * b, u1 * a + v1 * b
            u, w = u0 * u + v0 * w, u1 * u + v1 * w
            if a < 0:
                a = -a
                u = -u
            if b < 0:
                b = -b
                w = -w
        else:
            if not b:
                return u % modulus if a == 1 else 0
            q = a // b
            a, b = b, a - q * b
            u, w = w, u - q * w
            x = a >> size
            while not x and size:
                size = size - 24 if size > 24 else 0
                x = a >> size
        while x < nearly:
            x <<= 4
            size -= 4
        while x < full:
            x += x
            size -= 1
        if size <= 0:
            size = 0
            stop = 0
    return (u0 * u + v0 * w) % modulus if x == 1 else 0


def _naf(scalar: int) -> bytearray:
    """`scalar` in width-5 non-adjacent form, lowest digit first; each 0 or odd from -15 to 15, plus 16.

    As bytes: a list of digits would be 2 KiB in one piece, more than a full heap may have.
    """
    full = 1 << _WIDTH
    half = full >> 1
    digits = bytearray(257)
    for i in range(257):
        digit = 0
        if scalar & 1:
            digit = scalar & (full - 1)
            if digit >= half:
                digit -= full
            scalar -= digit
        digits[i] = 16 + digit
        scalar >>= 1
    return digits


def _odd_multiples(x: int, y: int) -> "Generator[None, None, list[tuple[int, int]]]":
    """1, 3, 5 … 15 times an affine point, affine again, with one shared inversion (Montgomery's trick).

    The group's order is prime and large, so none of these is the point at infinity and no two are alike.
    """
    p = P
    double = _double(x, y, 1)
    # Bring the double to affine as well: the seven additions that follow are mixed ones then.
    z_inverse = inverse(double[2], p)
    zz = z_inverse * z_inverse % p
    dx, dy = double[0] * zz % p, double[1] * zz * z_inverse % p
    yield None
    points = [(x, y, 1)]
    for _ in range(7):
        points.append(_add(*points[-1], dx, dy))
        yield None
    products = [1]
    for point in points:
        products.append(products[-1] * point[2] % p)
    u = inverse(products[-1], p)
    yield None
    table = []
    for i in range(7, -1, -1):
        px, py, pz = points[i]
        z_inverse = u * products[i] % p
        u = u * pz % p
        zz = z_inverse * z_inverse % p
        table.append((px * zz % p, py * zz * z_inverse % p))
        if i & 1:
            yield None
    table.reverse()
    return table


def _walk(
    digits_g: bytearray,
    table_g: list[tuple[int, int]],
    digits_q: bytearray,
    table_q: list[tuple[int, int]],
) -> "Generator[None, None, tuple[int, int, int]]":
    """u1·G + u2·Q in Jacobian coordinates, from both scalars' digits and both points' odd multiples."""
    x, y, z = 1, 1, 0
    left = _DIGITS_PER_SLICE
    for i in range(256, -1, -1):
        if z:
            x, y, z = _double(x, y, z)
        digit = digits_g[i] - 16
        if digit:
            px, py = table_g[abs(digit) >> 1]
            x, y, z = _add(x, y, z, px, py if digit > 0 else P - py)
        digit = digits_q[i] - 16
        if digit:
            px, py = table_q[abs(digit) >> 1]
            x, y, z = _add(x, y, z, px, py if digit > 0 else P - py)
        left -= 1
        if left == 0:
            left = _DIGITS_PER_SLICE
            yield None
    return x, y, z


def _double(x: int, y: int, z: int) -> tuple[int, int, int]:
    """Twice a Jacobian point (a = -3); infinity, z = 0, stays infinity. P-256 has no point with y = 0."""
    p = P
    zz = z * z % p
    yy = y * y % p
    xyy4 = 4 * x * yy % p
    slope = 3 * (x - zz) * (x + zz) % p
    x3 = (slope * slope - 2 * xyy4) % p
    return x3, (slope * (xyy4 - x3) - 8 * yy * yy) % p, 2 * y * z % p


def _add(x: int, y: int, z: int, px: int, py: int) -> tuple[int, int, int]:
    """A Jacobian point plus an affine one; complete: equal, opposite and infinite points included."""
    p = P
    if z == 0:
        return px, py, 1
    zz = z * z % p
    h = (px * zz - x) % p
    slope = (py * zz * z - y) % p
    if h == 0:
        if slope:
            return 1, 1, 0
        return _double(x, y, z)
    hh = h * h % p
    hhh = h * hh % p
    xhh = x * hh % p
    x3 = (slope * slope - hhh - 2 * xhh) % p
    return x3, (slope * (xhh - x3) - y * hhh) % p, z * h % p


# 1, 3, 5 … 15 times the generator, x‖y each; tests/unit/test_p256.py computes them anew.
_GENERATOR_TABLE = binascii.unhexlify(
    "6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c2964fe342e2fe1a7f9b8ee7eb4a7c0f9e16"
    "2bce33576b315ececbb6406837bf51f55ecbe4d1a6330a44c8f7ef951d4bf165e6c6b721efada985fb41661bc6e7fd6c"
    "8734640c4998ff7e374b06ce1a64a2ecd82ab036384fb83d9a79b127a27d503251590b7a515140d2d784c85608668fdf"
    "ef8c82fd1f5be52421554a0dc3d033ede0c17da8904a727d8ae1bf36bf8a79260d012f00d4d80888d1d0bb44fda16da4"
    "8e533b6fa0bf7b4625bb30667c01fb607ef9f8b8a80fef5b300628703187b2a373eb1dbde03318366d069f83a6f59000"
    "53c73633cb041b21c55e1a86c1f400b4ea68d7b6fedf0b71878938d51d71f8729e0acb8c2c6df8b3d79e8a4b90949ee0"
    "2a2744c972c9fce787014a964a8ea0c84d714feaa4de823fe85a224a4dd048fa3ed113b7883b4c590638379db0c21cda"
    "16742ed0255048bf433391d374bc21d19099209accc4c8a224c843afa4f4c68a090d04da5e9889dae2f8eefce82a3740"
    "177c837ae0ac495a61805df2d85ee2fc792e284b65ead58a98e15d9d46072c0163bb58cd4ebea558a24091adb40f4e72"
    "26ee14c3a1fb4df39c43bbe2efc7bfd8f0454dc6971abae7adfb378999888265ae03af92de3a0ef163668c63e59b9d5f"
    "b5b93ee3592e2d1f4e6594e51f9643e62a3b21ce75b5fa3f47e59cde0d034f36"
)


def _generator_table() -> list[tuple[int, int]]:
    """The generator's odd multiples as numbers."""
    return [_halves(_GENERATOR_TABLE[i : i + 64]) for i in range(0, len(_GENERATOR_TABLE), 64)]
