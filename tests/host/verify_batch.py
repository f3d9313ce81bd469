"""Run by both interpreters: one line "public-key digest signature" in hex each, answered by 1 or 0.

verify_batch.py FILE complete|native|portable|cold-native|cold-portable [V]

`complete` is the way without tables; V is the number of sub-tables of a key.
"""

import sys
from binascii import unhexlify

from firmware.core import p256
from firmware.core.p256_comb import Verifier, build_table_steps

GENERATOR = p256.GX.to_bytes(32, "big") + p256.GY.to_bytes(32, "big")


def finish(steps):
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def engine_named(name):
    if name == "native":
        from firmware.core.p256_native import NativeEngine

        return NativeEngine()
    from firmware.core.p256_portable import PortableEngine

    return PortableEngine()


def main(path, way, v):
    tables = {}
    if way != "complete":
        engine = engine_named(way[way.find("-") + 1 :])
        verifier = Verifier(engine, finish(build_table_steps(engine, GENERATOR, 4)))
    with open(path) as lines:
        for line in lines:
            key, digest, signature = [unhexlify(field) for field in line.rstrip("\n").split(" ")]
            if way == "complete":
                good = p256.verify(key, digest, signature)
            elif way[:5] == "cold-":
                good = finish(verifier.verify_steps_cold(key, digest, signature))
            else:
                if key not in tables:
                    if len(tables) == 16:
                        tables.clear()
                    try:
                        tables[key] = finish(build_table_steps(engine, key, v))
                    except p256.P256Error:
                        tables[key] = None
                table = tables[key]
                good = table is not None and finish(verifier.verify_steps(table, key, digest, signature))
            print(1 if good else 0)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else 1)
