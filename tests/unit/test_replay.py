import struct

from firmware.core.hmac256 import sha256
from firmware.services.replay import MAX_ENTRIES, forgotten, noted, opened_lately

NOW = 1590134400


def entry(cti, unix):
    return sha256(cti)[:4] + struct.pack(">I", unix)


def test_a_code_does_not_open_twice_within_the_time():
    assert not opened_lately(b"", b"a", NOW, 300)
    ring = noted(b"", b"a", NOW)
    assert ring == entry(b"a", NOW)
    assert opened_lately(ring, b"a", NOW, 300) and opened_lately(ring, b"a", NOW + 299, 300)
    assert not opened_lately(ring, b"a", NOW + 300, 300)
    assert not opened_lately(ring, b"b", NOW, 300)
    assert not opened_lately(ring, b"a", NOW, 0)


def test_the_latest_time_counts():
    ring = noted(noted(noted(b"", b"a", NOW - 900), b"b", NOW - 800), b"a", NOW)
    assert opened_lately(ring, b"a", NOW + 1, 300)


def test_a_clock_that_is_ahead():
    ring = entry(b"x", NOW + 20)
    assert opened_lately(ring, b"x", NOW, 300) and not opened_lately(ring, b"x", NOW - 280, 300)


def test_the_ring_is_bounded():
    ring = b""
    for number in range(MAX_ENTRIES + 1):
        ring = noted(ring, b"%d" % number, NOW)
    assert len(ring) == 8 * MAX_ENTRIES and not opened_lately(ring, b"0", NOW, 300)
    for number in range(1, MAX_ENTRIES + 1):
        assert opened_lately(ring, b"%d" % number, NOW, 300), number


def test_a_hash_inside_another_entry_is_no_match():
    wanted = sha256(b"a")[:4]
    # The four bytes stand where a time is, and across two entries.
    assert not opened_lately(b"\1\2\3\4" + wanted + b"\0\0" + wanted + b"\0\0", b"a", NOW, 0xFFFFFFFF)
    # A real one behind such a chance meeting is found.
    assert opened_lately(b"\1\2\3\4" + wanted + entry(b"a", NOW), b"a", NOW, 300)


def test_who_left_may_come_back():
    ring = noted(noted(noted(b"", b"a", NOW), b"b", NOW), b"a", NOW + 1)
    assert forgotten(ring, b"a") == entry(b"b", NOW)
    assert forgotten(ring, b"c") == ring and forgotten(b"", b"a") == b""
