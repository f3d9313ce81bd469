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


def engine_named(way: str) -> "tuple[Any, int]":
    """The engine and the number of sub-tables that `native-1-8` or `portable-4` stand for.

    The native engine may be followed by the number of its records. Only the engine asked for is loaded, as
    the other may not run here.
    """
    name, v, *records = way.split("-")
    if name == "native":
        from firmware.core.p256_native import NativeEngine

        return NativeEngine(*[int(number) for number in records]), int(v)
    from firmware.core.p256_portable import PortableEngine

    return PortableEngine(), int(v)


def native_groups() -> "Any":
    """Base45's inner loop in native code."""
    from firmware.core.base45_native import groups

    return groups


def verify_steps_with(folder: str, way: str) -> "Any":
    """`verify_steps` of an engine with the tables of the generator and the key in memory."""
    name = way.split("-")[0]
    engine, v = engine_named(way)
    verifier = Verifier(engine, read(folder, name + ".g"))
    table = read(folder, "%s.%d" % (name, v))
    return lambda key, digest, signature: verifier.verify_steps(table, key, digest, signature)
