"""The specification's test suite and the rules of AT give the values they state, under both interpreters."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from batch import INTERPRETERS, run
from conftest import need

#: Assertions of the files given, by name. Further files of the suite are run as well where they are there.
SUITE = {"and": 9, "comparison": 10, "equality": 2, "if": 5, "in": 7, "var": 18}
RULES = 16
RULE_CASES = 101
HEAP = "400k"  # a case of AT brings all value sets: more than the handheld ever decodes at once


def wrong(interpreter: str, cases: list[tuple[str, object, object, object]], folder: Path) -> list[object]:
    """The cases whose value is not the one stated."""
    lines = [json.dumps({"logic": logic, "data": data}) for _, logic, data, _ in cases]
    answers = [json.loads(text) for text in run(interpreter, "certlogic_batch.py", lines, folder, heap=HEAP)]
    return [
        (case[0], answer)
        for case, answer in zip(cases, answers, strict=True)
        if json.dumps(answer) != json.dumps({"value": case[3]})
    ]


@pytest.mark.parametrize("interpreter", INTERPRETERS)
def test_every_assertion_of_the_suite(interpreter: str, testdata: Path, tmp_path: Path) -> None:
    files = sorted((testdata / "certlogic" / "testSuite").glob("*.json"))
    need(bool(files), sum(SUITE.values()), "no CertLogic test data")
    cases: list[tuple[str, object, object, object]] = []
    found: dict[str, int] = {}
    for file in files:
        for case in json.loads(file.read_text("utf-8"))["cases"]:
            for assertion in case["assertions"]:
                logic = assertion.get("certLogicExpression", case.get("certLogicExpression"))
                cases.append(
                    (f"{file.stem}: {case['name']}", logic, assertion["data"], assertion["expected"])
                )
                found[file.stem] = found.get(file.stem, 0) + 1
    assert {name: found.get(name) for name in SUITE} == SUITE
    assert wrong(interpreter, cases, tmp_path) == []


@pytest.mark.parametrize("interpreter", INTERPRETERS)
def test_every_case_of_every_rule(interpreter: str, testdata: Path, tmp_path: Path) -> None:
    rules = sorted((testdata / "certlogic" / "rules" / "AT").glob("*/rule.json"))
    need(bool(rules), RULE_CASES, "no rules of AT")
    assert len(rules) == RULES
    cases: list[tuple[str, object, object, object]] = []
    for rule in rules:
        logic = json.loads(rule.read_text("utf-8"))["Logic"]
        for file in sorted((rule.parent / "tests").glob("*.json")):
            case = json.loads(file.read_text("utf-8"))
            data = {"payload": case["payload"], "external": case["external"]}
            cases.append((f"{rule.parent.name}/{file.stem}", logic, data, case["expected"]))
    assert len(cases) == RULE_CASES
    assert wrong(interpreter, cases, tmp_path) == []
