"""``machine.PWM``: methods loaded at their first use."""

import _sim
import machine


def deinit(self) -> None:
    """Stop the wave."""
    if machine._pwm.pop(self._pin, None):
        _sim.post(4, self._pin, 0, bytes(8))


def duty(self, value: int = -1) -> object:
    """0 to 1023."""
    if value == -1:
        return self._now()[1] // 64
    self._now()
    self.init(duty=value)


def duty_ns(self, value: int = -1) -> object:
    """Length of the pulse in ns."""
    if value == -1:
        now = self._now()
        return now[1] * 1000000000 // (65536 * now[0])
    self._now()
    self.init(duty_ns=value)
