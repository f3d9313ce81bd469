"""The sealed journal on a strict NOR flash: order, limits, segments, parties, wrapping, wear."""

import gc

import nor
from journalkit import NOW, Server, add, check, drain, is_head, journal, party, raises, rec, tend
from sealkit import DEVICE, QuickSealing

from firmware.core.record import GENESIS
from firmware.services.journal import Journal, JournalError, JournalFull


def test_append_and_read_back():
    flash = nor.NorFlash(8)
    j = journal(flash)
    server = Server()
    assert (j.next_seq, j.pending, j.acked, j.chain_value) == (1, 0, 0, GENESIS)
    assert j.batch(10, 1000) == (1, GENESIS, [])
    assert not j.nearly_full and j.used_bytes == 0
    add(j, 40)
    check(j, server)
    j.close()
    raises(JournalError, j.append, rec(41))
    j = journal(flash)
    assert j.next_seq == 41 and j.torn_bytes == 0
    add(j, 1)
    check(j, server)
    drain(j, server, 7)
    # a start begins a segment of its own; nothing else did
    assert server.begun == [1, 41]
    assert j.batch(10, 1000) == (42, j.chain_value, [])


def test_nothing_is_in_plain():
    flash = nor.NorFlash(8)
    j = journal(flash)
    add(j, 20, 120)
    assert flash.data.find(b"xxxx") < 0
    assert flash.data.find(rec(3)[:12]) < 0


def test_batch_limits():
    flash = nor.NorFlash(16)
    j = journal(flash)
    add(j, 100, 100)
    server = Server()
    assert len(j.batch(5, 10)[2]) == 2, "a head and a record, however little is asked for"
    items = j.batch(5, 10_000)[2]
    assert len(items) == 6 and is_head(items[0])
    size = len(items[1])
    limit = len(items[0]) + 7 * size
    assert len(j.batch(100, limit)[2]) == 8
    assert len(j.batch(100, limit - 1)[2]) == 7
    assert server.take(*j.batch(50, 100_000)) == 50
    j.acknowledge(50)
    # in the middle of a segment the head comes again
    first, before, items = j.batch(10, 10_000)
    assert (first, before) == (51, server.chain) and is_head(items[0]) and len(items) == 11
    assert server.take(first, before, items) == 10


def test_acknowledge_any_step():
    for step in (1, 3, 7, 40, 100):
        flash = nor.NorFlash(12)
        j = journal(flash)
        server = Server()
        add(j, 100, 120)
        at = 0
        while at < 100:
            # the server may hold less than the batch, or more than it
            first, before, _ = j.batch(5, 10_000)
            assert first == at + 1 and before == server.chain
            taken = min(100, at + step) - at
            while server.held < at + taken:
                got = server.take(*j.batch(min(5, at + taken - server.held), 10_000))
                assert got
                if server.held < at + taken:
                    j.acknowledge(server.held)
            at += taken
            j.acknowledge(at)
            assert j.acked == at and j.pending == 100 - at
            j.acknowledge(at - 1)
            assert j.acked == at
            if at % 4 == 0:
                j.close()
                j = journal(flash)
                assert (j.acked, j.next_seq) == (at, 101)
                check(j, server)
        assert j.used_bytes == 4096
        add(j, 30)
        check(j, server)
        assert j.next_seq == 131


def test_acknowledging_more_than_was_written():
    j = journal(nor.NorFlash(8))
    raises(JournalError, j.acknowledge, 1)
    add(j, 3)
    raises(JournalError, j.acknowledge, 4)
    assert j.pending == 3


def test_wrong_records():
    flash = nor.NorFlash(8)
    sealing = QuickSealing()
    j = Journal(flash, sealing, lambda: DEVICE, lambda: NOW)
    raises(JournalError, j.append, rec(1))
    j.open()
    for bad in (b"", rec(2), rec(0), b"\xa1", b"\xa1\x02\x01", rec(1, 600)):
        raises(JournalError, j.append, bad)
    assert flash.operations == 0 and sealing.begun == 0
    j.append(rec(1, 500))
    assert j.next_seq == 2


def test_every_size_of_record():
    flash = nor.NorFlash(64)
    j = journal(flash)
    server = Server()
    for size in range(40, 510, 7):
        add(j, 1, size)
    check(j, server)
    j = journal(flash)
    check(j, server)


def test_without_a_sealing_key_nothing_is_written():
    flash = nor.NorFlash(8)
    for sealing, device in ((QuickSealing(kid=b""), DEVICE), (QuickSealing(), "")):
        j = Journal(flash, sealing, lambda: device, lambda: NOW)  # noqa: B023
        j.open()
        raises(JournalError, j.append, rec(1))
        assert flash.operations == 0 and j.next_seq == 1
    sealing = QuickSealing(kid=b"")
    j = journal(flash, sealing)
    raises(JournalError, j.append, rec(1))
    sealing.kid = b"another1"
    add(j, 3)
    check(j, Server())


def test_a_new_server_key_begins_a_segment():
    flash = nor.NorFlash(8)
    sealing = QuickSealing()
    j = journal(flash, sealing)
    add(j, 3)
    sealing.kid = b"another1"
    add(j, 3)
    sealing.kid = b""
    raises(JournalError, j.append, rec(7))
    sealing.kid = b"another1"
    add(j, 1)
    server = Server()
    drain(j, server)
    assert server.begun == [1, 4, 7]


def test_segments_end():
    flash = nor.NorFlash(64)
    sealing = QuickSealing()
    j = journal(flash, sealing)
    add(j, 300)
    sealing.ready = False
    # without a key at hand the segment goes on, so that nobody waits for one
    add(j, 200)
    server = Server()
    drain(j, server)
    assert server.begun == [1, 129, 257]
    tend(j)
    assert sealing.prepared == 1
    add(j, 1)
    drain(j, server)
    assert server.begun == [1, 129, 257, 501]


def test_wraps_for_ever():
    flash = nor.NorFlash(5)
    j = journal(flash)
    server = Server()
    for round_number in range(60):
        add(j, 37 + round_number % 11, 90)
        if round_number % 3 == 0:
            tend(j)
        if round_number % 4 == 1:
            j = journal(flash)
        check(j, server)
        drain(j, server, 9)
    assert j.next_seq > 2400 and flash.erases > 80
    # the wear is even
    assert max(flash.erases_of) - min(flash.erases_of) <= 2 + flash.erases // 20


def test_a_party_goes_in_together():
    flash = nor.NorFlash(16)
    j = journal(flash)
    server = Server()
    for count in (1, 2, 6, 3, 16, 6, 6, 6, 6, 6):
        party(j, count)
    assert j.next_seq == 59
    check(j, server)
    j = journal(flash)
    assert j.next_seq == 59
    check(j, server)
    for bad in ([rec(59), rec(61)], [rec(59), rec(59)], [rec(59 + n) for n in range(17)]):
        raises(JournalError, j.append_all, bad)
    raises(JournalError, j.append_all, [rec(59 + n, 400) for n in range(10)])
    party(j, 6)
    assert j.batch(3, 10_000)[0] == 1
    drain(j, server, 4)
    assert server.held == 64


def test_the_clock_cannot_be_behind():
    flash = nor.NorFlash(8)
    assert journal(flash).floor_unix == 0
    add(journal(flash), 1)
    assert journal(flash).floor_unix == NOW


def test_wear_and_memory():
    """Figures the docs name: erases and bytes per record of 123 bytes with 25 acknowledgements per 100."""
    flash = nor.NorFlash(64)
    j = journal(flash)
    server = Server()
    add(j, 10, 123)
    drain(j, server)
    erases, programmed, programs = flash.erases, flash.programmed, flash.programs
    gc.collect()
    before = gc.mem_alloc()
    for _ in range(500):
        add(j, 4, 123)
        server.take(*j.batch(100, 4096))
        j.acknowledge(server.held)
        tend(j)
    gc.collect()
    assert gc.mem_alloc() - before < 4_000, gc.mem_alloc() - before
    print(
        "%.4f erases, %.1f bytes, %.2f programs a record"
        % (
            (flash.erases - erases) / 2000,
            (flash.programmed - programmed) / 2000,
            (flash.programs - programs) / 2000,
        )
    )
    assert (flash.erases - erases) / 2000 < 0.06
    assert (flash.programmed - programmed) / 2000 < 180


def test_opening_reads_little():
    flash = nor.NorFlash(512)
    j = journal(flash)
    try:
        while True:
            add(j, 1, 400)
    except JournalFull:
        pass
    count = j.pending
    assert count > 4000
    j.acknowledge(count - 1000)
    flash.read = 0
    j = journal(flash)
    assert j.pending == 1000
    assert flash.read < 512 * 57 + 40_000, flash.read
