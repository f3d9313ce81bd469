# heap: 200k
"""The keys: bounce, holding, the queue's limit."""

import asyncio
import time

from fakes import FakePin

from drivers.keys import MIDDLE, NO, YES, Keys


def build():
    pins = (FakePin(), FakePin(), FakePin())
    return pins, Keys(pins)


async def bounce(pin, level):
    """A contact that jumps for 12 ms before it rests."""
    for ms in (1, 2, 1, 3, 2, 3):
        pin.drive(1 - pin.level)
        await asyncio.sleep_ms(ms)
    pin.drive(level)


async def press(pin, hold_ms=60):
    await bounce(pin, 0)
    await asyncio.sleep_ms(hold_ms)
    await bounce(pin, 1)
    await asyncio.sleep_ms(60)


async def nothing(keys):
    try:
        key = await asyncio.wait_for_ms(keys.next(), 80)
    except asyncio.TimeoutError:
        return
    raise AssertionError(key)


async def test_each_key_once_per_press():
    pins, keys = build()
    task = asyncio.create_task(keys.next())
    await asyncio.sleep_ms(0)
    for number, expected in enumerate((NO, MIDDLE, YES)):
        await press(pins[number])
        assert await asyncio.wait_for_ms(task, 200) == expected == number
        task = asyncio.create_task(keys.next())
        await asyncio.sleep_ms(100)
        assert not task.done()
    task.cancel()


async def test_a_press_counts_at_once():
    pins, keys = build()
    task = asyncio.create_task(keys.next())
    await asyncio.sleep_ms(10)
    begun = time.ticks_ms()
    pins[2].drive(0)
    assert await task == YES
    assert 20 <= time.ticks_diff(time.ticks_ms(), begun) < 100


async def test_glitches_are_no_press():
    pins, keys = build()
    task = asyncio.create_task(keys.next())
    for _ in range(10):
        pins[0].drive(0)
        await asyncio.sleep_ms(12)
        pins[0].drive(1)
        await asyncio.sleep_ms(9)
    await asyncio.sleep_ms(60)
    assert not task.done()
    task.cancel()


async def test_a_held_key_counts_once():
    pins, keys = build()
    task = asyncio.create_task(keys.next())
    await asyncio.sleep_ms(0)
    pins[1].drive(0)
    assert await asyncio.wait_for_ms(task, 200) == MIDDLE
    await asyncio.sleep_ms(300)
    await nothing(keys)
    await press(pins[2])
    assert await asyncio.wait_for_ms(keys.next(), 200) == YES, "another key while the first is held"
    pins[1].drive(1)
    await nothing(keys)
    await press(pins[1])
    assert await asyncio.wait_for_ms(keys.next(), 200) == MIDDLE


async def test_the_queue_keeps_eight_and_forgets_on_demand():
    pins, keys = build()
    await nothing(keys)
    for number in range(10):
        await press(pins[number % 2], 40)
    for number in range(8):
        assert await asyncio.wait_for_ms(keys.next(), 50) == number % 2
    await nothing(keys)
    await press(pins[0])
    keys.clear()
    await nothing(keys)


async def test_a_tap_counts_though_nobody_could_sample():
    pins, keys = build()
    task = asyncio.create_task(keys.next())
    await asyncio.sleep_ms(60)

    def busy(ms):
        """Firmware that draws: interrupts run, no task does."""
        ends = time.ticks_add(time.ticks_ms(), ms)
        while time.ticks_diff(ends, time.ticks_ms()) > 0:
            pass

    for _ in range(3):  # a contact that jumps, rests for 60 ms, and jumps
        for key, rest_ms in ((YES, 60), (NO, 60), (YES, 60)):
            for level, ms in ((0, 2), (1, 1), (0, rest_ms), (1, 2), (0, 3), (1, 60)):
                pins[key].drive(level)
                busy(ms)
        for expected in (YES, NO, YES):
            assert await asyncio.wait_for_ms(task, 200) == expected
            task = asyncio.create_task(keys.next())
        await asyncio.sleep_ms(100)
        assert not task.done(), "each counts once"
    for ms in (5, 12, 20):
        pins[NO].drive(0)
        busy(ms)
        pins[NO].drive(1)
        busy(60)
    await asyncio.sleep_ms(100)
    assert not task.done(), "a glitch is no tap"
    pins[NO].drive(0)
    busy(60)
    pins[NO].drive(1)
    keys.clear()
    await asyncio.sleep_ms(100)
    assert not task.done(), "forgotten"
    await press(pins[NO])
    assert await asyncio.wait_for_ms(task, 200) == NO


async def test_a_key_that_was_down_before_anybody_asked_is_no_press():
    pins, keys = build()
    pins[NO].drive(0)
    await asyncio.sleep_ms(60)
    pins[NO].drive(1)
    await nothing(keys)


async def test_stuck():
    pins, keys = build()
    assert not keys.stuck()
    pins[1].level = 0
    assert keys.stuck()


async def test_a_key_that_is_down_from_the_start_counts_when_it_is_pressed_anew():
    pins, keys = build()
    await nothing(keys)
    await press(pins[0])
    assert await asyncio.wait_for_ms(keys.next(), 50) == NO
