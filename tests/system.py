"""A whole `yima run` for tests: its processes, its ports, what it tells."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
YIMA = [sys.executable, "-m", "host_tools.cli"]


def wait_until(condition: Callable[[], object], what: str, limit_s: float = 60.0) -> None:
    ends = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < ends, what
        time.sleep(0.1)


@contextlib.contextmanager
def started(state: Path, base: int, *more: str) -> Iterator[subprocess.Popen[str]]:
    """A `yima run`, killed at the end if the test did not end it."""
    argv = [*YIMA, "run", "--no-browser", "--state", str(state), "--port-base", str(base), *more]
    process = subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.wait(10)


def running(state: Path, process: subprocess.Popen[str]) -> dict[str, str]:
    """What run.json tells once the system works."""
    path = state / "run.json"
    wait_until(lambda: path.exists() or process.poll() is not None, "the system does not start")
    assert process.poll() is None, process.stdout.read() if process.stdout else ""
    return json.loads(path.read_text())
