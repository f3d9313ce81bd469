"""Runs under MicroPython: what the bench's scripts share. The files are those of inputs.py."""

from firmware.core.p256_comb import Verifier

if False:
    from typing import Any, Generator

VECTOR_BYTES = 160


def finish(steps: "Generator[None, None, Any]") -> "Any":
    """A generator's answer."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def read(folder: str, name: str) -> bytes:
    """A whole file."""
    with open(folder + "/" + name, "rb") as file:
        data: bytes = file.read()
    return data


def engine_named(name: str) -> "Any":
    """`native` or `portable`; only the one asked for is loaded, as the other may not run here."""
    if name == "native":
        from firmware.core.p256_native import NativeEngine

        return NativeEngine()
    from firmware.core.p256_portable import PortableEngine

    return PortableEngine()


def native_groups() -> "Any":
    """Base45's inner loop in native code."""
    from firmware.core.base45_native import groups

    return groups


def verify_steps_with(folder: str, name: str, v: int) -> "Any":
    """`verify_steps` of an engine with the generator's table and the key's of v sub-tables in memory."""
    verifier = Verifier(engine_named(name), read(folder, name + ".g"))
    table = read(folder, "%s.%d" % (name, v))
    return lambda key, digest, signature: verifier.verify_steps(table, key, digest, signature)
