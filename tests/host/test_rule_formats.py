"""Rules as they are made, and wrong ones, against the CDDL and the examples of docs/formats.md."""

from __future__ import annotations

import json
import re
from pathlib import Path

import cbor2
import pytest
from conftest import need
from test_formats import BLOCKS, FORMATS, accepted, changed, valid

from firmware.core import certlogic, rules
from host_tools.authority import eu_rules
from host_tools.authority.default_rules import default_records
from host_tools.rules_cli import try_file

PLAIN = {1: "x", 2: 2001, 3: 1, 4: b"\xf5"}


def test_default_rules_and_their_logic():
    for record in default_records():
        assert valid("rule", "rule", record)
        logic = cbor2.loads(record)[4]
        assert valid("rule", "expression", logic), logic


def test_rules_of_at(testdata: Path):
    folder = testdata / "certlogic" / "rules" / "AT"
    need(folder.exists(), 16, "no rules of AT")
    records = eu_rules.compile_rules(eu_rules.read_rules([folder]), "AT").records
    assert len(records) == 16
    for record in records:
        assert valid("rule", "rule", record)
        assert valid("rule", "expression", cbor2.loads(record)[4])


def test_operations_are_those_of_the_engine():
    listed = re.search(r"operation = (.*)", BLOCKS["rule"], re.S)
    assert listed
    assert set(re.findall(r'"([^"]+)"', listed[1])) == {"var", *certlogic._NAMES.decode().split()}


@pytest.mark.parametrize(
    "changes",
    [
        {1: ""}, {1: "x" * 41}, {1: None}, {2: 0}, {2: 4000}, {2: None}, {3: 256}, {3: None},
        {4: b""}, {4: "x"}, {4: None}, {5: 2}, {6: []}, {6: [4]}, {7: []}, {7: [""]}, {7: ["x" * 33]},
        {8: [1]}, {9: ["ABCD"]}, {10: ["vt"]}, {11: [1]}, {11: [1, 2, 3]}, {12: 1},
    ],
    ids=str,
)  # fmt: skip
def test_wrong_rules(changes):
    data = changed(PLAIN, changes)
    assert not valid("rule", "rule", data)
    assert not accepted(rules.parse_rule, data)


@pytest.mark.parametrize(
    "changes",
    [
        {}, {5: 0}, {5: 1}, {6: [0, 1, 2, 3]}, {7: ["event"], 8: ["office"]}, {9: ["AT"]},
        {10: ["v", "t", "r"]}, {11: [0, 1]},
    ],
    ids=str,
)  # fmt: skip
def test_right_rules(changes):
    data = changed(PLAIN, changes)
    assert valid("rule", "rule", data)
    assert accepted(rules.parse_rule, data)


def test_the_example_file(tmp_path: Path):
    (example,) = re.findall(r"```json\n(.*?)```", FORMATS.read_text("utf-8"), re.S)
    assert set(json.loads(example)) == {"rules", "cases"}
    file = tmp_path / "example.json"
    file.write_text(example, "utf-8")
    trials = list(try_file(file, ""))
    assert len(trials) == 2
    assert all(trial.good for trial in trials)
