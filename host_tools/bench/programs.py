"""Starting what is measured: MicroPython and the C peer."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
LIMIT_S = 300


def micropython() -> str:
    """The interpreter: ``MICROPYTHON``, or the pinned one of this environment."""
    return os.environ.get("MICROPYTHON") or str(Path(sys.executable).parent / "micropython")


def mpy_command(script: str, *arguments: str, heap: str = "4M") -> list[str]:
    """The command that runs a script of this folder under MicroPython."""
    return [micropython(), "-X", f"heapsize={heap}", str(HERE / script), *arguments]


def mpy_environment() -> dict[str, str]:
    """What such a command needs to find the firmware."""
    return {**os.environ, "MICROPYPATH": f"{ROOT}:.frozen"}


def run_mpy(script: str, *arguments: str) -> list[float]:
    """The numbers in the last line that a script prints. Raises CalledProcessError where it fails."""
    result = subprocess.run(
        mpy_command(script, *arguments),
        env=mpy_environment(),
        stdout=subprocess.PIPE,
        text=True,
        timeout=LIMIT_S,
        check=True,
    )
    return [float(word) for word in (result.stdout.splitlines() or [""])[-1].split()]


def compile_peer(folder: Path) -> Path | None:
    """The C peer, None where there is no compiler or no mbedTLS for it."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        return None
    peer = folder / "mbed_verify"
    command = [compiler, "-O2", "-o", str(peer), str(HERE / "mbed_verify.c"), "-lmbedcrypto"]
    return None if subprocess.run(command, capture_output=True, check=False).returncode else peer
