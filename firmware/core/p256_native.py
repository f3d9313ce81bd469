"""P-256 on the limb kernel: the engine for interpreters with the native code emitter.

What an engine has to offer is written down in p256_comb.py. This one keeps everything in one workspace of
7.4 kB that is allocated once; a verification allocates hardly anything. The formulas of the curve are
programs for `p256_limbs.run`, put together here.
"""

import struct

from firmware.core.p256 import N, P, inverse
from firmware.core.p256_limbs import run
from firmware.core.p256_slots import columns, gather, invert, scatter, select

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    Table = bytes | bytearray | memoryview

_R = 1 << 260  # Montgomery's radix

# Byte offsets of the slots in the workspace; the kernel knows the first four.
_ZERO = 0
_P = 40
_FOLD = 80  # 2**256 - p
_PACKED = 120  # p, 16 bits a word
_N = 160
_CUBE = 200  # R**3 mod p: the inverse of x*R times this is R/x
_UNIT = 240  # 1 (not R): times this leaves Montgomery form
_X = 280  # the running point, Jacobian
_Y = 320
_Z = 360
_A = 400  # scratch
_B = 440
_C = 480
_D = 520
_E = 560
_F = 600
_TMP = 640  # five slots for the inversion
_S = 840  # a pair of numbers going in or out: s, r; then the difference to compare, z
_T = 880
_ONE = 920  # R; also the product before the first record

# Then 32 records of five slots: a point, a second point, and the running product. Entries of programs with
# the lowest bit set are moved on by the base, from record to record.
_RECORDS = 960
_SIZE = 200
_AX = _RECORDS + 1
_AY = _AX + 40
_BX = _AX + 80
_BY = _AX + 120
_PRODUCT = _AX + 160
_PRODUCT_BEFORE = _PRODUCT - _SIZE

_FIRST = b"\x80"  # the digit of point 0


def _mul(dst: int, a: int, b: int, less: int = 0, minus: int = 0, minus2: int = 0) -> tuple[int, ...]:
    """dst = a * (b - less) - minus - minus2."""
    return (a, b, less, dst, minus, minus2)


def _lin(dst: int, a: int, b: int, times: int) -> tuple[int, ...]:
    """dst = (a + b) * times."""
    return (65534, a, b, dst, times, 0)


def _program(*operations: tuple[int, ...]) -> bytes:
    """The words of a program for `run`."""
    return b"".join([struct.pack("<6H", *operation) for operation in operations]) + b"\xff\xff"


def _products(x: int, less: int) -> bytes:
    """Forward half of Montgomery's trick: each record's product is the one before times (x - less)."""
    return _program(_mul(_PRODUCT, _PRODUCT_BEFORE, x, less))


def _sums(x: int, y: int) -> bytes:
    """Backward half: with _A the inverse of the record's product, add the point x, y to the record's."""
    return _program(
        _mul(_B, _A, _PRODUCT_BEFORE),  # 1 / (x - x1)
        _mul(_A, _A, x, _AX),
        _mul(_B, _B, y, _AY),  # the slope
        _mul(_AX, _B, _B, 0, _AX, x),
        _mul(_AY, _B, x, _AX, y),
    )


def _doubling() -> tuple[tuple[int, ...], ...]:
    """Twice the running point (a = -3): 8 products."""
    return (
        _mul(_C, _Z, _Z),
        _lin(_A, _Y, _ZERO, 2),
        _mul(_F, _A, _Y),  # 2 y²
        _lin(_D, _X, _C, 3),
        _mul(_B, _X, _F),
        _lin(_B, _B, _ZERO, 2),  # 4 x y²
        _mul(_D, _D, _X, _C),  # the slope, 3 (x + z²) (x - z²)
        _mul(_Z, _A, _Z),
        _mul(_X, _D, _D, 0, _B, _B),
        _mul(_E, _F, _F),  # 4 y⁴
        _mul(_Y, _D, _B, _X, _E, _E),
    )


def _adding() -> tuple[tuple[int, ...], ...]:
    """The running point plus the record's first: 11 products."""
    return (
        _mul(_C, _Z, _Z),
        _mul(_A, _C, _AX, 0, _X),  # h
        _mul(_B, _Z, _C),
        _mul(_B, _B, _AY, 0, _Y),  # r
        _mul(_Z, _Z, _A),
        _mul(_C, _A, _A),  # h²
        _mul(_D, _A, _C),  # h³
        _mul(_E, _X, _C),
        _lin(_A, _E, _ZERO, 2),
        _mul(_X, _B, _B, 0, _D, _A),
        _mul(_D, _Y, _D),
        _mul(_Y, _B, _E, _X, _D),
    )


class NativeEngine:
    """Points and tables in limbs; see p256_comb.py. One workspace: one computation at a time."""

    scale = _R
    turn = 0

    def __init__(self) -> None:
        self._ws = bytearray(_RECORDS + 32 * _SIZE + 40)  # a slot more: `_get` reads pairs
        for slot, value in (
            (_P, P),
            (_FOLD, (1 << 256) - P),
            (_N, N),
            (_CUBE, _R * _R * _R % P),
            (_UNIT, 1),
            (_ONE, _R % P),
        ):
            for i in range(slot, slot + 40, 2):
                struct.pack_into("<H", self._ws, i, value & 8191)
                value >>= 13
        self._ws[_PACKED : _PACKED + 32] = P.to_bytes(32, "little")
        self._buffer = bytearray(64)
        self._digits = bytearray(32)
        self._double = _program(*_doubling())
        self._level = _program(*(_doubling() + _adding()))
        self._start = _program(_mul(_X, _ONE, _AX), _mul(_Y, _ONE, _AY), _mul(_Z, _ONE, _ONE))
        self._leave = _program(_mul(_A, _A, _CUBE))
        self._compare = _program(
            _mul(_A, _Z, _Z), _mul(_B, _X, _UNIT), _mul(_S, _T, _A, 0, _B), _mul(_T, _Z, _UNIT)
        )
        self._rounds = {32: (_products(_BX, _AX), _sums(_BX, _BY))}
        for n in (16, 8):
            far = n * _SIZE
            self._rounds[n] = (_products(_AX + far, _AX), _sums(_AX + far, _AY + far))

    def _put(self, slot: int, low: int, high: int) -> None:
        """Two numbers below 2**256 into `slot` and the next."""
        self._buffer[:32] = low.to_bytes(32, "little")
        self._buffer[32:] = high.to_bytes(32, "little")
        gather(0, 0, self._ws, slot, 0, self._buffer, _FIRST, 1, 5, 0)

    def _get(self, slot: int) -> int:
        """The number in `slot`, mod p; both it and the next are in the buffer then."""
        scatter(0, 0, self._ws, slot, 0, self._buffer, _FIRST, 1)
        return int.from_bytes(memoryview(self._buffer)[:32], "little")

    def _invert(self, records: int) -> bool:
        """_A = 1 / the last product; False if it is zero: two of the points share their x."""
        slot = _RECORDS + records * _SIZE - 40
        if not invert(0, 0, self._ws, _A, slot, _P, _TMP):
            value = inverse(self._get(slot), P)
            if value == 0:
                return False
            self._put(_A, value, 0)
        run(0, 0, self._ws, self._leave, 0, 0, 1)
        return True

    def _add_pairs(self, forward: bytes, backward: bytes, n: int) -> "Generator[None, None, bool]":
        """Add a second point to the first of each of n records; in slices; False for an exceptional case."""
        run(0, 0, self._ws, forward, 0, _SIZE, n)
        yield None
        if not self._invert(n):
            return False
        yield None
        while n > 0:
            part = min(n, 16)
            run(0, 0, self._ws, backward, (n - 1) * _SIZE, -_SIZE, part)
            n -= part
            yield None
        return True

    def open(self, s: int) -> int:
        """1 / s mod N."""
        self._put(_S, s, 0)
        if invert(0, 0, self._ws, _A, _S, _N, _TMP):
            return self._get(_A)
        return inverse(s, N)

    def load(self, second: bool, table: "Table", scalar: int, v: int) -> None:
        """Look up the 32 points of a scalar's comb digits in v sub-tables."""
        columns(0, 0, scalar.to_bytes(32, "little"), self._digits)
        at = _RECORDS + (80 if second else 0)
        gather(0, 0, self._ws, at, _SIZE, table, self._digits, 32, 5 - (v >> 1), len(table) // v)

    def load_read(self, read: "Callable[[int, bytearray], None]", scalar: int, v: int) -> None:
        """`load` of the second scalar's points from a table elsewhere, point by point.

        `read(at, room)` fills the room, 64 bytes, from byte `at` of the table on.
        """
        digits = self._digits
        columns(0, 0, scalar.to_bytes(32, "little"), digits)
        view = memoryview(digits)
        for j in range(32):
            digit = digits[j]
            point = digit - 128 if digit > 127 else 127 - digit
            read(((j >> (5 - (v >> 1))) << 13) + (point << 6), self._buffer)
            digits[j] = 127 + (digit >> 7)  # point 0, with the sign of the digit
            gather(0, 0, self._ws, _RECORDS + 80 + j * _SIZE, 0, self._buffer, view[j : j + 1], 1, 5, 0)

    def sum_steps(self, v: int) -> "Generator[None, None, bool]":
        """Sum both scalars' points, in slices; False for an exceptional case, with nothing to be used."""
        levels = 32 // v
        n = 32
        while n >= levels:
            good = yield from self._add_pairs(*self._rounds[n], n)
            if not good:
                return False
            n >>= 1
        run(0, 0, self._ws, self._start, (levels - 1) * _SIZE, 0, 1)
        yield from self._climb(levels - 1)
        return True

    def _climb(self, levels: int) -> "Generator[None, None, None]":
        """Double the running point and add a record, for records levels - 1 … 0."""
        while levels > 0:
            part = min(levels, 8)
            run(0, 0, self._ws, self._level, (levels - 1) * _SIZE, -_SIZE, part)
            levels -= part
            yield None

    def matches(self, r: int) -> int:
        """1 if the sum's x is r mod p, 0 if not, -1 if an exceptional case has spoilt the sum (z = 0)."""
        self._put(_S, 0, r)
        run(0, 0, self._ws, self._compare, 0, 0, 1)
        difference = self._get(_S)
        if not any(memoryview(self._buffer)[32:]):
            return -1
        return 1 if difference == 0 else 0

    def multiply_steps(
        self, table: "Table", scalar: int, blind: int
    ) -> "Generator[None, None, tuple[int, int] | None]":
        """A secret multiple of a point, affine, from the comb digits of the scalar and sub-table 0.

        Constant time from the digits on, but for the inversion at the end, and that sees only a z multiplied
        by `blind`: any number from 1 to p - 1 that nobody else knows. None for an exceptional case.
        """
        ws = self._ws
        digits = self._digits
        columns(0, 0, scalar.to_bytes(32, "little"), digits)
        view = memoryview(digits)
        for j in range(32):
            select(0, 0, table, digits[j], self._buffer)
            digits[j] = 127 + (digits[j] >> 7)  # point 0, with the sign of the digit
            gather(0, 0, ws, _RECORDS + j * _SIZE, 0, self._buffer, view[j : j + 1], 1, 5, 0)
            yield None
        self._put(_Z, blind, 0)
        run(
            0,
            0,
            ws,
            _program(_mul(_A, _Z, _Z), _mul(_X, _A, _AX), _mul(_B, _Z, _A), _mul(_Y, _B, _AY)),
            31 * _SIZE,
            0,
            1,
        )
        yield from self._climb(31)
        run(0, 0, ws, _program(_mul(_AX, _ONE, _X), _mul(_AY, _ONE, _Y), _mul(_PRODUCT, _ONE, _Z)), 0, 0, 1)
        if not self._invert(1):
            return None
        run(
            0,
            0,
            ws,
            _program(
                _mul(_B, _A, _A),
                _mul(_AX, _AX, _B),
                _mul(_B, _B, _A),
                _mul(_AY, _AY, _B),
                _mul(_S, _UNIT, _AX),
                _mul(_T, _UNIT, _AY),
            ),
            0,
            0,
            1,
        )
        x = self._get(_S)
        return x, int.from_bytes(memoryview(self._buffer)[32:], "little")

    def build_steps(self, x: int, y: int, v: int, table: bytearray) -> "Generator[None, None, None]":
        """Fill in the table of a point of the curve, v * 8192 bytes, in slices."""
        ws = self._ws
        teeth = 8 * v
        # Twice and twice again; every (32 / v)th double, from the point itself on, is a tooth: record
        # i * v + s is 2**(32 i + 32 s / v) times the point, with its z in the place of the second x.
        self._put(_X, x * _R % P, y * _R % P)
        run(0, 0, ws, _program(_mul(_Z, _ONE, _ONE)), 0, 0, 1)
        keep = _program(_mul(_AX, _ONE, _X), _mul(_AY, _ONE, _Y), _mul(_BX, _ONE, _Z))
        for k in range(teeth):
            run(0, 0, ws, keep, k * _SIZE, 0, 1)
            left = 32 // v if k < teeth - 1 else 0
            while left > 0:
                run(0, 0, ws, self._double, 0, 0, min(left, 16))
                left -= 16
                yield None
        products = _products(_BX, 0)
        yield from self._add_pairs(
            products,
            _program(
                _mul(_B, _A, _PRODUCT_BEFORE),
                _mul(_A, _A, _BX),
                _mul(_C, _B, _B),
                _mul(_AX, _AX, _C),
                _mul(_C, _C, _B),
                _mul(_AY, _AY, _C),
                _lin(_BX, _AY, _ZERO, 2),
            ),
            teeth,
        )
        # Minus twice each tooth, affine: to replace + by - in a sum of teeth.
        yield from self._add_pairs(
            products,
            _program(
                _mul(_B, _A, _PRODUCT_BEFORE),
                _mul(_A, _A, _BX),
                _lin(_C, _AX, _ONE, 3),
                _mul(_C, _C, _AX, _ONE),
                _mul(_C, _B, _C),  # the slope, 3 (x² - 1) / 2 y
                _mul(_BX, _C, _C, 0, _AX, _AX),
                _mul(_BY, _C, _AX, _BX, _AY),
                _mul(_BY, _ONE, _ZERO, _BY),
            ),
            teeth,
        )
        # The sum of all eight teeth of a sub-table is its last point, record s.
        n = teeth >> 1
        while n >= v:
            far = n * _SIZE
            yield from self._add_pairs(_products(_AX + far, _AX), _sums(_AX + far, _AY + far), n)
            n >>= 1
        parts = [memoryview(table)[8192 * s : 8192 * (s + 1)] for s in range(v)]
        for s in range(v):
            scatter(0, 0, ws, _RECORDS + s * _SIZE, 0, parts[s], b"\x7f", 1)
        # Bit by bit: from each point whose lower bits are done, the one without that bit.
        for s in range(v):
            for i in range(7):
                tooth = _RECORDS + (i * v + s) * _SIZE + 80
                forward = _products(tooth, _AX)
                backward = _sums(tooth, tooth + 40)
                for low in range(0, 1 << i, 32):
                    n = min(32, 1 << i)
                    have = bytes((255 >> i << i) | (low + k) for k in range(n))
                    gather(0, 0, ws, _RECORDS, _SIZE, parts[s], have, n, 5, 0)
                    yield from self._add_pairs(forward, backward, n)
                    scatter(0, 0, ws, _RECORDS, _SIZE, parts[s], bytes(b ^ (1 << i) for b in have), n)
                    yield None
