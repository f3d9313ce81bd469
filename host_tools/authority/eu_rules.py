"""Business rules and value sets of the EU, as its member states publish them, made into parts of a pack.

A rule file holds one rule object or a list of them: Identifier, Type, Country, Version, Engine,
EngineVersion, CertificateType, Description, ValidFrom, ValidTo, AffectedFields, Logic ("EU DCC Validation
Rules" of the eHealth Network, section 5.5.2). Its logic is true where the certificate is in order. Acceptance
rules are those of the country where the certificate is shown, Invalidation rules those of the country that
issued it.
"""

from __future__ import annotations

import binascii
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from firmware.core import cbor, certlogic, certlogic_dates
from firmware.core.certlogic_read import CertLogicError
from firmware.core.codes import KIND_DCC
from firmware.core.rules import Rule, encode_rule
from host_tools.files import FileTrouble, read_limited

#: What the handheld's engine evaluates.
ENGINE = "CERTLOGIC"
ENGINE_VERSION = (1, 3, 3)
GROUPS = {"General": "", "Vaccination": "v", "Test": "t", "Recovery": "r"}
TYPES = ("Acceptance", "Invalidation")
#: Reasons of EU rules: a number of their own for each, from the stopping ones.
FIRST_REASON = 1_100
LAST_REASON = 1_999
LIMIT_BYTES = 1_048_576
PRIORITY = 100
UNIX_MAX = 0xFFFFFFFF
#: Operations whose value is true or false whatever they are given.
BOOLEAN = {"===", "in", "!", ">", "<", ">=", "<=", "after", "before", "not-after", "not-before"}


@dataclass(frozen=True)
class EuRule:
    """A rule as published. `span` is its first and last second, `descriptions` by language."""

    identifier: str
    invalidates: bool
    country: str
    version: tuple[int, ...]
    group: str
    descriptions: dict[str, str]
    span: tuple[int, int]
    logic: object


@dataclass(frozen=True)
class Compiled:
    """Records of rules for a pack, and the texts of their reasons by number: (Chinese, English)."""

    records: list[bytes]
    texts: dict[int, tuple[str, str]]


def read_rules(paths: Iterable[Path]) -> list[EuRule]:
    """The rules of files, and of the ``*.json`` with rules below folders. Raises FileTrouble."""
    found: list[EuRule] = []
    for path in paths:
        if path.is_dir():
            for file in sorted(path.rglob("*.json")):
                content = read_json(file)
                if is_rule(content):
                    found.append(parse(content, str(file)))
        else:
            content = read_json(path)
            for one in content if isinstance(content, list) else [content]:
                found.append(parse(one, str(path)))
    return found


def read_json(path: Path) -> object:
    """The JSON of a file. Raises FileTrouble."""
    try:
        value: object = json.loads(read_limited(path, LIMIT_BYTES))
    except (ValueError, RecursionError) as e:
        raise FileTrouble(f"{path}: not JSON") from e
    return value


def is_rule(content: object) -> bool:
    """Whether this is meant for a business rule."""
    return isinstance(content, dict) and "Identifier" in content and "Logic" in content


def parse(content: object, name: str) -> EuRule:
    """A published rule. Raises FileTrouble, which tells the field that is wrong."""
    if not isinstance(content, dict):
        raise FileTrouble(f"{name}: not a business rule")

    def text(field: str) -> str:
        value = content.get(field)
        if not isinstance(value, str) or not 1 <= len(value) <= 40:
            raise FileTrouble(f"{name}: {field} is missing or too long")
        return value

    if text("Engine") != ENGINE or _version(text("EngineVersion"), name) > ENGINE_VERSION:
        raise FileTrouble(f"{name}: for another engine than {ENGINE} up to 1.3.3")
    if text("Type") not in TYPES or text("CertificateType") not in GROUPS:
        raise FileTrouble(f"{name}: Type or CertificateType is not known")
    if "Logic" not in content:
        raise FileTrouble(f"{name}: Logic is missing")
    return EuRule(
        text("Identifier"),
        text("Type") == "Invalidation",
        text("Country"),
        _version(text("Version"), name),
        GROUPS[text("CertificateType")],
        _descriptions(content.get("Description")),
        (_unix(text("ValidFrom"), name), _unix(text("ValidTo"), name)),
        content["Logic"],
    )


def latest(rules: Iterable[EuRule]) -> list[EuRule]:
    """Of every identifier and country the highest version, in their order."""
    newest: dict[tuple[str, str], EuRule] = {}
    for rule in rules:
        key = rule.country, rule.identifier
        if key not in newest or newest[key].version < rule.version:
            newest[key] = rule
    return [newest[key] for key in sorted(newest)]


def compile_rules(rules: Iterable[EuRule], country: str) -> Compiled:
    """What a handheld in `country` needs of these rules. Raises FileTrouble for a rule over its limits."""
    records: list[bytes] = []
    texts: dict[int, tuple[str, str]] = {}
    for one in latest(rules):
        if one.country != country and not one.invalidates:
            continue
        reason = _reason(one, texts)
        try:
            logic = certlogic.encode_logic(one.logic if boolean(one.logic) else {"!": [{"!": [one.logic]}]})
            rule = Rule(one.identifier, reason, logic, PRIORITY)
            rule.must_hold = True
            rule.kinds = [KIND_DCC]
            rule.groups = [one.group] if one.group else []
            rule.countries = [one.country] if one.invalidates else []
            rule.span = one.span
            records.append(encode_rule(rule))
        except CertLogicError as e:
            raise FileTrouble(f"{one.identifier}: {e}") from None
        english = one.descriptions.get("en", one.identifier)
        texts[reason] = one.descriptions.get("zh", f"不符合规则 {one.identifier}"), english
    return Compiled(records, texts)


def boolean(logic: object) -> bool:
    """Whether a value can only be true or false. Some states write rules whose value is merely truthy."""
    if isinstance(logic, bool):
        return True
    if not isinstance(logic, dict) or len(logic) != 1:
        return False
    ((name, operands),) = logic.items()
    if name in BOOLEAN:
        return True
    if not isinstance(operands, list):
        return False
    if name == "if":
        return all(map(boolean, operands[1:]))
    return name == "and" and all(map(boolean, operands))


def read_value_sets(path: Path) -> dict[str, list[str]]:
    """Codes by the name of their set, from a file of the EU's or a map of lists. Raises FileTrouble."""
    content = read_json(path)
    sets: dict[str, list[str]] = {}
    for one in content if isinstance(content, list) else [content]:
        if isinstance(one, dict) and isinstance(one.get("valueSetValues"), dict):
            sets[str(one.get("valueSetId"))] = sorted(one["valueSetValues"])
        elif isinstance(one, dict) and all(isinstance(codes, list) for codes in one.values()):
            sets.update({str(name): sorted(map(str, codes)) for name, codes in one.items()})
        else:
            raise FileTrouble(f"{path}: not value sets")
    return sets


def value_set_blobs(sets: dict[str, Sequence[str]]) -> dict[str, bytes]:
    """The value sets as they lie in a pack: an array of texts each, by name."""
    return {name: cbor.dumps(list(codes)) for name, codes in sets.items()}


def _reason(rule: EuRule, taken: dict[int, tuple[str, str]]) -> int:
    """A number that stays the same from pack to pack, for records keep it: a hash, the next free one."""
    count = LAST_REASON - FIRST_REASON + 1
    number = binascii.crc32(f"{rule.country} {rule.identifier}".encode()) % count
    for step in range(count):
        reason = FIRST_REASON + (number + step) % count
        if reason not in taken:
            return reason
    raise FileTrouble("more business rules than there are reasons")


def _version(text: str, name: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split("."))
    except ValueError:
        raise FileTrouble(f"{name}: {text} is not a version") from None


def _unix(text: str, name: str) -> int:
    ms = certlogic_dates.parse(text.encode())
    if ms is None:
        raise FileTrouble(f"{name}: {text} is not a time")
    return min(max(0, ms // 1000), UNIX_MAX)


def _descriptions(value: object) -> dict[str, str]:
    """Descriptions by language, at most 200 characters each; what is not of the form is left out."""
    found = {}
    for one in value if isinstance(value, list) else []:
        if isinstance(one, dict) and isinstance(one.get("lang"), str) and isinstance(one.get("desc"), str):
            found[one["lang"]] = " ".join(one["desc"].split())[:200]
    return found
