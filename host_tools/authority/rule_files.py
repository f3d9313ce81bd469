"""Rules written by hand: a JSON file of them, made into records of a pack (docs/formats.md, "Rule files")."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from firmware.core import certlogic, certlogic_dates, codes, reasons
from firmware.core.certlogic_read import CertLogicError
from firmware.core.rules import KIND_NONE, Rule, encode_rule
from host_tools.authority import eu_rules
from host_tools.authority.default_rules import default_records
from host_tools.authority.eu_rules import Compiled
from host_tools.files import FileTrouble

#: The name that stands for the notice's rules in place of a file.
DEFAULT = "default"
KINDS = {"none": KIND_NONE, "live": codes.KIND_LIVE, "paper": codes.KIND_PAPER, "dcc": codes.KIND_DCC}
_FIELDS = {
    "id",
    "reason",
    "priority",
    "mustHold",
    "kinds",
    "scenes",
    "notScenes",
    "countries",
    "certificates",
    "validFrom",
    "validTo",
    "zh",
    "en",
    "logic",
}


def read_rule_file(path: Path, country: str) -> Compiled:
    """The rules of a file, of a folder of EU rules, or of the word ``default``. Raises FileTrouble."""
    return compiled(str(path), country, Path())


def compiled(content: object, country: str, path: Path) -> Compiled:
    """The same for what stands in a file: ``default``, another file's name, a rule, or a list of rules."""
    if isinstance(content, str) and content != DEFAULT:
        path = (path if path.is_dir() else path.parent) / content
        if path.is_dir():
            return eu_rules.compile_rules(eu_rules.read_rules([path]), country)
        content = eu_rules.read_json(path)
        if isinstance(content, dict) and "rules" in content:
            content = content["rules"]
        if isinstance(content, str) and content != DEFAULT:
            raise FileTrouble(f"{path}: names a further file")
    if content == DEFAULT:
        return Compiled(default_records(), {})
    found = Compiled([], {})
    eu = []
    for one in content if isinstance(content, list) else [content]:
        if one == DEFAULT:
            found.records.extend(default_records())
        elif eu_rules.is_rule(one):
            eu.append(eu_rules.parse(one, str(path)))
        else:
            _take(one, str(path), found)
    foreign = eu_rules.compile_rules(eu, country)
    return Compiled(found.records + foreign.records, {**foreign.texts, **found.texts})


def reason_number(value: object, name: str) -> int:
    """A reason by its name or number. Raises FileTrouble."""
    for number in reasons.built_in():
        if value == reasons.name_of(number) or (type(value) is int and value == number):
            return number
    if type(value) is int and reasons.FIRST_OF_RULES <= value < 4_000:
        return value
    raise FileTrouble(f"{name}: {value!r} is no reason")


def _take(content: object, name: str, into: Compiled) -> None:
    """Add one rule of our own form. Raises FileTrouble."""
    if not isinstance(content, dict) or not {"id", "reason", "logic"} <= set(content) <= _FIELDS:
        raise FileTrouble(
            f"{name}: a rule has id, reason and logic, and may have {', '.join(sorted(_FIELDS))}"
        )
    name = f"{name}: {content['id']}"

    def values(field: str, of: Callable[[object], object]) -> list[object]:
        given = content.get(field, [])
        if not isinstance(given, list):
            raise FileTrouble(f"{name}: {field} is a list")
        return [of(value) for value in given]

    def kind(value: object) -> object:
        if not isinstance(value, str) or value not in KINDS:
            raise FileTrouble(f"{name}: kinds are {', '.join(KINDS)}")
        return KINDS[value]

    reason = reason_number(content["reason"], name)
    try:
        rule = Rule(
            content["id"], reason, certlogic.encode_logic(content["logic"]), content.get("priority", 100)
        )
        rule.must_hold = content.get("mustHold", False) is True
        rule.kinds = values("kinds", kind)
        rule.scenes = values("scenes", _same)
        rule.not_scenes = values("notScenes", _same)
        rule.countries = values("countries", _same)
        rule.groups = values("certificates", _same)
        if "validFrom" in content or "validTo" in content:
            first = _unix(content.get("validFrom", "1970-01-01"), name)
            rule.span = first, _unix(content.get("validTo", "2106-01-01"), name)
        into.records.append(encode_rule(rule))
    except CertLogicError as e:
        raise FileTrouble(f"{name}: {e}") from None
    if "zh" in content or "en" in content:
        if reason < reasons.FIRST_OF_RULES:
            raise FileTrouble(f"{name}: the handheld has texts of its own for {reasons.name_of(reason)}")
        into.texts[reason] = str(content.get("zh", "")), str(content.get("en", ""))


def _same(value: object) -> object:
    return value


def _unix(value: object, name: str) -> int:
    ms = certlogic_dates.parse(value.encode()) if isinstance(value, str) else None
    if ms is None:
        raise FileTrouble(f"{name}: {value!r} is not a time")
    return max(0, ms // 1000)
