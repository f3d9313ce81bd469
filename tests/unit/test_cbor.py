import gc
from binascii import hexlify, unhexlify

from firmware.core import cbor

# RFC 8949 appendix A: value, its encoding, whether the deterministic writer makes that very encoding.
EXAMPLES = (
    (0, "00", True),
    (10, "0a", True),
    (23, "17", True),
    (24, "1818", True),
    (100, "1864", True),
    (1000, "1903e8", True),
    (1000000, "1a000f4240", True),
    (1000000000000, "1b000000e8d4a51000", True),
    (18446744073709551615, "1bffffffffffffffff", True),
    (-18446744073709551616, "3bffffffffffffffff", True),
    (-1, "20", True),
    (-100, "3863", True),
    (-1000, "3903e7", True),
    (0.0, "f90000", False),
    (1.0, "f93c00", False),
    (1.5, "f93e00", False),
    (65504.0, "f97bff", False),
    (100000.0, "fa47c35000", False),
    (5.960464477539063e-8, "f90001", False),
    (0.00006103515625, "f90400", False),
    (-4.0, "f9c400", False),
    (-4.1, "fbc010666666666666", False),
    (float("inf"), "f97c00", False),
    (float("-inf"), "f9fc00", False),
    (False, "f4", True),
    (True, "f5", True),
    (None, "f6", True),
    (cbor.Tag(1, 1363896240), "c11a514b67b0", True),
    (cbor.Tag(23, b"\x01\x02\x03\x04"), "d74401020304", True),
    (cbor.Tag(24, b"dIETF"), "d818456449455446", True),
    (b"", "40", True),
    (b"\x01\x02\x03\x04", "4401020304", True),
    ("", "60", True),
    ("a", "6161", True),
    ("IETF", "6449455446", True),
    ('"\\', "62225c", True),
    ("\u00fc", "62c3bc", True),
    ("\u6c34", "63e6b0b4", True),
    ("\U00010151", "64f0908591", True),
    ([], "80", True),
    ([1, 2, 3], "83010203", True),
    ([1, [2, 3], [4, 5]], "8301820203820405", True),
    (list(range(1, 26)), "98190102030405060708090a0b0c0d0e0f101112131415161718181819", True),
    ({}, "a0", True),
    ({1: 2, 3: 4}, "a201020304", True),
    ({"a": 1, "b": [2, 3]}, "a26161016162820203", True),
    (["a", {"b": "c"}], "826161a161626163", True),
    (b"\x01\x02\x03\x04\x05", "5f42010243030405ff", False),
    ("streaming", "7f657374726561646d696e67ff", False),
    ([], "9fff", False),
    ([1, [2, 3], [4, 5]], "9f018202039f0405ffff", False),
    ({"a": 1, "b": [2, 3]}, "bf61610161629f0203ffff", False),
    ({"Fun": True, "Amt": -2}, "bf6346756ef563416d7421ff", False),
)


def refused(encoded, **limits):
    try:
        cbor.loads(unhexlify(encoded), **limits)
    except cbor.CborError:
        return True
    return False


def test_examples_of_rfc_8949():
    for value, encoded, ours in EXAMPLES:
        got = cbor.loads(unhexlify(encoded))
        assert got == value and type(got) is type(value), encoded
        if ours:
            assert hexlify(cbor.dumps(value)).decode() == encoded


def test_not_a_number():
    value = cbor.loads(unhexlify("f97e00"))
    assert value != value


def test_trailing_and_truncated():
    assert refused("")
    assert refused("0000")
    for _, encoded, _ in EXAMPLES:
        for cut in range(2, len(encoded), 2):
            assert refused(encoded[:cut]), (encoded, cut)


def test_duplicate_keys():
    assert refused("a201020103")
    assert refused("a2616101616102")
    assert refused("bf01020103ff")
    # The same key in two encodings is the same key.
    assert refused("a20102180103")


def test_keys_that_are_no_number_or_text():
    for key in ("f5", "f6", "80", "a0", "c100", "f93c00", "4161"):
        assert refused("a1" + key + "00"), key
    assert cbor.loads(unhexlify("a30100200161610a")) == {1: 0, -1: 1, "a": 10}


def test_reserved_forms():
    for encoded in (
        "1c",
        "3d",
        "5e",
        "7d",
        "9c",
        "bd",
        "dc",
        "1f",
        "3f",
        "df",
        "ff",
        "fc",
        "f7",
        "f818",
        "f820",
    ):
        assert refused(encoded + "00000000"), encoded
        assert refused(encoded), encoded
    # A break where a value must stand, chunks of the wrong type or without end.
    for encoded in ("81ff", "a101ff", "bf01ff", "5f6161ff", "7f4161ff", "5f5fffff", "5f4100"):
        assert refused(encoded), encoded


def test_text_that_is_not_utf8():
    for raw in (
        "ff",
        "c0af",
        "e080af",
        "eda080",
        "f4908080",
        "f8888080",
        "c3",
        "e6b0",
        "80",
        "f08282ac",
        "c1bf",
    ):
        assert refused("%02x" % (0x60 + len(raw) // 2) + raw), raw
    # Each chunk of a long text stands by itself.
    assert refused("7f61c361bcff")
    for text in (
        "\x7f",
        "\x80",
        "\u07ff",
        "\u0800",
        "\ud7ff",
        "\ue000",
        "\uffff",
        "\U00010000",
        "\U0010ffff",
    ):
        assert cbor.loads(cbor.dumps(text)) == text


def test_depth_and_items_are_limited():
    assert cbor.loads(unhexlify("81" * 8 + "00")) == [[[[[[[[0]]]]]]]]
    assert refused("81" * 9 + "00")
    assert refused("c1" * 9 + "00")
    assert refused("9f" * 5000)
    assert not refused("8400000000", max_items=5)
    assert refused("8400000000", max_items=4)
    assert refused("9f00000000ff", max_items=4)
    assert refused("5f" + "40" * 3000 + "ff")


def test_lengths_that_lie():
    for encoded in (
        "9bffffffffffffffff",
        "bbffffffffffffffff",
        "5bffffffffffffffff",
        "7b7fffffffffffffff",
        "9affffffff",
    ):
        assert refused(encoded), encoded
        assert refused(encoded + "00000000"), encoded


def test_maps_are_written_in_the_order_of_their_encoded_keys():
    # RFC 8949 section 4.2.1 orders 10, 100, -1, "z", "aa" so.
    encoded = cbor.dumps({"aa": 5, 100: 2, -1: 3, "z": 4, 10: 1})
    assert hexlify(encoded).decode() == "a50a011864022003617a0462616105"


def test_bytes_likes_and_tuples():
    assert cbor.dumps((bytearray(b"ab"), memoryview(b"cd"))) == cbor.dumps([b"ab", b"cd"])


def test_what_has_no_form_is_refused():
    for value in (1.5, object(), 1 << 64, -(1 << 64) - 1, {1: 2.0}, cbor.Tag(-1, 0)):
        try:
            cbor.dumps(value)
        except cbor.CborError:
            continue
        assert False, value


def test_texts_leave_nothing_behind():
    """MicroPython keeps for ever what it interns: reading names must not fill the memory of a long day."""
    if not hasattr(gc, "mem_alloc"):
        return
    cbor.loads(b"\x63\xe4\xb8\x80")
    gc.collect()
    before = gc.mem_alloc()
    for second in range(0x80, 0xC0):
        for third in range(0x80, 0xC0, 5):
            cbor.loads(bytes((0x63, 0xE5, second, third)))
    gc.collect()
    assert gc.mem_alloc() - before < 500


def test_values_that_nobody_reads():
    """Held to form and limits, whatever is in them."""
    full = {"a": [1, -500, b"x" * 30, "text", {"k": [True, None, 1 << 40]}, cbor.Tag(1, "t" * 30)], "b": 7}
    data = cbor.dumps({"x": full, "y": {"a": full, 3: "a"}})
    for unread, want in (
        ((), {"x": full, "y": {"a": full, 3: "a"}}),
        (("x",), {"x": None, "y": {"a": full, 3: "a"}}),
        (("a", "b"), {"x": {"a": None, "b": None}, "y": {"a": None, 3: "a"}}),
    ):
        assert cbor.loads(data, unread=unread) == want
        for cut in range(len(data)):
            assert refused(hexlify(data[:cut]), unread=unread)


def test_what_nobody_reads_is_well_formed():
    for body in (
        "1c", "1f", "3f", "df", "ff", "f8ff", "f0", "f7", "fc", "5f", "5f01ff", "5f5f4100ffff", "7f4100ff",
        "9f", "9f01", "bf01ff", "a101", "82", "8201", "58", "5801", "7802", "9bffffffffffffffff",
        "bbffffffffffffffff", "c1", "1bffffffffffffff", "81" * 9 + "00", "a100" * 9 + "00", "c1" * 9 + "00",
        "9f" * 9 + "ff" * 9,
    ):  # fmt: skip
        assert refused("a16161" + body) and refused("a16161" + body, unread=("a",)), body
    for body in (
        "00", "1bffffffffffffffff", "3bffffffffffffffff", "5f41004100ff", "7f6161ff", "9f0102ff", "9fff",
        "bf00bf00f6ffff", "a200000100", "fb0000000000000000", "f97e00", "fa00000000", "c11a00000000",
        "81" * 7 + "00", "a100" * 7 + "00",
    ):  # fmt: skip
        data = unhexlify("a16161" + body)
        assert cbor.loads(data, unread=("a",)) == {"a": None}, body
        cbor.loads(data)
    # Of keys and texts there, only the form counts; of the rest, everything.
    for body in ("a200000001", "61ff", "a1f600"):
        data = unhexlify("a16161" + body)
        assert refused(hexlify(data)) and cbor.loads(data, unread=("a",)) == {"a": None}
    assert refused("a2616100616100", unread=("a",))


def test_items_that_nobody_reads_count():
    data = cbor.dumps({"a": [0, "x", b"y", [], {}, 1 << 40, [1, 2]]})
    for unread in ((), ("a",)):
        assert cbor.loads(data, max_items=12, unread=unread)
        assert refused(hexlify(data), max_items=11, unread=unread)
