"""An evaluation in plain words: every expression that was looked at, with the value it had."""

from __future__ import annotations

import json

from firmware.core import cbor, certlogic
from firmware.core.certlogic_dates import DateTime, text_of, text_of_unix
from firmware.core.certlogic_read import CertLogicError

MAX_LINES = 200
#: Deeper than any logic that is taken.
_DEPTH = 4 * certlogic.MAX_DEPTH
#: Whole numbers in between are shown as times too.
_FIRST_UNIX, _LAST_UNIX = 1_000_000_000, 4_000_000_000
_LIST_SHOWN = 6
_DAY_S = 86_400
#: Longer expressions are cut: what is inside follows below.
_MAX_WORDS = 90
_BETWEEN = {
    "and": "and",
    "===": "is",
    "in": "in",
    "+": "+",
    ">": ">",
    "<": "<",
    ">=": ">=",
    "<=": "<=",
    "after": "after",
    "before": "before",
    "not-after": "not after",
    "not-before": "not before",
}


def explain(logic: bytes, data: object) -> list[str]:
    """One line for each expression evaluated, the outermost first, inner ones further to the right.

    What was not looked at, as the branch of an `if` that was not taken, is not there.
    """
    seen: dict[tuple[int, int], tuple[int, object]] = {}

    def trace(start: int, end: int, value: object) -> None:
        times, _ = seen.get((start, -end), (0, None))
        seen[start, -end] = times + 1, value

    error = ""
    try:
        certlogic.run_logic(logic, data, trace=trace)
    except CertLogicError as e:
        error = f"error: {e}"
    lines = []
    open_ends: list[int] = []
    for start, end in sorted(seen):
        expression = cbor.loads(logic[start:-end], _DEPTH, certlogic.MAX_STEPS)
        times, value = seen[start, end]
        while open_ends and open_ends[-1] <= start:
            open_ends.pop()
        if isinstance(expression, dict):
            repeated = f" (the last of {times})" if times > 1 else ""
            lines.append(f"{'  ' * len(open_ends)}{_cut(words(expression))} = {value_words(value)}{repeated}")
        open_ends.append(-end)
    if error:
        lines.append(error)
    if len(lines) > MAX_LINES:
        lines = [*lines[:MAX_LINES], f"… and {len(lines) - MAX_LINES} more"]
    return lines


def words(logic: object) -> str:
    """An expression as one would say it."""
    if isinstance(logic, list):
        return "[" + ", ".join(map(words, logic)) + "]"
    if not isinstance(logic, dict):
        return json.dumps(logic, ensure_ascii=False)
    ((name, operands),) = logic.items()
    if name == "var":
        return str(operands) or "the data"
    said = [_inner(operand) for operand in operands]
    if name == "+" and type(operands[1]) is int and operands[1] and operands[1] % _DAY_S == 0:
        return f"{said[0]} {'plus' if operands[1] > 0 else 'minus'} {abs(operands[1]) // _DAY_S} days"
    if name in _BETWEEN:
        return f" {_BETWEEN[name]} ".join(said)
    if name == "if":
        return f"if {said[0]} then {said[1]} else {said[2]}"
    if name == "!":
        return f"not {said[0]}"
    if name == "plusTime":
        return f"{said[0]} plus {operands[1]} {operands[2]}s"
    if name == "reduce":
        return f"over {said[0]}, from {said[2]}, {said[1]}"
    if name == "extractFromUVCI":
        return f"fragment {operands[1]} of {said[0]}"
    if name == "dccDateOfBirth":
        return f"date of birth {said[0]}"
    return f"{name} {', '.join(said)}"


def value_words(value: object) -> str:
    """A value as one would say it."""
    if value is None:
        return "nothing"
    if isinstance(value, DateTime):
        return text_of(value.ms)
    if type(value) is int and _FIRST_UNIX <= value < _LAST_UNIX:
        return f"{value} ({text_of_unix(value)})"
    if isinstance(value, list):
        shown = [value_words(one) for one in value[:_LIST_SHOWN]]
        more = [f"… {len(value)} in all"] if len(value) > _LIST_SHOWN else []
        return "[" + ", ".join(shown + more) + "]"
    if isinstance(value, dict):
        # Keys only: some values, as a certificate's identifier, are nobody's business.
        return "{" + ", ".join(map(str, value)) + "}"
    return json.dumps(value, ensure_ascii=False)


def _inner(logic: object) -> str:
    """An operand, in brackets where it is an operation with words of its own."""
    said = words(logic)
    return f"({said})" if isinstance(logic, dict) and "var" not in logic else said


def _cut(said: str) -> str:
    return said if len(said) <= _MAX_WORDS else said[: _MAX_WORDS - 2] + " …"
