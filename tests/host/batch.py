"""Run one of the batch scripts under an interpreter and return its lines."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from conftest import ROOT, micropython

INTERPRETERS = ["micropython", "cpython"]
HEAP = "200k"


def run(interpreter: str, script: str, lines: list[str], folder: Path) -> list[str]:
    """One line of answer for each line of input; MicroPython gets the handheld's heap."""
    cases = folder / "cases"
    cases.write_text("".join(line + "\n" for line in lines), "utf-8")
    command = [micropython(), "-X", f"heapsize={HEAP}"] if interpreter == "micropython" else [sys.executable]
    path = f"{ROOT}:.frozen" if interpreter == "micropython" else str(ROOT)
    result = subprocess.run(
        [*command, str(Path(__file__).with_name(script)), str(cases)],
        env={**os.environ, "MICROPYPATH": path, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert result.returncode == 0, result.stderr[-4000:] + result.stdout[-2000:]
    answers = result.stdout.splitlines()
    assert len(answers) == len(lines)
    return answers
