"""A common-cathode RGB LED on three PWM pins."""

from __future__ import annotations

from collections.abc import Callable


class Led:
    """``note(kind, data)`` is told when the colour changes."""

    def __init__(self, note: Callable[[str, dict[str, object]], None]) -> None:
        self._note = note
        self._rgb = [0, 0, 0]

    @property
    def rgb(self) -> tuple[int, int, int]:
        """Brightness of red, green, blue, 0 to 255."""
        return self._rgb[0], self._rgb[1], self._rgb[2]

    def drive(self, channel: int, duty: int) -> None:
        """One channel's PWM duty, 0 to 65536."""
        value = min(255, (duty * 255 + 32768) // 65536)
        if value != self._rgb[channel]:
            self._rgb[channel] = value
            self._note("led", {"rgb": list(self._rgb)})
