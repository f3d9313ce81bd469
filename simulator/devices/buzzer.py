"""A passive buzzer on a PWM pin: it sounds while a square wave with some duty drives it."""

from __future__ import annotations

from collections.abc import Callable


class Buzzer:
    """``note(kind, data)`` is told when the tone changes; 0 Hz is silence."""

    def __init__(self, note: Callable[[str, dict[str, object]], None]) -> None:
        self._note = note
        self.hz = 0

    def drive(self, hz: int, duty: int) -> None:
        """The pin's PWM: frequency and duty 0 to 65536. A constant level makes no sound."""
        tone = hz if 0 < duty < 65536 else 0
        if tone != self.hz:
            self.hz = tone
            self._note("tone", {"hz": tone})
