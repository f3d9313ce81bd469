import struct

from firmware.core import reasons
from firmware.core.hmac256 import sha256
from firmware.services.replay import MAX_ENTRIES, Replay

NOW = 1590134400


def entry(cti, unix):
    return sha256(cti)[:4] + struct.pack(">I", unix)


def test_a_code_does_not_open_twice_within_the_time():
    replay = Replay()
    assert replay.reason(b"a", NOW, 300) == reasons.OK
    replay.note(b"a", NOW)
    assert replay.reason(b"a", NOW, 300) == replay.reason(b"a", NOW + 299, 300) == reasons.REPLAYED
    assert replay.reason(b"a", NOW + 300, 300) == reasons.OK
    assert replay.reason(b"b", NOW, 300) == reasons.OK
    assert replay.reason(b"a", NOW, 0) == reasons.OK


def test_the_latest_time_counts():
    replay = Replay()
    replay.note(b"a", NOW - 900)
    replay.note(b"b", NOW - 800)
    replay.note(b"a", NOW)
    assert replay.reason(b"a", NOW + 1, 300) == reasons.REPLAYED


def test_other_handhelds():
    replay = Replay()
    replay.learn(entry(b"x", NOW - 10) + entry(b"y", NOW + 20))
    for cti in (b"x", b"y"):
        assert replay.reason(cti, NOW, 300) == reasons.REPLAYED_ELSEWHERE
    assert replay.reason(b"x", NOW + 290, 300) == reasons.OK
    replay.note(b"x", NOW)
    assert replay.reason(b"x", NOW, 300) == reasons.REPLAYED
    replay.learn(b"")
    assert replay.reason(b"y", NOW, 300) == reasons.OK


def test_wrong_entries_change_nothing():
    replay = Replay()
    replay.learn(entry(b"x", NOW))
    for bad in (b"1234567", bytes(8 * (MAX_ENTRIES + 1))):
        replay.learn(bad)
        assert replay.reason(b"x", NOW, 300) == reasons.REPLAYED_ELSEWHERE


def test_the_ring_is_bounded():
    replay = Replay()
    for number in range(MAX_ENTRIES + 1):
        replay.note(b"%d" % number, NOW)
    assert replay.reason(b"0", NOW, 300) == reasons.OK
    for number in range(1, MAX_ENTRIES + 1):
        assert replay.reason(b"%d" % number, NOW, 300) == reasons.REPLAYED, number


def test_a_hash_inside_another_entry_is_no_match():
    replay = Replay()
    wanted = sha256(b"a")[:4]
    # The four bytes stand where a time is, and across two entries.
    replay.learn(b"\1\2\3\4" + wanted + b"\0\0" + wanted + b"\0\0")
    assert replay.reason(b"a", NOW, 0xFFFFFFFF) == reasons.OK
