# heap: 256k
"""The deepest and longest logic that is taken, on the handheld's heap; and what judging takes of it."""

import gc

from firmware.core import certlogic, rules
from firmware.core.certlogic_read import CertLogicError

DATA = {"code": {"kind": 1, "colour": 0}, "external": {"now": 1, "scene": "transit"}}


def nested(levels):
    # {"!": [ ... {"!": [1]} ... ]}, written as it lies in CBOR
    return b"\xa1\x61!\x81" * levels + b"\x01"


def deep_call(count, call):
    """`call` with `count` frames of the interpreter's stack in use already, as in the handheld's tasks."""
    return call() if count == 0 else deep_call(count - 1, call)


def test_the_deepest_logic():
    assert deep_call(30, lambda: certlogic.run_logic(nested(certlogic.MAX_DEPTH), None)) is True
    for levels in (certlogic.MAX_DEPTH + 1, 1000, 4000):
        try:
            certlogic.run_logic(nested(levels), None)
        except CertLogicError as e:
            assert str(e) == "too deep"
        else:
            raise AssertionError("accepted")


def test_the_longest_walk_ends():
    walk = certlogic.encode_logic(
        {"reduce": [{"var": ""}, {"reduce": [{"var": "data"}, {"var": "current"}, 0]}, 0]}
    )
    try:
        certlogic.run_logic(walk, [0] * 500)
    except CertLogicError as e:
        assert str(e) == "too many steps"
    else:
        raise AssertionError("ended")


def test_what_a_rule_takes_of_the_heap():
    rule = rules.Rule("r", 2001, certlogic.encode_logic({"===": [{"var": "code.colour"}, 2]}))
    rule.kinds = [1]
    records = [rules.encode_rule(rule)]
    assert rules.judge(records, DATA) == []
    gc.collect()
    gc.disable()
    try:
        before = gc.mem_alloc()
        rules.judge(records * 10, DATA)
        taken = gc.mem_alloc() - before
    finally:
        gc.enable()
    # Garbage, not live: what ten rules leave behind.
    assert taken < 30000, taken
