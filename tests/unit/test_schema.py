"""Settings: what each key takes, what happens to the rest, and the slot in flash."""

from firmware.core import schema
from firmware.core.schema import SETTINGS, SchemaError

GOOD = {
    "device_id": "yima-0001",
    "server_url": "https://fleet.example:8702",
    "ca_der": b"\x30" * 700,
    "place": "龙岩市政务服务中心",
    "scene": "registered_venue",
    "language": "en",
    "voice": 1,
    "wifi_ssid": "yima",
    "wifi_key": "yima-door-2020",
    "root_key": b"k" * 64,
    "pack_floor": b"\0\0\0\7",
    "enrolled": b"tokentag",
    "direction": 1,
    "scene_unix": b"\x5e\xc7\x00\x00",
    "pin": b"saltsalt" + b"h" * 16,
    "pin_tries": b"\x03",
}
BAD = {
    "device_id": ("x" * 33, b"x", 5, None, "a\nb"),
    "server_url": ("h" * 129, None),
    "ca_der": (b"x" * 2049, "text", None),
    "place": ("字" * 22, "\x7f", ["place"]),
    "scene": ("s" * 33, 0),
    "language": ("de", "", None, 0, b"zh"),
    "voice": (2, -1, True, "1", None),
    "wifi_ssid": ("s" * 33, False),
    "wifi_key": ("k" * 65, 12345678),
    "root_key": (b"k" * 63, b"k" * 65, b"k", "k" * 64),
    "pack_floor": (b"\0\7", 7, b"\0" * 5),
    "enrolled": (b"t" * 7, b"t" * 9, "t" * 8, None),
    "direction": (3, -1, "1", True, None, 1.0),
    "scene_unix": (b"\0", 5, b"\0" * 5),
    "pin": (b"p" * 23, b"p" * 25, "p" * 24),
    "pin_tries": (3, b"\0\0", "3"),
}


def refused(call, *args):
    try:
        call(*args)
    except SchemaError:
        return True
    return False


def test_every_field_has_cases():
    assert set(GOOD) == set(BAD) == {field.key for field in SETTINGS}
    for field in SETTINGS:
        assert field.takes(field.default)
        assert field.takes(GOOD[field.key])
        for bad in BAD[field.key]:
            assert not field.takes(bad), (field.key, bad)


def test_defaults_and_cleaning():
    assert schema.cleaned(SETTINGS, {}) == (schema.defaults(SETTINGS), [])
    assert schema.cleaned(SETTINGS, GOOD) == (GOOD, [])
    for nonsense in (None, [], 5, "x"):
        assert schema.cleaned(SETTINGS, nonsense) == (schema.defaults(SETTINGS), ["*"])
    for key in BAD:
        for bad in BAD[key]:
            stored = dict(GOOD)
            stored[key] = bad
            stored["unknown"] = 1
            values, reported = schema.cleaned(SETTINGS, stored)
            expected = dict(GOOD)
            expected[key] = schema.defaults(SETTINGS)[key]
            assert values == expected and reported == [key]


def test_unknown_key():
    assert schema.field_of(SETTINGS, "scene").key == "scene"
    assert refused(schema.field_of, SETTINGS, "colour")


def test_slot():
    for payload in (b"", b"x", bytes(range(256)) * 15):
        for counter in (0, 1, 0xFFFFFFFF):
            assert schema.parse_slot(schema.encode_slot(counter, payload)) == (counter, payload)
    assert refused(schema.encode_slot, 1, bytes(4096))


def test_damaged_slot():
    data = schema.encode_slot(7, b"payload")
    for at in range(len(data)):
        for bit in range(8):
            changed = bytearray(data)
            changed[at] ^= 1 << bit
            assert refused(schema.parse_slot, bytes(changed))
        assert refused(schema.parse_slot, data[:at])
    assert refused(schema.parse_slot, data + b"\x00")
    assert refused(schema.parse_slot, data + bytes(5000))
