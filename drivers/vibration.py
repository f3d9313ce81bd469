"""Vibration motor on a pin, through a MOSFET."""

from drivers.pattern import Player

if False:
    from typing import Protocol

    class Pin(Protocol):
        """What the driver needs of machine.Pin."""

        def value(self, __x: int) -> None: ...  # noqa: D102


class Vibration:
    """Pulses in the background; 50 to 200 ms can be told apart in the hand."""

    def __init__(self, pin: "Pin") -> None:
        self._player = Player(pin.value)

    def pulse(self, pattern: "tuple[int, ...]") -> None:
        """Vibrate for pattern[0] ms, rest for pattern[1], and so on, in place of what runs; 4 s in all."""
        self._player.play(tuple((1 - index % 2, step_ms) for index, step_ms in enumerate(pattern)))

    def stop(self) -> None:
        """Stop."""
        self._player.stop()
