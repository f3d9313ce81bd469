# heap: 200k
"""The temperature step with a scripted thermometer, in shortened time."""

import errno

from firmware.core import reasons
from firmware.core.scene import fallback_scene
from firmware.services import thermometry
from firmware.services.thermometry import longest_ms, measure

thermometry.SPACING_MS = 10
thermometry.SECOND_LOOK_MS = 60
thermometry._SECOND_LIMIT_MS = 200


class Script:
    """Readings one after the other, the last for ever: object temperatures, pairs, or None for an error."""

    def __init__(self, *readings):
        self.readings = list(readings)
        self.count = 0

    def read_centi_c(self):
        self.count += 1
        reading = self.readings.pop(0) if len(self.readings) > 1 else self.readings[0]
        if reading is None:
            raise OSError(errno.EIO)
        return reading if isinstance(reading, tuple) else (reading, 2500)


async def run(*readings, timeout_ms=400):
    scene = fallback_scene("transit")
    scene.measure_timeout_ms = timeout_ms
    seen = []
    script = Script(*readings)
    reading = await measure(script, scene, lambda body, progress: seen.append((body, progress)))
    return reading, seen, script


async def test_the_median_of_five():
    reading, seen, script = await run(2400, 2410, 3440, 3455, 3430, 3445, 3442, 9999)
    assert reading.reason == reasons.OK
    assert (reading.object_centi_c, reading.ambient_centi_c, reading.body_centi_c) == (3442, 2500, 3632)
    assert seen[:2] == [(None, 0), (None, 0)]
    assert [p for _, p in seen[2:]] == [20, 40, 60, 80, 100] and seen[-1] == (3632, 100)
    assert script.count == 7


async def test_settles_before_it_counts():
    # The sensor closes in on the skin: the early samples drop out.
    reading, seen, _ = await run(3000, 3200, 3350, 3420, 3440, 3441, 3442, 3443)
    assert reading.reason == reasons.OK and reading.object_centi_c == 3441
    assert max(p for _, p in seen[:-1]) == 80


async def test_nobody():
    for readings in ((2400,), (4500,), (2400, 3440, 3440, 3440, 3440, 2400)):
        reading, seen, _ = await run(*readings)
        assert reading.reason == reasons.TEMP_MISSING and reading.body_centi_c is None
        assert seen[-1] == (None, 0)


async def test_never_steady():
    reading, _, _ = await run(*([3400, 3440] * 60))
    assert reading.reason == reasons.TEMP_MISSING and reading.object_centi_c is None


async def test_a_gap_starts_anew():
    reading, _, script = await run(3440, 3440, 3440, 3440, None, 3440, 2400, 3450)
    assert reading.reason == reasons.OK and reading.object_centi_c == 3450 and script.count == 12


async def test_fever_is_measured_twice():
    hot = 3541  # with 1.90 degrees for the forehead just over 37.30
    reading, seen, script = await run(hot)
    assert reading.reason == reasons.FEVER and reading.body_centi_c == 3731 and script.count == 10
    assert (3731, 0) in seen, "the screen goes back to the start"
    reading, _, script = await run(hot, hot, hot, hot, hot, 3440)
    assert reading.reason == reasons.OK and reading.body_centi_c == 3630 and script.count == 10


async def test_the_threshold():
    assert (await run(3539))[0].reason == reasons.OK
    assert (await run(3540))[0].reason == reasons.FEVER


async def test_a_fever_stands_if_the_person_leaves_or_the_sensor_fails():
    hot = 3600
    for after in (2400, None, (3440, 900)):
        reading, _, _ = await run(hot, hot, hot, hot, hot, after)
        assert reading.reason == reasons.FEVER and reading.body_centi_c == 3790


async def test_the_sensor():
    reading, _, script = await run(None)
    assert reading.reason == reasons.TEMP_SENSOR and script.count == 3
    reading, _, _ = await run(None, None, 3440, None, None, 3440)
    assert reading.reason == reasons.OK


async def test_the_room():
    for ambient in (999, 4001):
        reading, _, script = await run((3440, ambient))
        assert reading.reason == reasons.TEMP_AMBIENT and script.count == 1
        assert (reading.object_centi_c, reading.ambient_centi_c, reading.body_centi_c) == (
            3440,
            ambient,
            None,
        )
    for ambient in (1000, 4000):
        reading, _, _ = await run((3440, ambient))
        assert reading.reason == reasons.OK and reading.ambient_centi_c == ambient


async def test_how_long_it_takes_is_known():
    import time

    begun = time.ticks_ms()
    # A fever at the last moment.
    await run(*([2400] * 36 + [3600] * 5 + [2400]))
    scene = fallback_scene("transit")
    scene.measure_timeout_ms = 400
    assert 400 < time.ticks_diff(time.ticks_ms(), begun) < longest_ms(scene) + 100
