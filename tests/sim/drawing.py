"""What the tests of the screens share: running a script under MicroPython, assets, every screen as a picture.

What takes long is done once in a process.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from functools import cache
from pathlib import Path

import pytest
from conftest import ROOT, micropython
from PIL import Image

from host_tools.device import assets

HERE = Path(__file__).parent
SIZE = (240, 320)
#: Where `make` puts what requirements/oracle.txt names.
ORACLE = ROOT / "build" / "oracle"


def run(script: Path, *arguments: object, heap: str = "16M", **environment: str) -> str:
    """Run a script under MicroPython and return what it prints; its failure fails the test.

    The heap has room for the fonts: only in ROMFS do they stay where they are.
    """
    result = subprocess.run(
        [micropython(), "-X", f"heapsize={heap}", str(script), *map(str, arguments)],
        env={**os.environ, "MICROPYPATH": f"{ROOT}:.frozen", **environment},
        capture_output=True,
        text=True,
        timeout=120,
        cwd=ROOT,
        check=False,
    )
    if result.returncode:
        pytest.fail(result.stdout[-4000:] + result.stderr[-4000:])
    return result.stdout


def picture(raw: bytes) -> Image.Image:
    """A dump of the panel, RGB565 with the high byte first, as a picture."""
    assert len(raw) == SIZE[0] * SIZE[1] * 2
    pixels = bytearray()
    for high, low in zip(raw[::2], raw[1::2], strict=True):
        r, g, b = high >> 3, (high & 7) << 3 | low >> 5, low & 31
        pixels += bytes((r << 3 | r >> 2, g << 2 | g >> 4, b << 3 | b >> 2))
    return Image.frombytes("RGB", SIZE, bytes(pixels))


@cache
def _temporary() -> tempfile.TemporaryDirectory[str]:
    """A folder that goes when the tests end."""
    return tempfile.TemporaryDirectory(prefix="yima-screens-")


@cache
def asset_folder() -> Path:
    """A folder with fonts, pictures and texts."""
    folder = Path(_temporary().name, "assets")
    assets.build(folder)
    return folder


@cache
def dumps() -> dict[str, bytes]:
    """What the panel holds after each screen of draw_screens.py, in both languages."""
    folder = Path(_temporary().name, "dumps")
    folder.mkdir()
    run(HERE / "draw_screens.py", asset_folder(), folder)
    return {path.stem: path.read_bytes() for path in sorted(folder.glob("*.raw"))}


@cache
def drawn() -> dict[str, Image.Image]:
    """The same as pictures."""
    return {name: picture(raw) for name, raw in dumps().items()}
