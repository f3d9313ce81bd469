import struct

from ym1 import DAY, KID, NOW

from firmware.core import certlogic, codes, pack, policy, reasons, rules
from firmware.core.codes import Code, Person
from firmware.core.hmac256 import sha256
from firmware.core.packmemory import in_memory
from firmware.core.scene import Scene
from firmware.core.table import encode_book, encode_table, key_of

SUB = b"s" * 16
CTI = b"c" * 8


def rule(id, reason, logic, **changes):
    made = rules.Rule(id, reason, certlogic.encode_logic(logic))
    made.kinds = [codes.KIND_LIVE, codes.KIND_PAPER]
    for name, value in changes.items():
        setattr(made, name, value)
    return rules.encode_rule(made)


ORANGE = rule("orange", reasons.COLOUR_ORANGE, {"===": [{"var": "code.colour"}, 2]})
REMARK = rule("remark", 3001, {"===": [{"var": "external.role"}, 1]})
LOOK = rule("look", 2001, {"===": [{"var": "external.place"}, "somewhere else"]})
BUS = rule("bus", reasons.CODE_NOT_NEEDED, True, kinds=[0, 1, 2], scenes=["school_bus"])


def packed(records=(ORANGE, REMARK, LOOK, BUS), revoked=(), changes=(), sets=None, expires=NOW + DAY):
    parts = [
        (pack.RULES, encode_book([(struct.pack(">Q", i), blob) for i, blob in enumerate(records)])),
        (pack.REVOCATIONS, encode_table([(pack.revocation_key(*one), b"") for one in revoked], 0)),
        (
            pack.REVOCATION_CHANGES,
            encode_table([(pack.revocation_key(*one), value) for one, value in changes], 1),
        ),
    ]
    if sets:
        parts.append((pack.VALUE_SETS, encode_book([(key_of(name), blob) for name, blob in sets])))
    entries = b"".join([struct.pack(">HI", kind, len(data)) + sha256(data) for kind, data in parts])
    return in_memory(pack.Manifest(1, NOW - DAY, expires, entries), [data for _, data in parts])


def judged(current, now=NOW, colour=0, role=0, issued=NOW - 30, expires=NOW + DAY, kind=1, place="here"):
    person = Person(SUB, "张*三", colour)
    code = Code(kind, "i", CTI, issued, expires, [person], b"")
    code.kid = KID
    case = policy.Case(code, person, Scene("transit"), place, role, now)
    return names(policy.judge_steps(case, current))


def names(steps):
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return [reasons.name_of(reason) for reason in end.value]


def test_a_green_fresh_code_has_nothing_against_it():
    assert judged(packed()) == []


def test_without_a_pack_nobody_passes():
    assert judged(None) == ["no_trust_list"]
    assert judged(None, expires=NOW) == ["expired", "no_trust_list"]


def test_an_expired_pack_decides_nothing_good():
    assert judged(packed(expires=NOW)) == ["trust_expired"]
    assert judged(packed(expires=NOW + 1)) == []
    # What it knows still stops.
    assert judged(packed(expires=NOW), colour=2) == ["colour_orange", "trust_expired"]


def test_times_of_a_code():
    assert judged(packed(), expires=NOW) == ["expired"]
    assert judged(packed(), issued=NOW - 180) == []
    assert judged(packed(), issued=NOW - 181) == ["stale"]
    assert judged(packed(), issued=NOW - 181, kind=codes.KIND_PAPER) == []
    assert judged(packed(), issued=NOW + 120) == []
    assert judged(packed(), issued=NOW + 121) == ["not_yet_valid"]
    assert judged(packed(), issued=NOW + DAY, kind=codes.KIND_PAPER) == ["not_yet_valid"]


def test_without_a_clock_a_known_fact_still_stops():
    assert judged(packed(), now=None) == ["clock_untrusted"]
    assert judged(packed(), now=None, colour=2) == ["colour_orange", "clock_untrusted"]


def test_revocations():
    assert judged(packed(revoked=[(pack.KEY, KID)])) == ["key_withdrawn"]
    assert judged(packed(revoked=[(pack.CODE, CTI)])) == ["code_revoked"]
    assert judged(packed(revoked=[(pack.SUBJECT, SUB)])) == ["subject_revoked"]
    # An id of one kind revokes nothing of another.
    assert judged(packed(revoked=[(pack.CODE, KID), (pack.KEY, CTI)])) == []


def test_changes_overrule_the_base():
    assert judged(packed(changes=[((pack.SUBJECT, SUB), b"\1")])) == ["subject_revoked"]
    assert judged(packed(revoked=[(pack.SUBJECT, SUB)], changes=[((pack.SUBJECT, SUB), b"\0")])) == []


def test_stops_come_first_and_remarks_last():
    found = judged(packed(), colour=2, role=1, issued=NOW - 999, place="somewhere else")
    assert found == ["colour_orange", "stale", "reason_2001", "reason_3001"]


def test_no_rules_no_pass():
    assert judged(packed(records=())) == ["no_rules"]
    # A rule for other doors, or for other codes, decides nothing here.
    assert judged(packed(records=(BUS,))) == ["no_rules"]
    assert judged(packed(records=(rule("eu", 2002, False, kinds=[3]),))) == ["no_rules"]


def test_a_rule_that_errs():
    broken = rule("broken", 2003, {"+": [{"var": "code.colour"}, "x"]})
    assert judged(packed(records=(ORANGE, broken))) == ["rule_error"]
    assert judged(packed(records=(ORANGE, b"\xff"))) == ["rule_error"]
    assert judged(packed(records=(ORANGE, broken)), colour=2) == ["colour_orange", "rule_error"]


def test_a_damaged_part_lets_nobody_pass():
    whole = packed()
    for kind in (pack.RULES, pack.REVOCATIONS, pack.REVOCATION_CHANGES, pack.KEYS, pack.ROSTER):
        whole.damaged = 1 << kind
        assert "pack_damaged" in judged(whole)
    whole.damaged = 1 << pack.TEXTS | 1 << pack.SEALING_KEY | 1 << pack.CONFIG
    assert judged(whole) == []


def test_a_part_that_does_not_read_is_found_on_the_way():
    whole = packed()

    def gone(length, digest):
        raise OSError(5)

    broken = type(whole)(whole, gone)
    assert judged(broken) == ["no_rules", "pack_damaged"]


def test_a_bus_that_asks_for_no_code():
    case = policy.Case(None, None, Scene("school_bus"), "here", 0, NOW)
    assert names(policy.judge_steps(case, packed())) == ["code_not_needed"]
    case = policy.Case(None, None, Scene("transit"), "here", 0, NOW)
    assert names(policy.judge_steps(case, packed())) == ["no_rules"]
    case = policy.Case(None, None, Scene("school_bus"), "here", 0, None)
    assert names(policy.judge_steps(case, packed())) == ["clock_untrusted", "code_not_needed"]


def test_value_sets_are_fetched_by_name():
    # ["green", "blue"] in CBOR; the logic asks whether a word is in it.
    sets = [("words", b"\x82\x65green\x64blue")]
    for word, expected in (("green", ["reason_2004"]), ("red", [])):
        record = rule(
            "sets", 2004, {"in": [word, {"var": "external.valueSets.words"}]}, kinds=[codes.KIND_DCC]
        )
        payload = b"\xa1\x39\x01\x03\xa1\x01\xa0"  # {-260: {1: {}}}
        person = Person(b"", "X.", None)
        code = Code(codes.KIND_DCC, "AT", CTI, NOW - DAY, NOW + DAY, [person], payload)
        code.kid = KID
        case = policy.Case(code, person, Scene("transit"), "here", 0, NOW)
        assert names(policy.judge_steps(case, packed(records=(record,), sets=sets))) == expected


def test_a_payload_that_is_no_certificate_is_an_error_of_its_own():
    person = Person(b"", "X.", None)
    for payload in (b"", b"\xa0", b"\xff", b"\xa1\x39\x01\x03\x01"):
        code = Code(codes.KIND_DCC, "AT", CTI, NOW - DAY, NOW + DAY, [person], payload)
        code.kid = KID
        case = policy.Case(code, person, Scene("transit"), "here", 0, NOW)
        assert names(policy.judge_steps(case, packed())) == ["rule_error"]
