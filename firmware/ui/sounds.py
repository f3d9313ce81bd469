"""What the buzzer, the light and the motor do for each event.

A checker must know the verdict with the screen turned away, so no two signals share a rhythm: a pass is
two short rising tones, a stop two long low ones, attention three even ones. Two differ in the number of
pulses, or one pulse or pause is at least twice as long; what is left of a stop or of attention where one
pulse is lost in the noise is not a pass. tests/unit/test_sounds.py measures it for every pair, of sounds and
of vibrations. The buzzer is loudest between 2 and 4 kHz; the low tones of a stop are carried there by their
overtones.
"""

if False:
    from typing import Final


class Signal:
    """`sound`: (hertz, milliseconds) pairs, 0 hertz is silence; `led`: red, green, blue 0-255;
    `vibration`: milliseconds on, off, on ...
    """

    def __init__(
        self,
        sound: "tuple[tuple[int, int], ...]",
        led: "tuple[int, int, int]",
        vibration: "tuple[int, ...]",
    ) -> None:
        self.sound = sound
        self.led = led
        self.vibration = vibration


SCANNED: "Final" = Signal(((2700, 50),), (0, 0, 80), (50,))
PASS: "Final" = Signal(((2200, 90), (0, 80), (3300, 140)), (0, 255, 0), (120,))
STOP: "Final" = Signal(((700, 500), (0, 150), (700, 500)), (255, 0, 0), (500, 150, 500))
ATTENTION: "Final" = Signal(
    ((1500, 220), (0, 130), (1500, 220), (0, 130), (1500, 220)), (255, 140, 0), (150, 120, 150, 120, 150)
)
NOTICE: "Final" = Signal(((1900, 220),), (90, 70, 0), (300,))
ERROR: "Final" = Signal(((2000, 150), (1400, 150), (900, 400)), (255, 0, 90), (700,))
