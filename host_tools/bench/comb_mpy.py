"""Runs under MicroPython: time P-256 verification with tables, or the building of a table.

Arguments: VECTORS native|portable V. Prints microseconds for one verification, the bytes allocated by one,
and microseconds for building the key's table.
"""

import gc
import sys
import time

from firmware.core import p256
from firmware.core.p256_comb import Verifier, build_table_steps

if sys.argv[2] == "native":
    from firmware.core.p256_native import NativeEngine as Engine
else:
    from firmware.core.p256_portable import PortableEngine as Engine  # type: ignore[assignment]

VECTOR_BYTES = 160
ROUNDS = 4


def finish(steps):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201
    """A generator's answer."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def main(path: str, v: int) -> None:
    """Print the three numbers."""
    with open(path, "rb") as file:
        data = file.read()
    engine = Engine()
    generator = p256.GX.to_bytes(32, "big") + p256.GY.to_bytes(32, "big")
    verifier = Verifier(engine, finish(build_table_steps(engine, generator, 4)))
    key = data[:64]
    build_us = 0
    for _ in range(3):
        gc.collect()
        start = time.ticks_us()
        table = finish(build_table_steps(engine, key, v))
        passed_us = time.ticks_diff(time.ticks_us(), start)
        build_us = min(build_us or passed_us, passed_us)
    total_us = allocated = 0
    for _ in range(ROUNDS):
        for at in range(0, len(data), VECTOR_BYTES):
            digest = data[at + 64 : at + 96]
            signature = data[at + 96 : at + 160]
            gc.collect()
            before = gc.mem_alloc()
            start = time.ticks_us()
            good = finish(verifier.verify_steps(table, key, digest, signature))
            total_us += time.ticks_diff(time.ticks_us(), start)
            allocated = gc.mem_alloc() - before
            if not good:
                sys.exit("a good signature was refused")
    print(total_us / ROUNDS / (len(data) // VECTOR_BYTES), allocated, build_us)


main(sys.argv[1], int(sys.argv[3]))
