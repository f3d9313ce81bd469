"""Rules of the EU, compiled for the pack and judged like our own, under both interpreters."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from batch import INTERPRETERS, run
from conftest import need

from firmware.core import cbor, codes, reasons, rules
from firmware.core.certlogic_dates import parse
from firmware.core.certlogic_read import Packed
from host_tools.authority import eu_rules
from host_tools.files import FileTrouble

RULES = 16
RULE_CASES = 101
PUBLISHED = {
    "Identifier": "GR-XX-0001",
    "Type": "Acceptance",
    "Country": "XX",
    "Version": "1.0.0",
    "SchemaVersion": "1.3.0",
    "Engine": "CERTLOGIC",
    "EngineVersion": "1.0.0",
    "CertificateType": "General",
    "Description": [{"lang": "en", "desc": "A name."}],
    "ValidFrom": "2021-06-01T00:00:00Z",
    "ValidTo": "2030-06-01T00:00:00Z",
    "AffectedFields": ["nam"],
    "Logic": {"===": [{"var": "payload.nam.fn"}, "Y"]},
}
NOW = 1_640_000_000


def published(**changes: object) -> eu_rules.EuRule:
    return eu_rules.parse({**PUBLISHED, **changes}, "file")


def data(payload: object, issuer: str = "AT", now: int | None = NOW, **external: object) -> dict[str, object]:
    base = {"now": now, "scene": "transit", "issuerCountryCode": issuer}
    return {"code": {"kind": codes.KIND_DCC}, "payload": payload, "external": {**base, **external}}


def judged(compiled: eu_rules.Compiled, case: dict[str, object]) -> list[str]:
    return [one.rule or reasons.name_of(one.reason) for one in rules.judge(compiled.records, case)]


@pytest.mark.parametrize("interpreter", INTERPRETERS)
def test_rules_of_at_in_a_pack(interpreter: str, testdata: Path, tmp_path: Path) -> None:
    folder = testdata / "certlogic" / "rules" / "AT"
    need(folder.exists(), RULE_CASES, "no rules of AT")
    found = eu_rules.read_rules([folder])
    assert len(found) == RULES
    lines, expected = [], []
    for rule in sorted(folder.glob("*/rule.json")):
        compiled = eu_rules.compile_rules([eu_rules.parse(json.loads(rule.read_text("utf-8")), "")], "AT")
        for file in sorted((rule.parent / "tests").glob("*.json")):
            case = json.loads(file.read_text("utf-8"))
            clock = case["external"].get("validationClock")
            case["external"]["now"] = parse(clock.encode()) // 1000 if clock else None
            case["external"].update({"scene": "transit", "issuerCountryCode": "AT"})
            full = {"code": {"kind": 3}, "payload": case["payload"], "external": case["external"]}
            lines.append(json.dumps({"records": [one.hex() for one in compiled.records], "data": full}))
            (record,) = compiled.records
            # A rule for vaccinations has nothing to say where there is none; the data's rule says true there.
            silent = any(not case["payload"].get(group) for group in rules.parse_rule(record).groups)
            expected.append([] if case["expected"] or silent else [rule.parent.name])
            if silent:
                assert case["expected"] is True
    answers = run(interpreter, "rules_batch.py", lines, tmp_path, heap="400k")
    # No rule's name stands on the outcome that no rule speaks of the certificate.
    assert [[name for *_, name in json.loads(text) if name] for text in answers] == expected
    assert len(expected) == RULE_CASES
    assert sum(map(bool, expected)) > 30


def test_all_rules_of_at_together(testdata: Path) -> None:
    folder = testdata / "certlogic" / "rules" / "AT"
    need(folder.exists(), 1, "no rules of AT")
    compiled = eu_rules.compile_rules(eu_rules.read_rules([folder]), "AT")
    assert len(compiled.records) == RULES
    assert len(compiled.texts) == RULES
    assert sum(map(len, compiled.records)) < 5_000
    case = json.loads((folder / "GR-AT-0000" / "tests" / "test001.json").read_text("utf-8"))
    sets = Packed(cbor.dumps(case["external"]["valueSets"]))
    vaccination = {"tg": "840539006", "mp": "EU/1/20/1528", "dn": 2, "sd": 2, "dt": "2021-11-01"}
    external = {"validationClock": "2021-12-20T11:33:20Z", "valueSets": sets}
    assert judged(compiled, data({"v": [vaccination]}, **external)) == []
    bad = {**vaccination, "mp": "Sputnik-V", "dt": "2020-11-01", "tg": "flu"}
    assert sorted(judged(compiled, data({"v": [bad]}, **external))) == [
        "GR-AT-0001",
        "VR-AT-0001",
        "VR-AT-0005",
    ]
    (outcome, *_) = rules.judge(compiled.records, data({"v": [bad]}, **external))
    assert outcome.verdict == reasons.STOP
    assert "disease" in compiled.texts[outcome.reason][1] or "accin" in compiled.texts[outcome.reason][1]
    # Without the value sets nothing is decided, and nobody passes.
    assert "rule_error" in [
        reasons.name_of(one.reason) for one in rules.judge(compiled.records, data({"v": [vaccination]}))
    ]


def test_whose_rules_count() -> None:
    own = published()
    foreign = published(Country="YY", Identifier="GR-YY-0001")
    against = published(Country="ZZ", Identifier="IR-ZZ-0001", Type="Invalidation")
    compiled = eu_rules.compile_rules([own, foreign, against], "XX")
    wrong, right = {"nam": {"fn": "N"}}, {"nam": {"fn": "Y"}}
    assert judged(compiled, data(wrong, "AT")) == ["GR-XX-0001"]
    assert sorted(judged(compiled, data(wrong, "ZZ"))) == ["GR-XX-0001", "IR-ZZ-0001"]
    assert judged(compiled, data(right, "ZZ")) == []
    # The issuing country's rules alone let nobody in.
    alone = eu_rules.compile_rules([against], "XX")
    assert judged(alone, data(right, "ZZ")) == ["foreign_manual"]


def test_versions_and_validity() -> None:
    old = published(Version="1.9.0", Logic=False)
    new = published(Version="1.10.0", Logic=True)
    assert eu_rules.latest([new, old]) == eu_rules.latest([old, new]) == [new]
    compiled = eu_rules.compile_rules(
        [published(ValidFrom="2021-12-20T11:33:20Z", ValidTo="2021-12-21", Logic=False)], "XX"
    )
    first = 1_640_000_000
    assert judged(compiled, data({}, now=first - 1)) == ["foreign_manual"]
    assert judged(compiled, data({}, now=first)) == ["GR-XX-0001"]
    assert judged(compiled, data({}, now=1_640_044_800)) == ["GR-XX-0001"]
    assert judged(compiled, data({}, now=1_640_044_801)) == ["foreign_manual"]
    assert judged(compiled, data({}, now=None)) == ["GR-XX-0001"]


def test_certificate_types() -> None:
    rule = published(CertificateType="Test", Logic=False)
    for group, expected in (("t", ["GR-XX-0001"]), ("v", ["foreign_manual"]), ("r", ["foreign_manual"])):
        assert judged(eu_rules.compile_rules([rule], "XX"), data({group: [{}]})) == expected


def test_rules_whose_value_is_merely_truthy() -> None:
    compiled = eu_rules.compile_rules(
        [published(Logic={"if": [True, {"var": "payload.t.0.sc"}, True]})], "XX"
    )
    assert judged(compiled, data({"t": [{"sc": "2021-12-20"}]})) == []
    assert judged(compiled, data({"t": [{}]})) == ["GR-XX-0001"]
    assert eu_rules.boolean({"if": [{"var": "x"}, {"and": [True, {"in": [1, []]}]}, False]})
    for logic in (
        1,
        "x",
        [],
        {"var": "x"},
        {"if": [True, 1, True]},
        {"and": [True, {"var": "x"}]},
        {"+": [1, 1]},
        {},
    ):
        assert not eu_rules.boolean(logic)


def test_reasons_stay() -> None:
    many = [published(Identifier=f"GR-XX-{i:04}") for i in range(300)]
    compiled = eu_rules.compile_rules(many, "XX")
    assert len(compiled.texts) == 300
    assert all(reasons.verdict_of(reason) == reasons.STOP for reason in compiled.texts)
    (alone,) = eu_rules.compile_rules(many[:1], "XX").records
    assert rules.parse_rule(alone).reason == rules.parse_rule(compiled.records[0]).reason


def test_what_is_no_rule() -> None:
    for changes in (
        {"Engine": "OTHER"},
        {"EngineVersion": "1.3.4"},
        {"EngineVersion": "x"},
        {"Type": "Other"},
        {"CertificateType": "Other"},
        {"Identifier": ""},
        {"Identifier": "x" * 41},
        {"Country": None},
        {"Version": "one"},
        {"ValidFrom": "yesterday"},
    ):
        with pytest.raises(FileTrouble):
            published(**changes)
    with pytest.raises(FileTrouble):
        eu_rules.parse([], "file")
    with pytest.raises(FileTrouble):
        eu_rules.parse({key: PUBLISHED[key] for key in PUBLISHED if key != "Logic"}, "file")
    with pytest.raises(FileTrouble, match="GR-XX-0001"):
        eu_rules.compile_rules([published(Logic=["x" * 5_000])], "XX")
    with pytest.raises(FileTrouble, match="GR-XX-0001"):
        eu_rules.compile_rules([published(Logic=1.5)], "XX")


def test_value_sets(tmp_path: Path) -> None:
    file = tmp_path / "sets.json"
    file.write_text(
        json.dumps({"valueSetId": "one", "valueSetDate": "x", "valueSetValues": {"b": {}, "a": {}}})
    )
    assert eu_rules.read_value_sets(file) == {"one": ["a", "b"]}
    file.write_text(json.dumps({"one": ["b", "a"], "two": []}))
    assert eu_rules.value_set_blobs(eu_rules.read_value_sets(file)) == {
        "one": cbor.dumps(["a", "b"]),
        "two": b"\x80",
    }
    for content in ("[1]", '{"a": 1}', "{", "[" * 100_000):
        file.write_text(content)
        with pytest.raises(FileTrouble):
            eu_rules.read_value_sets(file)
