"""A vibration motor behind a MOSFET: on while its pin is high."""

from __future__ import annotations

from collections.abc import Callable


class Vibration:
    """``note(kind, data)`` is told when it starts and stops."""

    def __init__(self, note: Callable[[str, dict[str, object]], None]) -> None:
        self._note = note
        self.on = False

    def drive(self, level: bool) -> None:
        """The pin's level."""
        if level != self.on:
            self.on = level
            self._note("vibration", {"on": level})
