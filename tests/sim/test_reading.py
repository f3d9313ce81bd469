"""The tables of what a camera still reads: the same as in the documentation, and as the page counts."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from host_tools.authority.pictures import png
from simulator import reading
from simulator.optics import View, photograph, sweep

ROOT = Path(__file__).resolve().parents[2]
CELL = re.compile(r"(\d+)/(\d+)")


@pytest.fixture(scope="module")
def made() -> str:
    return reading.tables()


def test_the_documentation_has_what_the_command_says(made: str) -> None:
    page = (ROOT / "docs" / "simulator.md").read_text("utf-8")
    kept = page[page.index(reading.BEGIN) + len(reading.BEGIN) : page.index(reading.END)]
    assert CELL.sub("", kept).strip() == CELL.sub("", made).strip()
    ours, theirs = (CELL.findall(text) for text in (made, kept))
    assert len(ours) == 3 * 9 * 6
    for (read, tried), (then_read, then_tried) in zip(ours, theirs, strict=True):
        # Another processor's floating point may decide otherwise on a picture at the limit.
        assert tried == then_tried and abs(int(read) - int(then_read)) <= 1


def test_rows_add_up_and_small_codes_read_more(made: str) -> None:
    alls = []
    for table in made.split("\n\n"):
        rows = [CELL.findall(line) for line in table.splitlines() if CELL.search(line)]
        for row in rows:
            *parts, (read, tried) = [(int(a), int(b)) for a, b in row]
            assert (read, tried) == tuple(map(sum, zip(*parts, strict=True)))
        alls.append([sum(int(row[-1][0]) for row in rows[at : at + 3]) for at in (0, 3, 6)])
    assert alls[0] == alls[1] == alls[2], "each table counts the same pictures"
    health, _, certificate = alls[0]
    assert 135 > health > certificate > 30


def test_the_codes_are_as_long_as_real_ones_and_always_the_same() -> None:
    code = reading.CODES[0]
    assert code.text == code.text and len(code.text) == code.characters and code.text.startswith("YM1:")
    picture = png(code.text)
    assert sum(ok for _, ok in sweep(picture)) == sum(ok for _, ok in sweep(picture))
    assert photograph(picture, View()).tobytes() == photograph(picture, View()).tobytes()


def test_the_command_writes_into_a_page(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"a\n{reading.BEGIN}{reading.END}\nb\n", "utf-8")
    monkeypatch.setattr(reading, "tables", lambda: "table\n")
    monkeypatch.setattr("sys.argv", ["camera-table", "--write", str(page)])
    assert reading.main() == 0
    assert page.read_text("utf-8") == f"a\n{reading.BEGIN}\ntable\n{reading.END}\nb\n"


def test_a_page_is_written_between_its_marks() -> None:
    page = f"before\n{reading.BEGIN}\nold\n{reading.END}\nafter\n"
    assert reading.written(page, "new\n") == f"before\n{reading.BEGIN}\nnew\n{reading.END}\nafter\n"
    with pytest.raises(ValueError, match="not found"):
        reading.written("no marks", "new")
