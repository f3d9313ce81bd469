"""``machine``: what is rarely used, loaded at its first use."""

import struct
import sys

_path = sys.path[:]
sys.path.clear()
from machine import Signal, mem8, mem16, mem32, time_pulse_us  # noqa: E402, F401

sys.path.extend(_path)

import _sim  # noqa: E402
from sim_bus import I2C as SoftI2C  # noqa: E402, F401


class Timer:
    """A periodic or one-shot call; ids 0 to 3, or -1 for a virtual one."""

    ONE_SHOT = 0
    PERIODIC = 1
    _generation = 0

    def __init__(self, id: int = -1, **options: object) -> None:
        self._id = id & 255
        self._key = None
        if options:
            self.init(**options)

    def init(self, *, mode: int = 1, freq: float = -1, period: int = -1, callback: object = None) -> None:
        """Start; `period` in ms, or `freq` in Hz."""
        self.deinit()
        period = int(1000 / freq) if freq != -1 else period
        if period <= 0:
            raise ValueError("period must be positive")
        Timer._generation = (Timer._generation + 1) & 0xFFFF
        self._key = (self._id, Timer._generation)
        _sim.timers[self._key] = (callback, self)
        _sim.post(9, self._id, Timer._generation, struct.pack("<IB", period, mode))

    def deinit(self) -> None:
        """Stop."""
        if self._key:
            _sim.timers.pop(self._key, None)
            _sim.post(9, self._key[0], self._key[1], bytes(5))
            self._key = None


def idle() -> None:
    """Give interrupt handlers a chance."""
    _sim.pump(0)


def disable_irq() -> int:
    """Interrupt handlers only ever run at calls into the shims."""
    return 0


def enable_irq(state: int) -> None:
    """See `disable_irq`."""
