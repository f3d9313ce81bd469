"""Everything that speaks to the people at the door: screen, buzzer, light, vibration, voice."""

from firmware.ui.voice import PAUSE_MS

if False:
    from drivers.buzzer import Buzzer
    from drivers.led import Led
    from drivers.vibration import Vibration
    from firmware.ui.screens import Screens
    from firmware.ui.sounds import Signal
    from firmware.ui.voice import Voice


class Panel:
    """The screens and the signals that go with them."""

    def __init__(
        self, screens: "Screens", buzzer: "Buzzer", led: "Led", vibration: "Vibration", voice: "Voice"
    ) -> None:
        self.screens = screens
        self.voice = voice
        self._buzzer = buzzer
        self._led = led
        self._vibration = vibration

    def signal(self, signal: "Signal", says: "tuple[str, ...]" = ()) -> None:
        """Play a signal: sound, light and vibration together, and after the sound what the voice says."""
        self._led.set(signal.led[0], signal.led[1], signal.led[2])
        self._buzzer.play(signal.sound)
        self._vibration.pulse(signal.vibration)
        self.voice.say(says, sum([ms for _, ms in signal.sound]) + PAUSE_MS)

    def signal_off(self) -> None:
        """Light off; a sound that still plays may end."""
        self._led.off()
