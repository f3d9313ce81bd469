"""ECDSA as a textbook has it: two Jacobian double-and-add multiplications, inverses by Fermat's theorem.

A yardstick for the bench and nothing else; runs on both interpreters.
"""

from firmware.core.p256 import GX, GY, N, P

TYPE_CHECKING = False
if TYPE_CHECKING:
    Point = tuple[int, int, int]

INFINITY = (0, 1, 0)


def double(point: "Point") -> "Point":
    """Twice a point in Jacobian coordinates."""
    x, y, z = point
    if z == 0 or y == 0:
        return INFINITY
    s = 4 * x * y * y % P
    m = (3 * x * x - 3 * z * z % P * z * z) % P
    x3 = (m * m - 2 * s) % P
    return x3, (m * (s - x3) - 8 * pow(y, 4, P)) % P, 2 * y * z % P


def add(one: "Point", other: "Point") -> "Point":
    """The sum of two points in Jacobian coordinates."""
    x1, y1, z1 = one
    x2, y2, z2 = other
    if z1 == 0:
        return other
    if z2 == 0:
        return one
    zz1 = z1 * z1 % P
    zz2 = z2 * z2 % P
    u1 = x1 * zz2 % P
    u2 = x2 * zz1 % P
    s1 = y1 * zz2 * z2 % P
    s2 = y2 * zz1 * z1 % P
    if u1 == u2:
        return double(one) if s1 == s2 else INFINITY
    h = (u2 - u1) % P
    r = (s2 - s1) % P
    hh = h * h % P
    hhh = h * hh % P
    v = u1 * hh % P
    x3 = (r * r - hhh - 2 * v) % P
    return x3, (r * (v - x3) - s1 * hhh) % P, h * z1 * z2 % P


def multiply(scalar: int, x: int, y: int) -> "Point":
    """`scalar` times an affine point, from the highest bit down."""
    total = INFINITY
    for i in range(255, -1, -1):
        total = double(total)
        if scalar >> i & 1:
            total = add(total, (x, y, 1))
    return total


def verify(public_key: bytes, digest: bytes, signature: bytes) -> bool:
    """Whether r‖s over a digest of 32 bytes is good under the key x‖y, a point of the curve."""
    r = int.from_bytes(signature[:32], "big")
    s = int.from_bytes(signature[32:], "big")
    if not 0 < r < N or not 0 < s < N:
        return False
    w = pow(s, N - 2, N)
    x, y = int.from_bytes(public_key[:32], "big"), int.from_bytes(public_key[32:], "big")
    total = add(
        multiply(int.from_bytes(digest, "big") * w % N, GX, GY),
        multiply(r * w % N, x, y),
    )
    if total[2] == 0:
        return False
    inverse = pow(total[2], P - 2, P)
    return total[0] * inverse * inverse % P % N == r
