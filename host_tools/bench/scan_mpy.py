"""Runs under MicroPython: time a scan from text to verified claims.

Arguments: FILE ROUNDS complete|native|portable. The file holds the code's text, its kid in hex and the key in
hex, one a line. Prints the best time of a whole scan and of one whose signature is taken for good, in
microseconds, and the bytes that the latter allocates.
"""

import gc
import sys
import time
from binascii import unhexlify

from firmware.core import codes, cose, p256, reasons, trust

NOW = 1_620_000_000
GENERATOR = p256.GX.to_bytes(32, "big") + p256.GY.to_bytes(32, "big")


def finish(steps):  # noqa: ANN001, ANN201
    """What a generator of slices returns."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def taken_for_good(public_key, digest, signature):  # noqa: ANN001, ANN201
    """Instead of a verifier: everything but the signature is measured."""
    return True
    yield


def verifier(way: str, key: bytes):  # noqa: ANN201
    """`verify_steps` on one engine with tables for the generator and the key, or without tables."""
    if way == "complete":
        return p256.verify_steps
    from firmware.core.p256_comb import Verifier, build_table_steps

    if way == "native":
        from firmware.core.p256_native import NativeEngine as Engine
    else:
        from firmware.core.p256_portable import PortableEngine as Engine
    engine = Engine()
    comb = Verifier(engine, finish(build_table_steps(engine, GENERATOR, 4)))
    table = finish(build_table_steps(engine, key, 4))
    return lambda public_key, digest, signature: comb.verify_steps(table, public_key, digest, signature)


def loop(way: str):  # noqa: ANN201
    """Base45's inner loop."""
    if way != "native":
        return None
    from firmware.core.base45_native import groups

    return groups


def main(path: str, rounds: int, way: str) -> None:
    """Print time of all, time and bytes of all but the signature."""
    with open(path) as file:
        text, kid, key = file.read().split("\n")[:3]
    code, public_key = text.encode(), unhexlify(key)
    issuer = trust.IssuerKey(
        unhexlify(kid), cose.ES256, public_key, "", 0, 0xFFFFFFFF, [trust.KIND_DCC], None
    )
    keys = trust.TrustList(1, 0, 0xFFFFFFFF, [issuer])
    groups = loop(way)
    times = []
    for verify_steps in (verifier(way, public_key), taken_for_good):
        best = 0
        for _ in range(rounds):
            gc.collect()
            start = time.ticks_us()
            checked = finish(codes.check_steps(code, keys, NOW, verify_steps, groups))
            spent = time.ticks_diff(time.ticks_us(), start)
            if checked.reason != reasons.OK:
                sys.exit("the code was refused")
            best = spent if not best or spent < best else best
        times.append(best)
    del checked
    gc.collect()
    gc.disable()
    before = gc.mem_alloc()
    finish(codes.check_steps(code, keys, NOW, taken_for_good, groups))
    print(times[0], times[1], gc.mem_alloc() - before)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3])
