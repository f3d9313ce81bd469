"""The fuzz of fuzz_scan.py under both interpreters; YIMA_FUZZ_CASES sets how many cases, `make soak` many."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT, micropython

FOLDER = Path(__file__).parent
CASES = int(os.environ.get("YIMA_FUZZ_CASES", "5000"))
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
        "check_reply: wrong tag",
    ):
        assert outcomes[name] * 1000 > CASES, name
