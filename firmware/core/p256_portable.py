"""P-256 on big integers: the engine for interpreters without the native code emitter, and for CPython.

What an engine has to offer is written down in p256_comb.py. Nothing here is in constant time.
"""

from firmware.core.p256 import N, P, inverse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    Table = bytes | bytearray | memoryview

# The `scale` of p256_native: a PortableEngine with it builds that engine's tables, on any interpreter.
LIMB_SCALE = 1 << 260

_PIECE = 512  # bytes of a table that come or go at once: 8 points

_LOW = (1 << 256) - 1
# Bits to swap when a 256-bit number is read as 8 rows of 4 bytes and each 8 x 8 block is transposed.
_SWAP0 = int("00000000aaaaaaaa" * 4, 16)
_SWAP1 = int("0000000000000000cccccccccccccccc" * 2, 16)
_SWAP2 = int("f0" * 16, 16)


def comb_digits(d: int) -> bytes:
    """The comb digits of a scalar; digit 8 g + k is byte 4 k + g (see p256_comb.py)."""
    m = ((d >> 31) ^ d) & _SWAP0
    d ^= m ^ (m << 31)
    m = ((d >> 62) ^ d) & _SWAP1
    d ^= m ^ (m << 62)
    m = ((d >> 124) ^ d) & _SWAP2
    d ^= m ^ (m << 124)
    return d.to_bytes(32, "little")


def _add_halves(xs: list[int], ys: list[int], n: int) -> "Generator[None, None, bool]":
    """Add the affine points n … 2 n - 1 of a list to the points 0 … n - 1, sharing one inversion.

    In slices. False if two that belong together share their x. Lists here have their length from the start:
    one that grows or shrinks leaves holes in the heap that every later allocation has to look at.
    """
    p = P
    differences = [0] * n
    products = [0] * n
    c = 1
    k = 0
    while k < n:
        d = xs[n + k] - xs[k]
        differences[k] = d
        products[k] = c
        c = c * d % p
        k += 1
    yield None
    u = inverse(c, p)
    if u == 0:
        return False
    yield None
    while k > 0:
        k -= 1
        x = xs[k]
        y = ys[k]
        x2 = xs[n + k]
        slope = (ys[n + k] - y) * (u * products[k] % p) % p
        if k:
            u = u * differences[k] % p
        x2 = (slope * slope - x - x2) % p
        xs[k] = x2
        ys[k] = (slope * (x - x2) - y) % p
        if not k & 7:
            yield None
    return True


def _double(x: int, y: int, z: int) -> tuple[int, int, int]:
    """Twice a Jacobian point (a = -3)."""
    p = P
    c = z * z % p
    a = 2 * y
    f = a * y % p
    b = 2 * x * f % p
    d = 3 * (x + c) * (x - c) % p
    x = (d * d - 2 * b) % p
    return x, (d * (b - x) - 2 * f * f) % p, a * z % p


class PortableEngine:
    """Points and tables as integers; see p256_comb.py. One computation at a time."""

    def __init__(self, scale: int = 1) -> None:
        self.scale = scale
        self.turn = 0
        self._xs = [0] * 64
        self._ys = [0] * 64
        self._x = self._y = self._z = 0

    def open(self, s: int) -> int:
        """1 / s mod N."""
        return inverse(s, N)

    def load(self, second: bool, table: "Table", scalar: int, v: int) -> None:
        """Look up the 32 points of a scalar's comb digits in v sub-tables."""
        xs = self._xs
        ys = self._ys
        digits = comb_digits(scalar)
        span = len(table) // v
        levels = 32 // v
        view = memoryview(table)
        from_bytes = int.from_bytes
        low = _LOW
        at = 32 if second else 0
        j = 0
        base = 0
        while j < 32:
            b = digits[(j & 7) * 4 + (j >> 3)]
            if b & 128:
                b = base + ((b & 127) << 6)
                x = from_bytes(view[b : b + 64], "little")
                ys[at] = x >> 256
            else:
                b = base + ((b ^ 127) << 6)
                x = from_bytes(view[b : b + 64], "little")
                ys[at] = -(x >> 256)
            xs[at] = x & low
            at += 1
            j += 1
            if j % levels == 0:
                base += span

    def load_read(self, read: "Callable[[bytes, bytearray], None]", scalar: int) -> None:
        """`load` of the second scalar's points, from one sub-table that is not in memory.

        `read(numbers, room)` puts the points of these numbers (0 … 127, eight of them) one after the other
        into the room, 512 bytes. What it raises is raised here.
        """
        digits = comb_digits(scalar)
        view = memoryview(room := bytearray(_PIECE))
        for j in range(0, 32, 8):
            signed = [digits[k + (j >> 3)] for k in range(0, 32, 4)]
            read(bytes([d & 127 if d & 128 else d ^ 127 for d in signed]), room)
            for k in range(8):
                both = int.from_bytes(view[64 * k : 64 * k + 64], "little")
                self._xs[32 + j + k] = both & _LOW
                self._ys[32 + j + k] = both >> 256 if signed[k] & 128 else -(both >> 256)

    def sum_steps(self, v: int) -> "Generator[None, None, bool]":
        """Sum both scalars' points, in slices; False for an exceptional case, with nothing to be used."""
        levels = 32 // v
        n = 32
        while n >= levels:
            good = yield from _add_halves(self._xs, self._ys, n)
            if not good:
                return False
            n >>= 1
        yield from self._climb(levels)
        return True

    def _climb(self, levels: int) -> "Generator[None, None, None]":
        """Double the running point and add the next lower one, from the last level's to the first."""
        p = P
        xs = self._xs
        ys = self._ys
        k = levels - 1
        x = xs[k]
        y = ys[k]
        z = 1
        while k > 0:
            k -= 1
            x, y, z = _double(x, y, z)
            c = z * z % p
            a = (xs[k] * c - x) % p
            b = (ys[k] * (z * c % p) - y) % p
            z = z * a % p
            c = a * a % p
            d = a * c % p
            e = x * c % p
            x = (b * b - d - 2 * e) % p
            y = (b * (e - x) - y * d) % p
            if not k & 3:
                yield None
        self._x = x
        self._y = y
        self._z = z

    def matches(self, r: int) -> int:
        """1 if the sum's x is r mod p, 0 if not, -1 if an exceptional case has spoilt the sum (z = 0)."""
        z = self._z
        if z == 0:
            return -1
        return 0 if (r * z * z - self._x) % P else 1

    def multiply_steps(
        self, table: "Table", scalar: int, blind: int
    ) -> "Generator[None, None, tuple[int, int] | None]":
        """A multiple of a point, affine, from the comb digits of the scalar and sub-table 0.

        Not in constant time; `blind` is for the other engine. None for an exceptional case.
        """
        self.load(False, memoryview(table)[:8192], scalar, 1)
        yield from self._climb(32)
        z = inverse(self._z, P)
        if z == 0:
            return None
        zz = z * z % P
        return self._x * zz % P, self._y * zz * z % P

    def build_steps(
        self, x: int, y: int, v: int, write: "Callable[[bytearray], object]"
    ) -> "Generator[None, None, None]":
        """Hand the table of a point of the curve to `write`, 512 bytes at a time, in slices.

        Raises what `write` raises.
        """
        p = P
        teeth = 8 * v
        # Twice and twice again; every (32 / v)th double, from the point itself on, is a tooth: number
        # i * v + s is 2**(32 i + 32 s / v) times the point.
        xs = []
        ys = []
        zs = []
        z = 1
        for k in range(teeth):
            xs.append(x)
            ys.append(y)
            zs.append(z)
            for i in range(32 // v if k < teeth - 1 else 0):
                x, y, z = _double(x, y, z)
                if not i & 7:
                    yield None
        inverses = yield from _inverses(zs)
        for k, u in enumerate(inverses):
            c = u * u % p
            xs[k] = xs[k] * c % p
            ys[k] = ys[k] * c * u % p
            if not k & 7:
                yield None
        # Minus twice each tooth: to replace + by - in a sum of teeth.
        twice = []
        inverses = yield from _inverses([2 * y for y in ys])
        for k, u in enumerate(inverses):
            c = 3 * (xs[k] * xs[k] - 1) * u % p
            x = (c * c - 2 * xs[k]) % p
            twice.append((x, (c * (x - xs[k]) + ys[k]) % p))
            if not k & 7:
                yield None
        # The sum of all eight teeth of a sub-table is its last point, number s.
        n = teeth >> 1
        while n >= v:
            yield from _add_halves(xs, ys, n)
            n >>= 1
        for s in range(v):
            # Bit by bit: from each point so far the one without that bit. Highest index first, so that they
            # come out in falling order.
            px = [xs[s]]
            py = [ys[s]]
            for i in range(7):
                x, y = twice[i * v + s]
                n = len(px)
                nx = px + [x] * n
                ny = py + [y] * n
                yield from _add_halves(nx, ny, n)
                px += nx[:n]
                py += ny[:n]
            piece = bytearray(_PIECE)
            for k in range(127, -1, -1):
                at = 64 * (127 - k) % _PIECE
                piece[at : at + 32] = (px[k] * self.scale % p).to_bytes(32, "little")
                piece[at + 32 : at + 64] = (py[k] * self.scale % p).to_bytes(32, "little")
                if k & 7 == 0:
                    write(piece)
                    yield None


def _inverses(values: list[int]) -> "Generator[None, None, list[int]]":
    """1 / each of some numbers mod p, none of them 0, with one inversion; in slices."""
    p = P
    products = []
    c = 1
    for value in values:
        products.append(c)
        c = c * value % p
    yield None
    c = inverse(c, p)
    for k in range(len(values) - 1, -1, -1):
        products[k] = products[k] * c % p
        c = c * values[k] % p
        if not k & 7:
            yield None
    return products
