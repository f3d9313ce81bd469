from notice import code_reasons
from ym1 import DAY, NOW, trusting

from firmware.core import codes, reasons, verdict
from firmware.core.codes import Code, Person
from firmware.core.scene import Scene

TRANSIT = Scene("transit")


def person(**changes):
    one = Person(b"s" * 16, "张*三", 0)
    for name, value in changes.items():
        setattr(one, name, value)
    return one


def judged(one=None, kind=codes.KIND_LIVE, issued=NOW - 30, expires=NOW + DAY, now=NOW, trust=False):
    one = one or person()
    code = Code(kind, "i", b"c" * 8, issued, expires, [one], b"")
    found = code_reasons(code, one, TRANSIT, now, trusting() if trust is False else trust)
    return [reasons.name_of(reason) for reason in found]


def test_nothing_against_a_green_fresh_code():
    assert judged() == []


def test_colours():
    assert judged(person(colour=1)) == ["colour_yellow"]
    assert judged(person(colour=2)) == ["colour_orange"]
    assert judged(person(colour=3)) == ["colour_red"]


def test_expiry():
    assert judged(expires=NOW + 1) == []
    assert judged(expires=NOW) == ["expired"]
    assert judged(expires=NOW - DAY) == ["expired"]


def test_freshness_of_live_codes():
    assert judged(issued=NOW - TRANSIT.live_max_age_s) == []
    assert judged(issued=NOW - TRANSIT.live_max_age_s - 1) == ["stale"]
    assert judged(issued=NOW - DAY, kind=codes.KIND_PAPER) == []


def test_codes_of_the_future():
    assert judged(issued=NOW + TRANSIT.future_tolerance_s) == []
    assert judged(issued=NOW + TRANSIT.future_tolerance_s + 1) == ["not_yet_valid"]
    assert judged(issued=NOW + DAY, kind=codes.KIND_PAPER) == ["not_yet_valid"]


def test_without_a_clock_nobody_passes_but_a_known_fact_still_stops():
    assert judged(now=None) == ["clock_untrusted"]
    assert judged(person(colour=2), expires=0, now=None) == ["colour_orange", "clock_untrusted"]


def test_trust_list():
    assert judged(trust=None) == ["no_trust_list"]
    old = trusting()
    old.expires_unix = NOW
    assert judged(trust=old) == ["trust_expired"]
    old.expires_unix = NOW + 1
    assert judged(trust=old) == []


def test_tests():
    assert judged(person(test=(1, NOW - DAY))) == ["test_positive"]
    assert judged(person(test=(0, NOW - DAY))) == []
    assert judged(person(test=(2, NOW - DAY))) == []
    assert judged(person(igg=(1, NOW - DAY))) == []


def test_arrivals():
    arrival = ("北京", NOW - 2 * DAY)
    assert judged(person(arrival=arrival)) == ["arrival_untested"]
    assert judged(person(arrival=arrival, test=(2, NOW))) == ["arrival_untested"]
    assert judged(person(arrival=arrival, test=(0, NOW - DAY))) == []
    assert judged(person(arrival=arrival, test=(0, NOW - 9 * DAY))) == []
    assert judged(person(arrival=arrival, test=(0, NOW - 9 * DAY - 1))) == ["arrival_untested"]
    assert judged(person(arrival=arrival, igg=(1, NOW - 90 * DAY))) == []
    assert judged(person(arrival=arrival, igg=(0, NOW))) == ["arrival_untested"]
    assert judged(person(arrival=arrival, test=(1, NOW))) == ["test_positive", "arrival_untested"]


def test_eu_certificates_are_for_a_persons_look():
    assert judged(person(colour=None, sub=b""), kind=codes.KIND_DCC, issued=NOW - 100 * DAY) == [
        "foreign_manual"
    ]
    assert judged(person(colour=None), kind=codes.KIND_DCC, expires=NOW) == ["expired", "foreign_manual"]


def test_stops_come_first():
    found = judged(person(colour=3, test=(1, 0), arrival=("x", NOW)), issued=0, expires=1)
    assert found == ["colour_red", "test_positive", "expired", "stale", "arrival_untested"]


def test_weakest():
    assert verdict.weakest([]) == verdict.weakest([reasons.OK]) == verdict.PASS
    assert verdict.weakest([reasons.STALE]) == verdict.ATTENTION
    assert verdict.weakest([reasons.STALE, reasons.FEVER, reasons.MASK_UNANSWERED]) == verdict.STOP
    assert verdict.weakest([reasons.FEVER, reasons.OK]) == verdict.STOP
    assert verdict.weakest([reasons.OK, 999]) == verdict.ATTENTION
    assert (verdict.PASS, verdict.STOP, verdict.ATTENTION) == (0, 1, 2)


def test_temperature():
    assert verdict.temperature_reason(3729, TRANSIT) == reasons.OK
    assert verdict.temperature_reason(3730, TRANSIT) == reasons.FEVER
    lenient = Scene("transit")
    lenient.fever_centi_c = 3800
    assert verdict.temperature_reason(3799, lenient) == reasons.OK
    assert verdict.temperature_reason(3800, lenient) == reasons.FEVER
