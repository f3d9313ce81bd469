"""The sealed journal on a strict NOR flash: order, limits, wrapping, full ring, failing flash, damage."""

import gc

import nor
from sealkit import QuickSealing

from firmware.core import cbor, ring_format
from firmware.core.record import GENESIS
from firmware.services.journal import JournalError, JournalFull
from firmware.services.sealed_journal import Journal

DEVICE = "device-0001"


def journal(flash, sealing=None):
    j = Journal(flash, sealing or QuickSealing(), lambda: DEVICE)
    j.open()
    return j


def rec(seq, size=60):
    return cbor.dumps({1: seq, 2: 1_800_000_000 + seq, 4: "x" * (size - 20)})


def add(j, count, size=60):
    for _ in range(count):
        j.append(rec(j.next_seq, size))


def raises(kind, call, *args):
    try:
        call(*args)
    except kind as e:
        assert type(e) is kind, e
        return e
    raise AssertionError("%s was not raised" % kind)


def tend(j):
    for _ in j.tend_steps():
        pass


def is_head(item):
    return item[:2] == b"\xd8\x60"


def sequence_of(sealed):
    assert sealed[:8] == b"\x83\x43\xa1\x01\x0a\xa1\x06\x44"
    return int.from_bytes(sealed[8:12], "big")


class Server:
    """Takes batches as a server would that cannot open them: chain and order alone."""

    def __init__(self):
        self.held = 0
        self.chain = GENESIS
        self.head = b""
        self.begun = []

    def take(self, first, before, items):
        """Returns how many records came."""
        assert first == self.held + 1 and before == self.chain
        count = 0
        head = b""
        for item in items:
            if is_head(item):
                head = item
                continue
            assert head, "record without its head"
            self.held += 1
            count += 1
            assert sequence_of(item) == self.held
            begins = head if first_of(head) == self.held else b""
            if begins:
                self.begun.append(self.held)
            assert begins or head == self.head or count == 1
            self.chain = ring_format.chain(self.chain, begins, item)
            self.head = head
        return count


def first_of(head):
    protected = cbor.loads(head).value[0]
    device, first = cbor.loads(protected)[-65537]
    assert device == DEVICE
    return first


def drain(j, server, records=100, size=100_000):
    while j.pending:
        assert server.take(*j.batch(records, size)) > 0
        j.acknowledge(server.held)


def check(j, server):
    """Everything that waits continues what the server holds, up to the journal's own chain value."""
    copy = Server()
    copy.held, copy.chain, copy.head = server.held, server.chain, server.head
    first, before, items = j.batch(100_000, 10_000_000)
    assert copy.take(first, before, items) == j.pending
    assert copy.chain == j.chain_value
    assert copy.held + 1 == j.next_seq


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
    j = Journal(flash, sealing, lambda: DEVICE)
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
        j = Journal(flash, sealing, lambda: device)  # noqa: B023
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


def test_full():
    for step in (1, 5, 1000):
        flash = nor.NorFlash(6)
        j = journal(flash)
        server = Server()
        warned = 0
        while True:
            try:
                add(j, 1, 100)
            except JournalFull:
                break
            if j.nearly_full and not warned:
                warned = j.next_seq
        count = j.next_seq - 1
        assert 110 < count < 180 and warned < count * 0.9
        before = bytes(flash.data)
        for _ in range(3):
            raises(JournalFull, j.append, rec(j.next_seq, 100))
        assert bytes(flash.data) == before, "a full journal is left as it is"
        assert j.nearly_full
        j = journal(flash)
        raises(JournalFull, j.append, rec(j.next_seq, 100))
        assert j.pending == count
        check(j, server)
        # acknowledged one by one, a full ring gets free, and no acknowledgement is lost on the way
        while j.pending:
            server.take(*j.batch(step, 100_000))
            j.acknowledge(server.held)
            if server.held % 16 == 0:
                j = journal(flash)
                assert j.acked == server.held
        assert not j.nearly_full
        add(j, 5)
        check(j, server)


def test_full_with_a_crowd_of_acknowledgements():
    """Small records and one acknowledgement each: the sector kept for those suffices."""
    flash = nor.NorFlash(4)
    j = journal(flash)
    server = Server()
    for _ in range(4):
        try:
            while True:
                j.append(cbor.dumps({1: j.next_seq}))
        except JournalFull:
            pass
        for _ in range(j.pending):
            assert server.take(*j.batch(1, 1000)) == 1
            j.acknowledge(server.held)
        assert journal(flash).acked == server.held


def test_failing_flash_changes_nothing():
    flash = nor.NorFlash(12)
    j = journal(flash)
    server = Server()
    add(j, 25)
    for _ in range(3):
        flash.failing = True
        raises(JournalError, j.append, rec(j.next_seq))
        raises(JournalError, j.append, rec(j.next_seq))
        j.acknowledge(0)
        flash.failing = False
        check(j, server)
        add(j, 3)
    j = journal(flash)
    check(j, server)
    assert j.next_seq == 35


def test_a_key_is_not_used_again_after_a_failure():
    flash = nor.NorFlash(12)
    sealing = QuickSealing()
    j = journal(flash, sealing)
    add(j, 3)
    flash.failing = True
    raises(JournalError, j.append, rec(4))
    flash.failing = False
    j.append(rec(4, 77))
    server = Server()
    drain(j, server)
    assert server.begun == [1, 4] and sealing.begun == 2


def test_flash_that_forgets_is_noticed():
    flash = nor.NorFlash(12)
    j = journal(flash)
    server = Server()
    add(j, 5)
    flash.forgetting = True
    raises(JournalError, j.append, rec(6))
    flash.forgetting = False
    add(j, 5)
    check(j, server)
    j = journal(flash)
    check(j, server)
    assert j.next_seq == 11


def test_an_acknowledgement_that_the_flash_does_not_take_frees_nothing():
    flash = nor.NorFlash(5)
    j = journal(flash)
    server = Server()
    try:
        while True:
            add(j, 1, 200)
    except JournalFull:
        pass
    server.take(*j.batch(1000, 100_000))
    flash.failing = True
    j.acknowledge(server.held)
    flash.failing = False
    assert j.pending == 0
    used = j.used_bytes
    raises(JournalFull, j.append, rec(j.next_seq, 200))
    # after a restart nothing was acknowledged, and everything is still there to be sent again
    again = journal(flash)
    assert again.acked == 0 and again.pending == server.held
    check(again, Server())
    # the next answer of the server, which says the same, is written down
    j = again
    j.acknowledge(server.held)
    assert j.used_bytes < used
    add(j, 5, 200)
    check(journal(flash), server)


def test_torn_tail():
    """Every length of a torn last frame: the sector takes no more, and nothing is lost."""
    flash = nor.NorFlash(8)
    j = journal(flash)
    add(j, 4)
    sound = bytes(flash.data)
    add(j, 1)
    whole = bytes(flash.data)
    start = next(i for i in range(len(sound)) if sound[i] != whole[i])
    end = start + ring_format.frame_size(len(j.batch(5, 9999)[2][-1]))
    for cut in range(start + 1, end - 3):
        flash = nor.NorFlash(8, bytearray(whole[:cut] + sound[cut:]))
        j = journal(flash)
        torn = len(whole[start:cut].rstrip(b"\xff"))
        assert j.torn_bytes == torn, (j.torn_bytes, torn)
        assert j.next_seq == 5
        check(j, Server())
        add(j, 1, 90)
        assert flash.erases == (1 if torn else 0)
        j = journal(flash)
        assert j.next_seq == 6 and j.torn_bytes == 0
        check(j, Server())


def test_damage_is_refused_and_kept():
    flash = nor.NorFlash(8)
    j = journal(flash)
    add(j, 20)
    sound = bytes(flash.data)
    end = len(sound[: 2 * 4096].rstrip(b"\xff"))
    # not in the last record: cutting there would drop records that were promised
    for at in (4096, 4096 + 5, 4096 + 30, 4096 + 51, 4096 + 60, 4096 + 400, end - 700):
        data = bytearray(sound)
        data[at] ^= 0x10
        raises(JournalError, journal, nor.NorFlash(8, data))


def test_damage_in_an_old_sector_is_reported():
    flash = nor.NorFlash(8)
    j = journal(flash)
    add(j, 200)
    data = flash.data
    data[2 * 4096 + 2000] ^= 1
    j = journal(flash)
    first, _, items = j.batch(1000, 100_000)
    count = len([i for i in items if not is_head(i)])
    assert first == 1 and 30 < count < 200
    server = Server()
    server.take(*j.batch(1000, 100_000))
    j.acknowledge(count)
    raises(JournalError, j.batch, 1000, 100_000)
    add(j, 1)
    # and a damaged head of a sector that is needed
    for number, at in ((1, 4), (2, 20)):
        bad = bytearray(data)
        bad[number * 4096 + at] ^= 4
        raises(JournalError, lambda: journal(nor.NorFlash(8, bad)).batch(1000, 100_000))  # noqa: B023


def test_foreign_content_makes_way():
    data = bytearray(b"\x5a" * (8 * 4096))
    flash = nor.NorFlash(8, data)
    j = journal(flash)
    assert j.next_seq == 1
    add(j, 100)
    check(journal(flash), Server())
    raises(JournalError, journal, nor.NorFlash(3))


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
    assert flash.read < 512 * 53 + 40_000, flash.read
