"""Edits of source text by position, which keep the number of lines."""

from __future__ import annotations

import ast
from collections.abc import Iterable

#: Line, first column, column after (-1: to the end of the line), what comes there; columns in UTF-8 bytes.
Edit = tuple[int, int, int, str]


def replace(node: ast.expr | ast.stmt, text: str) -> list[Edit]:
    """Replace a whole node; one over several lines becomes one line and blank ones."""
    first, last = node.lineno, node.end_lineno or node.lineno
    end = node.end_col_offset or 0
    edits = [(first, node.col_offset, end if first == last else -1, text)]
    edits += [(line, 0, end if line == last else -1, "") for line in range(first + 1, last + 1)]
    return edits


def blank(statement: ast.stmt) -> list[Edit]:
    """Take a whole statement out; its lines stay, empty."""
    first, last = statement.lineno, statement.end_lineno or statement.lineno
    return [(line, 0, -1, "") for line in range(first, last + 1)]


def apply(text: str, edits: Iterable[Edit]) -> str:
    """The text after all edits; no two may overlap, but one may be given twice."""
    lines = [line.encode() for line in text.splitlines()]
    for line, column, end, replacement in sorted(set(edits), reverse=True):
        raw = lines[line - 1]
        lines[line - 1] = raw[:column] + replacement.encode() + (b"" if end < 0 else raw[end:])
    return b"\n".join(lines).decode() + "\n"
