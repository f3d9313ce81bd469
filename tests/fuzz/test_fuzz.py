"""The fuzz of fuzz_scan.py under both interpreters; YIMA_FUZZ_CASES sets how many cases, `make soak` many.

`make soak` also runs them in WebAssembly, which counts what each one costs.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT, micropython, need

from host_tools.bench import counts, inputs

FOLDER = Path(__file__).parent
CASES = int(os.environ.get("YIMA_FUZZ_CASES", "5000"))
SOAK = bool(os.environ.get("YIMA_SOAK"))
#: Cases in one instance of WebAssembly: it never collects garbage, and slows down with what it holds.
INSTANCE = 500
#: No input may cost more than so many valid scans.
MAX_SCANS = 3
SEED = int(os.environ.get("YIMA_FUZZ_SEED", "20200522"))


@pytest.mark.parametrize("interpreter", ["cpython", "micropython"])
def test_nothing_but_named_errors(interpreter: str) -> None:
    # The fuzzer needs room for itself; what a case takes is counted.
    command = [sys.executable] if interpreter == "cpython" else [micropython(), "-X", "heapsize=2M"]
    path = str(ROOT) if interpreter == "cpython" else f"{ROOT}:.frozen"
    corpus = sorted(str(file) for file in (FOLDER / "corpus").iterdir())
    assert len(corpus) >= 11
    result = subprocess.run(
        [*command, str(FOLDER / "fuzz_scan.py"), str(SEED), str(CASES), *corpus],
        env={**os.environ, "MICROPYPATH": path, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=60 + CASES / 50,
        check=False,
    )
    assert result.returncode == 0, result.stdout[-9000:] + result.stderr[-3000:]
    outcomes = {}
    for line in result.stdout.splitlines():
        name, _, count = line.rpartition(" ")
        outcomes[name] = int(count)
    assert sum(outcomes.values()) == CASES + 6 * len(corpus)
    # Every depth was reached.
    for name in (
        "check_code: bad_signature",
        "check_mad_code: ok",
        "check_mad_list: list",
        "check_part: found",
        "check_part: damaged",
        "check_frame: refused",
        "check_reply: wrong tag",
    ):
        assert outcomes[name] * 1000 > CASES, name


@pytest.mark.skipif(not SOAK, reason="make soak counts fuel")
def test_no_input_costs_more_than_three_scans(tmp_path: Path) -> None:
    """In fuel of WebAssembly, all in bytecode, against an EU certificate with the firmware's tables."""
    run = counts.wasm_runner(tmp_path)
    need(run is not None, CASES, "no MicroPython for WebAssembly (requirements/bench.txt)")
    assert run
    inputs.write_inputs(tmp_path)
    scan, rest = (counts.scan_fuel(run, way, "portable") for way in ("portable-1", "none"))
    # The cases have no verifier behind them, but any of them might have come to one.
    allowed = int(MAX_SCANS * scan - (scan - rest))
    corpus = [f"/yima/{file.relative_to(ROOT)}" for file in sorted((FOLDER / "corpus").iterdir())]
    most = 0
    for first in range(0, CASES, INSTANCE):
        _, printed = run(
            FOLDER / "fuzz_scan.py", str(SEED + 1 + first), str(INSTANCE), f"fuel={allowed}", *corpus
        )
        most = max(most, int(printed.rpartition(" ")[2]))
        corpus = []
    assert allowed // 100 < most <= allowed
