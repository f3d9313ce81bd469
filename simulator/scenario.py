"""Scenarios: short plays at the door, written so that a reader understands and a machine plays them.

A file in ``simulator/scenarios`` is lines of a verb and what it needs; ``#`` starts a remark that tells the
story. docs/scenarios.md lists the verbs. Reading a file and finding its mistakes needs no handheld; playing
one is simulator/player.py.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from pathlib import Path

from simulator.passing import span_s, speed_of

#: A scenario is read by people; longer ones are two.
MAX_LINES = 400
MAX_LINE = 400
MAX_INCLUDES = 8

#: verb → (fewest words after it, most of them)
VERBS: dict[str, tuple[int, int]] = {
    "mission": (1, 8),
    "title": (1, 40),
    "include": (1, 1),
    "scene": (3, 20),
    "comes": (1, 12),
    "shows": (2, 2),
    "follows": (0, 4),
    "nocode": (1, 1),
    "roster": (2, 24),
    "fails": (1, 40),
    "verdict": (1, 1),
    "reasons": (1, 12),
    "notice": (0, 0),
    "says": (1, 4),
    "records": (1, 1),
    "record": (1, 14),
    "shot": (1, 1),
    "press": (1, 8),
    "hold": (2, 2),
    "world": (2, 2),
    "unplug": (1, 1),
    "plug": (1, 1),
    "fault": (2, 2),
    "noise": (2, 2),
    "clock": (1, 1),
    "speed": (1, 1),
    "jump": (1, 1),
    "power": (1, 1),
    "yima": (1, 40),
    "wait": (1, 20),
    "server": (2, 20),
    "pack": (0, 0),
}
#: What `comes` may say of a person: word → values allowed, None for any.
TRAITS: dict[str, tuple[str, ...] | None] = {
    "code": ("live", "paper"),
    "skin": None,
    "mask": ("yes", "no", "none"),
    "id": ("yes", "no", "none"),
}
#: What `world` changes: word → values allowed, None for a number.
WORLD: dict[str, tuple[str, ...] | None] = {
    "wifi": ("on", "off"),
    "server": ("on", "off"),
    "skin": None,
    "ambient": None,
    "battery": None,
}
CHIPS = ("gm65", "mlx90614", "ds3231")
#: What `fault` may say of a chip, or of the bus.
FAULTS = {
    "mlx90614": ("nak", "bad_pec", "flag", "ffff", "none"),
    "ds3231": ("nak", "none"),
    "bus": ("stuck", "none"),
}
MOST_NOISE_PER_MILLE = 1000
VERDICTS = ("pass", "stop", "attention")
KEYS = ("no", "middle", "yes")


class ScenarioError(Exception):
    """A scenario that cannot be read; the message names file, line and mistake."""


@dataclass(frozen=True)
class Step:
    """One line: its verb, its words, and where it stands."""

    verb: str
    words: tuple[str, ...]
    where: str


@dataclass(frozen=True)
class Scenario:
    """A whole play. `missions` are rows of the mission table, such as ``M2``."""

    name: str
    title: str
    missions: tuple[str, ...]
    steps: tuple[Step, ...] = field(default_factory=tuple)


def load(path: Path) -> Scenario:
    """Read a scenario. Raises ScenarioError, OSError."""
    steps = _steps(path, 0)
    missions = tuple(word for step in steps if step.verb == "mission" for word in step.words)
    titles = [" ".join(step.words) for step in steps if step.verb == "title"]
    if len(titles) != 1:
        raise ScenarioError(f"{path.name}: one title is needed, {len(titles)} are there")
    played = tuple(step for step in steps if step.verb not in ("mission", "title"))
    return Scenario(path.stem, titles[0], missions, played)


def _steps(path: Path, depth: int) -> list[Step]:
    if depth > MAX_INCLUDES:
        raise ScenarioError(f"{path.name}: too many includes in each other")
    lines = path.read_text("utf-8").splitlines()
    if len(lines) > MAX_LINES:
        raise ScenarioError(f"{path.name}: more than {MAX_LINES} lines")
    found: list[Step] = []
    for number, line in enumerate(lines, 1):
        where = f"{path.name}:{number}"
        words = _words(line, where)
        if not words:
            continue
        step = _checked(Step(words[0], tuple(words[1:]), where))
        if step.verb != "include":
            found.append(step)
            continue
        other = path.parent / step.words[0]
        if other.parent != path.parent or not other.is_file():
            raise ScenarioError(f"{where}: no scenario {step.words[0]} beside this one")
        found += [inner for inner in _steps(other, depth + 1) if inner.verb not in ("title", "mission")]
    return found


def _words(line: str, where: str) -> list[str]:
    if len(line) > MAX_LINE:
        raise ScenarioError(f"{where}: longer than {MAX_LINE} characters")
    try:
        reader = shlex.shlex(line, posix=True)
        reader.whitespace_split = True
        reader.quotes = '"'  # an apostrophe is one
        return list(reader)
    except ValueError as e:
        raise ScenarioError(f"{where}: {e}") from e


def _checked(step: Step) -> Step:
    if step.verb not in VERBS:
        raise ScenarioError(f"{step.where}: no such verb: {step.verb}")
    fewest, most = VERBS[step.verb]
    if not fewest <= len(step.words) <= most:
        raise ScenarioError(f"{step.where}: {step.verb} takes {fewest} to {most} words")
    if step.verb in ("comes", "follows"):
        traits(step)
    elif step.verb == "scene" and step.words[1] != "at":
        raise ScenarioError(f"{step.where}: it is: scene ID at PLACE")
    elif step.verb == "roster" and len(step.words) % 2:
        raise ScenarioError(f"{step.where}: a roster is pairs of a person and a role")
    elif step.verb == "verdict" and step.words[0] not in VERDICTS:
        raise ScenarioError(f"{step.where}: a verdict is one of {', '.join(VERDICTS)}")
    elif step.verb == "press" and not set(step.words) <= set(KEYS):
        raise ScenarioError(f"{step.where}: keys are {', '.join(KEYS)}")
    elif step.verb in ("speed", "jump"):
        try:
            (speed_of if step.verb == "speed" else span_s)(step.words)
        except ValueError as e:
            raise ScenarioError(f"{step.where}: {e}") from None
    elif step.verb == "record" and not all("=" in word for word in step.words):
        raise ScenarioError(f"{step.where}: a record is described by FIELD=VALUE")
    elif step.verb in ("world", "unplug", "plug", "fault", "noise"):
        _check_surroundings(step)
    return step


def _check_surroundings(step: Step) -> None:
    """What surrounds the handheld, and what is broken. Raises ScenarioError."""
    name, value = (*step.words, "")[:2]
    if step.verb == "world":
        allowed = WORLD.get(name, ())
        good = (
            value in allowed
            if allowed is not None
            else _is_celsius(value) or (name, value) == ("skin", "none")
        )
        said = f"it is: world {', '.join(WORLD)}, and a value"
    elif step.verb == "fault":
        good, said = value in FAULTS.get(name, ()), "it is: fault CHIP WHAT, see docs/scenarios.md"
    elif step.verb == "noise":
        good = name in ("uart", "i2c") and value.isdigit() and int(value) <= MOST_NOISE_PER_MILLE
        said = "it is: noise uart|i2c, and how many of 1,000 bytes are hit"
    else:
        good, said = name in CHIPS, f"a chip is one of {', '.join(CHIPS)}"
    if not good:
        raise ScenarioError(f"{step.where}: {said}")


def traits(step: Step) -> dict[str, str]:
    """What a `comes` line says of the person: words of TRAITS and their values. Raises ScenarioError."""
    words = step.words[1:] if step.verb == "comes" else step.words
    if len(words) % 2:
        raise ScenarioError(f"{step.where}: after the person come pairs such as: code paper")
    said = dict(zip(words[::2], words[1::2], strict=True))
    for name, value in said.items():
        if name not in TRAITS:
            raise ScenarioError(f"{step.where}: nothing is known of {name!r}; {', '.join(TRAITS)}")
        allowed = TRAITS[name]
        if allowed is not None and value not in allowed:
            raise ScenarioError(f"{step.where}: {name} is one of {', '.join(allowed)}")
        if name == "skin" and not _is_celsius(value):
            raise ScenarioError(f"{step.where}: skin is a temperature such as 34.7")
    return said


def _is_celsius(text: str) -> bool:
    try:
        return -40 <= float(text) <= 300
    except ValueError:
        return False
