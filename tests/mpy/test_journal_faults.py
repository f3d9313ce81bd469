"""The sealed journal on a ring that is full, a flash that fails, torn frames, and damage."""

import nor
from journalkit import Server, add, check, check_after, drain, is_head, journal, party, raises, rec, tend
from sealkit import QuickSealing

from firmware.core import cbor, ring_format
from firmware.services.journal import JournalError, JournalFull


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
        assert j.used_bytes <= 2 * 4096, "what was acknowledged is free at once"
        add(j, 5)
        check(j, server)


def test_torn_acknowledgements_in_a_full_ring():
    """Each closes a sector, and at last there is none to write the next one in."""
    for at in range(1, 4):
        for way in nor.WAYS:
            flash = nor.NorFlash(5)
            j = journal(flash)
            try:
                while True:
                    add(j, 1, 100)
            except JournalFull:
                pass
            while j.used_bytes < 5 * 4096:
                j.acknowledge(j.acked + 1)
            # in the sector kept for acknowledgements
            flash.cut_at, flash.cut_way = flash.operations + 1, nor.HALF
            raises(nor.PowerCut, j.acknowledge, j.acked + 1)
            acked = j.acked - 1
            for _ in range(3):
                flash = nor.NorFlash(5, flash.data)
                j = journal(flash)
                assert j.used_bytes == 5 * 4096 and j.acked == acked < 20
                tend(j)
                check_after(j)
                # the sector of this one is still in use: there is nowhere to write it down
                j.acknowledge(acked + 1)
            bad = bytearray(flash.data)
            bad[4096 + 5] ^= 1
            raises(JournalError, journal, nor.NorFlash(5, bad))
            # the server holds all of it, but the power goes once more while that is written down
            flash.cut_at, flash.cut_way = flash.operations + at, way
            total = j.next_seq - 1
            try:
                j.acknowledge(total)
                add(j, 60, 100)
            except (nor.PowerCut, JournalError):
                assert flash.dead
            flash = nor.NorFlash(5, flash.data)
            j = journal(flash)
            assert j.next_seq > total
            check_after(j)
            j.acknowledge(total)
            add(j, 60, 100)
            check_after(journal(flash))


def test_erasing_ahead_stops_before_what_waits():
    flash = nor.NorFlash(5)
    j = journal(flash)
    try:
        while True:
            add(j, 1, 100)
            tend(j)
            check(j, Server())
    except JournalFull:
        pass
    for _ in range(3):
        tend(j)
    check(j, Server())
    check(journal(flash), Server())


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
    for at in (4096, 4096 + 5, 4096 + 30, 4096 + 51, 4096 + 64, 4096 + 400, end - 700):
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


def test_a_party_that_is_cut_short_does_not_count():
    """Power gone before each of a party's programs, and in the middle of it."""
    for at in range(1, 7):
        for way in nor.WAYS:
            flash = nor.NorFlash(8)
            j = journal(flash)
            add(j, 3)
            flash.cut_at, flash.cut_way = flash.operations + at, way
            try:
                party(j, 6)
            except (nor.PowerCut, JournalError):
                pass
            assert flash.dead
            flash = nor.NorFlash(8, flash.data)
            j = journal(flash)
            assert j.next_seq == (10 if at == 6 and way == nor.DONE else 4), (at, way, j.next_seq)
            check(j, Server())
            add(j, 2, 90)
            again = journal(flash)
            assert again.next_seq == j.next_seq
            check(again, Server())


def test_a_party_that_the_flash_does_not_take_does_not_count():
    flash = nor.NorFlash(8)
    j = journal(flash)
    add(j, 3)
    programs = flash.programs
    write = flash.writeblocks

    def writeblocks(block, data, offset=None):
        flash.failing = flash.programs >= programs + 4
        return write(block, data, offset)

    flash.writeblocks = writeblocks
    raises(JournalError, party, j, 6)
    flash.writeblocks = write
    flash.failing = False
    assert j.next_seq == 4
    check(j, Server())
    for again in (j, journal(flash)):
        assert again.next_seq == 4
        check(again, Server())
    add(j, 1, 99)
    check(journal(flash), Server())
    assert journal(flash).next_seq == 5


def test_a_full_ring_takes_no_part_of_a_party():
    flash = nor.NorFlash(5)
    j = journal(flash)
    try:
        while True:
            party(j, 6, 300)
    except JournalFull:
        pass
    assert (j.next_seq - 1) % 6 == 0
    check(journal(flash), Server())
