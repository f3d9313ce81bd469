"""Reading scenarios: what is there reads well, and every mistake is named with its place."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from simulator.scenario import ScenarioError, load

FOLDER = Path(__file__).resolve().parents[2] / "simulator" / "scenarios"
GOOD = "mission M2\ntitle A title\ncomes teacher code live skin 34.7\nverdict pass\n"


def written(folder: Path, text: str) -> Path:
    path = folder / "play.txt"
    path.write_text(text, "utf-8")
    return path


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.txt")), ids=lambda path: path.stem)
def test_the_scenarios_read(path: Path) -> None:
    scenario = load(path)
    assert scenario.missions and scenario.title and scenario.steps
    names = [step.words[0] for step in scenario.steps if step.verb == "shot"]
    assert len(names) == len(set(names))


def test_a_scenario_reads(tmp_path: Path) -> None:
    scenario = load(written(tmp_path, "# a story\n" + GOOD))
    assert (scenario.missions, scenario.title) == (("M2",), "A title")
    assert [step.verb for step in scenario.steps] == ["comes", "verdict"]
    assert scenario.steps[0].where == "play.txt:4"


def test_another_one_is_included_without_its_title(tmp_path: Path) -> None:
    (tmp_path / "first.txt").write_text(GOOD)
    scenario = load(written(tmp_path, "title Whole\ninclude first.txt\nverdict stop\n"))
    assert scenario.title == "Whole"
    assert [step.where for step in scenario.steps] == ["first.txt:3", "first.txt:4", "play.txt:3"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("dances teacher", "play.txt:5: no such verb: dances"),
        ("verdict", "play.txt:5: verdict takes 1 to 1 words"),
        ("verdict green", "a verdict is one of"),
        ("press up", "keys are"),
        ("record verdict", "FIELD=VALUE"),
        ("comes teacher code", "pairs"),
        ("comes teacher shoes red", "nothing is known of 'shoes'"),
        ("comes teacher skin warm", "a temperature"),
        ("comes teacher code plastic", "code is one of live, paper"),
        ('comes "teacher', "play.txt:5: No closing quotation"),
        ("include ../play.txt", "no scenario ../play.txt beside this one"),
        ("include play.txt", "too many includes"),
        ("world rain on", "world wifi, server, skin"),
        ("world wifi maybe", "world wifi"),
        ("world battery none", "world wifi"),
        ("unplug screen", "a chip is one of gm65"),
        ("fault ds3231 flag", "fault CHIP WHAT"),
        ("fault gm65 nak", "fault CHIP WHAT"),
        ("noise spi 5", "noise uart|i2c"),
        ("noise uart 1001", "noise uart|i2c"),
        ("title Another", "one title is needed, 2 are there"),
        ("# " + "x" * 400, "longer than 400 characters"),
    ],
)
def test_a_mistake_is_named_with_its_place(tmp_path: Path, line: str, said: str) -> None:
    with pytest.raises(ScenarioError, match=re.escape(said)):
        load(written(tmp_path, GOOD + line + "\n"))


def test_too_many_lines(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match="more than 400 lines"):
        load(written(tmp_path, GOOD + "\n" * 400))
