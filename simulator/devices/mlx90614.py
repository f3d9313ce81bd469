"""Infrared thermometer MLX90614 (3 V, medical grade DAA), from its data sheet: SMBus words with PEC, RAM,
EEPROM, flags.

A temperature word is kelvin times 50; bit 15 tells an error. A read needs a repeated start: after a stop the
part has forgotten the command and the idle bus reads FF.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from simulator.devices.smbus import pec
from simulator.timebase import Timebase

ADDRESS = 0x5A
MAX_FREQUENCY = 100_000
SETTLING_S = 0.10
START_S = 0.25
EEPROM_WRITE_S = 0.005
NOISE_C = 0.05
TA, TOBJ1, TOBJ2, FLAGS, SLEEP = 0x06, 0x07, 0x08, 0xF0, 0xFF
_WRITABLE = (0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x0E, 0x0F, 0x19)


def word(centi_c: int) -> int:
    """The register's value for a temperature in 0.01 degrees Celsius."""
    return min(0x7FFF, max(0, round((centi_c + 27315) / 2)))


class MLX90614:
    """The part. `temperatures` answers (object, ambient) in 0.01 degrees Celsius, as they are at the
    moment."""

    def __init__(
        self, time: Timebase, temperatures: Callable[[], tuple[int, int]], *, seed: int = 90614
    ) -> None:
        self._time = time
        self._temperatures = temperatures
        self._noise = random.Random(seed)  # noqa: S311
        self._eeprom = [0xFFFF] * 32
        self._eeprom[0x05] = 0x9FB4
        self._eeprom[0x0E] = 0xBE5A
        self._eeprom[0x1C:] = [0x1A2B, 0x3C4D, 0x5E6F, 0x7081]
        self._command: int | None = None
        self._power_at = time.time()
        self._busy_until = 0.0
        self._asleep = False
        self._value: float | None = None
        self._value_at = 0.0
        self.fault: str | None = None
        """None, "nak", "bad_pec", "flag" (bit 15 set) or "ffff" (every byte FF)."""

    def power(self) -> None:
        """Power was just applied."""
        self._power_at = self._time.time()
        self._command = None
        self._asleep = False
        self._value = None

    def _object(self) -> int:
        """First-order settling towards what is in view, with the noise of the default filter."""
        wanted, _ = self._temperatures()
        now = self._time.time()
        if self._value is None:
            self._value = float(wanted)
        else:
            left = 2.718281828 ** (-(now - self._value_at) / (SETTLING_S / 3))
            self._value = wanted + (self._value - wanted) * left
        self._value_at = now
        return round(self._value + self._noise.gauss(0, NOISE_C * 100))

    def _register(self, command: int) -> int:
        if command == FLAGS:
            busy = 0x80 if self._time.time() < self._busy_until else 0
            return busy | (0x10 if self._time.time() - self._power_at >= START_S else 0)
        if command & 0xE0 == 0x20:
            return self._eeprom[command & 0x1F]
        if command in (TA, TOBJ1):
            if self._time.time() - self._power_at < START_S:
                return 0
            if command == TOBJ1:
                return word(self._object())
            return word(self._temperatures()[1])
        return 0

    def write(self, data: bytes, stop: bool, frequency: int) -> int | None:
        """A command byte, or a word to EEPROM with its PEC."""
        if self.fault == "nak" or frequency > MAX_FREQUENCY or self._asleep:
            return None
        if not data:
            return 0
        self._command = None if stop else data[0]
        if data == bytes((SLEEP, pec(bytes((ADDRESS << 1, SLEEP))))):
            self._asleep = True
        elif len(data) == 4 and data[0] & 0xE0 == 0x20:
            cell = data[0] & 0x1F
            if pec(bytes((ADDRESS << 1,)) + data[:3]) != data[3] or cell not in _WRITABLE:
                return 3  # the byte that does not fit is not acknowledged
            value = data[1] | data[2] << 8
            if value == 0 or self._eeprom[cell] == 0:  # a cell is erased before it takes a value
                self._eeprom[cell] = value
            self._busy_until = self._time.time() + EEPROM_WRITE_S
        return len(data)

    def read(self, count: int, stop: bool, frequency: int) -> bytes | None:
        """Word, low byte first, and PEC; then the idle bus."""
        if self.fault == "nak" or frequency > MAX_FREQUENCY or self._asleep:
            return None
        command, self._command = self._command, None
        if command is None or self.fault == "ffff":
            return b"\xff" * count
        value = self._register(command)
        if self.fault == "flag" and command in (TA, TOBJ1):
            value |= 0x8000
        low, high = value & 0xFF, value >> 8
        check = pec(bytes((ADDRESS << 1, command, ADDRESS << 1 | 1, low, high)))
        if self.fault == "bad_pec":
            check ^= 0x5A
        return (bytes((low, high, check)) + b"\xff" * count)[:count]
