"""The verdict: what several reasons come to, and what a temperature means at this door."""

from firmware.core import reasons
from firmware.core.scene import Scene

PASS = reasons.PASS
STOP = reasons.STOP
ATTENTION = reasons.ATTENTION


def weakest(given: list[int]) -> int:
    """The verdict of several reasons: any stop is STOP, else anything but OK is ATTENTION, else PASS."""
    verdict = PASS
    for reason in given:
        one = reasons.verdict_of(reason)
        if one == STOP:
            return STOP
        if one == ATTENTION:
            verdict = ATTENTION
    return verdict


def temperature_reason(body_centi_c: int, scene: Scene) -> int:
    """FEVER from the scene's threshold on, else OK; the estimate is hundredths of a degree Celsius."""
    return reasons.FEVER if body_centi_c >= scene.fever_centi_c else reasons.OK
