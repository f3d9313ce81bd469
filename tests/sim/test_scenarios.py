"""Every scenario on a running system: authority, fleet server, the compiled firmware in the simulator."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from simulator.player import FOLDER
from simulator.scenario import load

ROOT = Path(__file__).resolve().parents[2]
LIMIT_S = 600
#: The rows of the mission table that packs, rules and scenes serve.
MISSIONS = {f"M{number}" for number in (*range(1, 16), 20)}


def test_every_mission_has_its_scenario() -> None:
    shown = {mission for path in FOLDER.glob("*.txt") for mission in load(path).missions}
    assert shown == MISSIONS


def test_the_guide_shows_what_scenarios_show() -> None:
    shots = {
        step.words[0] for path in FOLDER.glob("*.txt") for step in load(path).steps if step.verb == "shot"
    }
    guide = (ROOT / "docs" / "operating.md").read_text("utf-8")
    used = re.findall(r"\(operating/([\w-]+)\.png\)", guide)
    assert used and set(used) <= shots
    for name in used:
        assert (ROOT / "docs" / "operating" / f"{name}.png").is_file(), f"make picture would make {name}"


@pytest.mark.xdist_group("system")
def test_the_scenarios_come_as_written(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "simulator.play", "--shots", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    lines = [line for line in done.stdout.splitlines() if line.startswith("ok ")]
    assert len(lines) == len(list(FOLDER.glob("*.txt")))
    for path in FOLDER.glob("*.txt"):
        for step in load(path).steps:
            if step.verb == "shot":
                assert (tmp_path / f"{step.words[0]}.png").read_bytes()[:4] == b"\x89PNG"
