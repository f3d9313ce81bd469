"""Passive buzzer on a PWM channel; loudest where it resonates, at 2 to 4 kHz."""

from drivers.pattern import Player

if False:
    from typing import Protocol

    class PWM(Protocol):
        """What the driver needs of machine.PWM."""

        def freq(self, __value: int) -> None: ...  # noqa: D102

        def duty_u16(self, __value: int) -> None: ...  # noqa: D102


_HALF = 32768
_MIN_HZ = 100
_MAX_HZ = 10_000


class Buzzer:
    """Tones one after the other, in the background."""

    def __init__(self, pwm: "PWM") -> None:
        self._pwm = pwm
        self._player = Player(self._tone)

    def play(self, pattern: "tuple[tuple[int, int], ...]") -> None:
        """Play (Hz, milliseconds) steps, 0 Hz for a pause, in place of what is playing; 4 s at most."""
        self._player.play(pattern)

    def stop(self) -> None:
        """Silence."""
        self._player.stop()

    def _tone(self, frequency_hz: int) -> None:
        if frequency_hz:
            self._pwm.freq(max(_MIN_HZ, min(frequency_hz, _MAX_HZ)))
            self._pwm.duty_u16(_HALF)
        else:
            self._pwm.duty_u16(0)
