"""The temperature step: a median of spaced samples, their limits, and a second look before a fever stands."""

import asyncio
import time

from firmware.core import reasons, verdict

if False:
    from typing import Callable, Protocol

    from firmware.core.scene import Scene

    class Thermometer(Protocol):
        """The part of the driver that this step needs; a failed read raises OSError."""

        def read_centi_c(self) -> "tuple[int, int]": ...  # noqa: D102


SAMPLES = 5
#: The sensor's settling time is 0.1 s, and a busy bus disturbs it.
SPACING_MS = 200
#: Samples that lie wider apart are of a moving person, or of a sensor that is still settling.
SPREAD_CENTI_C = 30
#: So many failed reads in a row (each of them three tries) make a failed sensor.
FAILURES = 3
#: How long after a fever the person is measured again, and how long that may take.
SECOND_LOOK_MS = 1_000
_SECOND_LIMIT_MS = 3_000


class Reading:
    """The outcome of the step.

    `reason` is a number of firmware.core.reasons, OK for a normal temperature. Temperatures are hundredths of
    a degree Celsius: object and ambient as measured, the body's as estimated; None where there is none.
    """

    __slots__ = ("ambient_centi_c", "body_centi_c", "object_centi_c", "reason")

    def __init__(
        self,
        reason: int,
        object_centi_c: "int | None" = None,
        ambient_centi_c: "int | None" = None,
        body_centi_c: "int | None" = None,
    ) -> None:
        self.reason = reason
        self.object_centi_c = object_centi_c
        self.ambient_centi_c = ambient_centi_c
        self.body_centi_c = body_centi_c


def longest_ms(scene: "Scene") -> int:
    """How long `measure` takes at most."""
    return scene.measure_timeout_ms + SECOND_LOOK_MS + _SECOND_LIMIT_MS


async def measure(
    thermometer: "Thermometer", scene: "Scene", on_value: "Callable[[int | None, int], None]"
) -> Reading:
    """Measure a person who steps up within the scene's time.

    `on_value(body estimate or None, progress in per cent)` is called at every sample. A fever is measured
    once more after a second, and that reading counts; if the person is gone by then, the first one stands.
    """
    first = await _settled(thermometer, scene, on_value, scene.measure_timeout_ms)
    if first.reason != reasons.FEVER:
        return first
    on_value(first.body_centi_c, 0)
    await asyncio.sleep_ms(SECOND_LOOK_MS)
    second = await _settled(thermometer, scene, on_value, _SECOND_LIMIT_MS)
    return second if second.reason in (reasons.OK, reasons.FEVER) else first


async def _settled(
    thermometer: "Thermometer", scene: "Scene", on_value: "Callable[[int | None, int], None]", limit_ms: int
) -> Reading:
    """The median of the first five samples in a row that agree, or why there was none within `limit_ms`."""
    ends_ms = time.ticks_add(time.ticks_ms(), limit_ms)
    samples: "list[int]" = []
    failures = 0
    while True:
        try:
            object_centi_c, ambient_centi_c = thermometer.read_centi_c()
        except OSError:
            samples = []
            failures += 1
            if failures >= FAILURES:
                return Reading(reasons.TEMP_SENSOR)
            on_value(None, 0)
        else:
            failures = 0
            if not scene.ambient_min_centi_c <= ambient_centi_c <= scene.ambient_max_centi_c:
                return Reading(reasons.TEMP_AMBIENT, object_centi_c, ambient_centi_c)
            if scene.object_min_centi_c <= object_centi_c <= scene.object_max_centi_c:
                samples = samples[1 - SAMPLES :] + [object_centi_c]
                if len(samples) == SAMPLES and max(samples) - min(samples) <= SPREAD_CENTI_C:
                    middle = sorted(samples)[SAMPLES // 2]
                    body_centi_c = middle + scene.site_offset_centi_c
                    on_value(body_centi_c, 100)
                    reason = verdict.temperature_reason(body_centi_c, scene)
                    return Reading(reason, middle, ambient_centi_c, body_centi_c)
                on_value(
                    object_centi_c + scene.site_offset_centi_c,
                    100 * min(len(samples), SAMPLES - 1) // SAMPLES,
                )
            else:
                # Nobody there yet, gone again, or a hot cup.
                samples = []
                on_value(None, 0)
        if time.ticks_diff(ends_ms, time.ticks_ms()) <= 0:
            return Reading(reasons.TEMP_MISSING)
        await asyncio.sleep_ms(SPACING_MS)
