"""P-256 on the limb kernel: the engine for interpreters with the native code emitter.

What an engine has to offer is written down in p256_comb.py. This one keeps everything in one workspace that
is allocated once; a verification allocates hardly anything. The formulas of the curve are programs for
`p256_limbs.run`, put together here.
"""

import struct

from firmware.core.p256 import N, P, P256Error, inverse
from firmware.core.p256_limbs import run
from firmware.core.p256_slots import columns, gather, invert, scatter, select

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    Table = bytes | bytearray | memoryview
    Read = Callable[[bytes, bytearray], None]

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

# Then 8, 16 or 32 records of five slots: a point, a second point, and the running product. Entries of
# programs with the lowest bit set are moved on by the base, from record to record.
_RECORDS = 960
_SIZE = 200
_AX = _RECORDS + 1
_AY = _AX + 40
_BX = _AX + 80
_BY = _AX + 120
_PRODUCT = _AX + 160
_PRODUCT_BEFORE = _PRODUCT - _SIZE

_FIRST = b"\x80"  # the digit of point 0
_PIECE = 512  # bytes of a table that come or go at once: 8 points


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
    """Points and tables in limbs; see p256_comb.py. One workspace: one computation at a time.

    `records` is 8, 16 or 32: how many pairs of points are added with one inversion. 200 bytes of workspace
    each, beside 1 kB. With 32 an engine works with every table; with fewer it is slower, and only tables of
    one sub-table can be used and built.
    """

    scale = _R
    turn = 0

    def __init__(self, records: int = 32) -> None:
        self._records = records
        self._ws = bytearray(_RECORDS + records * _SIZE + 40)  # a slot more: `_get` reads pairs
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
        self._piece = bytearray(_PIECE)
        self._digits = (bytearray(32), bytearray(32))
        #: Where the points of both scalars come from: the first one's table, the second one's or its reader.
        self._table: "Table" = b""
        self._second: "Table | None" = None
        self._read: "Read | None" = None
        self._level = _program(*(_doubling() + _adding()))
        self._start = _program(_mul(_X, _ONE, _AX), _mul(_Y, _ONE, _AY), _mul(_Z, _ONE, _ONE))
        self._leave = _program(_mul(_A, _A, _CUBE))
        self._compare = _program(
            _mul(_A, _Z, _Z), _mul(_B, _X, _UNIT), _mul(_S, _T, _A, 0, _B), _mul(_T, _Z, _UNIT)
        )
        self._pairs = (_products(_BX, _AX), _sums(_BX, _BY))
        self._rounds = {records: self._pairs}
        if records == 32:
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
        """Take a scalar's comb digits, to be looked up in v sub-tables. Raises P256Error."""
        if v != 1 and self._records < 32:
            raise P256Error("table length")
        columns(0, 0, scalar.to_bytes(32, "little"), self._digits[1 if second else 0])
        if second:
            self._second = table
        else:
            self._table = table

    def load_read(self, read: "Read", scalar: int) -> None:
        """`load` of the second scalar's digits, for one sub-table that is not in memory.

        `read(numbers, room)` puts the points of these numbers (0 … 127, eight of them) one after the other
        into the room, 512 bytes. It is called by `sum_steps`, which raises what it raises.
        """
        columns(0, 0, scalar.to_bytes(32, "little"), self._digits[1])
        self._second = None
        self._read = read

    def _look_up(self, level: int, v: int) -> None:
        """Both scalars' points into the records, from comb digit `level` on."""
        n = self._records
        if n == 32:
            first: "Table" = self._digits[0]
            second: "Table" = self._digits[1]
        else:
            first = memoryview(self._digits[0])[level : level + n]
            second = memoryview(self._digits[1])[level : level + n]
        table = self._table
        shift = 5 - (v >> 1)
        gather(0, 0, self._ws, _RECORDS, _SIZE, table, first, n, shift, len(table) // v)
        if self._second is not None:
            table = self._second
            gather(0, 0, self._ws, _RECORDS + 80, _SIZE, table, second, n, shift, len(table) // v)
            return
        read = self._read
        if read is None:
            raise P256Error("nothing loaded")
        for at in range(0, n, 8):
            numbers = bytes([d - 128 if d > 127 else 127 - d for d in second[at : at + 8]])
            read(numbers, self._piece)
            # Point i of the piece, with the sign of the digit.
            signed = bytes([128 + i if second[at + i] > 127 else 127 - i for i in range(8)])
            gather(0, 0, self._ws, _RECORDS + 80 + at * _SIZE, _SIZE, self._piece, signed, 8, 5, 0)

    def sum_steps(self, v: int) -> "Generator[None, None, bool]":
        """Sum both scalars' points, in slices; False for an exceptional case, with nothing to be used."""
        levels = self._records // v
        level = 32 // v
        while level > 0:
            level -= levels
            self._look_up(level, v)
            n = self._records
            while n >= levels:
                good = yield from self._add_pairs(*self._rounds[n], n)
                if not good:
                    return False
                n >>= 1
            if level + levels == 32 // v:
                run(0, 0, self._ws, self._start, (levels - 1) * _SIZE, 0, 1)
                yield from self._climb(levels - 1)
            else:
                yield from self._climb(levels)
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
        digits = self._digits[0]
        columns(0, 0, scalar.to_bytes(32, "little"), digits)
        first = self._records - 1
        for j in range(31, -1, -1):
            select(0, 0, table, digits[j], self._buffer)
            sign = bytes((127 + (digits[j] >> 7),))  # point 0, with the sign of the digit
            at = j & first
            gather(0, 0, ws, _RECORDS + at * _SIZE, 0, self._buffer, sign, 1, 5, 0)
            yield None
            if at == 0:
                if j + first == 31:
                    self._put(_Z, blind, 0)
                    begin = (_mul(_A, _Z, _Z), _mul(_X, _A, _AX), _mul(_B, _Z, _A), _mul(_Y, _B, _AY))
                    run(0, 0, ws, _program(*begin), first * _SIZE, 0, 1)
                    yield from self._climb(first)
                else:
                    yield from self._climb(first + 1)
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

    def build_steps(
        self, x: int, y: int, v: int, write: "Callable[[bytearray], object]"
    ) -> "Generator[None, None, None]":
        """Hand the table of a point of the curve to `write`, 512 bytes at a time, in slices.

        Raises P256Error for a table that needs more records, and what `write` raises.
        """
        ws = self._ws
        teeth = 8 * v
        if teeth > self._records:
            raise P256Error("table length")
        # Twice and twice again; every (32 / v)th double, from the point itself on, is a tooth: record
        # i * v + s is 2**(32 i + 32 s / v) times the point, with its z in the place of the second x.
        self._put(_X, x * _R % P, y * _R % P)
        run(0, 0, ws, _program(_mul(_Z, _ONE, _ONE)), 0, 0, 1)
        keep = _program(_mul(_AX, _ONE, _X), _mul(_AY, _ONE, _Y), _mul(_BX, _ONE, _Z))
        double = _program(*_doubling())
        for k in range(teeth):
            run(0, 0, ws, keep, k * _SIZE, 0, 1)
            left = 32 // v if k < teeth - 1 else 0
            while left > 0:
                run(0, 0, ws, double, 0, 0, min(left, 16))
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
        moves = bytearray(64 * teeth)
        scatter(0, 0, ws, _RECORDS + 80, _SIZE, moves, bytes(range(teeth)), teeth)
        # The sum of all eight teeth of a sub-table is its last point, record s.
        n = teeth >> 1
        while n >= v:
            far = n * _SIZE
            yield from self._add_pairs(_products(_AX + far, _AX), _sums(_AX + far, _AY + far), n)
            n >>= 1
        tops = bytearray(64 * v)
        scatter(0, 0, ws, _RECORDS, _SIZE, tops, bytes(range(v)), v)
        view = memoryview(moves)
        for s in range(v):
            own = b"".join([bytes(view[64 * (i * v + s) : 64 * (i * v + s + 1)]) for i in range(7)])
            yield from self._sub_table_steps(tops[64 * s : 64 * (s + 1)], own, write)

    def _sub_table_steps(
        self, top: bytearray, moves: bytes, write: "Callable[[bytearray], object]"
    ) -> "Generator[None, None, None]":
        """`build_steps` for one sub-table: from its last point and what takes out each of the lower teeth."""
        ws = self._ws
        size = self._records
        low = 3 + (size >> 4)  # so many bits of a point's number tell points in the records apart
        far = bytearray(64 << (7 - low))  # what takes out every set of the other teeth
        for i in range(7 - low):
            n = 1 << i
            far[64 * n : 64 * n + 64] = moves[64 * (low + i) : 64 * (low + i + 1)]
            if n > 1:
                self._repeat(_RECORDS + 80, far, n, n - 1)
                gather(0, 0, ws, _RECORDS, _SIZE, far, bytes(range(129, 128 + n)), n - 1, 5, 0)
                yield from self._add_pairs(*self._pairs, n - 1)
                scatter(0, 0, ws, _RECORDS, _SIZE, far, bytes(range(n + 1, 2 * n)), n - 1)
        # The second point of record k: the last point without the teeth that are the bits of k.
        self._repeat(_RECORDS + 80, top, 0, 1)
        for i in range(low):
            n = 1 << i
            self._repeat(_RECORDS, moves, i, n)
            yield from self._add_pairs(*self._pairs, n)
            copy = _program(_lin(_BX + n * _SIZE, _AX, _ZERO, 1), _lin(_BY + n * _SIZE, _AY, _ZERO, 1))
            run(0, 0, ws, copy, 0, _SIZE, n)
        for q in range((128 >> low) - 1, -1, -1):
            if q:
                self._repeat(_RECORDS, far, q, size)
                yield from self._add_pairs(*self._pairs, size)
            for k in range(size - 1, -1, -8):
                source = _RECORDS + k * _SIZE + (0 if q else 80)
                scatter(0, 0, ws, source, -_SIZE, self._piece, b"\0\1\2\3\4\5\6\7", 8)
                write(self._piece)
                yield None

    def _repeat(self, at: int, table: "Table", number: int, n: int) -> None:
        """The same point of a table into n records, from byte `at` of the workspace on."""
        gather(0, 0, self._ws, at, _SIZE, table, bytes((128 + number,)) * n, n, 5, 0)
