"""The clock: sources, wrapping ticks, jumps both ways, the chip that fails, both epochs."""

import time as real_time

from drivers.ds3231 import RtcError
from firmware.services import clock as module
from firmware.services.clock import Clock

FLOOR = 1_793_491_200
WRAP = 1 << 30
YEAR = 365 * 86400


class Time:
    """Ticks that wrap as on the ESP32, and its epoch of 2000 or the other one of 1970."""

    def __init__(self, epoch=0, start=0):
        self.epoch = epoch
        self.ticks = start % WRAP

    def ticks_ms(self):
        return self.ticks

    def ticks_diff(self, new, old):
        return (new - old + WRAP // 2) % WRAP - WRAP // 2

    def gmtime(self, seconds):
        return real_time.gmtime(seconds + self.epoch)

    def forward(self, ms):
        self.ticks = (self.ticks + ms) % WRAP


class Chip:
    def __init__(self, unix):
        self.unix = unix
        self.broken = False
        self.written = []

    def read_unix(self):
        if self.broken:
            raise RtcError("no answer")
        return self.unix

    def write_unix(self, unix):
        if self.broken:
            raise RtcError("no answer")
        self.written.append(unix)
        self.unix = unix


class Bench:
    def __init__(self, told, floor=FLOOR, epoch=0, start=0, broken=False):
        self.time = module.time = Time(epoch, start)
        self.chip = Chip(told)
        self.chip.broken = broken
        self.system = []
        self.clock = Clock(self.chip, self.system.append, floor)


def teardown():
    module.time = real_time


def test_chip_is_believed():
    b = Bench(FLOOR + 1000)
    assert b.clock.trusted and b.clock.now_unix() == FLOOR + 1000
    b.time.forward(999)
    assert b.clock.now_unix() == FLOOR + 1000
    b.time.forward(1)
    assert b.clock.now_unix() == FLOOR + 1001
    teardown()


def test_chip_is_not_believed():
    for told, broken in (
        (None, False),
        (FLOOR - 1, False),
        (0, False),
        (FLOOR + 21 * YEAR, False),
        (FLOOR, True),
    ):
        b = Bench(told, broken=broken)
        assert not b.clock.trusted
        assert b.clock.chip_ok is not broken
        assert b.clock.now_unix() == FLOOR
        assert b.clock.text() == "--:--"
        b.time.forward(5000)
        assert b.clock.now_unix() == FLOOR + 5
    teardown()


def test_ticks_wrap():
    for start in (0, WRAP - 1, WRAP // 2 - 3, 123456789):
        b = Bench(FLOOR, start=start)
        passed = 0
        for step in (1, 999, 5_000, 60_000, 3_600_000, 500_000_000, 7) * 20:
            b.time.forward(step)
            passed += step
            b.clock.tick()
            assert b.clock.now_unix() == FLOOR + passed // 1000
        assert passed > 9 * WRAP
    teardown()


def test_never_backwards_even_without_ticks():
    b = Bench(FLOOR)
    seen = b.clock.now_unix()
    step = 1
    for _ in range(300):
        step = step * 7 % WRAP
        b.time.forward(step)
        now = b.clock.now_unix()
        assert now >= seen
        seen = now
    teardown()


def test_server_moves_it_forward():
    b = Bench(FLOOR + 100)
    assert b.clock.server_time(FLOOR + 102) and b.clock.now_unix() == FLOOR + 100
    assert b.chip.written == [] and len(b.system) == 1
    assert b.clock.server_time(FLOOR + 103) and b.clock.now_unix() == FLOOR + 103
    assert b.chip.written == [FLOOR + 103] and len(b.system) == 2
    assert b.clock.trusted and not b.clock.conflict
    teardown()


def test_server_behind():
    b = Bench(FLOOR + 100_000)
    assert b.clock.server_time(FLOOR + 99_940)
    assert b.clock.now_unix() == FLOOR + 100_000 and not b.clock.conflict
    assert not b.clock.server_time(FLOOR + 99_939)
    assert b.clock.now_unix() == FLOOR + 100_000 and b.clock.conflict
    for nonsense in (0, -5, FLOOR + 30 * YEAR):
        assert not b.clock.server_time(nonsense)
        assert b.clock.now_unix() == FLOOR + 100_000 and b.clock.conflict
    assert b.chip.written == []
    assert b.clock.server_time(FLOOR + 100_010) and not b.clock.conflict
    teardown()


def test_server_makes_it_trusted():
    for unix in (FLOOR - 60, FLOOR, FLOOR + 3, FLOOR + 50_000):
        b = Bench(None)
        assert b.clock.server_time(unix)
        assert b.clock.trusted
        assert b.clock.now_unix() == max(FLOOR, unix)
        assert b.chip.written == [max(FLOOR, unix)]
    b = Bench(None)
    assert not b.clock.server_time(FLOOR - 61)
    assert not b.clock.trusted and b.clock.conflict
    teardown()


def test_broken_chip_does_not_stop_the_server():
    b = Bench(FLOOR + 5, broken=True)
    assert b.clock.server_time(FLOOR + 500)
    assert b.clock.trusted and not b.clock.chip_ok
    b.chip.broken = False
    assert b.clock.server_time(FLOOR + 600) and b.clock.chip_ok
    teardown()


def test_floor():
    b = Bench(FLOOR + 1000)
    b.clock.raise_floor(FLOOR + 500)
    assert b.clock.trusted and b.clock.now_unix() == FLOOR + 1000
    b.clock.raise_floor(FLOOR + 1060)
    assert b.clock.trusted and b.clock.now_unix() == FLOOR + 1060
    # the chip went back by an hour since the last record was written
    b.clock.raise_floor(FLOOR + 4600)
    assert not b.clock.trusted and b.clock.now_unix() == FLOOR + 4600
    assert b.clock.server_time(FLOOR + 4700) and b.clock.trusted
    teardown()


def test_system_time_in_both_epochs():
    for epoch, year in ((0, 1970), (946_684_800, 2000)):
        # 2026-11-23 09:30:06 UTC is a Monday
        b = Bench(1_795_426_206, epoch=epoch)
        assert b.time.gmtime(0)[0] == year
        assert b.clock._epoch_s == epoch
        assert b.system == [(2026, 11, 23, 0, 9, 30, 6, 0)], b.system
        assert b.clock.text() == "17:30"
        b.clock.server_time(1_795_426_206 + 16 * 3600)
        assert b.system[1] == (2026, 11, 24, 1, 1, 30, 6, 0)
        assert b.clock.text() == "09:30"
    teardown()


def test_a_restart_after_a_jump_of_the_chip():
    """Back: the floor from the last record holds and trust is gone. Forward: the server later tells."""
    record_unix = FLOOR + 9000
    b = Bench(record_unix - 7200)
    b.clock.raise_floor(record_unix)
    assert not b.clock.trusted and b.clock.now_unix() == record_unix
    b = Bench(record_unix + 7200)
    b.clock.raise_floor(record_unix)
    assert b.clock.trusted
    assert not b.clock.server_time(record_unix + 10)
    assert b.clock.conflict and b.clock.now_unix() == record_unix + 7200
    assert not b.clock.trusted, "nobody knows which of the two is wrong"
    teardown()


def test_a_chip_that_ran_ahead_goes_back_when_somebody_says_so():
    b = Bench(FLOOR + 90_000)
    b.clock.raise_floor(FLOOR + 80_000)
    assert not b.clock.obey_server() and b.clock.now_unix() == FLOOR + 90_000
    assert not b.clock.server_time(FLOOR + 5_000) and not b.clock.trusted
    assert b.clock.obey_server()
    assert b.clock.now_unix() == FLOOR + 5_000 and b.clock.trusted and not b.clock.conflict
    assert b.chip.written == [FLOOR + 5_000]
    assert not b.clock.obey_server()
    # A server that tells of a time before this release is no reason to go back.
    assert not b.clock.server_time(FLOOR - 100) and b.clock.conflict and b.clock.trusted
    assert not b.clock.obey_server()
    teardown()


def test_a_small_difference_is_shown_and_no_more():
    b = Bench(FLOOR + 90_000)
    assert not b.clock.server_time(FLOOR + 90_000 - 300) and b.clock.conflict and b.clock.trusted
    assert not b.clock.server_time(FLOOR + 90_000 - 301) and not b.clock.trusted
    # The server catches up.
    assert b.clock.server_time(FLOOR + 90_000 - 10) and b.clock.trusted and not b.clock.conflict
    teardown()


def test_days_are_counted_by_midnights_in_china():
    # 1,793,491,200 is midnight UTC, eight in the morning in China.
    b = Bench(FLOOR + 86400)
    now = b.clock.now_unix()
    assert b.clock.days_since(now) == 0
    assert b.clock.days_since(now - 8 * 3600) == 0
    assert b.clock.days_since(now - 8 * 3600 - 1) == 1
    # A phone's clock a second ahead of the handheld's makes no difference.
    assert b.clock.days_since(now - 2 * 86400 + 1) == 2
    assert b.clock.days_since(now + 86400 * 3) == 0
