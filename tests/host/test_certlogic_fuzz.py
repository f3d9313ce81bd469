"""Random logic and mutated records: a value or a named error, the same one under both interpreters."""

from __future__ import annotations

import json
import os
import random
from pathlib import Path

from batch import INTERPRETERS, run
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from firmware.core import certlogic, reasons, rules
from firmware.core.certlogic_read import CertLogicError
from host_tools.authority.default_rules import default_records

#: As in tests/fuzz; the nightly target sets more.
CASES = int(os.environ.get("YIMA_FUZZ_CASES", "5000"))
CHUNK = 5000
SEED = int(os.environ.get("YIMA_FUZZ_SEED", "20200522"))
NAMES = certlogic._NAMES.decode().split()
PATHS = [
    "",
    "a",
    "b.0",
    "b.1.c",
    "data.a",
    "current",
    "accumulator",
    "accumulator.1",
    "x",
    "d",
    "uvci",
    "nothing.0",
]
DATA = {
    "a": 1,
    "b": [0, {"c": "2021-02-28T23:59:59.999-01:30"}, True, None, ""],
    "d": "2020-02-29",
    "uvci": "URN:UVCI:01:AT:X#8",
    "x": {"y": [[]]},
}
SCALARS = [True, False, 0, 1, -1, 2**53 - 1, "", "x", "2021", "2020-02", "2021-12-31T00:00:00Z", "张"]
ODD = [None, 1.5, {}, {"var": 1}, {"var": []}, 2**70]


def scalar() -> st.SearchStrategy[object]:
    return st.one_of(
        st.sampled_from(SCALARS), st.sampled_from(ODD), st.integers(), st.text(max_size=8), var()
    )


def var() -> st.SearchStrategy[object]:
    return st.builds(lambda path: {"var": path}, st.sampled_from(PATHS))


def operation(inner: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    return st.builds(
        lambda name, operands: {name: operands}, st.sampled_from([*NAMES, "or"]), st.lists(inner, max_size=4)
    )


def plus_time(inner: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    return st.builds(
        lambda date, amount, unit: {"plusTime": [date, amount, unit]},
        inner,
        st.integers(-(10**6), 10**6),
        st.sampled_from(["year", "month", "day", "hour", "week"]),
    )


LOGIC = st.recursive(
    scalar(),
    lambda inner: st.one_of(operation(inner), plus_time(inner), st.lists(inner, max_size=4)),
    max_leaves=30,
)
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=5)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=3), inner, max_size=4)
    ),
    max_leaves=20,
)


@settings(max_examples=1000, deadline=None, suppress_health_check=list(HealthCheck))
@given(LOGIC, st.one_of(st.just(DATA), JSON))
def test_a_value_or_a_named_error(logic: object, data: object) -> None:
    try:
        first = certlogic.evaluate(logic, data)
    except CertLogicError:
        return
    certlogic.evaluate(logic, data)
    assert type(first) in (type(None), bool, int, float, str, list, dict, certlogic.DateTime)


@settings(max_examples=500, deadline=None)
@given(st.binary(max_size=60))
def test_bytes_as_logic_and_as_rules(noise: bytes) -> None:
    try:
        certlogic.run_logic(noise, DATA)
    except CertLogicError:
        pass
    found = rules.judge([noise], {"code": {"kind": 1}, "external": {}})
    assert reasons.RULE_ERROR in [one.reason for one in found]


def random_logic(random_: random.Random, depth: int) -> object:
    """Logic that means something more often than hypothesis' does, but not always."""
    roll = random_.random()
    if depth == 0 or roll < 0.15:
        return (
            random_.choice([*SCALARS, *ODD[:1]]) if random_.random() < 0.4 else {"var": random_.choice(PATHS)}
        )

    def inner() -> object:
        return random_logic(random_, depth - 1)

    name = random_.choice(NAMES)
    if name == "plusTime":
        date = random_.choice(["2020-02-29", "2021", "1900-02", {"var": "d"}, {"var": "b.1.c"}, inner()])
        return {
            name: [date, random_.randrange(-5000, 5000), random_.choice(["year", "month", "day", "hour"])]
        }
    if name == "extractFromUVCI":
        return {name: [random_.choice([{"var": "uvci"}, inner()]), random_.randrange(-1, 4)]}
    if name in ("after", "before", "not-after", "not-before") and random_.random() < 0.8:
        dates = [
            {"plusTime": ["2020-02-29", random_.randrange(3), "day"]} for _ in range(random_.choice((2, 3)))
        ]
        return {name: dates}
    if name in ("+", ">", "<", ">=", "<=") and random_.random() < 0.7:
        return {name: [random_.choice([random_.randrange(-3, 4), {"var": "a"}]), random_.randrange(3)]}
    if name == "in":
        return {name: [inner(), random_.choice([[inner(), inner()], {"var": "b"}])]}
    if name == "reduce":
        lambda_ = random_.choice([{"+": [{"var": "accumulator"}, 1]}, inner()])
        return {
            name: [random_.choice([[inner(), inner()], {"var": "b"}]), lambda_, random_.choice([0, inner()])]
        }
    op = NAMES.index(name)
    return {
        name: [
            inner() for _ in range(random_.randrange(certlogic._FEWEST[op], min(certlogic._MOST[op], 3) + 1))
        ]
    }


def chunks() -> list[int]:
    """CASES in pieces whose files stay small."""
    return [CHUNK] * (CASES // CHUNK) + [CASES % CHUNK] * (CASES % CHUNK > 0)


def test_both_interpreters_agree(tmp_path: Path) -> None:
    random_ = random.Random(SEED)
    values = 0
    for count in chunks():
        logics = [random_logic(random_, random_.randrange(1, 6)) for _ in range(count)]
        lines = [json.dumps({"logic": logic, "data": DATA}) for logic in logics]
        ours = run("cpython", "certlogic_batch.py", lines, tmp_path)
        theirs = run("micropython", "certlogic_batch.py", lines, tmp_path, heap="1M")
        # An object's keys have no order under MicroPython.
        same = [json.loads(a) == json.loads(b) for a, b in zip(ours, theirs, strict=True)]
        assert all(same), lines[same.index(False)]
        values += sum('"value"' in text for text in ours)
    assert CASES // 10 < values < CASES


def test_mutated_rules_never_pass(tmp_path: Path) -> None:
    """Of four rules that speak against somebody two are damaged: nobody gets through even so."""
    random_ = random.Random(SEED)
    chosen = {"colour-red", "test-positive", "group-1-overdue", "arrival-untested"}
    good = [record for record in default_records() if rules.parse_rule(record).id in chosen]
    assert len(good) == len(chosen)
    test, arrival = {"result": 1, "taken": 1_580_000_000}, {"region": "x", "at": 1_590_000_000}
    data = {
        "code": {"kind": 1, "colour": 3, "test": test, "igg": None, "groups": [1], "arrival": arrival},
        "external": {"now": 1_590_134_400, "scene": "transit", "role": 0},
    }
    for count in chunks():
        lines = []
        for _ in range(count):
            records = [bytearray(record) for record in good]
            for record in random_.sample(records, 2):
                at = random_.randrange(len(record))
                if random_.random() < 0.2:
                    del record[at:]
                else:
                    record[at] ^= 1 << random_.randrange(8)
            lines.append(json.dumps({"records": [bytes(record).hex() for record in records], "data": data}))
        answers = [list(map(json.loads, run(one, "rules_batch.py", lines, tmp_path))) for one in INTERPRETERS]
        same = [a == b for a, b in zip(*answers, strict=True)]
        assert all(same), (lines[same.index(False)], [one[same.index(False)] for one in answers])
        for outcomes in answers[0]:
            verdicts = [verdict for _, verdict, _, _ in outcomes]
            assert reasons.STOP in verdicts or reasons.ATTENTION in verdicts
