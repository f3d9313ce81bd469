"""docs/security.md: every attacker has a test, and it is there."""

from __future__ import annotations

import re

from conftest import ROOT

PAGE = (ROOT / "docs" / "security.md").read_text("utf-8")


def attackers() -> list[list[str]]:
    """The cells of every line of the page's tables, heads and rules left out."""
    rows = [row.strip("| ").split(" | ") for row in PAGE.splitlines() if row.startswith("| ")]
    return [row for row in rows if row[-1] != "test"]


def named_in(cell: str) -> list[tuple[str, str]]:
    """File and beginning of the name of each test in a cell; a file holds until the next one is named."""
    found, file = [], ""
    for name in re.findall(r"`([^`]+)`", cell):
        before, colon, after = name.partition(": ")
        if colon:
            file = before if "/" in before else f"tests/host/{before}"
        found.append((file, after if colon else name))
    return found


def test_every_attacker_has_a_test_that_is_there() -> None:
    rows = attackers()
    assert len(rows) > 30 and all(len(row) == 4 for row in rows)
    for row in rows:
        named = named_in(row[-1])
        assert named, row
        for file, name in named:
            source = (ROOT / file).read_text("utf-8")
            assert re.search(rf"^(async )?def test_{re.escape(name)}", source, re.MULTILINE), (file, name)
