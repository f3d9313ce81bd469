from firmware.core import cbor, record
from firmware.core.hmac256 import sha256

FULL = {
    record.SEQ: 1,
    record.TIME: 1590134400,
    record.CLOCK: record.CLOCK_TRUSTED,
    record.DEVICE: "ym-000001",
    record.PLACE: "龙岩站",
    record.SCENE: "registered_venue",
    record.DIRECTION: record.DIRECTION_IN,
    record.SUB: bytes(16),
    record.PARTY: [1, 0, 2],
    record.KIND: 1,
    record.CTI: bytes(8),
    record.COLOUR: 0,
    record.VERDICT: 2,
    record.REASONS: [19, 55],
    record.TEMPERATURE: [3460, 2210, 3650],
    record.MASK: record.MASK_WORN,
    record.CHECKER: "李四",
    record.CONFIRMED: [record.CONFIRMED_ID_EQUAL],
    record.ROLE: 3,
    record.MANUAL: record.MANUAL_UNREADABLE,
}
EVENT = {
    record.SEQ: 7,
    record.TIME: 1590134400,
    record.CLOCK: record.CLOCK_TRUSTED,
    record.DEVICE: "ym-000001",
    record.PLACE: "龙岩站",
    record.SCENE: "event",
    record.DIRECTION: record.DIRECTION_OUT,
    record.SUB: bytes(16),
    record.EVENT: record.EVENT_FORCED_OUT,
    record.DETAIL: "23:30",
}
SMALL = {
    key: FULL[key]
    for key in (
        record.SEQ,
        record.TIME,
        record.CLOCK,
        record.DEVICE,
        record.PLACE,
        record.SCENE,
        record.DIRECTION,
        record.KIND,
        record.VERDICT,
        record.REASONS,
        record.MASK,
    )
}


def changed(key, value):
    fields = dict(FULL)
    fields[key] = value
    return fields


def refused(fields):
    try:
        record.encode(fields)
    except record.RecordError:
        pass
    else:
        return False
    try:
        record.decode(cbor.dumps(fields))
    except record.RecordError:
        return True
    return False


def test_round_trip():
    for fields in (FULL, SMALL):
        data = record.encode(fields)
        assert record.decode(data) == fields
        assert record.encode(record.decode(data)) == data
    assert len(record.encode(FULL)) < 160


def test_events():
    data = record.encode(EVENT)
    assert record.decode(data) == EVENT and data[1:3] == b"\x01\x07"
    small = {k: v for k, v in EVENT.items() if k not in (record.DIRECTION, record.SUB, record.DETAIL)}
    assert record.decode(record.encode(small)) == small
    for key in small:
        # Without the event it would be a record, and lacks its fields.
        assert refused({k: v for k, v in small.items() if k != key}), key
    for key, value in (
        (record.EVENT, 0),
        (record.EVENT, 256),
        (record.EVENT, "1"),
        (record.DETAIL, "x" * 97),
        (record.DETAIL, 1),
        (record.DIRECTION, 3),
        (record.SUB, bytes(17)),
        (record.CLOCK, 2),
        (record.VERDICT, 0),
        (record.REASONS, []),
        (record.ROLE, 0),
    ):
        changed_event = dict(EVENT)
        changed_event[key] = value
        assert refused(changed_event), key


def test_reasons_of_rules():
    fields = changed(record.REASONS, [45, 1001, 3999])
    assert record.decode(record.encode(fields)) == fields


def test_sequence_comes_first_in_the_bytes():
    # The journal finds it there without decoding.
    assert record.encode(changed(record.SEQ, 5))[1:3] == b"\x01\x05"


def test_wrong_fields():
    for key, value in (
        (record.SEQ, 0),
        (record.SEQ, -1),
        (record.SEQ, "1"),
        (record.TIME, None),
        (record.TIME, 1 << 32),
        (record.CLOCK, 2),
        (record.CLOCK, False),
        (record.DEVICE, b"ym"),
        (record.PLACE, "x" * 97),
        (record.DIRECTION, 3),
        (record.SUB, bytes(15)),
        (record.PARTY, [1, 2]),
        (record.PARTY, [1, -2, 3]),
        (record.KIND, 5),
        (record.CTI, "cti"),
        (record.COLOUR, 4),
        (record.VERDICT, 3),
        (record.REASONS, 1),
        (record.REASONS, [-1]),
        (record.REASONS, [4000]),
        (record.REASONS, [0] * 25),
        (record.TEMPERATURE, [1, 2]),
        (record.MASK, 3),
        (record.CONFIRMED, []),
        (record.ROLE, 4),
        (record.ROLE, None),
        (record.MANUAL, 0),
        (record.MANUAL, 4),
        (record.DETAIL, "only events have details"),
        (23, 0),
        ("1", 0),
    ):
        assert refused(changed(key, value)), (key, value)
    for key in SMALL:
        assert refused({k: v for k, v in FULL.items() if k != key}), key


def test_negative_temperatures_have_their_place():
    fields = changed(record.TEMPERATURE, [-3000, -1500, -2810])
    assert record.decode(record.encode(fields)) == fields


def test_bytes_that_are_no_record():
    data = record.encode(FULL)
    for bad in (b"", data[:-1], data + b"\0", b"\x80", bytes(513), b"\xa1" + data):
        try:
            record.decode(bad)
        except record.RecordError:
            continue
        assert False, bad


def test_too_long():
    fields = changed(record.PLACE, "x" * 96)
    fields.update({record.CHECKER: "y" * 48, record.CTI: bytes(32), record.DEVICE: "d" * 32})
    assert len(record.encode(fields)) < record.MAX_BYTES
    fields[record.REASONS] = [77] * 24
    data = record.encode(fields)
    # The same record with its numbers written long.
    longer = data.replace(b"\x18\x4d", b"\x1b" + bytes(7) + b"\x4d")
    assert len(longer) > record.MAX_BYTES and cbor.loads(longer) == fields
    try:
        record.decode(longer)
    except record.RecordError:
        return
    assert False


def test_chain():
    one, two = record.encode(FULL), record.encode(changed(record.SEQ, 2))
    first = record.chain(record.GENESIS, one)
    assert first == sha256(bytes(32) + one)
    assert record.chain(first, two) == sha256(first + two)
    assert record.chain(record.GENESIS, two) != record.chain(first, two)


def test_sequence_of():
    for number in (0, 1, 23, 24, 255, 256, 65535, 65536, 99999999):
        for fill in (1, 20, 30):
            fields = {1: number}
            for key in range(2, 2 + fill):
                fields[key] = key
            assert record.sequence_of(cbor.dumps(fields)) == number
    whole = cbor.dumps({1: 65536})
    for length in range(len(whole)):
        assert record.sequence_of(whole[:length]) == 0
    for other in (
        cbor.dumps({2: 1}),
        cbor.dumps({1: -5}),
        cbor.dumps({1: "5"}),
        cbor.dumps([1, 1]),
        b"\xa0",
        b"\x01\x01",
    ):
        assert record.sequence_of(other) == 0
