"""Clock DS3231, from its data sheet: BCD time registers, control, status with the oscillator-stop flag,
temperature.

It has its own cell: it runs on through power cuts of the board. `state` is what has to be kept for that.
"""

from __future__ import annotations

import calendar
import time as wall
from collections.abc import Callable

ADDRESS = 0x68
OSF = 0x80
CONTROL, STATUS, TEMPERATURE = 0x0E, 0x0F, 0x11


def bcd(value: int) -> int:
    """Two decimal digits in one byte."""
    return value // 10 << 4 | value % 10


def unbcd(value: int) -> int:
    """The number in a BCD byte."""
    return (value >> 4) * 10 + (value & 15)


class DS3231:
    """The part. Its time is the computer's plus `offset_s`."""

    def __init__(
        self,
        *,
        offset_s: float = 0.0,
        stopped: bool = False,
        drift_ppm: float = 0.0,
        now: Callable[[], float] = wall.time,
        on_change: Callable[[], None] | None = None,
    ) -> None:
        self._offset_s = offset_s
        self._since = now()
        self._drift_ppm = drift_ppm
        self.stopped = stopped
        """The oscillator-stop flag: the time is not to be trusted."""
        self.fault: str | None = None
        """None or "nak"."""
        self._now = now
        self._on_change = on_change
        self._pointer = 0
        self._control = 0x1C
        self._alarms = bytearray(7)
        self._hours_12 = False

    @property
    def offset_s(self) -> float:
        """How far it is ahead of the computer's clock now."""
        return self._offset_s + (self._now() - self._since) * self._drift_ppm / 1e6

    @offset_s.setter
    def offset_s(self, value: float) -> None:
        self._offset_s, self._since = value, self._now()

    @property
    def drift_ppm(self) -> float:
        """How much too fast its crystal runs; a sound part keeps within 2."""
        return self._drift_ppm

    @drift_ppm.setter
    def drift_ppm(self, value: float) -> None:
        self.offset_s = self.offset_s
        self._drift_ppm = value

    def unix(self) -> float:
        """The time it shows."""
        return self._now() + self.offset_s

    def _registers(self) -> bytearray:
        y, mo, d, h, mi, s, weekday, *_ = wall.gmtime(self.unix())
        hour = bcd(h)
        if self._hours_12:
            hour = 0x40 | (0x20 if h >= 12 else 0) | bcd(h % 12 or 12)
        century = 0x80 if y >= 2100 else 0
        time = bytes((bcd(s), bcd(mi), hour, weekday + 1, bcd(d), bcd(mo) | century, bcd(y % 100)))
        status = 0x08 | (OSF if self.stopped else 0)
        return bytearray(time + bytes(self._alarms) + bytes((self._control, status, 0, 25, 0)))

    def write(self, data: bytes, stop: bool, frequency: int) -> int | None:
        """A register pointer and what to store from there on."""
        if self.fault == "nak":
            return None
        if not data:
            return 0
        self._pointer = data[0] % 0x13
        if len(data) > 1:
            self._store(data[1:])
        return len(data)

    def _store(self, values: bytes) -> None:
        registers = self._registers()
        touched = set()
        for value in values:
            registers[self._pointer] = value
            touched.add(self._pointer)
            self._pointer = (self._pointer + 1) % 0x13
        if touched & set(range(7)):
            hour = registers[2]
            self._hours_12 = bool(hour & 0x40)
            h = unbcd(hour & 0x1F) % 12 + (12 if hour & 0x20 else 0) if hour & 0x40 else unbcd(hour & 0x3F)
            year = 2000 + unbcd(registers[6]) + (100 if registers[5] & 0x80 else 0)
            month = min(12, max(1, unbcd(registers[5] & 0x1F)))
            fields = (year, month, unbcd(registers[4]), h, unbcd(registers[1]), unbcd(registers[0] & 0x7F))
            self.offset_s = calendar.timegm((*fields, 0, 0, 0)) - self._now()
        self._alarms[:] = registers[7:14]
        self._control = registers[CONTROL]
        if STATUS in touched and not registers[STATUS] & OSF:
            self.stopped = False
        if self._on_change:
            self._on_change()

    def read(self, count: int, stop: bool, frequency: int) -> bytes | None:
        """Registers from the pointer on, latched at the start of the read."""
        if self.fault == "nak":
            return None
        registers = self._registers()
        out = bytes(registers[(self._pointer + i) % 0x13] for i in range(count))
        self._pointer = (self._pointer + count) % 0x13
        return out
