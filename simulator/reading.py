"""``yima camera-table``: how many of a phone's positions before the camera still read, in Markdown.

Every code is drawn as a wallet draws it, photographed in all 135 ways of simulator/optics.py, and given to
the decoder. The codes are made of fixed characters, as long as the real ones, so that the tables come out
the same every time. With ``--write FILE`` they go between the marks in a page of the documentation.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from host_tools.authority.pictures import png, version
from simulator.optics import DISTANCES_MM, LIGHTS, TILTS, TURNS, View, sweep

BASE45 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"
SEED = 2020
BEGIN, END = "<!-- yima camera-table -->", "<!-- end -->"
LIGHT_WORDS = {(0.0, 0): "still", (1.2, 0): "shaken", (0.0, 96): "glare"}


class Code(NamedTuple):
    """What is held up: a name, the prefix, and how many characters there are in all."""

    name: str
    prefix: str
    characters: int

    @property
    def text(self) -> str:
        """The code's text; its content means nothing."""
        dice = random.Random(SEED)  # noqa: S311 - a pattern, no secret
        count = self.characters - len(self.prefix)
        return self.prefix + "".join(dice.choice(BASE45) for _ in range(count))


CODES = (
    Code("health code", "YM1:", 244),
    Code("mother with two children", "YM1:", 349),
    Code("EU certificate", "HC1:", 526),
)
Tried = list[tuple[View, bool]]


def tables() -> str:
    """The tables, as Markdown."""
    tried = [(code, sweep(png(code.text))) for code in CODES]
    parts = [
        _table("light", LIGHTS, lambda view: (view.shake, view.glare), lambda v: LIGHT_WORDS[v], tried),
        _table("tilt", TILTS, lambda view: view.tilt, lambda v: f"{v}°", tried),
        _table("turned", TURNS, lambda view: view.turn, lambda v: f"{v}°", tried),
    ]
    return "\n\n".join(parts) + "\n"


def _table(
    what: str,
    values: tuple[object, ...],
    of: Callable[[View], object],
    word: Callable[..., str],
    tried: list[tuple[Code, Tried]],
) -> str:
    heads = " | ".join(f"{mm // 10} cm" for mm in DISTANCES_MM)
    lines = [f"| code | {what} | {heads} | all |", "|---|---|" + "---:|" * (len(DISTANCES_MM) + 1)]
    for code, views in tried:
        size = 17 + 4 * version(code.text)
        for value in values:
            mine = [(view, ok) for view, ok in views if of(view) == value]
            groups = [[ok for view, ok in mine if view.distance_mm == mm] for mm in DISTANCES_MM]
            cells = " | ".join(_share(group) for group in [*groups, [ok for _, ok in mine]])
            name = f"{code.name}, {code.characters} characters, {size} × {size}" if value == values[0] else ""
            lines.append(f"| {name} | {word(value)} | {cells} |")
    return "\n".join(lines)


def _share(read: list[bool]) -> str:
    return f"{sum(read)}/{len(read)}"


def written(page: str, made: str) -> str:
    """A page with the tables between its marks. Raises ValueError where it has none."""
    begin, end = page.index(BEGIN) + len(BEGIN), page.index(END)
    return page[:begin] + "\n" + made + page[end:]


def main() -> int:
    """Make the tables; print or write them."""
    parser = argparse.ArgumentParser(prog="yima camera-table", description=__doc__)
    parser.add_argument("--write", type=Path, metavar="FILE", help="a page with marks for the tables")
    options = parser.parse_args()
    made = tables()
    if options.write:
        options.write.write_text(written(options.write.read_text("utf-8"), made), "utf-8")
    else:
        print(made, end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
