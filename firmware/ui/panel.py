"""Everything that speaks to the people at the door: screen, buzzer, light, vibration."""

if False:
    from drivers.buzzer import Buzzer
    from drivers.led import Led
    from drivers.vibration import Vibration
    from firmware.ui.screens import Screens
    from firmware.ui.sounds import Signal


class Panel:
    """The screens and the signals that go with them."""

    def __init__(self, screens: "Screens", buzzer: "Buzzer", led: "Led", vibration: "Vibration") -> None:
        self.screens = screens
        self._buzzer = buzzer
        self._led = led
        self._vibration = vibration

    def signal(self, signal: "Signal") -> None:
        """Play a signal: sound, light and vibration together."""
        self._led.set(signal.led[0], signal.led[1], signal.led[2])
        self._buzzer.play(signal.sound)
        self._vibration.pulse(signal.vibration)

    def signal_off(self) -> None:
        """Light off; a sound that still plays may end."""
        self._led.off()
