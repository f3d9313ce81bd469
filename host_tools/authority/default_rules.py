"""The notice's policy as rules, as the authority's first pack carries them. A pack may say otherwise.

What a code's signature, age and expiry say is no policy and no rule: firmware.core judges that whatever the
pack holds. Rules speak of colours, tests, arrivals, key groups, those who return to work, and charter buses.
A person on a companion's code is judged by the same rules as the holder, and so is a printed code, whose ID
check is a step of the scene.
"""

from __future__ import annotations

from collections.abc import Sequence

from firmware.core import certlogic, codes, reasons
from firmware.core.rules import KIND_NONE, Rule, encode_rule
from firmware.core.scene import ROLE_NEW, ROLE_RETURNING
from host_tools.authority.words import INTERVAL_DAYS

DAY_S = 86_400
#: The notice's seven days (sections 3 and 5).
TEST_DAYS = 7
OWN_CODES = (codes.KIND_LIVE, codes.KIND_PAPER)
SCHOOL_BUS = "school_bus"
#: Places that know their staff by a roster (sections 2.1 and 2.2).
WITH_STAFF = ("office", "enterprise")

Logic = dict[str, object]

_NOW: Logic = {"var": "external.now"}
_TAKEN: Logic = {"var": "code.test.taken"}
_RESULT: Logic = {"var": "code.test.result"}


def default_rules(interval_days: Sequence[int] = INTERVAL_DAYS) -> list[Rule]:
    """The rules in the order of their weight; `interval_days` are the days between tests of groups 1 to 8."""
    return [
        *(_colour(*one) for one in enumerate(_COLOURS, 1)),
        _positive(),
        _arrival(),
        _returning(),
        *(_group(number, days) for number, days in enumerate(interval_days, 1)),
        _charter_bus(),
    ]


def default_records(interval_days: Sequence[int] = INTERVAL_DAYS) -> list[bytes]:
    """The same as the records of a pack."""
    return [encode_rule(rule) for rule in default_rules(interval_days)]


_COLOURS = (
    ("yellow", reasons.COLOUR_YELLOW),
    ("orange", reasons.COLOUR_ORANGE),
    ("red", reasons.COLOUR_RED),
)


def _rule(id: str, reason: int, priority: int, logic: object) -> Rule:
    """A rule for Yima's own codes at every door but that of a charter bus."""
    rule = Rule(id, reason, certlogic.encode_logic(logic), priority)
    rule.kinds = list(OWN_CODES)
    rule.not_scenes = [SCHOOL_BUS]
    return rule


def _everywhere(rule: Rule) -> Rule:
    """The rule on charter buses too: no code is asked for there, but what one shows is known then."""
    rule.not_scenes = []
    return rule


def _colour(colour: int, named: tuple[str, int]) -> Rule:
    """Orange stays at home and away from public places (section 1.2); yellow and red are no better."""
    name, reason = named
    return _everywhere(_rule(f"colour-{name}", reason, 10, {"===": [{"var": "code.colour"}, colour]}))


def _positive() -> Rule:
    """Whoever's last test found the virus does not enter, whatever the colour still says."""
    return _everywhere(_rule("test-positive", reasons.TEST_POSITIVE, 20, _is(_RESULT, codes.RESULT_POSITIVE)))


def _arrival() -> Rule:
    """From a key region with neither a negative test nor IgG: the free test (section 5).

    The notice counts tests of the seven days before arrival; one taken since is the better proof and counts.
    """
    tested = _if(
        _is(_RESULT, codes.RESULT_NEGATIVE),
        {">=": [_TAKEN, _plus({"var": "code.arrival.at"}, -TEST_DAYS * DAY_S)]},
        False,
    )
    immune = _is({"var": "code.igg.result"}, codes.RESULT_POSITIVE)
    logic = _if({"var": "code.arrival"}, _if(immune, False, _not(tested)), False)
    return _rule("arrival-untested", reasons.ARRIVAL_UNTESTED, 30, logic)


def _returning() -> Rule:
    """New staff, and staff back at work, show a negative test of the last seven days (section 2.2)."""
    logic = _if(
        {"in": [{"var": "external.role"}, [ROLE_NEW, ROLE_RETURNING]]},
        _with_clock(_not(_tested_within(TEST_DAYS))),
        False,
    )
    rule = _rule("returning-untested", reasons.RETURNING_UNTESTED, 40, logic)
    rule.scenes, rule.not_scenes = list(WITH_STAFF), []
    return rule


def _group(number: int, days: int) -> Rule:
    """People of a key group are tested every so many days (section 5, each group its own interval).

    A sample whose result is not known yet counts: its owner has done what was asked.
    """
    logic = _if(
        _if({"var": "code.groups"}, {"in": [number, {"var": "code.groups"}]}, False),
        _with_clock(_if({"var": "code.test"}, {"<": [_TAKEN, _plus(_NOW, -days * DAY_S)]}, True)),
        False,
    )
    return _rule(f"group-{number}-overdue", reasons.TEST_OVERDUE, 50 + number, logic)


def _charter_bus() -> Rule:
    """School charter buses do not check codes (section 2.3): the boarding is counted, with a remark."""
    rule = Rule("charter-bus", reasons.CODE_NOT_NEEDED, certlogic.encode_logic(True), 90)
    rule.kinds = [KIND_NONE, *OWN_CODES, codes.KIND_DCC]
    rule.scenes = [SCHOOL_BUS]
    return rule


def _is(operand: object, value: int) -> Logic:
    return {"===": [operand, value]}


def _if(guard: object, then: object, otherwise: object) -> Logic:
    return {"if": [guard, then, otherwise]}


def _not(operand: object) -> Logic:
    return {"!": [operand]}


def _plus(operand: object, seconds: int) -> Logic:
    return {"+": [operand, seconds]}


def _with_clock(logic: object) -> Logic:
    """The logic where the clock is to be trusted; without it the code gets CLOCK_UNTRUSTED anyway."""
    return _if(_NOW, logic, False)


def _tested_within(days: int) -> Logic:
    """Whether the last test was negative and is at most so many days old."""
    return _if(_is(_RESULT, codes.RESULT_NEGATIVE), {">=": [_TAKEN, _plus(_NOW, -days * DAY_S)]}, False)
