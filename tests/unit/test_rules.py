from firmware.core import cbor, certlogic, codes, reasons, rule_data, rules
from firmware.core.certlogic_dates import text_of_unix
from firmware.core.certlogic_read import CertLogicError, Source
from firmware.core.codes import Code, Person
from firmware.core.rules import Rule, encode_rule, judge, parse_rule

NOW = 1590134400


def record(id="r", reason=2001, logic=True, priority=100, kinds=(1,), **changes):
    rule = Rule(id, reason, certlogic.encode_logic(logic), priority)
    rule.kinds = list(kinds)
    for name, value in changes.items():
        setattr(rule, name, value)
    return encode_rule(rule)


def data(kind=1, scene="transit", now=NOW, payload=None, **external):
    external.update({"scene": scene, "now": now})
    return {"code": {"kind": kind, "colour": 2}, "payload": payload, "external": external}


def found(*records, **case):
    return [(one.reason, one.rule) for one in judge(records, data(**case))]


def refused(call, *args):
    try:
        call(*args)
    except CertLogicError as e:
        return str(e)
    raise AssertionError("accepted")


def test_a_rule_is_its_record():
    rule = Rule("a", 1001, certlogic.encode_logic({"var": "x"}), 7)
    rule.must_hold = True
    rule.kinds, rule.scenes, rule.not_scenes = [0, 3], ["event"], ["office", "transit"]
    rule.countries, rule.groups, rule.span = ["AT", "NLD"], ["v", "t"], (5, 6)
    again = parse_rule(encode_rule(rule))
    for name in (
        "id",
        "reason",
        "logic",
        "priority",
        "must_hold",
        "kinds",
        "scenes",
        "not_scenes",
        "countries",
    ):
        assert getattr(again, name) == getattr(rule, name), name
    assert again.groups == rule.groups and again.span == rule.span
    plain = parse_rule(record(kinds=()))
    assert (plain.kinds, plain.scenes, plain.span, plain.must_hold) == ([], [], None, False)


def no_rule(bad):
    """Neither the desk nor the door takes it."""
    refused(parse_rule, bad)
    assert reasons.RULE_ERROR in [one.reason for one in judge([bad], data())]


def test_records_that_are_none():
    good = {1: "r", 2: 2001, 3: 100, 4: b"\xf5"}
    parse_rule(cbor.dumps(good))
    for key, values in (
        (1, ("", "x" * 41, 1)),
        (2, (0, 4000, -1, "x")),
        (3, (256, None)),
        (4, (b"", "x")),
        (5, (2, True)),
        (6, ([], [4], [1] * 5, 1)),
        (7, ([], ["x"] * 17, ["x" * 33], [""])),
        (8, ([], [1])),
        (9, (["x"] * 65, ["ABCD"])),
        (10, (["vt"], ["v"] * 4)),
        (11, ([1], [1, 2, 3], [1, -1], [0, 2**32])),
        (12, (1,)),
    ):
        for value in values:
            fields = dict(good)
            fields[key] = value
            no_rule(cbor.dumps(fields))
    for key in good:
        fields = dict(good)
        del fields[key]
        no_rule(cbor.dumps(fields))
    for bad in (b"", b"\x80", b"\xa0", cbor.dumps(good) + b"\0", b"\xff" * 5000):
        no_rule(bad)
    assert refused(encode_rule, Rule("r", 2001, b"\x81" + b"\x61x" * 3000)) == "rule too long"


def test_rules_that_object_and_rules_that_must_hold():
    assert found(record(logic=True)) == [(2001, "r")]
    assert found(record(logic=False)) == []
    assert found(record(logic=True, must_hold=True)) == []
    assert found(record(logic=False, must_hold=True)) == [(2001, "r")]


def test_an_error_is_never_a_pass():
    for logic in ({"bogus": [1]}, {"+": ["x", 1]}, {"var": "nothing"}, 1, "x", 0, [True]):
        for must_hold in (False, True):
            assert found(record(logic=logic, must_hold=must_hold)) == [(reasons.RULE_ERROR, "r")]
    assert found(b"\x00", record(logic=False)) == [(reasons.RULE_ERROR, "")]
    assert reasons.verdict_of(reasons.RULE_ERROR) == reasons.ATTENTION


def test_selectors():
    assert found(record(), record("s", 1001, kinds=(2, 3))) == [(2001, "r")]
    assert found(record(scenes=["event", "transit"])) == [(2001, "r")]
    none = [(reasons.NO_RULES, "")]
    assert found(record(scenes=["event"])) == none
    assert found(record(not_scenes=["event", "transit"])) == none
    assert found(record(not_scenes=["event"])) == [(2001, "r")]
    assert found(record(countries=["AT"]), record(logic=False)) == []
    assert found(record(countries=["AT"]), record(logic=False), issuerCountryCode="AT") == [(2001, "r")]
    assert found(record(groups=["v", "t"])) == none
    assert found(record(groups=["v", "t"]), payload={"v": []}) == none
    assert found(record(groups=["v", "t"]), payload={"t": [{}]}) == [(2001, "r")]
    for now, expected in (
        (9, none),
        (10, [(2001, "r")]),
        (20, [(2001, "r")]),
        (21, none),
        (None, [(2001, "r")]),
    ):
        assert found(record(span=(10, 20)), now=now) == expected


def test_where_no_rule_names_the_kind():
    assert found() == [(reasons.NO_RULES, "")]
    assert found(record(kinds=()), record(kinds=(2,))) == [(2001, "r"), (reasons.NO_RULES, "")] or found(
        record(kinds=()), record(kinds=(2,))
    ) == [(reasons.NO_RULES, ""), (2001, "r")]
    assert found(record(logic=False, kinds=())) == [(reasons.NO_RULES, "")]
    assert found(record(logic=False, kinds=(3,)), kind=3) == []
    assert found(kind=3) == [(reasons.FOREIGN_MANUAL, "")]
    # What the issuing country says against its own codes decides nothing for them.
    assert found(record(logic=False, kinds=(3,), countries=["AT"]), kind=3, issuerCountryCode="AT") == [
        (reasons.FOREIGN_MANUAL, "")
    ]
    assert [one.reason for one in judge([record()], {})] == [reasons.NO_RULES]


def test_the_order():
    records = (
        record("remark", 3001, priority=0),
        record("late", 2002, priority=9),
        record("early", 2003, priority=1),
        record("same b", 2005, priority=5),
        record("same a", 2004, priority=5),
        record("stop", 1001, priority=200),
        record("twice", 2003, priority=3),
        record("once more", 1001, priority=100),
    )
    expected = [
        (1001, "once more"),
        (2003, "early"),
        (2004, "same a"),
        (2005, "same b"),
        (2002, "late"),
        (3001, "remark"),
    ]
    assert found(*records) == expected
    assert found(*reversed(records)) == expected
    verdicts = [one.verdict for one in judge(records, data())]
    assert verdicts == [reasons.STOP] + [reasons.ATTENTION] * 4 + [reasons.PASS]


def test_many_rules_and_hard_ones_end():
    many = [record("n", logic=False)] * (rules.MAX_RULES + 1)
    assert found(*many[1:]) == []
    assert found(*many) == [(reasons.RULE_ERROR, "n")]
    hard = {"if": [{"reduce": [[0] * 120, {"reduce": [[0] * 120, 1, 1]}, 0]}, True, True]}
    assert found(*[record("hard", logic=hard)] * 9) == [(reasons.RULE_ERROR, "hard")]
    # What hard rules leave is enough for the next ones.
    assert found(record("hard", logic=hard), record("easy", 1001)) == [
        (1001, "easy"),
        (reasons.RULE_ERROR, "hard"),
    ]


def test_a_step_for_every_rule():
    seen = []
    steps = rules.judge_steps(
        [record("a"), record("b", scenes=["x"]), record("c", logic=1)], data(), lambda *one: seen.append(one)
    )
    count = 0
    try:
        while True:
            next(steps)
            count += 1
    except StopIteration as end:
        assert [one.reason for one in end.value] == [reasons.RULE_ERROR, 2001]
    assert count == 3
    assert [(parse_rule(one).id, value) for one, value in seen] == [("a", True), ("c", 1)]


def person(colour=0):
    return Person(b"s" * 16, "x", colour)


def test_data_of_a_code():
    holder, companion = person(), person(1)
    holder.test, holder.igg, holder.arrival = (0, NOW - 5), (1, NOW - 9), ("北京", NOW - 7)
    holder.groups = [5, 6]
    code = Code(codes.KIND_PAPER, "i", b"c" * 8, NOW - 30, NOW + 60, [holder, companion], b"")
    assert rule_data.code_data(code, holder) == {
        "kind": 2,
        "iat": NOW - 30,
        "exp": NOW + 60,
        "colour": 0,
        "test": {"result": 0, "taken": NOW - 5},
        "igg": {"result": 1, "taken": NOW - 9},
        "groups": [5, 6],
        "arrival": {"region": "北京", "at": NOW - 7},
        "companion": False,
    }
    of_companion = rule_data.code_data(code, companion)
    assert (of_companion["companion"], of_companion["colour"], of_companion["test"]) == (True, 1, None)
    assert rule_data.external_data(code, NOW, "event", "hall", 2) == {
        "now": NOW,
        "scene": "event",
        "place": "hall",
        "role": 2,
    }
    assert rule_data.no_code_data() == {"kind": rules.KIND_NONE}


def test_data_of_an_eu_certificate():
    entry = {"sc": cbor.Tag(0, "2021-05-30T10:12:22Z"), "tt": "LP6464-4"}
    payload = cbor.dumps(
        {1: "AT", 4: NOW, 6: NOW, -260: {1: {"t": [entry], "nam": {"fn": "X"}, "dob": "1998"}}}
    )
    certificate = rule_data.dcc_payload(payload)
    assert certificate["t"] == [{"sc": "2021-05-30T10:12:22Z", "tt": "LP6464-4"}]
    code = Code(codes.KIND_DCC, "AT", b"c" * 8, NOW - 30, NOW + 60, [person(None)], payload)
    external = rule_data.external_data(code, NOW, "transit", "", 0, {"set": ["a"]})
    assert external["validationClock"] == text_of_unix(NOW) == "2020-05-22T08:00:00Z"
    assert (external["issuerCountryCode"], external["exp"]) == ("AT", "2020-05-22T08:01:00Z")
    assert rule_data.external_data(code, None, "transit", "", 0)["validationClock"] is None
    for bad in (
        b"",
        b"\x01",
        b"\xa0",
        cbor.dumps({-260: 1}),
        cbor.dumps({-260: {1: []}}),
        cbor.dumps({-260: {}}),
    ):
        refused(rule_data.dcc_payload, bad)
    for odd in ({"t": 1}, {"t": [1]}, {"v": None}):
        assert rule_data.dcc_payload(cbor.dumps({-260: {1: odd}})) == odd


class Sets(Source):
    """Value sets that are fetched one by one."""

    def __init__(self):
        self.asked = []

    def find(self, key, steps):
        self.asked.append(key)
        return ["a", "b"] if key == "set" else None


def test_value_sets_are_fetched_when_asked_for():
    sets = Sets()
    inside = {"in": ["b", {"var": "external.valueSets.set"}]}
    outside = {"in": ["b", {"var": "external.valueSets.other"}]}
    assert found(record(logic=inside, must_hold=True), valueSets=sets) == []
    assert found(record(logic=outside, must_hold=True), valueSets=sets) == [(reasons.RULE_ERROR, "r")]
    assert sets.asked == ["set", "other"]
