"""The signals: told apart by rhythm alone, within the limits of buzzer and motor."""

from firmware.ui import sounds

SIGNALS = {
    "scanned": sounds.SCANNED,
    "pass": sounds.PASS,
    "stop": sounds.STOP,
    "attention": sounds.ATTENTION,
    "notice": sounds.NOTICE,
    "error": sounds.ERROR,
}


def tones(signal):
    return [(hertz, ms) for hertz, ms in signal.sound if hertz]


def length(signal):
    return sum([ms for _, ms in signal.sound])


def test_within_what_the_parts_can_do():
    for name, signal in SIGNALS.items():
        assert 0 < length(signal) <= 4000, name
        assert all(400 <= hertz <= 4000 for hertz, _ in tones(signal)), name
        assert all(ms >= 20 for _, ms in signal.sound), name
        assert len(signal.led) == 3 and all(0 <= level <= 255 for level in signal.led), name
        assert len(signal.vibration) % 2 == 1 and sum(signal.vibration) <= 4000, name


def test_a_verdict_is_known_by_its_rhythm_without_pitch():
    """Two signals are alike where they have as many tones of about the same length."""

    def rhythm(signal):
        return [len(tones(signal)), max([ms for _, ms in tones(signal)]) // 150]

    names = sorted(SIGNALS)
    for i, a in enumerate(names):
        for b in names[i + 1 :]:
            assert rhythm(SIGNALS[a]) != rhythm(SIGNALS[b]), (a, b)


def test_a_verdict_is_known_by_touch():
    felt = [sounds.PASS.vibration, sounds.STOP.vibration, sounds.ATTENTION.vibration]
    assert len({len(v) for v in felt}) == 3
    assert max(felt[0]) * 3 < max(felt[1])


def test_pass_rises_stop_is_low_and_long():
    rising = [hertz for hertz, _ in tones(sounds.PASS)]
    assert rising == sorted(rising) and len(set(rising)) == len(rising)
    assert max([hertz for hertz, _ in tones(sounds.STOP)]) < min(rising) / 2
    assert length(sounds.STOP) > 2 * length(sounds.PASS)


def test_verdict_lights_differ_in_more_than_red_and_green():
    lights = [sounds.PASS.led, sounds.STOP.led, sounds.ATTENTION.led]
    assert len(set(lights)) == 3 and all(any(light) for light in lights)
