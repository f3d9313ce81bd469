"""Our displayio against Blinka's, pixel by pixel: every screen, and labels of an unmodified library.

Blinka displayio is CircuitPython's interface for computers, written by other people. The screens are the same
code on both; host_tools/bench/ui_blinka.py says what stands where on a computer.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT, need
from drawing import HERE, ORACLE, asset_folder, dumps, run

FONT = ORACLE / "displayio" / "resources" / "ter-u12n.bdf"
LABELS = 20


def on_blinka(script: str, *arguments: object) -> str:
    """Run a drawing script under CPython; returns what it prints."""
    result = subprocess.run(
        [sys.executable, str(HERE / "on_blinka.py"), str(ORACLE), script, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert not result.returncode, result.stderr[-4000:]
    return result.stdout


def differing(ours: dict[str, bytes], folder: Path) -> dict[str, int]:
    """How many pixels of which dump are not those that Blinka drew."""
    theirs = {path.stem: path.read_bytes() for path in folder.glob("*.raw")}
    assert theirs.keys() == ours.keys()
    return {
        name: sum(raw[i : i + 2] != theirs[name][i : i + 2] for i in range(0, len(raw), 2))
        for name, raw in ours.items()
        if raw != theirs[name]
    }


@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_screen_is_as_on_blinka(language: str, tmp_path: Path) -> None:
    need(ORACLE.is_dir(), 1, "no Blinka displayio: make lint installs it")
    on_blinka("draw_screens", asset_folder(), tmp_path, language)
    ours = {name: raw for name, raw in dumps().items() if name.endswith("_" + language)}
    assert len(ours) > 45
    assert differing(ours, tmp_path) == {}


def test_unmodified_display_text_draws_the_same(tmp_path: Path) -> None:
    need(ORACLE.is_dir(), 1, "no Blinka displayio: make lint installs it")
    for name in ("ours", "theirs"):
        (tmp_path / name).mkdir()
    path = f"{HERE / 'circuitpy'}:{HERE}:{ROOT}:{ORACLE}:.frozen"
    printed = run(HERE / "draw_labels.py", FONT, tmp_path / "ours", MICROPYPATH=path)
    assert int(printed) == int(on_blinka("draw_labels", FONT, tmp_path / "theirs")) == LABELS + 1
    ours = {path.stem: path.read_bytes() for path in (tmp_path / "ours").glob("*.raw")}
    assert len(set(ours.values())) >= LABELS - 2, "steps that change nothing show nothing"
    assert differing(ours, tmp_path / "theirs") == {}
