"""`yima rules`: cases that agree and differ, what is wrong in a file, and why a code got its verdict."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from conftest import need
from issuing import ISSUER, NOW, PAPER, claims

from firmware.core import codes, reasons, rules
from host_tools import cli, rules_cli, rules_words
from host_tools.authority import rule_files
from host_tools.files import FileTrouble

RULE = {
    "id": "night",
    "reason": 2001,
    "zh": "夜间",
    "en": "At night",
    "kinds": ["live"],
    "logic": {">": [{"var": "external.now"}, NOW]},
}


def yima(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    status = cli.main(["rules", *map(str, arguments)])
    said = capsys.readouterr()
    return status, said.out, said.err


def written(folder: Path, content: object) -> Path:
    file = folder / "file.json"
    file.write_text(json.dumps(content), "utf-8")
    return file


def case(now: int, expected: object, **more: object) -> dict[str, object]:
    return {"name": f"at {now}", "code": {"kind": 1}, "external": {"now": now}, "expected": expected, **more}


def test_the_specifications_suite_and_the_rules_of_at(capsys, testdata):
    folder = testdata / "certlogic"
    need(folder.exists(), 152, "no CertLogic test data")
    status, out, _ = yima(
        capsys, "test", *sorted((folder / "testSuite").glob("*.json")), folder / "rules" / "AT"
    )
    assert (status, out) == (0, "152 cases, 0 differ\n")


def test_assertions_of_a_suite(capsys, tmp_path):
    plus = {"plusTime": [{"var": ""}, 1, "year"]}
    suite = {
        "name": "mine",
        "cases": [
            {
                "name": "dates",
                "certLogicExpression": plus,
                "assertions": [
                    {"data": "2020-02-29", "expected": "2021-03-01T00:00:00.000Z"},
                    {"data": "2020-02-29", "expected": "2021-03-01"},
                    {"data": "2020-02-29", "expected": "2021-02-28", "message": "wrong day"},
                    {"data": None, "expected": None, "message": "wrong type"},
                    {
                        "data": 1,
                        "expected": True,
                        "certLogicExpression": {"var": ""},
                        "message": "true is not 1",
                    },
                    {"data": 1, "expected": 2, "directive": "skip"},
                ],
            },
            {"name": "not yet", "directive": "skip", "assertions": [{"data": 1, "expected": 2}]},
        ],
    }
    status, out, _ = yima(capsys, "test", written(tmp_path, suite))
    assert status == 1
    assert out.endswith("5 cases, 3 differ\n")
    for message in ("wrong day", "wrong type", "true is not 1"):
        assert message in out


def test_cases_of_a_rule_file(capsys, tmp_path):
    good = [case(NOW, []), case(NOW + 1, [2001]), case(NOW + 1, True, rule="night")]
    assert yima(capsys, "test", written(tmp_path, {"rules": [RULE], "cases": good}))[:2] == (
        0,
        "3 cases, 0 differ\n",
    )
    wrong = [case(NOW, [2001]), case(NOW + 1, ["no_rules"]), case(NOW, True, rule="night")]
    status, out, _ = yima(capsys, "test", written(tmp_path, {"rules": RULE, "cases": wrong}))
    assert status == 1
    assert "expected reason_2001\n  got      nothing" in out
    assert "expected no_rules\n  got      reason_2001" in out
    assert out.endswith("3 cases, 3 differ\n")


def test_cases_of_the_default_rules(capsys, tmp_path):
    red = {"name": "red", "code": {"kind": 1, "colour": 3}, "external": {"now": NOW, "scene": "transit"}}
    content = {"rules": "default", "cases": [{**red, "expected": ["colour_red"]}]}
    assert yima(capsys, "test", written(tmp_path, content))[0] == 0
    content["rules"] = ["default", RULE]
    content["cases"][0]["expected"] = ["colour_red"]
    content["cases"][0]["external"]["now"] = NOW + 1
    assert yima(capsys, "test", written(tmp_path, content))[0] == 1


@pytest.mark.parametrize(
    "content",
    [
        [],
        {},
        {"cases": []},
        {"cases": [1]},
        {"cases": [{"expected": []}]},
        {"rules": "default", "cases": [{"name": "x"}]},
        {"rules": "default", "cases": [case(0, "colour_red")]},
        {"rules": "default", "cases": [case(0, ["no such reason"])]},
        {"rules": "default", "cases": [case(0, True, rule="none")]},
        {"rules": "none.json", "cases": [case(0, [])]},
        {"cases": [{"assertions": [{"data": 1}]}]},
        {"cases": [{"assertions": 1}]},
        *({"rules": [{**RULE, **wrong}], "cases": [case(0, [])]}
          for wrong in (
              {"kinds": ["phone"]},
              {"kinds": "live"},
              {"reason": 0},
              {"reason": 4000},
              {"reason": "colour_red"},
              {"logic": None, "id": ""},
              {"logic": 1.5},
              {"priority": 256},
              {"validFrom": "soon"},
              {"scenes": [1]},
              {"unknown": 1},
          )),
    ],
)  # fmt: skip
def test_files_that_are_wrong(capsys, tmp_path, content):
    status, out, err = yima(capsys, "test", written(tmp_path, content))
    assert status in (1, 2)
    if status == 2:
        assert err.startswith("yima: ") and err.count("\n") == 1
    else:
        assert out == "0 cases, 0 differ\n"


def test_rule_files(tmp_path):
    whole = {
        **RULE,
        "priority": 3,
        "mustHold": True,
        "kinds": ["none", "live", "paper", "dcc"],
        "scenes": ["event"],
        "notScenes": ["office"],
        "countries": ["AT"],
        "certificates": ["v"],
        "validFrom": "2020-01-01",
        "validTo": "2020-12-31T23:59:59Z",
    }
    found = rule_files.read_rule_file(written(tmp_path, [whole, "default"]), "")
    rule = rules.parse_rule(found.records[0])
    assert (rule.id, rule.reason, rule.priority, rule.must_hold) == ("night", 2001, 3, True)
    assert (rule.kinds, rule.scenes, rule.not_scenes) == ([0, 1, 2, 3], ["event"], ["office"])
    assert (rule.countries, rule.groups, rule.span) == (["AT"], ["v"], (1577836800, 1609459199))
    assert found.texts == {2001: ("夜间", "At night")}
    assert len(found.records) == 1 + len(rule_files.read_rule_file(Path("default"), "").records)
    named = rule_files.compiled("file.json", "", tmp_path / "cases.json")
    assert named.records == found.records
    (tmp_path / "loop.json").write_text('{"rules": "loop.json"}', "utf-8")
    with pytest.raises(FileTrouble, match="further"):
        rule_files.read_rule_file(tmp_path / "loop.json", "")


def test_why_a_code_gets_its_verdict(capsys):
    code = codes.encode_ym1(claims({**PAPER, 4: [0, NOW - 20 * 86_400]}), ISSUER.kid, ISSUER.sign)
    status, out, _ = yima(capsys, "explain", code, "--at", "2020-05-22T08:00:00Z")
    assert status == 0
    assert out.count("verdict of the rules: attention") == 3
    assert "group-8-overdue → test_overdue (attention), because this holds:" in out
    assert "code.test.taken = 1588406400 (2020-05-02T08:00:00Z)" in out
    assert "external.now minus 7 days = 1589529600 (2020-05-15T08:00:00Z)" in out
    assert "companion 2" in out
    assert "张" not in out and "004X" not in out
    green = codes.encode_ym1(claims(), ISSUER.kid, ISSUER.sign)
    _, out, _ = yima(capsys, "explain", green, "--at", "2020-05-22T08:00:00Z")
    assert "verdict of the rules: pass" in out
    _, out, _ = yima(capsys, "explain", green, "--scene", "enterprise", "--role", "new", "--at", "2020-07-22")
    assert "returning-untested → returning_untested (attention)" in out


def test_why_a_case_gets_its_verdict(capsys, tmp_path, monkeypatch):
    one = {"code": {"kind": 1}, "external": {"validationClock": "2020-05-22T08:00:01Z"}}
    file = tmp_path / "rules.json"
    file.write_text(json.dumps([RULE]), "utf-8")
    for given in (json.dumps(one), str(written(tmp_path, one))):
        status, out, _ = yima(capsys, "explain", given, "--rules", file)
        assert status == 0
        assert "night → reason_2001 (attention): At night, because this holds:" in out
        assert f"external.now > {NOW} = true" in out
    monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps({**one, "code": {"kind": 2}})))
    _, out, _ = yima(capsys, "explain", "-", "--rules", file)
    assert "no rule speaks of this kind of code → no_rules (attention)" in out
    assert "do not speak of this case: night" in out
    broken = {"code": {"kind": 1}, "external": {"now": None}}
    _, out, _ = yima(capsys, "explain", json.dumps(broken), "--rules", file)
    assert "night → rule_error (attention), because it could not be evaluated:" in out
    assert "error: operand" in out
    for wrong in ("{", "[]", str(tmp_path / "none.json"), "YM1:XX", "HC1:"):
        assert yima(capsys, "explain", wrong)[0] == 2
    assert yima(capsys, "explain", json.dumps(one), "--at", "noon")[0] == 0, "a case has its own clock"
    assert yima(capsys, "explain", "YM1:", "--at", "noon")[0] == 2


def test_an_eu_certificate(capsys, testdata):
    file = testdata / "dcc" / "AT" / "1.json"
    need(file.exists(), 1, "no dcc test data")
    text = json.loads(file.read_text("utf-8"))["PREFIX"]
    folder = testdata / "certlogic" / "rules" / "AT"
    status, out, _ = yima(
        capsys, "explain", text, "--rules", folder, "--country", "AT", "--at", "2021-06-10T00:00:00Z"
    )
    assert status == 0
    assert "VR-AT-0004 → reason_" in out and "because this does not hold" in out
    assert "payload.v.0.dt plus 22 days = 2021-03-12T00:00:00.000Z" in out
    assert "URN:UVCI" not in out


def test_words():
    said = rules_words.words
    assert said({"if": [{"and": [True, {"!": [{"var": "a"}]}]}, "x", [1]]}) == (
        'if (true and (not a)) then "x" else [1]'
    )
    assert said({"<": [1, {"var": "n"}, 3]}) == "1 < n < 3"
    assert (
        said({"reduce": [{"var": ""}, {"+": [{"var": "current"}, 1]}, 0]})
        == "over the data, from 0, (current + 1)"
    )
    assert said({"extractFromUVCI": [{"var": "ci"}, 2]}) == "fragment 2 of ci"
    assert said({"dccDateOfBirth": ["2000"]}) == 'date of birth "2000"'
    assert said({"plusTime": [{"var": "d"}, -3, "month"]}) == "d plus -3 months"
    assert said({"+": [{"var": "t"}, 86_400]}) == "t plus 1 days"
    assert rules_words.value_words(list(range(9))) == "[0, 1, 2, 3, 4, 5, … 9 in all]"
    many = {"reduce": [{"var": ""}, {"+": [{"var": "accumulator"}, 1]}, 0]}
    lines = rules_words.explain(rule_logic(many), [1, 2])
    assert lines == [
        "over the data, from 0, (accumulator + 1) = 2",
        "  the data = [1, 2]",
        "  accumulator + 1 = 2 (the last of 2)",
        "    accumulator = 1 (the last of 2)",
    ]
    wide = rules_words.explain(rule_logic([{"var": "x"}] * 300), {})
    assert len(wide) == rules_words.MAX_LINES + 1


def rule_logic(logic: object) -> bytes:
    return rules_cli.certlogic.encode_logic(logic)


def test_reasons_by_name_and_number():
    assert rule_files.reason_number("colour_red", "x") == reasons.COLOUR_RED
    assert rule_files.reason_number(42, "x") == 42
    assert rule_files.reason_number(1234, "x") == 1234
    for wrong in (None, True, 999, 4000, "reason_1234", 12.0):
        with pytest.raises(FileTrouble):
            rule_files.reason_number(wrong, "x")
