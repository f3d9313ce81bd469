"""Presence on a real VfsLfs2: coming, leaving, restarts, power cuts, clearing away, bounds."""

import os

import ramflash

from firmware.services import presence
from firmware.services.presence import MAX_ENTRIES, TIDY_ENTRIES, Presence, PresenceError, closing_unix

NOW = 1_800_000_000
BUFFER = bytearray(96 * ramflash.BLOCK_BYTES)
PATH = "/flash/presence"


def fresh():
    flash = ramflash.RamFlash(96, BUFFER)
    ramflash.format(flash)
    ramflash.mount(flash)
    return flash


def sub(number):
    return b"%016d" % number


def opened(place="hall", scene="event", seq=1_000):
    people = Presence(PATH)
    people.open(place, scene, seq)
    return people


def tidy(people):
    for _ in people.tidy_steps():
        pass


def test_people_come_and_leave():
    fresh()
    people = opened()
    people.came(sub(1), NOW, 1)
    people.came(sub(2), NOW + 1, 2)
    people.came(sub(1), NOW + 2, 3)
    assert people.count == 2 and people.inside(sub(1)) and not people.inside(sub(3))
    people.left(sub(1), NOW + 3, 4)
    people.left(sub(3), NOW + 4, 5)
    assert people.count == 1 and not people.inside(sub(1)) and people.seq == 5
    again = opened()
    assert (again.count, again.seq) == (1, 4) and again.inside(sub(2)) and not again.inside(sub(1))
    again.came(sub(1), NOW + 9, 6)
    assert again.inside(sub(1)) and again.count == 2


def test_subs_that_meet_across_entries_are_nobody():
    fresh()
    people = opened()
    people.came(sub(1), NOW, 1)
    with open(PATH, "rb") as file:
        data = file.read()
    for at in range(len(data) - 16):
        some = data[at : at + 16]
        assert people.inside(some) == (some == sub(1)), at


def test_counts_alone():
    fresh()
    people = opened()
    for seq in range(1, 5):
        people.came(None, NOW, seq)
    people.left(None, NOW, 5)
    assert opened().count == 3 and opened().seq == 5
    people = opened()
    for seq in range(6, 10):
        people.left(None, NOW, seq)
    assert people.count == 0


def test_the_last_one_out_empties_the_file():
    fresh()
    people = opened()
    for number in range(9):
        people.came(sub(number), NOW, number + 1)
    for number in range(9):
        people.left(sub(number), NOW, number + 10)
    assert people.count == 0 and people.wants_tidying
    tidy(people)
    assert os.stat(PATH)[6] == 64 and not people.wants_tidying
    assert (opened().count, opened().seq) == (0, 18)


def test_counts_alone_are_cleared_away():
    fresh()
    presence.TIDY_ENTRIES = 8
    try:
        people = opened()
        for seq in range(1, 9):
            assert not people.wants_tidying or seq == 8
            people.came(None, NOW, seq)
        assert people.wants_tidying
        tidy(people)
        assert os.stat(PATH)[6] == 64 and (people.count, people.seq) == (8, 8)
        assert opened().count == 8 and not opened().wants_tidying
    finally:
        presence.TIDY_ENTRIES = TIDY_ENTRIES


def test_entries_without_their_records_are_taken_back():
    for names in (True, False):
        for last in range(12):
            fresh()
            people = opened(seq=0)
            history = [(0, frozenset())]
            inside = set()
            for seq, number, coming in (
                (2, 1, True),
                (4, 2, True),
                (5, 3, True),
                (6, 1, False),
                (9, 1, True),
            ):
                move = people.came if coming else people.left
                move(sub(number) if names else None, NOW + seq, seq)
                (inside.add if coming else inside.remove)(number)
                history.append((seq, frozenset(inside)))
            expected = [found for seq, found in history if seq <= last][-1]
            again = Presence(PATH)
            assert again.open("hall", "event", last) == 0
            assert again.count == len(expected), last
            if names:
                assert {n for n in range(5) if again.inside(sub(n))} == expected, last
            assert again.seq <= last
            again.came(sub(7) if names else None, NOW, last + 1)
            assert opened(seq=last + 1).count == len(expected) + 1


def test_entries_of_another_journal_are_all_taken_back_and_told():
    fresh()
    people = opened(seq=100)
    people.close()
    os.remove(PATH)
    people = opened(seq=100)
    people.came(sub(1), NOW, 101)
    people.came(sub(2), NOW, 102)
    again = Presence(PATH)
    assert again.open("hall", "event", 3) == 2
    assert again.count == 0 and not again.inside(sub(1))


def test_undo():
    for names in (True, False):
        fresh()
        people = opened()
        who = [sub(n) if names else None for n in range(6)]
        people.came(who[0], NOW, 1)
        people.came(who[1], NOW, 2)
        mark = people.mark
        people.came(who[2], NOW + 5, 3)
        people.left(who[0], NOW + 5, 4)
        people.came(who[3], NOW + 5, 5)
        people.undo(mark)
        assert people.count == 2
        for last in (2, 3, 4, 5):
            again = opened(seq=last)
            assert again.count == 2, last
            if names:
                assert [n for n in range(6) if again.inside(sub(n))] == [0, 1], last


def test_another_place_starts_anew():
    fresh()
    people = opened()
    people.came(sub(1), NOW, 1)
    other = Presence(PATH)
    assert other.open("hall", "registered_venue") == 1
    assert other.count == 0 and not other.inside(sub(1))
    assert Presence(PATH).open("hall", "registered_venue") == 0


def test_reset():
    fresh()
    people = opened()
    people.came(sub(1), NOW, 1)
    assert people.reset(7) == 1 and people.count == 0 and opened().seq == 7


def test_files_that_are_none():
    fresh()
    people = opened()
    people.came(sub(1), NOW, 1)
    with open(PATH, "rb") as file:
        good = file.read()
    for bad in (b"", good[:-1], good[:31] + b"?" + good[32:], good[:-5] + b"?" + good[-4:], bytes(96)):
        with open(PATH, "wb") as file:
            file.write(bad)
        people = opened()
        assert people.count == 0 and not people.inside(sub(1)), bad
        people.came(sub(2), NOW, 2)
        assert opened().count == 1


def test_everybody_who_came_before():
    fresh()
    people = opened()
    for number in range(40):
        people.came(sub(number), NOW + number, number + 1)
    people.left(sub(3), NOW + 50, 50)
    people.came(sub(3), NOW + 60, 51)
    people.left(sub(5), NOW + 61, 52)
    found = [one for one in people.since_before_steps(NOW + 10) if one]
    assert found == [sub(n) for n in range(10) if n not in (3, 5)]


def test_checking_everybody_out_on_the_way():
    fresh()
    people = opened()
    for number in range(20):
        people.came(sub(number), NOW, number + 1)
    out = 0
    for one in people.since_before_steps(NOW + 1):
        if one:
            people.left(one, NOW + 2, 100 + out)
            out += 1
    assert out == 20 and people.count == 0 and opened().count == 0


def test_clearing_away():
    fresh()
    people = opened()
    for number in range(30):
        people.came(sub(number), NOW + number, number + 1)
        if number % 3:
            people.left(sub(number), NOW + number, 100 + number)
    size = os.stat(PATH)[6]
    for _ in people.tidy_steps():
        pass
    assert people.count == 10 and os.stat(PATH)[6] == 11 * 32 < size
    again = opened()
    assert again.count == 10
    assert [n for n in range(30) if again.inside(sub(n))] == list(range(0, 30, 3))
    # Somebody comes meanwhile: the old file stays, with him in it.
    steps = again.tidy_steps()
    next(steps)
    again.came(sub(77), NOW, 500)
    for _ in steps:
        pass
    assert again.inside(sub(77)) and opened().count == 11


def test_bounds():
    fresh()
    presence.MAX_ENTRIES = 8
    try:
        people = opened()
        for number in range(4):
            people.came(sub(number), NOW, number + 1)
        try:
            people.came(sub(9), NOW, 9)
            assert False
        except PresenceError:
            pass
        for number in range(4):
            people.left(sub(number), NOW, 10 + number)
        assert people.count == 0
    finally:
        presence.MAX_ENTRIES = MAX_ENTRIES


def test_full_flash():
    flash = fresh()
    people = opened()
    people.came(sub(1), NOW, 1)
    flash.failing = True
    try:
        people.came(sub(2), NOW, 2)
        assert False
    except PresenceError:
        pass
    assert people.count == 1
    flash.failing = False
    ramflash.mount(flash)
    people.came(sub(2), NOW, 2)
    assert opened().count == 2


def test_power_cut_at_every_write():
    """Whoever was in or out before the cut still is; the one on his way is the one or the other."""
    done = False
    cut = 0
    while not done:
        cut += 1
        for torn in (False, True):
            flash = fresh()
            people = opened()
            for number in range(3):
                people.came(sub(number), NOW, number + 1)
            people.left(sub(0), NOW, 4)
            flash.cut_at, flash.torn = flash.operations + cut, torn
            try:
                people.came(sub(8), NOW, 5)
                people.left(sub(1), NOW, 6)
                people.left(sub(2), NOW, 7)
                people.left(sub(8), NOW, 8)
                done = True
            except ramflash.PowerCut:
                pass
            except PresenceError:
                pass
            ramflash.mount(ramflash.RamFlash(96, BUFFER))
            again = opened()
            inside = [n for n in (0, 1, 2, 8) if again.inside(sub(n))]
            assert inside in ([1, 2], [1, 2, 8], [2, 8], [8], []), (cut, inside)
            assert again.count == len(inside), (cut, inside, again.count)
            assert again.seq >= 4
    assert cut > 3


def test_closing_time():
    eight_h = 8 * 3600
    day = NOW // 86400 * 86400  # 08:00 local
    assert closing_unix(day, 8 * 60, eight_h) == day
    assert closing_unix(day + 1, 8 * 60, eight_h) == day
    assert closing_unix(day - 1, 8 * 60, eight_h) == day - 86400
    assert closing_unix(day, 23 * 60 + 30, eight_h) == day - 8.5 * 3600
    assert closing_unix(day, 0, eight_h) == day - 8 * 3600
