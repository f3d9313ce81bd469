from firmware.core import cbor, certlogic
from firmware.core.certlogic import CertLogicError, evaluate
from firmware.core.certlogic_dates import DateTime, text_of
from firmware.core.certlogic_read import Packed

DAY1 = {"plusTime": ["2022-05-01", 0, "day"]}
DAY2 = {"plusTime": ["2022-05-01", 1, "day"]}
DAY3 = {"plusTime": ["2022-05-03", 0, "hour"]}


def var(path):
    return {"var": path}


def refused(logic, data=None, **limits):
    try:
        value = evaluate(logic, data, **limits)
    except CertLogicError as e:
        return str(e)
    raise AssertionError(value)


def same(got, expected):
    return type(got) is type(expected) and got == expected


def test_literals():
    for value in (True, False, 0, 1, -1, 2**53 - 1, -(2**53) + 1, "", "x", "张*三", [], [1, "a", [True]]):
        assert same(evaluate(value, None), value)
    for value in (None, {}, 1.5, 2**53, -(2**53) - 1, b"x", [None], [1.5], [{}]):
        refused(value)


def test_arrays_are_evaluated_element_by_element():
    assert evaluate([var("a"), [var("b"), 2], {"!": [0]}], {"a": 1}) == [1, [None, 2], True]


def test_what_is_no_operation():
    assert refused({"or": [True, False]}) == "unknown operation"
    assert refused({"And": [True, False]}) == "unknown operation"
    for name in (
        "==",
        "",
        " ",
        "if ",
        "if              and",
        "i",
        "f",
        "f ",
        "after ",
        "befor",
        "FromUVCI",
        "not-",
        "é",
    ):
        assert refused({name: [1, 1, 1]}) == "unknown operation"
    refused({"!": [1], "and": [1, 1]})
    for operands in (1, "x", {}, [], None, True, {"var": ""}):
        refused({"!": operands})
        refused({"and": operands})
    for name in certlogic._NAMES.decode().split():
        refused({name: []})
        if name != "and":
            refused({name: [1, 1, 1, 1]})
        if name not in ("!", "dccDateOfBirth"):
            refused({name: [1]})


def test_var():
    data = {"a": {"b": [10, {"c": "x"}]}, "0": "zero", "n": None, "s": "text"}
    assert evaluate(var(""), data) is data
    assert evaluate(var("a.b.0"), data) == 10
    assert evaluate(var("a.b.1.c"), data) == "x"
    assert evaluate(var("0"), data) == "zero"
    for path in (
        "x",
        "a.x",
        "a.b.2",
        "a.b.-1",
        "a.b.x",
        "a.b.1x",
        "a.b.0.c",
        "n",
        "n.x",
        "s.0",
        "s.length",
        "a.",
        ".",
    ):
        assert evaluate(var(path), data) is None, path
    for data in (None, 1, "x", True, [], {}):
        assert evaluate(var("x.y"), data) is None
    assert evaluate(var("1"), [5, 6]) == 6
    assert evaluate(var("99999999999999999999"), [5]) is None
    assert evaluate(var("地"), {"地": 1}) == 1
    for path in (0, None, True, ["x"], ["x", 1], {}, {"var": "x"}):
        refused({"var": path})


def test_truthy_and_falsy():
    truthy = (True, 1, -1, "0", "x", " ", [0], [None], {"x": None})
    falsy = (False, None, 0, "", [], {})
    for value in truthy:
        assert evaluate({"if": [var(""), 1, 2]}, value) == 1
        assert evaluate({"!": [var("")]}, value) is False
        assert evaluate({"and": [var(""), "last"]}, value) == "last"
    for value in falsy:
        assert evaluate({"if": [var(""), 1, 2]}, value) == 2
        assert evaluate({"!": [var("")]}, value) is True
        assert same(evaluate({"and": [var(""), "last"]}, value), value)
    for neither in (1.5, 0.0, b"x"):
        for logic in (
            {"if": [var(""), 1, 2]},
            {"!": [var("")]},
            {"and": [var(""), 1]},
            {"and": [1, var("")]},
        ):
            assert refused(logic, neither) == "neither true nor false"
    for logic in ({"if": [DAY1, 1, 2]}, {"!": [DAY1]}, {"and": [DAY1, 1]}, {"and": [1, DAY1]}):
        assert refused(logic) == "neither true nor false"


def test_if_takes_one_branch_only():
    assert evaluate({"if": [True, 1, {"bogus": [1]}]}, None) == 1
    assert evaluate({"if": [False, {"bogus": [1]}, 2]}, None) == 2
    assert evaluate({"+": [{"if": [True, 1, {"if": [1, [2, 3], {"and": [4, 5]}]}]}, 10]}, None) == 11
    refused({"if": [True, {"bogus": [1]}, 2]})


def test_and_is_lazy():
    assert evaluate({"and": [1, "a", [2]]}, None) == [2]
    assert evaluate({"and": [1, 0, {"bogus": [1]}]}, None) == 0
    assert evaluate({"and": [True, False, {"bogus": [1]}, [1, 2]]}, None) is False
    assert evaluate([{"and": [0, {"if": [1, 2, 3]}]}, 7], None) == [0, 7]
    refused({"and": [1, {"bogus": [1]}]})


def test_equality_is_strict():
    for one in (True, False, 0, 1, "", "1", "a", [], [1], ["1"]):
        for other in (True, False, 0, 1, "", "1", "a", [], [1], ["1"]):
            expected = type(one) is type(other) and one == other
            assert evaluate({"===": [one, other]}, None) is expected, (one, other)
    data = {
        "a": {"x": [1, {"y": None}]},
        "b": {"x": [1, {"y": None}]},
        "c": {"x": [1, {"y": False}]},
        "d": {},
    }
    for name, expected in (("a", True), ("b", True), ("c", False), ("d", False)):
        assert evaluate({"===": [var("a"), var(name)]}, data) is expected
    assert evaluate({"===": [var("x"), var("y")]}, {}) is True
    assert evaluate({"===": [var("x"), False]}, {}) is False
    assert evaluate({"===": [DAY2, {"plusTime": ["2022-05-02", 0, "day"]}]}, None) is True
    assert evaluate({"===": [DAY2, DAY1]}, None) is False
    assert evaluate({"===": [DAY2, "2022-05-02"]}, None) is False


def test_in():
    for wanted, expected in (
        (1, True),
        ("1", False),
        (True, False),
        ("a", True),
        (None, True),
        ([2], True),
        (0, False),
    ):
        data = {"w": wanted, "all": [1, "a", None, [2], False]}
        assert evaluate({"in": [var("w"), var("all")]}, data) is expected, wanted
    assert evaluate({"in": [False, [0, ""]]}, None) is False
    for whole in ("abc", {"a": 1}, None, 1, True):
        assert refused({"in": ["a", var("")]}, whole) == "array expected"


def test_plus():
    assert evaluate({"+": [2, -3]}, None) == -1
    for one in ("1", None, True, [], 1.5):
        refused({"+": [1, var("")]}, one)
        refused({"+": [var(""), 1]}, one)
    refused({"+": [DAY1, 1]})
    refused({"+": [2**53 - 1, 1]})


def test_comparisons():
    for name, two, three in (
        ("<", (True, False, False), (True, False)),
        (">", (False, False, True), (False, False)),
        ("<=", (True, True, False), (True, True)),
        (">=", (False, True, True), (False, True)),
    ):
        assert tuple(evaluate({name: pair}, None) for pair in ([1, 2], [1, 1], [2, 1])) == two
        assert tuple(evaluate({name: triple}, None) for triple in ([1, 2, 3], [2, 2, 2])) == three
        assert evaluate({name: [1, 3, 2]}, None) is False
        assert evaluate({name: [3, 1, 2]}, None) is False
        for bad in (True, None, "1", [], 1.5):
            refused({name: [var(""), 1]}, bad)
            refused({name: [1, var("")]}, bad)
            refused({name: [2, 1, var("")]}, bad)
            refused({name: [1, 2, var("")]}, bad)
        refused({name: [DAY1, DAY2]})
    assert evaluate({">": [3, 2, 1]}, None) is True
    assert evaluate({">=": [3, 3, 1]}, None) is True


def test_comparisons_of_dates():
    for name, two in (
        ("before", (True, False, False)),
        ("after", (False, False, True)),
        ("not-after", (True, True, False)),
        ("not-before", (False, True, True)),
    ):
        assert (
            tuple(evaluate({name: pair}, None) for pair in ([DAY1, DAY2], [DAY1, DAY1], [DAY2, DAY1])) == two
        )
        ordered = name in ("before", "not-after")
        assert evaluate({name: [DAY1, DAY2, DAY3]}, None) is ordered
        assert evaluate({name: [DAY3, DAY2, DAY1]}, None) is not ordered
        assert evaluate({name: [DAY1, DAY3, DAY2]}, None) is False
        assert evaluate({name: [DAY2, DAY1, DAY3]}, None) is False
        for bad in ("2022-05-01", 1, None, True):
            refused({name: [DAY1, var("")]}, bad)
            refused({name: [var(""), DAY1]}, bad)
            refused({name: [DAY2, DAY1, var("")]}, bad)


def test_plus_time():
    def moved(*operands):
        value = evaluate({"plusTime": list(operands)}, {"dt": "2021-05-04T13:37:42+02:00"})
        assert type(value) is DateTime
        return text_of(value.ms)

    assert moved(var("dt"), 0, "day") == "2021-05-04T11:37:42.000Z"
    assert moved(var("dt"), -1, "month") == "2021-04-04T11:37:42.000Z"
    assert moved("2020-02-29", 1, "year") == "2021-03-01T00:00:00.000Z"
    assert moved({"if": [1, "2020-02", 0]}, 0, "hour") == "2020-02-29T00:00:00.000Z"
    for operand in ("", "x", "2021-13-01", 1, True, var("missing"), DAY1, ["2021-01-01"]):
        refused({"plusTime": [operand, 0, "day"]}, {})
    for amount in ("1", True, 1.5, None, [1], var("n"), {"+": [1, 1]}, 2**53):
        refused({"plusTime": ["2021-01-01", amount, "day"]}, {"n": 1})
    for unit in ("days", "DAY", "minute", "", 1, None, var("u")):
        refused({"plusTime": ["2021-01-01", 0, unit]}, {"u": "day"})
    refused({"plusTime": ["2021-01-01", 2**52, "year"]})


def test_date_of_birth():
    for dob, expected in (
        ("2004", "2004-12-31T00:00:00.000Z"),
        ("2004-02", "2004-02-29T00:00:00.000Z"),
        ("2003-02", "2003-02-28T00:00:00.000Z"),
        ("2004-04-01", "2004-04-01T00:00:00.000Z"),
    ):
        assert text_of(evaluate({"dccDateOfBirth": [var("")]}, dob).ms) == expected
    for dob in ("", "04", "2004-13", "2004-02-30", "2004-04-01T00:00:00Z", None, 2004, True, ["2004"]):
        refused({"dccDateOfBirth": [var("")]}, dob)
    minor = {
        "after": [
            {"dccDateOfBirth": [var("payload.dob")]},
            {"plusTime": [var("external.validationClock"), -18, "year"]},
        ]
    }
    for clock, expected in (("2022-12-30T23:59:59Z", True), ("2022-12-31T00:00:00Z", False)):
        data = {"payload": {"dob": "2004"}, "external": {"validationClock": clock}}
        assert evaluate(minor, data) is expected


def test_extract_from_uvci():
    def fragment(uvci, index):
        return evaluate({"extractFromUVCI": [var(""), index]}, uvci)

    for i, expected in enumerate(("a", "", "c", "", "", "f", None)):
        assert fragment("a::c/#/f", i) == expected
        assert fragment("URN:UVCI:a::c/#/f", i) == expected
    assert fragment("URN:UVCI:01:NL:187/37512422923", 1) == "NL"
    assert fragment("URN:UVCI:01:NL:187/37512422923", 3) == "37512422923"
    assert fragment("urn:uvci:01:NL", 0) == "urn"
    assert fragment("foo/bar::baz#999lizards", -1) is None
    assert fragment("", 0) == ""
    assert fragment("", 1) is None
    assert fragment("福/建", 1) == "建"
    assert fragment(None, 0) is None
    for uvci in (1, True, [], ["a"], {}):
        refused({"extractFromUVCI": [var(""), 0]}, uvci)
    for index in ("0", None, True, 1.0, var("")):
        refused({"extractFromUVCI": ["a", index]}, 0)


def test_reduce():
    total = {"reduce": [var(""), {"+": [var("accumulator"), var("current")]}, 100]}
    assert evaluate(total, [1, 2, 3]) == 106
    assert evaluate(total, []) == 100
    assert evaluate(total, None) == 100
    assert evaluate({"reduce": [[1, 2, 3], [var("accumulator"), var("current")], []]}, None) == [
        [[[], 1], 2],
        3,
    ]
    assert (
        evaluate(
            {"reduce": [var("a"), {"+": [var("accumulator"), var("data.n")]}, var("n")]},
            {"a": [0, 0], "n": 5},
        )
        == 15
    )
    assert evaluate({"reduce": [[7], var(""), 1]}, "d") == {"accumulator": 1, "current": 7, "data": "d"}
    assert (
        evaluate({"reduce": [[[1, 2], [3]], {"+": [var("accumulator"), total_of("current")]}, 0]}, None) == 6
    )
    # The branch after a reduce goes on where the reduce ends, in the data around it.
    assert evaluate([total, var("1"), {"+": [1, 2]}], [1, 2]) == [103, 2, 3]
    for whole in ({}, {"a": 1}, "abc", 5, True):
        assert refused(total, whole) == "array expected"
    refused(total, [1, "x"])
    assert evaluate({"reduce": [[], {"bogus": []}, 1]}, None) == 1


def total_of(path):
    return {"reduce": [var(path), {"+": [var("accumulator"), var("current")]}, 0]}


def test_missing_values():
    rule = {"if": [var("payload.t.0"), {"===": [var("payload.t.0.tr"), "neg"]}, True]}
    for payload, expected in (
        ({}, True),
        ({"t": []}, True),
        ({"t": [{}]}, True),
        ({"t": [{"tr": None}]}, False),
    ):
        assert evaluate(rule, {"payload": payload}) is expected
    assert refused({"in": ["x", var("external.valueSets.none")]}, {"external": {}}) == "array expected"


def nested(levels, inner=1):
    for _ in range(levels):
        inner = {"!": [inner]}
    return inner


def test_depth():
    assert evaluate(nested(certlogic.MAX_DEPTH), None) is True
    assert refused(nested(certlogic.MAX_DEPTH + 1)) == "too deep"
    assert evaluate(nested(3), None, max_depth=3) is False
    assert refused(nested(4), None, max_depth=3) == "too deep"
    deep = []
    for _ in range(certlogic.MAX_DEPTH - 1):
        deep = [deep]
    assert evaluate(deep, None) == deep
    assert refused([[deep]]) == "too deep"
    # Bytes that nest without end: neither evaluating nor stepping over them needs the interpreter's stack.
    for prefix in (b"", b"\xa1\x62if\x83\xf5\x01"):
        for unit in (b"\x81", b"\xa1\x61!\x81", b"\xc0"):
            try:
                certlogic.run_logic(prefix + unit * 4000, None)
            except CertLogicError:
                continue
            raise AssertionError(unit)


def test_steps():
    many = [[0] * 60 for _ in range(60)]
    walk = {"reduce": [var(""), {"+": [var("accumulator"), total_of("current")]}, 0]}
    assert refused(walk, many) == "too many steps"
    assert evaluate(walk, many, max_steps=100000) == 0
    # A long branch that is stepped over time and again is paid for.
    long = {"reduce": [var(""), {"if": [True, 1, [0] * 2000]}, 0]}
    assert refused(long, [0] * 20) == "too many steps"
    # So is a search, and a comparison of what doubles with each step.
    search = {"reduce": [var("few"), {"in": [1.5, var("data.many")]}, 0]}
    search["reduce"][1]["in"][0] = "x"
    assert refused(search, {"few": [0] * 30, "many": ["a"] * 8000}) == "too many steps"
    double = {"reduce": [var(""), [var("accumulator"), var("accumulator")], [1]]}
    assert refused({"===": [double, double]}, [0] * 25) == "too many steps"


def test_what_comes_out_is_bounded():
    double = {"reduce": [var(""), [var("accumulator"), var("accumulator")], [1]]}
    assert len(evaluate(double, [0] * 5)) == 2
    assert refused(double, [0] * 25) == "result too large"
    deep = {"reduce": [var(""), [var("accumulator")], 1]}
    assert refused(deep, [0] * 100) == "result too large"
    sum_of = {"reduce": [var(""), {"+": [var("accumulator"), var("accumulator")]}, 1]}
    assert evaluate(sum_of, [0] * 50) == 2**50
    assert refused(sum_of, [0] * 60) == "integer"


def test_size():
    assert refused(["x" * certlogic.MAX_LOGIC_BYTES]) == "too long"


def test_bytes_that_are_no_logic():
    good = certlogic.encode_logic(
        {"if": [{"and": [var("a.b"), 300]}, ["x", -5, True], {"plusTime": ["2021", 1, "day"]}]}
    )
    data = {"a": {"b": 1}}
    assert certlogic.run_logic(good, data) == ["x", -5, True]
    for end in range(len(good)):
        try:
            certlogic.run_logic(good[:end], data)
        except CertLogicError:
            continue
        raise AssertionError(end)
    for bad in (
        b"",
        good + b"\x00",
        b"\x9f\xff",
        b"\x1c",
        b"\x61\xff",
        b"\xf6",
        b"\xf9\x00\x00",
        b"\x41x",
        b"\xff",
    ):
        try:
            certlogic.run_logic(bad, None)
        except CertLogicError:
            continue
        raise AssertionError(bad)


def test_trace():
    seen = []
    logic = certlogic.encode_logic(
        {"if": [{"!": [var("x")]}, {"reduce": [[1, 2], {"+": [var("accumulator"), 1]}, 0]}, 9]}
    )
    certlogic.run_logic(
        logic, {}, trace=lambda start, end, value: seen.append((cbor.loads(logic[start:end], 16), value))
    )
    assert seen[0] == ({"var": "x"}, None)
    assert seen[1] == ({"!": [{"var": "x"}]}, True)
    assert [value for logic, value in seen if logic == {"+": [{"var": "accumulator"}, 1]}] == [1, 2]
    assert seen[-2][1] == seen[-1][1] == 2
    assert seen[-1][0] == cbor.loads(logic, 16)


def test_packed_data_answer_like_decoded_ones():
    data = {
        "set": ["a", "b", 3, True, None, "福"],
        "map": {"x": {"y": [1, 2]}, "empty": []},
        "n": 5,
        "none": None,
    }
    packed = Packed(cbor.dumps(data))
    rules = [
        {"in": ["b", var("set")]},
        {"in": ["福", var("set")]},
        {"in": ["c", var("set")]},
        {"in": [3, var("set")]},
        {"in": [1, var("set")]},
        {"in": [True, var("set")]},
        {"in": [var("x"), var("set")]},
        {"in": [[1], var("set")]},
        var("set.0"),
        var("set.9"),
        var("set.x"),
        var("map.x.y.1"),
        var("map.x.z"),
        var("none"),
        {"!": [var("map.empty")]},
        {"!": [var("map.x")]},
        {"reduce": [var("map.x.y"), {"+": [var("accumulator"), var("current")]}, var("n")]},
        {"reduce": [var("map.empty"), 1, 0]},
        {"reduce": [var("none"), 1, 0]},
    ]
    for rule in rules:
        assert same(evaluate(rule, packed), evaluate(rule, data)), rule
    for rule in ({"in": ["x", var("map")]}, {"reduce": [var("map"), 1, 0]}, {"in": ["x", var("n")]}):
        assert refused(rule, packed) == refused(rule, data) == "array expected"
    try:
        Packed(b"\x01")
    except CertLogicError:
        pass
    else:
        raise AssertionError("no array")
    search = {"in": ["x", var("")]}
    assert refused(search, Packed(cbor.dumps(["a"] * 500)), max_steps=400) == "too many steps"
    assert refused(var("x"), Packed(b"\xa1\x01\x01")) == "key"
    assert refused({"in": ["x", var("")]}, Packed(b"\x82\x01")) == "truncated"
