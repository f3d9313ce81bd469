"""``machine.Pin``: methods loaded at their first use."""


def on(self) -> None:
    """Level 1."""
    self._set(1)


def off(self) -> None:
    """Level 0."""
    self._set(0)


def toggle(self) -> None:
    """The other level."""
    self._set(not self._out[self.id])
