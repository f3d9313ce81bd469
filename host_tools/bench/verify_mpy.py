"""Runs under MicroPython: time P-256 verification over the signatures of a vector file.

Arguments: VECTORS ROUNDS. A vector is 64 bytes key, 32 bytes digest, 64 bytes signature. Prints
microseconds per verification and the bytes allocated by one.
"""

import gc
import sys
import time

from firmware.core import p256

VECTOR_BYTES = 160


def main(path: str, rounds: int) -> None:
    """Print the best round's mean in microseconds, and the bytes that one verification allocates."""
    with open(path, "rb") as file:
        data = file.read()
    vectors = [
        (data[i : i + 64], data[i + 64 : i + 96], data[i + 96 : i + 160])
        for i in range(0, len(data), VECTOR_BYTES)
    ]
    gc.collect()
    before = gc.mem_alloc()
    gc.disable()
    if not p256.verify(*vectors[0]):
        sys.exit("a good signature was refused")
    allocated = gc.mem_alloc() - before
    gc.enable()
    best = 0.0
    for _ in range(rounds):
        total = 0
        for key, digest, signature in vectors:
            gc.collect()
            start = time.ticks_us()
            good = p256.verify(key, digest, signature)
            total += time.ticks_diff(time.ticks_us(), start)
            if not good:
                sys.exit("a good signature was refused")
        mean = total / len(vectors)
        best = mean if not best or mean < best else best
    print(best, allocated)


main(sys.argv[1], int(sys.argv[2]))
