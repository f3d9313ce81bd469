"""Real-time clock DS3231: date and time in UTC, and whether they can be believed.

Registers 0x00 to 0x06 hold seconds, minutes, hours, weekday, date, month with the century in bit 7, and year,
in BCD; 0x0E is control, 0x0F status (Maxim DS3231 data sheet, "Timekeeping Registers").
"""

if False:
    from typing import Protocol

    class I2C(Protocol):
        """What the driver needs of machine.I2C, at 400 kHz or less."""

        def readfrom_mem_into(self, __addr: int, __memaddr: int, __buf: bytearray) -> None: ...  # noqa: D102

        def writeto_mem(self, __addr: int, __memaddr: int, __buf: bytearray) -> None: ...  # noqa: D102


_ADDRESS = 0x68
_TIME = 0x00
_CONTROL = 0x0E
_STATUS = 0x0F
_EOSC = 0x80  # in control: stop the oscillator while on battery
_OSF = 0x80  # in status: the oscillator has stood still, the time is wrong
_CENTURY = 0x80
_TWELVE_HOURS = 0x40
_PM = 0x20

_DAY_S = 86_400
#: 2000-01-01 and 2200-01-01, Unix time: the years that the chip can count.
_FIRST_UNIX = 946_684_800
_END_UNIX = 7_258_118_400
_MONTH_DAYS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


class RtcError(Exception):
    """The clock chip does not answer, or holds what is no date."""


def _from_bcd(value: int) -> int:
    if value & 0x0F > 9 or value >> 4 > 9:
        raise RtcError("the clock chip holds no date")
    return (value >> 4) * 10 + (value & 0x0F)


def _to_bcd(value: int) -> int:
    return value // 10 << 4 | value % 10


def _days_of_year(year: int) -> int:
    return 366 if year % 4 == 0 and (year % 100 or year % 400 == 0) else 365


def _days_of_month(year: int, month: int) -> int:
    return 29 if month == 2 and _days_of_year(year) == 366 else _MONTH_DAYS[month - 1]


class DS3231:
    """The clock on `i2c`. Every call may raise RtcError."""

    def __init__(self, i2c: "I2C") -> None:
        self._i2c = i2c

    def read_unix(self) -> "int | None":
        """Unix time in seconds; None after the oscillator has stood still (empty battery, never set)."""
        if self._read(_STATUS, 1)[0] & _OSF:
            return None
        raw = self._read(_TIME, 7)
        hours = raw[2]
        if hours & _TWELVE_HOURS:
            hour = _from_bcd(hours & 0x1F) % 12 + (12 if hours & _PM else 0)
        else:
            hour = _from_bcd(hours & 0x3F)
        second, minute, day = _from_bcd(raw[0]), _from_bcd(raw[1]), _from_bcd(raw[4])
        month = _from_bcd(raw[5] & ~_CENTURY)
        year = 2000 + _from_bcd(raw[6]) + (100 if raw[5] & _CENTURY else 0)
        if not (1 <= month <= 12 and second < 60 and minute < 60 and hour < 24):
            raise RtcError("the clock chip holds no date")
        if not 1 <= day <= _days_of_month(year, month):
            raise RtcError("the clock chip holds no date")
        days = day - 1
        for earlier in range(2000, year):
            days += _days_of_year(earlier)
        for earlier in range(1, month):
            days += _days_of_month(year, earlier)
        return _FIRST_UNIX + days * _DAY_S + (hour * 60 + minute) * 60 + second

    def write_unix(self, time_unix: int) -> None:
        """Set the time, let the clock run on its battery, and clear the mark of having stood still."""
        if not _FIRST_UNIX <= time_unix < _END_UNIX:
            raise RtcError("the clock chip counts from 2000 to 2199")
        days, seconds = divmod(time_unix - _FIRST_UNIX, _DAY_S)
        weekday = (days + 5) % 7 + 1  # 2000-01-01 was a Saturday; 1 is Monday
        year = 2000
        while days >= _days_of_year(year):
            days -= _days_of_year(year)
            year += 1
        month = 1
        while days >= _days_of_month(year, month):
            days -= _days_of_month(year, month)
            month += 1
        century = _CENTURY if year >= 2100 else 0
        fields = (seconds % 60, seconds // 60 % 60, seconds // 3600, weekday, days + 1, month, year % 100)
        raw = bytearray(_to_bcd(field) for field in fields)
        raw[5] |= century
        self._write(_TIME, raw)
        self._clear(_CONTROL, _EOSC)
        # Last: a set-up that is cut short leaves a clock that knows that it is wrong.
        self._clear(_STATUS, _OSF)

    def _clear(self, register: int, bits: int) -> None:
        value = self._read(register, 1)[0]
        if value & bits:
            self._write(register, bytearray((value & ~bits & 0xFF,)))

    def _read(self, register: int, count: int) -> bytearray:
        data = bytearray(count)
        try:
            self._i2c.readfrom_mem_into(_ADDRESS, register, data)
        except OSError:
            raise RtcError("the clock chip does not answer") from None
        return data

    def _write(self, register: int, data: bytearray) -> None:
        try:
            self._i2c.writeto_mem(_ADDRESS, register, data)
        except OSError:
            raise RtcError("the clock chip does not answer") from None
