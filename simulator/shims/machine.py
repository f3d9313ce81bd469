"""``machine`` as the ESP32-S3 port has it, over the bridge. Names, defaults and errors follow that port."""

import struct
import sys

_path = sys.path[:]
sys.path.clear()
from machine import PinBase  # noqa: E402

sys.path.extend(_path)

import time  # noqa: E402

import _sim  # noqa: E402
from micropython import const  # noqa: E402
from sim_bus import I2C, SPI  # noqa: E402, F401
from sim_uart import UART  # noqa: E402, F401

PWRON_RESET = 1
HARD_RESET = 2
WDT_RESET = 3
DEEPSLEEP_RESET = 4
SOFT_RESET = 5
_PINS = const(49)  # GPIO 0..48
_INPUT_MODES = (1, 0)
_cause = [1]
_chip = [b"\0" * 6]
_frequency = [160000000]
_pwm: dict = {}


def __getattr__(name: str) -> object:
    return getattr(_sim.rare("i2s" if name == "I2S" else "machine"), name)


def reset() -> None:
    """Restart the board; nothing of this process survives."""
    _sim.call(0x8B, 2)


def soft_reset() -> None:
    """Restart the interpreter."""
    _sim.call(0x8B, 5)


def reset_cause() -> int:
    """Why the board started."""
    return _cause[0]


def unique_id() -> bytes:
    """The chip's 6 bytes."""
    return _chip[0]


def freq(hz: object = None) -> object:
    """The CPU's clock; setting it changes nothing but the answer."""
    if hz is None:
        return _frequency[0]
    if hz not in (20000000, 40000000, 80000000, 160000000, 240000000):
        raise ValueError("frequency must be 20MHz, 40MHz, 80Mhz, 160MHz or 240MHz")
    _frequency[0] = hz


class Pin(PinBase):
    """One GPIO."""

    IN = 1
    OUT = 3
    OPEN_DRAIN = 7
    PULL_DOWN = 1
    PULL_UP = 2
    IRQ_RISING = 1
    IRQ_FALLING = 2
    DRIVE_0, DRIVE_1, DRIVE_2, DRIVE_3 = 0, 1, 2, 3
    _modes: dict = {}
    _out = bytearray(64)

    __getattr__ = _sim.rare_method

    def __init__(self, id: object, mode: int = -1, pull: object = -1, **options: object) -> None:
        self.id = _sim.number(id)
        if not 0 <= self.id < _PINS or 21 < self.id < 26:
            raise ValueError("invalid pin")
        if mode != -1 or pull != -1 or options:
            self.init(mode, pull, **options)

    def init(
        self, mode: int = -1, pull: object = -1, *, value: object = None, drive: int = 0, hold: object = None
    ) -> None:
        """Set mode, pull and level."""
        if mode != -1:
            Pin._modes[self.id] = mode
        mode = Pin._modes.get(self.id, 1)
        if mode == 1:
            _sim.dispatch()
            _sim.levels[self.id] = _sim.call(0x81, self.id, pull if pull in (1, 2) else 0)[0]
        else:
            self._set(Pin._out[self.id] if value is None else value, True)

    def _set(self, value: object, force: bool = False) -> None:
        level = 1 if value else 0
        if force or Pin._out[self.id] != level:
            Pin._out[self.id] = level
            _sim.post(1, self.id, level)

    def value(self, value: object = None) -> object:
        """Read or set the level."""
        if value is not None:
            return self._set(value)
        if Pin._modes.get(self.id, 1) == 1:
            _sim.dispatch()
            return _sim.levels[self.id]
        return Pin._out[self.id]

    __call__ = value

    def irq(self, handler: object = None, trigger: int = 3, wake: object = None) -> object:
        """Call `handler` with the pin at its edges; None stops it."""
        if handler is None:
            _sim.handlers.pop(self.id, None)
        else:
            _sim.handlers[self.id] = (handler, trigger, self)


class PWM:
    """A square wave on a pin."""

    __getattr__ = _sim.rare_method

    def __init__(self, pin: Pin, freq: int = -1, duty: int = -1, **options: object) -> None:
        self._pin = _sim.number(pin)
        if self._pin not in _pwm:
            _pwm[self._pin] = [5000, 32768]
            freq = 5000 if freq == -1 else freq
        self.init(freq, duty, **options)

    def init(
        self, freq: int = -1, duty: int = -1, *, duty_u16: int = -1, duty_ns: int = -1, invert: int = 0
    ) -> None:
        """Set frequency and duty; what is not given stays."""
        now = _pwm[self._pin]
        if freq != -1:
            if not 0 < freq <= 40000000:
                raise ValueError("frequency must be from 1Hz to 40MHz")
            now[0] = freq
        if duty != -1:
            duty_u16 = duty * 64
        if duty_ns != -1:
            duty_u16 = duty_ns * 65536 * now[0] // 1000000000
        if duty_u16 != -1:
            now[1] = min(max(duty_u16, 0), 65536)
        _sim.post(4, self._pin, 0, struct.pack("<II", now[0], now[1]))

    def _now(self) -> list:
        if self._pin not in _pwm:
            raise RuntimeError("PWM is inactive")
        return _pwm[self._pin]

    def freq(self, value: int = -1) -> object:
        """Hz."""
        if value == -1:
            return self._now()[0]
        self._now()
        self.init(value)

    def duty_u16(self, value: int = -1) -> object:
        """0 to 65536."""
        if value == -1:
            return self._now()[1]
        self._now()
        self.init(duty_u16=value)


class ADC:
    """The converter at one pin."""

    ATTN_0DB, ATTN_2_5DB, ATTN_6DB, ATTN_11DB = 0, 1, 2, 3
    WIDTH_12BIT = 12

    __getattr__ = _sim.rare_method

    def __init__(self, pin: Pin, *, atten: int = 3) -> None:
        self._pin = _sim.number(pin)
        if not 1 <= self._pin <= 20:
            raise ValueError("invalid pin")

    def read_uv(self) -> int:
        """Calibrated, in microvolts."""
        return struct.unpack("<I", _sim.call(0x89, self._pin))[0]


class RTC:
    """The chip's own clock: starts at 2000-01-01 with the power."""

    def datetime(self, t: object = None) -> object:
        """(year, month, day, weekday, hour, minute, second, microsecond)."""
        if t is None:
            ns = time.time_ns()
            y, mo, d, h, mi, s, w, _ = time.gmtime(ns // 1000000000)
            return y, mo, d, w, h, mi, s, ns // 1000 % 1000000
        wanted = time.mktime((t[0], t[1], t[2], t[4], t[5], t[6], 0, 0))
        _sim.rtc[0] += wanted - time.time()
        _sim.post(0x0A, 0, 0, struct.pack("<q", _sim.rtc[0]))

    init = datetime


class WDT:
    """The watchdog; it cannot be stopped."""

    def __init__(self, id: int = 0, timeout: int = 5000) -> None:
        if timeout <= 0:
            raise ValueError("WDT timeout too short")
        _sim.call(0x8A, 0, 0, struct.pack("<I", timeout))

    def feed(self) -> None:
        """Start the count anew."""
        _sim.post(8)
