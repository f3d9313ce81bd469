"""The signals: how far apart any two are, in pulses and lengths, within the limits of buzzer and motor."""

import math

from firmware.ui import sounds

SIGNALS = {
    "scanned": sounds.SCANNED,
    "pass": sounds.PASS,
    "stop": sounds.STOP,
    "attention": sounds.ATTENTION,
    "notice": sounds.NOTICE,
    "error": sounds.ERROR,
}
#: A pause that is shorter is not heard as one beside an engine; a motor does not come to rest in it.
HEARD_PAUSE_MS = 60
FELT_PAUSE_MS = 100
#: A motor needs this long to be felt, a tone to be heard.
SHORTEST_MS = {"sound": 40, "vibration": 50}
#: Twice as long. What people tell apart without comparing begins near one and a half times.
FAR = 1.0
HALF_TONES = 5


def tones(signal):
    return [(hertz, ms) for hertz, ms in signal.sound if hertz]


def length(signal):
    return sum([ms for _, ms in signal.sound])


def rhythm(steps, shortest_pause_ms):
    """Lengths of pulse, pause, pulse ... of (on, ms) steps, with pauses that nobody notices filled in."""
    found = []
    for on, ms in steps:
        sounding = len(found) % 2 == 1
        if not on and ms < shortest_pause_ms:
            on = 1
        if bool(on) == sounding:
            found[-1] += ms
        else:
            found.append(ms)
    return found


def heard(signal):
    return rhythm(signal.sound, HEARD_PAUSE_MS)


def felt(signal):
    return rhythm([(1 - i % 2, ms) for i, ms in enumerate(signal.vibration)], FELT_PAUSE_MS)


def distance(a, b):
    """Of two rhythms: how many pulses more; where they have as many, the largest ratio of two lengths, in
    doublings."""
    if len(a) != len(b):
        return float(max(abs(len(a) - len(b)) // 2, 1))
    return max([abs(math.log(x / y) / math.log(2)) for x, y in zip(a, b)])  # noqa: B905


def test_distance_measures_what_it_says():
    assert distance([100], [200]) == 1 and distance([200], [100]) == 1
    assert distance([100, 50, 100], [100, 50, 100]) == 0
    assert distance([100], [100, 80, 100]) == 1 and distance([100], [100, 80, 100, 80, 100]) == 2
    assert rhythm(((900, 90), (0, 40), (700, 140)), 60) == [270]
    assert rhythm(((900, 90), (800, 10), (0, 80), (700, 140)), 60) == [100, 80, 140]


def test_no_two_sounds_share_a_rhythm():
    names = sorted(SIGNALS)
    for i, a in enumerate(names):
        for b in names[i + 1 :]:
            assert distance(heard(SIGNALS[a]), heard(SIGNALS[b])) >= FAR, (a, b)


def test_no_two_vibrations_share_a_rhythm():
    names = sorted(SIGNALS)
    for i, a in enumerate(names):
        for b in names[i + 1 :]:
            assert distance(felt(SIGNALS[a]), felt(SIGNALS[b])) >= FAR, (a, b)


def test_what_is_left_of_a_refusal_is_never_a_pass():
    """One pulse is lost in the noise, or under the thumb."""
    for name in ("stop", "attention", "error", "notice"):
        for made, passes in ((heard, heard(sounds.PASS)), (felt, felt(sounds.PASS))):
            whole = made(SIGNALS[name])
            for lost in range(0, len(whole), 2):
                rest = without(whole, lost)
                assert not rest or distance(rest, passes) >= FAR, (name, rest)


def without(whole, lost):
    """A rhythm with the pulse at `lost` silent."""
    if lost in (0, len(whole) - 1):
        return whole[2:] if lost == 0 else whole[:-2]
    return whole[: lost - 1] + [sum(whole[lost - 1 : lost + 2])] + whole[lost + 2 :]  # noqa: RUF005


def test_verdicts_differ_in_pitch_too():
    def middle(signal):
        return sum([math.log(hertz) * ms for hertz, ms in tones(signal)]) / sum(
            [ms for _, ms in tones(signal)]
        )

    pitches = [12 * middle(signal) / math.log(2) for signal in (sounds.PASS, sounds.STOP, sounds.ATTENTION)]
    for i, j in ((0, 1), (0, 2), (1, 2)):
        assert abs(pitches[i] - pitches[j]) >= HALF_TONES, (i, j)


def test_within_what_the_parts_can_do():
    for name, signal in SIGNALS.items():
        assert 0 < length(signal) <= 4000, name
        assert all(400 <= hertz <= 4000 for hertz, _ in tones(signal)), name
        assert all(ms >= SHORTEST_MS["sound"] for _, ms in tones(signal)), name
        assert len(signal.led) == 3 and all(0 <= level <= 255 for level in signal.led), name
        assert len(signal.vibration) % 2 == 1 and sum(signal.vibration) <= 4000, name
        assert min(signal.vibration) >= SHORTEST_MS["vibration"], name


def test_pass_rises_stop_is_low_and_long():
    rising = [hertz for hertz, _ in tones(sounds.PASS)]
    assert rising == sorted(rising) and len(set(rising)) == len(rising)
    assert max([hertz for hertz, _ in tones(sounds.STOP)]) < min(rising) / 2
    assert length(sounds.STOP) > 2 * length(sounds.PASS)


def test_verdict_lights_differ_in_more_than_red_and_green():
    lights = [sounds.PASS.led, sounds.STOP.led, sounds.ATTENTION.led]
    assert len(set(lights)) == 3 and all(any(light) for light in lights)
