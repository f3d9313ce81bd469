"""Run one of the batch scripts under an interpreter and return its lines."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from conftest import ROOT, micropython, need

from simulator.handheld import HEAP

INTERPRETERS = ["micropython", "cpython"]
#: Every way to verify a signature: interpreter, and what verify_batch.py is told.
WAYS = {
    "complete-micropython": ("micropython", "complete"),
    "complete-cpython": ("cpython", "complete"),
    "native-1": ("micropython", "native", "1"),
    "native-4": ("micropython", "native", "4"),
    "native-cold": ("micropython", "cold-native"),
    "portable-micropython": ("micropython", "portable", "2"),
    "portable-cpython": ("cpython", "portable", "4"),
}


def run(
    interpreter: str, script: str, lines: list[str], folder: Path, *more: str, heap: str = HEAP
) -> list[str]:
    """One line of answer for each line of input; MicroPython gets the handheld's heap."""
    cases = folder / "cases"
    cases.write_text("".join(line + "\n" for line in lines), "utf-8")
    command = [micropython(), "-X", f"heapsize={heap}"] if interpreter == "micropython" else [sys.executable]
    path = f"{ROOT}:.frozen" if interpreter == "micropython" else str(ROOT)
    result = subprocess.run(
        [*command, str(Path(__file__).with_name(script)), str(cases), *more],
        env={**os.environ, "MICROPYPATH": path, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=1200,
        check=False,
    )
    assert result.returncode == 0, result.stderr[-4000:] + result.stdout[-2000:]
    answers = result.stdout.splitlines()
    assert len(answers) == len(lines)
    return answers


def verify(way: str, lines: list[str], folder: Path) -> list[str]:
    """Answers of verify_batch.py, one of WAYS; sixteen tables at once take more than the handheld's heap."""
    interpreter, *more = WAYS[way]
    if "native" in more[0]:
        need(has_native_code(), len(lines), "no native code emitter in this MicroPython")
    return run(interpreter, "verify_batch.py", lines, folder, *more, heap="4M")


def has_native_code() -> bool:
    """Whether the interpreter compiles viper functions."""
    code = "@micropython.viper\ndef f(x: int) -> int:\n return x\nf(1)"
    return not subprocess.run([micropython(), "-c", code], capture_output=True, check=False).returncode
