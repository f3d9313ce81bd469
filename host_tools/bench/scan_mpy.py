"""Runs under MicroPython: scans of a certificate, from its text to verified claims.

    scan_mpy.py FOLDER WAY BASE45 time N     microseconds for one, the least of N
    scan_mpy.py FOLDER WAY BASE45 count N    N of them, prints nothing: whoever counts is outside
    scan_mpy.py FOLDER WAY BASE45 alloc      the bytes that one allocates

WAY is as for verify_mpy.py, or `none` to take the signature for good: what is left is all but it. BASE45 is
`native` or `portable`, or `skipped` to hand over the bytes instead of decoding the text.
"""

import gc
import sys
import time
from binascii import unhexlify

from firmware.core import base45, codes, cose, p256, reasons, trust
from firmware.core.packmemory import keys_only
from host_tools.bench.kit_mpy import finish, native_groups, read, verify_steps_with

if False:
    from typing import Any, Generator

NOW = 1_620_000_000


def taken_for_good(public_key: bytes, digest: bytes, signature: bytes) -> "Generator[None, None, bool]":
    """Instead of a verifier."""
    return True
    yield


def verify_steps_for(folder: str, way: str) -> "Any":
    """The verifier of this name."""
    if way == "none":
        return taken_for_good
    if way == "cold":
        return p256.verify_steps
    return verify_steps_with(folder, way)


def groups_named(name: str, text: bytes) -> "Any":
    """Base45's inner loop."""
    if name == "native":
        return native_groups()
    if name == "portable":
        return None
    decoded = base45.decode(text[4:])

    def copied(text: "Any", length: int, values: bytes, out: bytearray) -> int:
        out[:] = decoded
        return 0

    return copied


def main(folder: str, way: str, loop: str, mode: str, count: int) -> None:
    """Print what the mode prints."""
    text, kid, key = read(folder, "code").split(b"\n")[:3]
    issuer = trust.IssuerKey(
        unhexlify(kid), cose.ES256, unhexlify(key), "", 0, 0xFFFFFFFF, [trust.KIND_DCC], None
    )
    keys = keys_only([issuer])
    verify_steps = verify_steps_for(folder, way)
    groups = groups_named(loop, text)
    if mode == "alloc":
        finish(codes.check_steps(text, keys, NOW, verify_steps, groups))
        gc.collect()
        gc.disable()
        before = gc.mem_alloc()
        finish(codes.check_steps(text, keys, NOW, verify_steps, groups))
        print(gc.mem_alloc() - before)
        return
    least_us = 0
    for _ in range(count):
        if mode == "time":
            gc.collect()
        start = time.ticks_us()
        checked = finish(codes.check_steps(text, keys, NOW, verify_steps, groups))
        spent_us = time.ticks_diff(time.ticks_us(), start)
        if checked.reason != reasons.OK:
            sys.exit("the code was refused")
        least_us = spent_us if not least_us or spent_us < least_us else least_us
    if mode == "time":
        print(least_us)


main(sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4], int(sys.argv[5]) if len(sys.argv) > 5 else 0)
