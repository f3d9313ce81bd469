"""Segment header, frames, cursor and names: round trips, every flipped bit, every cut."""

import io

from firmware.core import cbor, segment
from firmware.core.record import GENESIS
from firmware.core.segment import Reader, SegmentError

CHAIN = bytes(range(32))


def refused(call, *args):
    try:
        call(*args)
    except SegmentError:
        return True
    return False


def flipped(data):
    for at in range(len(data)):
        for bit in range(8):
            changed = bytearray(data)
            changed[at] ^= 1 << bit
            yield bytes(changed)


def test_layout_is_the_documented_one():
    header = segment.encode_header(0x01020304, CHAIN)
    assert header[:4] == b"YJ1\n"
    assert header[4:12] == b"\x01\x02\x03\x04\x00\x00\x00\x00"
    assert header[12:44] == CHAIN
    assert len(header) == 48
    # CRC-32 check value of "123456789"
    assert segment.frame_head(b"123456789") == b"\x00\x09\xcb\xf4\x39\x26"


def test_header_and_cursor():
    for number in (1, 2, 77, 99999999):
        assert segment.parse_header(segment.encode_header(number, CHAIN)) == (number, CHAIN)
        assert segment.parse_cursor(segment.encode_cursor(number, CHAIN)) == (number, CHAIN)
    assert segment.parse_cursor(segment.encode_cursor(0, GENESIS)) == (0, GENESIS)
    for number in (0, -1, 100000000):
        assert refused(segment.encode_header, number, CHAIN)
    assert refused(segment.encode_cursor, -1, CHAIN)
    assert refused(segment.encode_header, 1, CHAIN[:31])
    assert refused(segment.encode_cursor, 1, CHAIN + b"x")


def test_damaged_header_and_cursor():
    for parse, data in (
        (segment.parse_header, segment.encode_header(5, CHAIN)),
        (segment.parse_cursor, segment.encode_cursor(5, CHAIN)),
    ):
        for changed in flipped(data):
            assert refused(parse, changed)
        for length in range(len(data)):
            assert refused(parse, data[:length])
        assert refused(parse, data + b"\x00")
        assert refused(parse, bytes(len(data)))
        assert refused(parse, b"\xff" * len(data))
    assert refused(segment.parse_header, segment.encode_cursor(5, CHAIN))


def test_names():
    for number in (1, 12345678, 99999999):
        name = segment.file_name(number)
        assert len(name) == 12 and segment.first_sequence_of(name) == number
    for name in (
        "",
        "ack",
        "0000001.seg",
        "000000001.seg",
        "0000000a.seg",
        "00000001.new",
        "00000000.seg",
        "-0000001.seg",
    ):
        assert segment.first_sequence_of(name) == 0
    assert sorted(segment.file_name(n) for n in (10, 9, 100)) == [segment.file_name(n) for n in (9, 10, 100)]


def read_all(data, offset=0):
    file = io.BytesIO(data)
    file.seek(offset)
    reader = Reader(file, offset)
    out = []
    while True:
        record = reader.next()
        if record is None:
            return out, reader.offset
        out.append(record)


def test_frames():
    records = [b"x", b"\x00" * 512, bytes(range(200)), b"\xff" * 7]
    data = b"".join(segment.frame_head(r) + r for r in records)
    assert read_all(data) == (records, len(data))
    ends = [0]
    for record in records:
        ends.append(ends[-1] + segment.FRAME_HEAD_BYTES + len(record))
    for length in range(0, len(data), 3):
        whole = len([e for e in ends if e <= length]) - 1
        assert read_all(data[:length]) == (records[:whole], ends[whole])
    assert read_all(data, ends[2]) == (records[2:], len(data))
    assert refused(segment.frame_head, b"")
    assert refused(segment.frame_head, bytes(513))


def test_damaged_frames():
    data = segment.frame_head(b"hello") + b"hello"
    for changed in flipped(data):
        assert read_all(changed) == ([], 0)
    # erased and blank flash are no records
    assert read_all(bytes(600)) == ([], 0)
    assert read_all(b"\xff" * 600) == ([], 0)


def test_record_sequence():
    for number in (0, 1, 23, 24, 255, 256, 65535, 65536, 99999999):
        for fill in (1, 20, 30):
            fields = {1: number}
            for key in range(2, 2 + fill):
                fields[key] = key
            assert segment.record_sequence(cbor.dumps(fields)) == number
    whole = cbor.dumps({1: 65536})
    for length in range(len(whole)):
        assert segment.record_sequence(whole[:length]) == 0
    for other in (
        cbor.dumps({2: 1}),
        cbor.dumps({1: -5}),
        cbor.dumps({1: "5"}),
        cbor.dumps([1, 1]),
        b"\xa0",
        b"\x01\x01",
    ):
        assert segment.record_sequence(other) == 0
