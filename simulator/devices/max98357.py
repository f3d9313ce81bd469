"""A MAX98357A with a loudspeaker: I2S in, sound out, silent while its pin SD_MODE is low.

It has no registers and no control bus: bit clock and word clock tell it the rate, and it takes those of its
data sheet alone. What is heard is kept here, as samples; a buffer that runs empty is silence.
"""

from __future__ import annotations

from collections.abc import Callable

RATES_HZ = (8_000, 16_000, 32_000, 44_100, 48_000, 88_200, 96_000)
#: What came out last, in bytes, is kept for whoever asks.
KEPT = 1 << 20


class MAX98357:
    """``play(samples, rate_hz)`` is told what sounds from now on, or after what was told before; ``hush()``
    that it ends now. `now` is a clock in seconds.
    """

    def __init__(
        self, now: Callable[[], float], play: Callable[[bytes, int], None], hush: Callable[[], None]
    ) -> None:
        self._now = now
        self._play = play
        self._hush = hush
        self._rate_hz = 0
        self._enabled = False
        self._ends_s = 0.0
        self.heard = bytearray()
        """Samples since the last start, 16 bits, as far as they sounded."""

    @property
    def sounding(self) -> bool:
        """Whether anything is still to be heard."""
        return self._enabled and self._ends_s > self._now()

    def clock(self, rate_hz: int) -> None:
        """Bit and word clock begin, at `rate_hz` words a second; 0: they stop."""
        self._end()
        self._rate_hz = rate_hz if rate_hz in RATES_HZ else 0
        if rate_hz:
            self.heard.clear()

    def enable(self, level: bool) -> None:
        """The pin SD_MODE."""
        if level != self._enabled:
            self._end()
            self._enabled = level

    def samples(self, data: bytes) -> None:
        """Words of 16 bits for the one channel, low byte first as they lay in the sender's memory."""
        if not self._enabled or not self._rate_hz or len(self.heard) > KEPT:
            return
        self._ends_s = max(self._ends_s, self._now()) + len(data) / 2 / self._rate_hz
        self.heard += data
        self._play(data, self._rate_hz)

    def _end(self) -> None:
        """What has been sent and has not sounded yet never does."""
        left_s = self._ends_s - self._now()
        if self._enabled and self._rate_hz and left_s > 0:
            lost = 2 * int(left_s * self._rate_hz)
            del self.heard[max(0, len(self.heard) - lost) :]
            self._ends_s = self._now()
            self._hush()
