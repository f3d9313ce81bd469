"""ECDSA on P-256 with a table per key: the signed comb with shared inversions.

The work is split in two: this file holds what is the same everywhere, an *engine* does the arithmetic. There
are two, with the same methods, and the composition root chooses one: p256_native.NativeEngine where the
interpreter has the native emitter, p256_portable.PortableEngine elsewhere. A table belongs to the engine that
built it (`scale` is what its coordinates are multiplied by) and is as good as a public key: whoever keeps one
has to check its hash when loading it.

How a signature is verified:

1. 1/s mod n, u1 = e/s and u2 = r/s. The signature is good if u1 G + u2 Q has x = r mod n.
2. A scalar u is written with digits +1 and -1 only: d = (u + 2**256 - 1) / 2 mod n, and bit i of d stands for
   +2**i or -2**i. The bits 32 t + j for t = 0 … 7 are the *comb digit* j. A table holds all 128 sums of the
   eight teeth 2**(32 t) Q with a plus at the last (the others are their negatives), so a scalar is 32 points.
   With v sub-tables, each for teeth shifted by 32 / v bits, 32 / v levels of v points are left.
3. The 32 + 32 points are added pairwise, affine to affine, until each level has one. An affine addition
   divides once; all divisions of a round share one inversion (Montgomery's trick): 6 products each.
4. From the highest level down: double and add, 8 + 11 products, in Jacobian coordinates.
5. x = r is asked as X = r Z², so there is no last inversion.

With v = 4: 56 * 6 + 7 * 19 = 469 products and 4 inversions. Equal, opposite or infinite points on the way
make a product or Z zero; such a verification is done again by `p256.verify_steps`, complete and slow. Nobody
who does not know the private key can make a signature that leads there.
"""

from firmware.core.p256 import N, P, P256Error, check_public_key, verify_steps

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from typing import TypeVar

    from firmware.core.p256_native import NativeEngine
    from firmware.core.p256_portable import PortableEngine

    Engine = NativeEngine | PortableEngine
    Table = bytes | bytearray | memoryview
    T = TypeVar("T")

SUB_TABLE = 8192  # bytes: 128 points of 64

# Comb digits stand for 2 d - (2**256 - 1): half of u, and half of that.
_SHIFT = ((1 << 256) - 1) * ((N + 1) >> 1) % N


def build_table_steps(
    engine: "Engine", public_key: bytes, v: int, room: bytearray | None = None
) -> "Generator[None, None, bytearray]":
    """The table of a key, v * 8192 bytes (v = 1, 2 or 4); in slices; raises P256Error for no public key.

    It is built in `room`, if there is one, of just that length.
    """
    table = bytearray(v * SUB_TABLE) if room is None else room
    if len(table) != v * SUB_TABLE:
        raise P256Error("table length")
    at = 0

    def write(piece: bytearray) -> None:
        nonlocal at
        table[at : at + len(piece)] = piece
        at += len(piece)

    yield from write_table_steps(engine, public_key, v, write)
    return table


def write_table_steps(
    engine: "Engine", public_key: bytes, v: int, write: "Callable[[bytearray], object]"
) -> "Generator[None, None, None]":
    """`build_table_steps` piece by piece: `write` gets 512 bytes at a time, in a buffer that is used again.

    Raises P256Error, and what `write` raises.
    """
    check_public_key(public_key)
    x = int.from_bytes(public_key[:32], "big")
    y = int.from_bytes(public_key[32:], "big")
    yield from _alone(engine, engine.build_steps(x, y, v, write))


def _alone(engine: "Engine", steps: "Generator[None, None, None]") -> "Generator[None, None, None]":
    """The steps, but P256Error once another computation has begun meanwhile.

    An engine has one workspace. Whoever begins anew has given up what went before, and that must not go on.
    """
    engine.turn = turn = engine.turn + 1
    for _ in steps:
        yield None
        if engine.turn != turn:
            raise P256Error("another computation has begun")


def _answered(steps: "Generator[None, None, T]", answer: "list[T]") -> "Generator[None, None, None]":
    """The steps; their answer goes into a list."""
    answer.append((yield from steps))


class Verifier:
    """Verifies with an engine and the table of the generator, built by the same engine with v = 4, 2 or 1.

    A key's table may have as many sub-tables as the generator's, or fewer.
    """

    def __init__(self, engine: "Engine", g_table: "Table") -> None:
        if len(g_table) not in (SUB_TABLE, 2 * SUB_TABLE, 4 * SUB_TABLE):
            raise P256Error("table length")
        self._engine = engine
        self._g = g_table

    def verify_steps(
        self, table: "Table", public_key: bytes, digest: bytes, signature: bytes
    ) -> "Generator[None, None, bool]":
        """Whether the signature (r‖s, 64 bytes) over a digest (32 bytes) is good; in slices.

        `table` must be that of `public_key` (x‖y, 64 bytes); the key itself is for the exceptional cases.
        P256Error where the table's length is none: the kernel reads it unchecked.
        """
        v = len(table) // SUB_TABLE
        if len(table) != v * SUB_TABLE:
            raise P256Error("table length")
        engine = self._engine
        return self._verify_steps(
            v, lambda scalar: engine.load(True, table, scalar, v), public_key, digest, signature
        )

    def verify_read_steps(
        self, read: "Callable[[bytes, bytearray], None]", public_key: bytes, digest: bytes, signature: bytes
    ) -> "Generator[None, None, bool]":
        """`verify_steps` with a table of one sub-table that is not in memory.

        `read` is what the engine's `load_read` asks for; what it raises is raised here.
        """
        engine = self._engine
        return self._verify_steps(
            1, lambda scalar: engine.load_read(read, scalar), public_key, digest, signature
        )

    def _verify_steps(
        self, v: int, load: "Callable[[int], None]", public_key: bytes, digest: bytes, signature: bytes
    ) -> "Generator[None, None, bool]":
        if v not in (1, 2, 4) or v * SUB_TABLE > len(self._g):
            raise P256Error("table length")
        if len(signature) != 64 or len(digest) != 32:
            return False
        view = memoryview(signature)
        r = int.from_bytes(view[:32], "big")
        s = int.from_bytes(view[32:], "big")
        if not 0 < r < N or not 0 < s < N:
            return False
        answer: list[int] = []
        yield from _alone(self._engine, self._steps(v, load, r, s, int.from_bytes(digest, "big"), answer))
        if answer[0] >= 0:
            return answer[0] == 1
        good = yield from verify_steps(public_key, digest, signature)
        return good

    def _steps(
        self, v: int, load: "Callable[[int], None]", r: int, s: int, e: int, answer: "list[int]"
    ) -> "Generator[None, None, None]":
        """Puts into the list 1 for a good signature, 0 for a bad one, -1 for an exceptional case."""
        engine = self._engine
        w = engine.open(s)
        half = (w + N if w & 1 else w) >> 1
        yield None
        engine.load(False, self._g, (e * half + _SHIFT) % N, v)
        load((r * half + _SHIFT) % N)
        yield None
        found = -1
        good = yield from engine.sum_steps(v)
        if good:
            found = engine.matches(r)
            if found == 0 and r + N < P:
                found = engine.matches(r + N)
        answer.append(found)

    def verify_steps_cold(
        self, public_key: bytes, digest: bytes, signature: bytes
    ) -> "Generator[None, None, bool]":
        """`verify_steps` without a table: a small one is built first. False for what is no public key."""
        try:
            check_public_key(public_key)
        except P256Error:
            return False
        table = yield from build_table_steps(self._engine, public_key, 1)
        good = yield from self.verify_steps(table, public_key, digest, signature)
        return good


class Secrets:
    """Multiples of points by secret scalars: for key agreement and device keys.

    In constant time on the native engine, from the comb digits on; big integers leak a little of the
    scalar's conversion, and all of the portable engine does.
    """

    def __init__(self, engine: "Engine", g_table: "Table") -> None:
        self._engine = engine
        self._g = g_table

    def public_key_steps(self, secret: int, blind: int) -> "Generator[None, None, bytes]":
        """secret * G as x‖y; 0 < secret < N; `blind` is a fresh random number from 1 to P - 1."""
        key = yield from self._multiply_steps(self._g, secret, blind)
        return key

    def shared_secret_steps(
        self, secret: int, public_key: bytes, blind: int
    ) -> "Generator[None, None, bytes]":
        """ECDH (SP 800-56A 5.7.1.2): x of secret * public_key, 32 bytes; P256Error for no public key."""
        table = yield from build_table_steps(self._engine, public_key, 1)
        key = yield from self._multiply_steps(table, secret, blind)
        return key[:32]

    def _multiply_steps(self, table: "Table", secret: int, blind: int) -> "Generator[None, None, bytes]":
        if not 0 < secret < N or not 0 < blind < P:
            raise P256Error("scalar range")
        digits = (secret * ((N + 1) >> 1) + _SHIFT) % N
        answer: list[tuple[int, int] | None] = []
        yield from _alone(self._engine, _answered(self._engine.multiply_steps(table, digits, blind), answer))
        point = answer[0]
        if point is None:
            raise P256Error("exceptional scalar")
        return point[0].to_bytes(32, "big") + point[1].to_bytes(32, "big")
