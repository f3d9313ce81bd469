"""The PIN: the right one, wrong ones, the wait that grows and outlives a power cut."""

import time

import ramflash

from firmware.services import pin
from firmware.services.pin import FACTORY_PIN, pin_hash
from firmware.services.settings import Settings

BUFFER = bytearray(64 * ramflash.BLOCK_BYTES)
GOOD = b"\x00\x00\x01\x01\x02\x02"
WRONG = b"\x00\x00\x01\x01\x02\x01"


class PinLock:
    """The functions as the gate uses them."""

    def __init__(self, kept):
        self.kept = kept
        self.since_ms = time.ticks_ms()

    def wait_s(self):
        return pin.wait_s(self.kept, time.ticks_diff(time.ticks_ms(), self.since_ms))

    def opens(self, presses, config=None):
        if self.wait_s():
            return False
        good = pin.opens(self.kept, presses, config)
        self.since_ms = time.ticks_ms()
        return good


def settings():
    flash = ramflash.RamFlash(64, BUFFER)
    ramflash.format(flash)
    ramflash.mount(flash)
    return Settings("/flash")


def later(lock, seconds):
    lock.since_ms = time.ticks_add(lock.since_ms, -1000 * seconds)


def test_which_pin_counts():
    kept = settings()
    lock = PinLock(kept)
    assert lock.opens(FACTORY_PIN) and not lock.opens(GOOD)
    kept.update({"pin": pin_hash(GOOD, b"saltsalt")})
    assert lock.opens(GOOD) and not lock.opens(FACTORY_PIN)
    # The unit's pack goes first.
    config = pin_hash(WRONG, b"SALTSALT")
    assert lock.opens(WRONG, config) and not lock.opens(GOOD, config)
    assert not lock.opens(b"", config)


def test_the_hash_hides_and_salts():
    assert GOOD not in pin_hash(GOOD, bytes(8)) and len(pin_hash(GOOD, bytes(8))) == 24
    assert pin_hash(GOOD, b"saltsalt")[8:] != pin_hash(GOOD, b"saltSalt")[8:]


def test_wrong_tries_cost_more_and_more():
    lock = PinLock(settings())
    for _ in range(pin.FREE_TRIES):
        assert lock.wait_s() == 0
        assert not lock.opens(WRONG)
    assert 0 < lock.wait_s() <= 30
    assert not lock.opens(FACTORY_PIN), "nobody may try now"
    later(lock, 30)
    assert lock.wait_s() == 0 and not lock.opens(WRONG)
    assert 30 < lock.wait_s() <= 60
    for _ in range(12):
        later(lock, 3600)
        assert not lock.opens(WRONG)
    assert 1800 < lock.wait_s() <= 3600
    later(lock, 3600)
    assert lock.opens(FACTORY_PIN) and lock.wait_s() == 0
    assert not lock.opens(WRONG) and lock.wait_s() == 0, "a good one counts from nothing again"


def test_a_power_cut_does_not_shorten_the_wait():
    lock = PinLock(settings())
    for _ in range(pin.FREE_TRIES):
        lock.opens(WRONG)
    later(lock, 20)
    again = PinLock(Settings("/flash"))
    assert 25 < again.wait_s() <= 30
    assert not again.opens(FACTORY_PIN)


def test_tries_that_cannot_be_counted_are_refused():
    flash = ramflash.RamFlash(64, BUFFER)
    ramflash.format(flash)
    ramflash.mount(flash)
    lock = PinLock(Settings("/flash"))
    flash.failing = True
    assert not lock.opens(FACTORY_PIN)
