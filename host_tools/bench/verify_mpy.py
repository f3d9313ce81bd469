"""Runs under MicroPython: verifications, timed or only done.

    verify_mpy.py FOLDER WAY time N       microseconds for one (mean of N), and the bytes that one allocates
    verify_mpy.py FOLDER WAY count N [I]  N of them from the Ith on, prints nothing: whoever counts is outside
    verify_mpy.py FOLDER WAY build N      microseconds for building the key's table, the least of N

WAY is `native-4` or `portable-2`, an engine and how many sub-tables the key's table has, `native-1-8` for an
engine with 8 records instead of 32, `cold` for the complete verifier without tables, or `textbook`.
"""

import gc
import sys
import time

from firmware.core import p256
from firmware.core.p256_comb import build_table_steps
from host_tools.bench import textbook
from host_tools.bench.kit_mpy import VECTOR_BYTES, engine_named, finish, read, verify_steps_with

if False:
    from typing import Any


def verifier(folder: str, way: str) -> "Any":
    """A function of key, digest and signature."""
    if way == "cold":
        return p256.verify
    if way == "textbook":
        return textbook.verify
    steps = verify_steps_with(folder, way)
    return lambda key, digest, signature: finish(steps(key, digest, signature))


def time_build(folder: str, way: str, count: int) -> None:
    """Print the least time of building a table."""
    engine, v = engine_named(way)
    key = read(folder, "vectors")[:64]
    least_us = 0
    for _ in range(count):
        gc.collect()
        start = time.ticks_us()
        finish(build_table_steps(engine, key, v))
        spent_us = time.ticks_diff(time.ticks_us(), start)
        least_us = spent_us if not least_us or spent_us < least_us else least_us
    print(least_us)


def main(folder: str, way: str, mode: str, count: int, first: int) -> None:
    """Print what the mode prints."""
    if mode == "build":
        time_build(folder, way, count)
        return
    verify = verifier(folder, way)
    data = read(folder, "vectors")
    vectors = [
        (data[i : i + 64], data[i + 64 : i + 96], data[i + 96 : i + 160])
        for i in range(0, len(data), VECTOR_BYTES)
    ]
    timed = mode == "time"
    total_us = allocated = 0
    if timed:
        gc.collect()
        gc.disable()
        allocated = gc.mem_alloc()
        good = verify(*vectors[0])
        allocated = gc.mem_alloc() - allocated
        gc.enable()
        del good
    for i in range(first, first + count):
        key, digest, signature = vectors[i % len(vectors)]
        if timed:
            gc.collect()
        start = time.ticks_us()
        good = verify(key, digest, signature)
        total_us += time.ticks_diff(time.ticks_us(), start)
        if not good:
            sys.exit("a good signature was refused")
    if timed:
        print(total_us / count, allocated)


main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5]) if len(sys.argv) > 5 else 0)
