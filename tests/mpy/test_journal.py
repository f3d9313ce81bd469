"""The journal on a real VfsLfs2: order, limits, rolling, pruning, full and failing flash, damage."""

import gc
import os

import ramflash

from firmware.core import cbor, segment
from firmware.core.record import GENESIS, chain
from firmware.services.journal import Journal, JournalError, JournalFull

DIR = "/flash/journal"
BUFFER = bytearray(128 * ramflash.BLOCK_BYTES)


def fresh(blocks=128):
    flash = ramflash.RamFlash(blocks, BUFFER)
    ramflash.format(flash)
    ramflash.mount(flash)
    return flash


def journal(max_bytes=262144, segment_bytes=16384):
    j = Journal(DIR, max_bytes, segment_bytes)
    j.open()
    return j


def rec(seq, size=60):
    return cbor.dumps({1: seq, 2: 1_800_000_000 + seq, 4: "x" * (size - 20)})


def add(j, count, size=60):
    out = []
    for _ in range(count):
        out.append(rec(j.next_seq, size))
        j.append(out[-1])
    return out


def raises(kind, call, *args):
    try:
        call(*args)
    except kind as e:
        assert type(e) is kind, e
        return e
    raise AssertionError("%s was not raised" % kind)


def chained(records, value=GENESIS):
    for record in records:
        value = chain(value, record)
    return value


def everything(j):
    """All records that wait, through batches of odd sizes."""
    first, before, records = j.batch(7, 1000)
    assert first == j.acked + 1
    _, _, whole = j.batch(100_000, 10_000_000)
    assert whole[: len(records)] == records
    assert len(whole) == j.pending
    assert chained(whole, before) == j.chain_value
    return whole


def test_append_and_read_back():
    fresh()
    j = journal()
    assert (j.next_seq, j.pending, j.acked, j.chain_value) == (1, 0, 0, GENESIS)
    assert j.batch(10, 1000) == (1, GENESIS, [])
    out = add(j, 40)
    assert everything(j) == out
    j.close()
    j = journal()
    assert everything(j) == out
    assert j.next_seq == 41
    out += add(j, 1)
    assert everything(j) == out


def test_batch_limits():
    fresh()
    j = journal(segment_bytes=2048)
    out = add(j, 100, 100)
    assert j.batch(5, 10_000)[2] == out[:5]
    size = len(out[0])
    assert j.batch(100, 7 * size)[2] == out[:7]
    assert j.batch(100, 8 * size - 1)[2] == out[:7]
    j.acknowledge(50)
    first, before, records = j.batch(10, 10_000)
    assert (first, before, records) == (51, chained(out[:50]), out[50:60])


def test_acknowledge_any_step():
    for step in (1, 3, 7, 40, 100):
        fresh()
        j = journal(segment_bytes=1024)
        out = add(j, 100)
        at = 0
        while at < 100:
            # the server may hold less than the batch, or more than it
            first, before, records = j.batch(5, 10_000)
            assert (first, before) == (at + 1, chained(out[:at]))
            assert records == out[at : at + 5]
            at = min(100, at + step)
            j.acknowledge(at)
            assert j.acked == at and j.pending == 100 - at
            j.acknowledge(at - 1)
            assert j.acked == at
            if at % 4 == 0:
                j.close()
                j = journal(segment_bytes=1024)
                assert (j.acked, j.next_seq, j.chain_value) == (at, 101, chained(out))
        assert j.used_bytes <= 1024
        assert len(os.listdir(DIR)) <= 2
        out += add(j, 30)
        assert everything(j) == out[100:]
        assert j.next_seq == 131


def test_acknowledging_more_than_was_written():
    fresh()
    j = journal()
    add(j, 3)
    raises(JournalError, j.acknowledge, 4)
    assert j.pending == 3


def test_wrong_records():
    fresh()
    j = journal()
    raises(JournalError, Journal(DIR).append, rec(1))
    for bad in (b"", rec(2), rec(0), b"\xa1", b"\xa1\x02\x01", rec(1, 600)):
        raises(JournalError, j.append, bad)
    j.append(rec(1, 500))
    assert j.next_seq == 2


def test_sequence_survives_pruning():
    fresh()
    for round_number in range(12):
        j = journal(segment_bytes=700)
        assert j.next_seq == 1 + 10 * round_number
        add(j, 10)
        j.acknowledge(j.next_seq - 1)
        assert j.pending == 0
        j.close()


def test_full_by_limit():
    fresh()
    j = journal(max_bytes=6000, segment_bytes=1500)
    out = []
    while True:
        try:
            out += add(j, 1)
        except JournalFull:
            break
    assert j.used_bytes <= 6000 and len(out) > 50
    assert j.nearly_full
    raises(JournalFull, j.append, rec(j.next_seq))
    assert everything(j) == out
    j.close()
    j = journal(max_bytes=6000, segment_bytes=1500)
    assert everything(j) == out and j.nearly_full
    j.acknowledge(30)
    assert not j.nearly_full
    out += add(j, 5)
    assert everything(j) == out[30:]


def full_flash(segment_bytes, leave_blocks, max_bytes=262144):
    fresh(64)
    j = journal(max_bytes, segment_bytes)
    out = add(j, 3, 300)
    ramflash.fill("/flash/filler", leave_blocks)
    try:
        while True:
            out += add(j, 1, 300)
    except JournalFull:
        pass
    return j, out


def test_full_flash():
    for segment_bytes in (2048, 6000, 16384):
        for leave_blocks in (1, 2, 3, 5, 9, 20):
            j, out = full_flash(segment_bytes, leave_blocks)
            for _ in range(3):
                raises(JournalFull, j.append, rec(j.next_seq, 300))
            assert everything(j) == out
            assert j.nearly_full
            if leave_blocks % 2:
                j.close()
                j = journal(segment_bytes=segment_bytes)
                assert everything(j) == out
            # all but the last one acknowledged and then all
            j.acknowledge(len(out) - 1)
            assert everything(j) == out[-1:]
            j.acknowledge(len(out))
            assert j.pending == 0
            more = add(j, 1, 300)
            assert everything(j) == more
            j.close()
            j = journal(segment_bytes=segment_bytes)
            assert j.next_seq == len(out) + 2
            assert everything(j) == more
            os.remove("/flash/filler")
            add(j, 20)
            assert j.pending == 21


def test_failing_flash_changes_nothing():
    flash = fresh()
    j = journal(segment_bytes=1024)
    out = add(j, 25)
    for _ in range(3):
        flash.failing = True
        raises(JournalError, j.append, rec(j.next_seq))
        raises(JournalError, j.append, rec(j.next_seq))
        flash.failing = False
        assert everything(j) == out
        out += add(j, 3)
    j.close()
    j = journal(segment_bytes=1024)
    assert everything(j) == out


def test_torn_tail():
    """Every length of a torn last record, as a file system without copy-on-write would leave it."""
    fresh()
    os.mkdir(DIR)
    good = [rec(1), rec(2)]
    frame = segment.frame_head(rec(3)) + rec(3)
    base = segment.encode_header(1, GENESIS) + b"".join(segment.frame_head(r) + r for r in good)
    for cut in range(len(frame)):
        for junk in (False, True):
            data = base + frame[:cut] + (b"\x00" * (len(frame) - cut) if junk else b"")
            with open(DIR + "/00000001.seg", "wb") as file:
                file.write(data)
            j = journal()
            assert j.torn_bytes == len(data) - len(base)
            assert everything(j) == good
            j.append(rec(3, 90))
            after = good[:]
            after.append(rec(3, 90))
            assert everything(j) == after
            j.close()
            j = journal()
            assert j.torn_bytes == 0
            assert everything(j) == after
            j.close()


def test_torn_tail_before_a_new_segment():
    fresh()
    j = journal(segment_bytes=700)
    out = add(j, 2, 250)
    j.close()
    with open(DIR + "/00000001.seg", "ab") as file:
        file.write(b"\x01\x00torn")
    j = journal(segment_bytes=700)
    out += add(j, 3, 300)
    j.close()
    j = journal(segment_bytes=700)
    assert everything(j) == out


def test_damage_is_refused_and_kept():
    fresh()
    j = journal()
    add(j, 20)
    j.close()
    path = DIR + "/00000001.seg"
    with open(path, "rb") as file:
        sound = file.read()
    # not in the last record: cutting there would drop records that were promised
    for at in (0, 5, 20, 47, 60, len(sound) // 2):
        data = bytearray(sound)
        data[at] ^= 0x10
        with open(path, "wb") as file:
            file.write(data)
        raises(JournalError, Journal(DIR).open)
        with open(path, "rb") as file:
            assert file.read() == data


def test_damage_in_an_old_segment_is_reported():
    fresh()
    j = journal(segment_bytes=1024)
    out = add(j, 60)
    names = sorted(os.listdir(DIR))
    first_of_second = int(names[1][:8])
    path = DIR + "/" + names[1]
    with open(path, "rb") as file:
        data = bytearray(file.read())
    data[300] ^= 1
    with open(path, "wb") as file:
        file.write(data)
    records = j.batch(1000, 100_000)[2]
    assert first_of_second <= len(records) < 60
    assert records == out[: len(records)]
    j.acknowledge(len(records))
    raises(JournalError, j.batch, 1000, 100_000)
    assert len(add(j, 1)) == 1


def test_lost_or_broken_cursor_only_sends_again():
    for broken in (None, b"", b"YA1\n" + bytes(40)):
        fresh()
        j = journal(segment_bytes=700)
        out = add(j, 40)
        j.acknowledge(36)
        j.close()
        os.remove(DIR + "/ack")
        if broken is not None:
            with open(DIR + "/ack", "wb") as file:
                file.write(broken)
        j = journal(segment_bytes=700)
        assert 0 < j.acked < 36 and j.next_seq == 41
        assert everything(j) == out[j.acked :]


def test_foreign_files_and_leftovers():
    fresh()
    os.mkdir(DIR)
    for name in ("part.new", "cut.new", "note.txt", "0000001.seg", "0000000x.seg"):
        with open(DIR + "/" + name, "wb") as file:
            file.write(b"junk")
    j = journal()
    assert "part.new" not in os.listdir(DIR) and "note.txt" in os.listdir(DIR)
    add(j, 2)


def test_memory_and_opening_of_a_large_journal():
    flash = fresh(128)
    j = journal()
    j.append(rec(1, 200))
    gc.collect()
    before = gc.mem_alloc()
    count = 1
    try:
        while True:
            add(j, 1, 200)
            count += 1
    except JournalFull:
        pass
    gc.collect()
    assert gc.mem_alloc() - before < 8_000, gc.mem_alloc() - before
    assert count > 1200
    j.acknowledge(count - 300)
    j.close()
    flash.reads = 0
    j = journal()
    # two segments of 16 KiB at most, in reads of the file system's 128-byte cache, and the directory
    assert flash.reads < 2 * (16384 // 32) + 700, flash.reads
    assert j.pending == 300
    gc.collect()
    flash.reads = 0
    before = gc.mem_alloc()
    j.batch(1, 1000)
    # the simulated flash itself leaves up to 64 bytes per read behind
    used = gc.mem_alloc() - before - 64 * flash.reads
    assert used < 4_000, used


def test_records_that_belong_together():
    fresh()
    j = journal(segment_bytes=700)
    add(j, 3)
    party = [rec(4 + n) for n in range(5)]
    j.append_all(party)
    out = everything(j)
    assert out[3:] == party and j.chain_value == chained(out)
    j.close()
    j = journal(segment_bytes=700)
    assert j.pending == 8 and everything(j) == out
    raises(JournalError, j.append_all, [rec(9), rec(11)])
    assert j.next_seq == 9 and everything(j) == out
    # All or none on a full flash too, wherever the room ends.
    ramflash.fill("/flash/filler", 0)
    size = 0
    try:
        while True:
            out += add(j, 1, 400)
    except JournalFull:
        size = j.next_seq
    raises(JournalFull, j.append_all, [rec(size + n, 400) for n in range(6)])
    assert j.next_seq == size and everything(j) == out
    os.remove("/flash/filler")
    j.append_all([rec(size + n, 400) for n in range(6)])
    assert j.pending == size + 5


def test_a_party_beyond_the_limit_is_refused_whole():
    fresh()
    j = journal(max_bytes=1000)
    add(j, 2, 300)
    raises(JournalFull, j.append_all, [rec(3 + n, 200) for n in range(3)])
    assert j.next_seq == 3
    add(j, 1, 100)


def test_tail():
    fresh()
    j = journal(segment_bytes=700)
    seen = []
    j.tail(seen.append)
    assert seen == []
    out = add(j, 30)
    j.tail(seen.append)
    assert seen and seen == out[-len(seen) :]
    j.acknowledge(30)
    add(j, 2)
    seen = []
    j.tail(seen.append)
    assert seen[-2:] == everything(j)
