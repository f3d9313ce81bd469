"""RGB LED with a common cathode, on three PWM channels."""

if False:
    from typing import Protocol

    class PWM(Protocol):
        """What the driver needs of machine.PWM."""

        def freq(self, __value: int) -> None: ...  # noqa: D102

        def duty_u16(self, __value: int) -> None: ...  # noqa: D102


#: Too fast to flicker. One frequency for all three: the ESP32-S3 has four PWM timers in all.
_FREQUENCY_HZ = 1_000


class Led:
    """Dark until told otherwise."""

    def __init__(self, red: "PWM", green: "PWM", blue: "PWM") -> None:
        self._channels = (red, green, blue)
        for channel in self._channels:
            channel.freq(_FREQUENCY_HZ)
        self.off()

    def set(self, red: int, green: int, blue: int) -> None:
        """Light up with 0 to 255 per colour."""
        for channel, level in zip(self._channels, (red, green, blue)):
            channel.duty_u16(max(0, min(level, 255)) * 257)

    def off(self) -> None:
        """Go dark."""
        self.set(0, 0, 0)
