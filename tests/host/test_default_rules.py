"""The notice's rules against the policy written out in plain code, under both interpreters."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from batch import INTERPRETERS, run
from notice import code_reasons
from rules_batch import case_data

from firmware.core import codes, reasons, rules, scene
from firmware.core.codes import Code, Person
from firmware.core.scene import Scene
from host_tools.authority.default_rules import default_records, default_rules
from host_tools.authority.words import INTERVAL_DAYS

NOW = 1_590_134_400
DAY = 86_400
CASES = 1_500
RECORDS = default_records()
SCENES = ("office", "enterprise", "public_place", "transit", "registered_venue", "event", "checkpoint")


def moment(random_: random.Random) -> int:
    """Around the limits of the rules more often than not."""
    return NOW - random_.choice((0, 1, 3, 7, 9, 14, 30)) * DAY + random_.choice((-1, 0, 1, -DAY, 60))


def random_case(seed: int) -> dict[str, object]:
    random_ = random.Random(seed)

    def test() -> list[int] | None:
        return random_.choice((None, [random_.randrange(3), moment(random_)]))

    return {
        "now": random_.choice((None, NOW, NOW, NOW, NOW)),
        "scene": random_.choice(SCENES),
        "role": random_.randrange(4),
        "kind": random_.choice((codes.KIND_LIVE, codes.KIND_PAPER)),
        "issued": NOW - 30,
        "expires": NOW + DAY,
        "colour": random_.choice((0, 0, 0, 1, 2, 3)),
        "test": test(),
        "igg": test(),
        "arrival": random_.choice((None, ["北京", moment(random_)])),
        "groups": random_.sample(range(1, 9), random_.choice((0, 0, 1, 2))),
        "companion": random_.random() < 0.2,
    }


def case(**changes: object) -> dict[str, object]:
    """A green visitor at a public place; changes."""
    plain: dict[str, object] = {
        "now": NOW,
        "scene": "public_place",
        "role": scene.ROLE_VISITOR,
        "kind": codes.KIND_LIVE,
        "issued": NOW - 30,
        "expires": NOW + DAY,
        "colour": 0,
        "test": None,
        "igg": None,
        "arrival": None,
        "groups": [],
        "companion": False,
    }
    return {**plain, **changes}


def policy(one: dict[str, object]) -> list[int]:
    """What the handheld's own code found before there were rules, and what rules add to it."""
    person = Person(b"s" * 16, "x", one["colour"])
    person.test = tuple(one["test"]) if one["test"] else None
    person.igg = tuple(one["igg"]) if one["igg"] else None
    person.arrival = tuple(one["arrival"]) if one["arrival"] else None
    found = []
    if person.colour:
        found.append((None, reasons.COLOUR_YELLOW, reasons.COLOUR_ORANGE, reasons.COLOUR_RED)[person.colour])
    result, taken = person.test or (None, 0)
    if result == codes.RESULT_POSITIVE:
        found.append(reasons.TEST_POSITIVE)
    immune = person.igg is not None and person.igg[0] == codes.RESULT_POSITIVE
    before = (
        result != codes.RESULT_NEGATIVE or taken < person.arrival[1] - 7 * DAY if person.arrival else False
    )
    if before and not immune:
        found.append(reasons.ARRIVAL_UNTESTED)
    now = one["now"]
    if now is None:
        return found
    back = one["scene"] in ("office", "enterprise") and one["role"] in (scene.ROLE_NEW, scene.ROLE_RETURNING)
    if back and (result != codes.RESULT_NEGATIVE or taken < now - 7 * DAY):
        found.append(reasons.RETURNING_UNTESTED)
    for group in one["groups"]:
        if person.test is None or taken < now - INTERVAL_DAYS[group - 1] * DAY:
            found.append(reasons.TEST_OVERDUE)
            break
    return found


@pytest.mark.parametrize("interpreter", INTERPRETERS)
def test_rules_find_what_plain_code_finds(interpreter: str, tmp_path: Path) -> None:
    cases = [random_case(seed) for seed in range(CASES)]
    records = [record.hex() for record in RECORDS]
    lines = [json.dumps({"records": records, "case": one}) for one in cases]
    met: set[int] = set()
    for one, text in zip(
        cases, run(interpreter, "rules_batch.py", lines, tmp_path, heap="400k"), strict=True
    ):
        expected = policy(one)
        assert [reason for reason, *_ in json.loads(text)] == expected, one
        met.update(expected)
    assert met == {
        reasons.COLOUR_YELLOW,
        reasons.COLOUR_ORANGE,
        reasons.COLOUR_RED,
        reasons.TEST_POSITIVE,
        reasons.ARRIVAL_UNTESTED,
        reasons.RETURNING_UNTESTED,
        reasons.TEST_OVERDUE,
    }


def test_rules_find_what_the_verdict_finds_where_both_speak() -> None:
    spoken = set(range(reasons.COLOUR_YELLOW, reasons.ARRIVAL_UNTESTED + 1))
    for seed in range(CASES):
        one = random_case(seed)
        data = case_data(one)
        person = Person(b"s" * 16, "x", one["colour"])
        person.test = tuple(one["test"]) if one["test"] else None
        person.igg = tuple(one["igg"]) if one["igg"] else None
        person.arrival = tuple(one["arrival"]) if one["arrival"] else None
        code = Code(one["kind"], "i", b"c" * 8, one["issued"], one["expires"], [person], b"")
        hard = code_reasons(code, person, Scene("transit"), one["now"], None)
        found = [outcome.reason for outcome in rules.judge(RECORDS, data)]
        assert [reason for reason in found if reason in spoken] == [r for r in hard if r in spoken]


def found(**changes: object) -> list[str]:
    return [reasons.name_of(one.reason) for one in rules.judge(RECORDS, case_data(case(**changes)))]


def test_rows_of_the_mission() -> None:
    assert found() == []
    # M3: orange stays at home, and so do yellow and red.
    assert [found(colour=colour) for colour in (1, 2, 3)] == [
        ["colour_yellow"],
        ["colour_orange"],
        ["colour_red"],
    ]
    # M4: a companion by the same rules.
    assert found(companion=True, colour=2) == ["colour_orange"]
    # M5: a printed code as a live one.
    assert found(kind=codes.KIND_PAPER, test=[1, NOW]) == ["test_positive"]
    # M7: new and returning staff.
    assert found(scene="enterprise", role=scene.ROLE_NEW) == ["returning_untested"]
    assert found(scene="enterprise", role=scene.ROLE_RETURNING, test=[0, NOW - 7 * DAY]) == []
    assert found(scene="enterprise", role=scene.ROLE_RETURNING, test=[0, NOW - 7 * DAY - 1]) == [
        "returning_untested"
    ]
    assert found(scene="enterprise", role=scene.ROLE_STAFF) == []
    assert found(scene="public_place", role=scene.ROLE_NEW) == []
    # M14: arrivals.
    arrival = ["北京", NOW - 2 * DAY]
    assert found(arrival=arrival) == ["arrival_untested"]
    assert found(arrival=arrival, test=[0, NOW - 9 * DAY]) == []
    assert found(arrival=arrival, test=[0, NOW - 9 * DAY - 1]) == ["arrival_untested"]
    assert found(arrival=arrival, igg=[1, NOW - 90 * DAY]) == []
    assert found(arrival=["", 0]) == ["arrival_untested"]


@pytest.mark.parametrize("group", range(1, 9))
def test_every_group_has_its_own_interval(group: int) -> None:
    limit = NOW - INTERVAL_DAYS[group - 1] * DAY
    assert found(groups=[group]) == ["test_overdue"]
    assert found(groups=[group], test=[0, limit]) == []
    assert found(groups=[group], test=[2, limit]) == []
    assert found(groups=[group], test=[0, limit - 1]) == ["test_overdue"]
    (outcome,) = rules.judge(RECORDS, case_data(case(groups=[group])))
    assert outcome.rule == f"group-{group}-overdue"
    assert rules.judge(RECORDS, case_data(case(groups=[group], now=None))) == []
    # The authority's own interval takes the place of the first one.
    days = list(INTERVAL_DAYS)
    days[group - 1] = 1
    shorter = default_records(days)
    assert [
        one.rule for one in rules.judge(shorter, case_data(case(groups=[group], test=[0, NOW - DAY - 1])))
    ]


def test_charter_buses_need_no_code() -> None:
    for data in (
        {"code": {"kind": rules.KIND_NONE}, "external": {"scene": "school_bus", "now": NOW}},
        case_data(case(scene="school_bus")),
        case_data(case(scene="school_bus", groups=[1], arrival=["北京", NOW])),
    ):
        (outcome,) = rules.judge(RECORDS, data)
        assert (outcome.reason, outcome.verdict) == (reasons.CODE_NOT_NEEDED, reasons.PASS)
    # A code that is shown all the same says what it says.
    assert found(scene="school_bus", colour=3) == ["colour_red", "code_not_needed"]
    assert found(scene="school_bus", test=[1, NOW]) == ["test_positive", "code_not_needed"]
    # Nowhere else does somebody without a code pass.
    for other in SCENES:
        (outcome,) = rules.judge(
            RECORDS, {"code": {"kind": rules.KIND_NONE}, "external": {"scene": other, "now": NOW}}
        )
        assert (outcome.reason, outcome.verdict) == (reasons.NO_RULES, reasons.ATTENTION)


def test_eu_certificates_without_national_rules_are_for_a_persons_look() -> None:
    data = {
        "code": {"kind": codes.KIND_DCC},
        "payload": {"v": [{}]},
        "external": {"scene": "transit", "now": NOW},
    }
    assert [one.reason for one in rules.judge(RECORDS, data)] == [reasons.FOREIGN_MANUAL]


def test_the_rules_are_few_and_small() -> None:
    assert len(default_rules()) == 15
    assert sum(len(record) for record in RECORDS) < 2_500
