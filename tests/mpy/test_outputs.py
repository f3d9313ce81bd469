# heap: 200k
"""Buzzer, vibration motor, LED and battery."""

import asyncio
import time

from fakes import FakePin, FakePwm

from drivers import pattern
from drivers.battery import Battery
from drivers.buzzer import Buzzer
from drivers.led import Led
from drivers.vibration import Vibration


def steps(history):
    """(value, how long it lasted) of all but the last entry."""
    return [(v, time.ticks_diff(history[i + 1][0], t)) for i, (t, v) in enumerate(history[:-1])]


def near(found, expected):
    assert len(found) == len(expected), found
    for index, (want, want_ms) in enumerate(expected):
        value, ms = found[index]
        assert value == want and want_ms <= ms < want_ms + 80, found


async def test_silent_from_the_start():
    pwm = FakePwm()
    Buzzer(pwm)
    assert pwm.duty == 0
    pin = FakePin(1)
    Vibration(pin)
    assert pin.level == 0


async def test_a_pattern_plays_in_the_background():
    pwm = FakePwm()
    buzzer = Buzzer(pwm)
    pwm.history.clear()
    begun = time.ticks_ms()
    buzzer.play(((2000, 60), (0, 30), (2600, 90)))
    assert time.ticks_diff(time.ticks_ms(), begun) < 5
    assert pwm.duty == 32768, "the first tone does not wait for the loop"
    await asyncio.sleep_ms(250)
    near(steps(pwm.history)[-3:], [(2000, 60), (0, 30), (2600, 90)])
    assert pwm.duty == 0


async def test_a_new_pattern_replaces_the_old():
    pwm = FakePwm()
    buzzer = Buzzer(pwm)
    buzzer.play(((500, 300), (600, 300)))
    await asyncio.sleep_ms(50)
    buzzer.play(((3000, 100),))
    for _ in range(8):
        await asyncio.sleep_ms(10)
        assert pwm.duty and pwm.hz == 3000
    await asyncio.sleep_ms(700)
    assert pwm.duty == 0 and pwm.hz == 3000
    buzzer.play(((700, 100),))
    buzzer.play(((800, 40),))
    await asyncio.sleep_ms(20)
    assert pwm.hz == 800 and pwm.duty
    buzzer.stop()
    assert pwm.duty == 0
    await asyncio.sleep_ms(100)
    assert pwm.duty == 0


async def test_nothing_sounds_for_longer_than_the_limit():
    pattern.LIMIT_MS = 200
    try:
        pwm = FakePwm()
        Buzzer(pwm).play(((1000, 60_000),))
        await asyncio.sleep_ms(280)
        assert pwm.duty == 0
        Buzzer(pwm).play(((1000, 150), (2000, 150), (3000, 150)))
        await asyncio.sleep_ms(280)
        assert pwm.duty == 0 and pwm.hz == 2000
    finally:
        pattern.LIMIT_MS = 4_000


async def test_an_empty_pattern_silences():
    pwm = FakePwm()
    buzzer = Buzzer(pwm)
    buzzer.play(((1000, 1000),))
    buzzer.play(())
    await asyncio.sleep_ms(20)
    assert pwm.duty == 0


async def test_tones_stay_in_the_buzzers_range():
    pwm = FakePwm()
    Buzzer(pwm).play(((1, 10),))
    assert pwm.hz == 100
    Buzzer(pwm).play(((1_000_000, 10),))
    assert pwm.hz == 10_000


async def test_vibration_alternates():
    pin = FakePin()
    motor = Vibration(pin)
    pin.history.clear()
    motor.pulse((80, 40, 120))
    await asyncio.sleep_ms(320)
    near(steps(pin.history)[-3:], [(1, 80), (0, 40), (1, 120)])
    assert pin.level == 0


def test_led_levels():
    channels = (FakePwm(), FakePwm(), FakePwm())
    led = Led(*channels)
    assert [c.duty for c in channels] == [0, 0, 0] and len({c.hz for c in channels}) == 1
    led.set(255, 128, 0)
    assert [c.duty for c in channels] == [65535, 128 * 257, 0]
    led.set(-1, 999, 1)
    assert [c.duty for c in channels] == [0, 65535, 257]
    led.off()
    assert [c.duty for c in channels] == [0, 0, 0]


class Adc:
    """Readings one after the other."""

    def __init__(self, *readings_uv):
        self.readings_uv = readings_uv
        self.count = 0

    def read_uv(self):
        self.count += 1
        return self.readings_uv[self.count % len(self.readings_uv)]


def test_battery():
    adc = Adc(1_900_000, 1_910_000)
    assert Battery(adc).read_millivolts() == 3810
    assert adc.count >= 16
    percent = Battery(adc).percent
    # The table's own points, and the straight lines between them.
    table = ((4190, 100), (4050, 90), (3990, 80), (3890, 70), (3800, 60), (3720, 50), (3630, 40), (3530, 30),
             (3420, 20), (3300, 10), (3100, 0))  # fmt: skip
    for mv, expected in table:
        assert percent(mv) == expected
    assert percent(0) == 0 and percent(5000) == 100 and percent(3200) == 5 and percent(4120) == 95
    values = [percent(mv) for mv in range(3000, 4300)]
    assert values == sorted(values)
