"""`yima rules test` and `yima rules explain`: rules tried on the desk, by the handheld's own engine."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from firmware.core import certlogic, certlogic_dates, codes, reasons, rule_data, rules
from firmware.core.certlogic_read import CertLogicError
from firmware.core.codes import Code
from firmware.core.scene import ROLE_NEW, ROLE_RETURNING, ROLE_STAFF, ROLE_VISITOR
from host_tools import clockpage
from host_tools.authority import eu_rules, rule_files
from host_tools.authority.eu_rules import Compiled
from host_tools.files import FileTrouble
from host_tools.rules_words import explain, value_words

ROLES = {"visitor": ROLE_VISITOR, "staff": ROLE_STAFF, "new": ROLE_NEW, "returning": ROLE_RETURNING}
VERDICTS = {reasons.PASS: "pass", reasons.STOP: "stop", reasons.ATTENTION: "attention"}
KINDS = {number: name for name, number in rule_files.KINDS.items()}
FAILED = 1
#: What a test suite says of cases that are not to be run.
SKIP = "skip"

_Commands = argparse._SubParsersAction  # the type has no public name


@dataclass(frozen=True)
class Trial:
    """One case: what was expected of it and what came."""

    name: str
    expected: object
    got: object

    @property
    def good(self) -> bool:
        """Whether they are the same, True and 1 told apart."""
        return json.dumps(self.expected, sort_keys=True) == json.dumps(self.got, sort_keys=True)


def add_parser(commands: _Commands[argparse.ArgumentParser]) -> None:
    """Add `rules` to the commands of `yima`."""
    group = commands.add_parser("rules", help="try rules on the desk").add_subparsers(
        required=True, metavar="COMMAND"
    )
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--country", default="", metavar="XX", help="whose acceptance rules of the EU count")
    command = group.add_parser("test", parents=[common], help="run cases; status 1 if any differs")
    command.add_argument("files", nargs="+", type=Path, metavar="FILE", help="cases, or a folder of EU rules")
    command.set_defaults(action=_test)
    command = group.add_parser("explain", parents=[common], help="why a code gets its verdict")
    command.add_argument("code", help="a code's text, a JSON file with a case, or - for either on stdin")
    command.add_argument("--rules", type=Path, default=Path(rule_files.DEFAULT), metavar="FILE")
    command.add_argument("--value-sets", type=Path, metavar="FILE", help="value sets of the EU")
    command.add_argument("--scene", default="public_place")
    command.add_argument("--place", default="")
    command.add_argument("--role", choices=tuple(ROLES), default="visitor")
    command.add_argument("--at", metavar="TIME", help="such as 2020-05-22T08:00:00Z; now if not given")
    command.set_defaults(action=_explain)


def _test(options: argparse.Namespace) -> int:
    trials = [trial for path in options.files for trial in try_file(path, options.country)]
    for trial in trials:
        if not trial.good:
            print(f"{trial.name}\n  expected {_line(trial.expected)}\n  got      {_line(trial.got)}")
    wrong = sum(not trial.good for trial in trials)
    print(f"{len(trials)} cases, {wrong} differ")
    return FAILED if wrong or not trials else 0


def try_file(path: Path, country: str) -> Iterator[Trial]:
    """Every case of a file, or of the rules in a folder. Raises FileTrouble."""
    if path.is_dir():
        yield from _try_folder(path)
        return
    content = eu_rules.read_json(path)
    if not isinstance(content, dict) or not isinstance(content.get("cases"), list):
        raise FileTrouble(f"{path}: no cases")
    compiled = rule_files.compiled(content["rules"], country, path) if "rules" in content else None
    for case in content["cases"]:
        if not isinstance(case, dict):
            raise FileTrouble(f"{path}: a case is an object")
        name = f"{path}: {case.get('name', 'case')}"
        if "assertions" in case:
            yield from _try_assertions(case, name)
        elif compiled is None or "expected" not in case:
            raise FileTrouble(f"{name}: needs expected, and the file rules; or else assertions")
        elif "rule" in case:
            yield Trial(name, case["expected"], _value_of(compiled, case, name))
        else:
            yield Trial(name, _numbers(case["expected"], name), _found(compiled, case))


def _try_folder(folder: Path) -> Iterator[Trial]:
    """Rules as the EU's members publish them with tests: ``*/rule.json`` and ``*/tests/*.json``."""
    for file in sorted(folder.rglob("rule.json")):
        rule = eu_rules.parse(eu_rules.read_json(file), str(file))
        for test in sorted((file.parent / "tests").glob("*.json")):
            case = eu_rules.read_json(test)
            if not isinstance(case, dict) or not {"payload", "expected"} <= set(case):
                raise FileTrouble(f"{test}: needs payload, external and expected")
            data = {"payload": case["payload"], "external": case.get("external")}
            yield _trial(str(test), rule.logic, data, case["expected"])


def _try_assertions(case: dict[str, object], name: str) -> Iterator[Trial]:
    """A case of the specification's test suite: one expression, several data."""
    assertions = case["assertions"]
    if case.get("directive") == SKIP:
        return
    for index, one in enumerate(assertions if isinstance(assertions, list) else [None]):
        if not isinstance(one, dict) or "expected" not in one:
            raise FileTrouble(f"{name}: an assertion has data and expected")
        if one.get("directive") == SKIP:
            continue
        logic = one.get("certLogicExpression", case.get("certLogicExpression"))
        message = one.get("message", f"assertion {index + 1}")
        yield _trial(f"{name}: {message}", logic, one.get("data"), one["expected"])


def _trial(name: str, logic: object, data: object, expected: object) -> Trial:
    try:
        got = certlogic.evaluate(logic, data)
    except CertLogicError as e:
        return Trial(name, expected, {"error": str(e)})
    if isinstance(got, certlogic_dates.DateTime):
        # The moment counts, however its text is written.
        if isinstance(expected, str) and certlogic_dates.parse(expected.encode()) == got.ms:
            return Trial(name, expected, expected)
        return Trial(name, expected, certlogic_dates.text_of(got.ms))
    return Trial(name, expected, got)


def _value_of(compiled: Compiled, case: dict[str, object], name: str) -> object:
    """What one rule's logic gives."""
    for record in compiled.records:
        rule = rules.parse_rule(record)
        if rule.id == case["rule"]:
            try:
                return certlogic.run_logic(rule.logic, _data(case))
            except CertLogicError as e:
                return {"error": str(e)}
    raise FileTrouble(f"{name}: there is no rule {case['rule']!r}")


def _numbers(expected: object, name: str) -> list[int]:
    if not isinstance(expected, list):
        raise FileTrouble(f"{name}: expected is a list of reasons")
    return [rule_files.reason_number(one, name) for one in expected]


def _found(compiled: Compiled, case: dict[str, object]) -> list[int]:
    return [one.reason for one in rules.judge(compiled.records, _data(case))]


def _data(case: dict[str, object]) -> dict[str, object]:
    """The data of a case; a clock in text is a clock in seconds as well."""
    external = dict(case["external"]) if isinstance(case.get("external"), dict) else {}  # type: ignore[call-overload]
    clock = external.get("validationClock")
    if isinstance(clock, str) and "now" not in external:
        ms = certlogic_dates.parse(clock.encode())
        external["now"] = None if ms is None else ms // 1000
    return {"code": case.get("code"), "payload": case.get("payload"), "external": external}


def _explain(options: argparse.Namespace) -> int:
    compiled = rule_files.read_rule_file(options.rules, options.country)
    for title, data in _cases(options):
        print(title)
        _explain_case(compiled, data)
    return 0


def _cases(options: argparse.Namespace) -> Iterator[tuple[str, dict[str, object]]]:
    """The people of a code, or the one case of a JSON file."""
    given = sys.stdin.read().strip() if options.code == "-" else options.code
    if given.startswith(("YM1:", "HC1:")):
        yield from _people(_decoded(given), options)
        return
    if given.startswith("{"):
        try:
            case = json.loads(given)
        except (ValueError, RecursionError) as e:
            raise FileTrouble("not JSON") from e
    else:
        case = eu_rules.read_json(Path(given))
    if not isinstance(case, dict):
        raise FileTrouble("a case is an object with code, payload and external")
    yield "case", _data(case)


def _decoded(text: str) -> Code:
    """A code's claims; its signature is not checked. Raises FileTrouble."""
    try:
        is_dcc, body = codes.unprefix(text.encode())
        data = codes.decode_base45(body)
        if is_dcc:
            data = codes.inflate_body(data)
        return codes.claims(codes.parse(data, is_dcc).payload, is_dcc)
    except codes.CodeError as e:
        raise FileTrouble(f"the code is refused before any rule: {e}") from None


def _people(code: Code, options: argparse.Namespace) -> Iterator[tuple[str, dict[str, object]]]:
    now_unix = _moment(options.at)
    sets = eu_rules.read_value_sets(options.value_sets) if options.value_sets else {}
    issued = certlogic_dates.text_of_unix(code.issued_unix)
    print(
        f"{KINDS[code.kind]} code, issued {issued}; its signature, age and revocation are not looked at here"
    )
    external = rule_data.external_data(
        code, now_unix, options.scene, options.place, ROLES[options.role], sets
    )
    external["countryCode"] = options.country
    payload = rule_data.dcc_payload(code.payload) if code.kind == codes.KIND_DCC else None
    for index, person in enumerate(code.people):
        title = "holder" if index == 0 else f"companion {index}"
        yield (
            title,
            {
                "code": rule_data.code_data(code, person),
                "payload": payload,
                "external": external,
            },
        )


def _explain_case(compiled: Compiled, data: dict[str, object]) -> None:
    """Print the verdict of the rules, the expressions of those that decided, and the names of the others."""
    outcomes = rules.judge(compiled.records, data)
    verdict = min((one.verdict for one in outcomes), key=_weakness, default=reasons.PASS)
    print(f"  verdict of the rules: {VERDICTS[verdict]}")
    by_name = {}
    for record in compiled.records:
        rule = rules.parse_rule(record)
        by_name[rule.id] = rule
    for one in outcomes:
        text = compiled.texts.get(one.reason, ("", ""))[1]
        said = f"{reasons.name_of(one.reason)} ({VERDICTS[one.verdict]})" + (f": {text}" if text else "")
        if not one.rule:
            print(f"  no rule speaks of this kind of code → {said}")
            continue
        rule = by_name[one.rule]
        if one.reason == reasons.RULE_ERROR:
            why = "because it could not be evaluated"
        else:
            why = "because this does not hold" if rule.must_hold else "because this holds"
        print(f"  {rule.id} → {said}, {why}:")
        for line in explain(rule.logic, data):
            print(f"    {line}")
    named = {one.rule for one in outcomes}
    quiet = [rule.id for rule in by_name.values() if rule.applies(data) and rule.id not in named]
    silent = [rule.id for rule in by_name.values() if not rule.applies(data)]
    if quiet:
        print(f"  found nothing: {', '.join(quiet)}")
    if silent:
        print(f"  do not speak of this case: {', '.join(silent)}")


def _weakness(verdict: int) -> int:
    return (reasons.STOP, reasons.ATTENTION, reasons.PASS).index(verdict)


def _moment(text: str | None) -> int:
    if text is None:
        return int(clockpage.now())
    ms = certlogic_dates.parse(text.encode())
    if ms is None:
        raise FileTrouble(f"{text} is not a time such as 2020-05-22T08:00:00Z")
    return ms // 1000


def _line(value: object) -> str:
    if isinstance(value, list) and all(type(one) is int for one in value):
        return ", ".join(reasons.name_of(one) for one in value) or "nothing"
    return value_words(value)
