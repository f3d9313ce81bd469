"""Date-times of CertLogic 1.3.3, as whole milliseconds since 1970-01-01T00:00:00Z.

Only integers are used, so that both interpreters agree and the handheld's 32-bit floats and its clock's epoch
do not matter. The calendar is the proleptic Gregorian one and a day has 86,400 seconds, as ECMA-262 section
21.4.1 has them, to which the specification refers for adding months and years.
"""

SECOND_MS = 1000
HOUR_MS = 3600000
DAY_MS = 86400000
#: Time values further from 1970 than this do not exist (ECMA-262 section 21.4.1.1).
MAX_MS = 8640000000000000

_MONTH_DAYS = b"\x1f\x1c\x1f\x1e\x1f\x1e\x1f\x1f\x1e\x1f\x1e\x1f"


class DateTime:
    """A moment, the value of `plusTime` and `dccDateOfBirth`: `ms` since 1970, UTC."""

    __slots__ = ("ms",)

    def __init__(self, ms: int) -> None:
        self.ms = ms


def days_of(year: int, month: int, day: int) -> int:
    """Days from 1970-01-01 to a date; a `day` outside its month counts on from the month's first.

    The year is taken to begin in March, so that the leap day is its last.
    """
    if month < 3:
        year -= 1
        month += 12
    return (
        365 * year + year // 4 - year // 100 + year // 400 + (153 * (month - 3) + 2) // 5 + day - 1 - 719468
    )


def date_of(days: int) -> tuple[int, int, int]:
    """(year, month, day) of a number of days since 1970-01-01."""
    days += 719468
    era = days // 146097
    rest = days % 146097
    year = (rest - rest // 1460 + rest // 36524 - rest // 146096) // 365
    day = rest - (365 * year + year // 4 - year // 100)
    month = (5 * day + 2) // 153
    day = day - (153 * month + 2) // 5 + 1
    month += 3
    year += 400 * era
    return (year + 1, month - 12, day) if month > 12 else (year, month, day)


def month_days(year: int, month: int) -> int:
    """Days of a month, 1 to 12."""
    if month == 2 and year % 4 == 0 and (year % 100 != 0 or year % 400 == 0):
        return 29
    return _MONTH_DAYS[month - 1]


def _number(raw: bytes, at: int, count: int) -> int:
    """The `count` decimal digits at `at`, or -1 if they are not there."""
    if at + count > len(raw):
        return -1
    value = 0
    for i in range(at, at + count):
        digit = raw[i] - 48
        if digit < 0 or digit > 9:
            return -1
        value = value * 10 + digit
    return value


def parse_date(raw: bytes) -> int | None:
    """Days since 1970 of `YYYY`, `YYYY-MM` or `YYYY-MM-DD`; None for anything else.

    A partial date is the last day that it may mean.
    """
    size = len(raw)
    year = _number(raw, 0, 4)
    if year < 0:
        return None
    if size == 4:
        return days_of(year, 12, 31)
    month = _number(raw, 5, 2)
    if raw[4] != 0x2D or not 1 <= month <= 12:
        return None
    last = month_days(year, month)
    if size == 7:
        return days_of(year, month, last)
    day = _number(raw, 8, 2)
    if size != 10 or raw[7] != 0x2D or not 1 <= day <= last:
        return None
    return days_of(year, month, day)


def parse(raw: bytes) -> int | None:
    """Milliseconds of a date or date-time in a form that the specification allows, else None.

    Fractions of a second are cut after the third digit; without an offset the time is UTC.
    """
    size = len(raw)
    if size <= 10:
        days = parse_date(raw)
        return None if days is None else days * DAY_MS
    days = parse_date(raw[:10])
    hour, minute, second = _number(raw, 11, 2), _number(raw, 14, 2), _number(raw, 17, 2)
    if days is None or not 0 <= hour < 24 or not 0 <= minute < 60 or not 0 <= second < 60:
        return None
    if raw[10] != 0x54 or raw[13] != 0x3A or raw[16] != 0x3A:
        return None
    ms = days * DAY_MS + hour * HOUR_MS + minute * 60000 + second * SECOND_MS
    at = 19
    if at < size and raw[at] == 0x2E:
        at += 1
        start, weight = at, 100
        while at < size and 0x30 <= raw[at] <= 0x39:
            ms += weight * (raw[at] - 48)
            weight //= 10
            at += 1
        if at == start:
            return None
    if at == size or (raw[at] == 0x5A and at + 1 == size):
        return ms
    offset_ms = _offset(raw, at)
    return None if offset_ms is None else ms - offset_ms


def _offset(raw: bytes, at: int) -> int | None:
    """Milliseconds of an offset from UTC: a sign, then h, hh, hmm, hhmm, h:mm or hh:mm; else None."""
    sign = raw[at]
    if sign != 0x2B and sign != 0x2D:
        return None
    at += 1
    count = len(raw) - at
    colon = raw.find(b":", at)
    if colon >= 0:
        width = colon - at
        tail = colon + 1
        if count != width + 3:
            return None
    else:
        width = count if count < 3 else count - 2
        tail = at + width
    if not 1 <= width <= 2:
        return None
    hours = _number(raw, at, width)
    minutes = _number(raw, tail, 2) if tail < len(raw) else 0
    if not 0 <= hours < 24 or not 0 <= minutes < 60:
        return None
    offset_ms = hours * HOUR_MS + minutes * 60000
    return offset_ms if sign == 0x2B else -offset_ms


def plus(ms: int, amount: int, unit: str) -> int | None:
    """`ms` and an amount of "year", "month", "day" or "hour"; None for another unit or past the end of time.

    A day that its month does not have runs over into the next, as ECMA-262's setUTCMonth and setUTCFullYear
    do: 2020-02-29 and a year is 2021-03-01.
    """
    if unit == "hour":
        ms += amount * HOUR_MS
    elif unit == "day":
        ms += amount * DAY_MS
    elif unit == "month" or unit == "year":
        year, month, day = date_of(ms // DAY_MS)
        months = year * 12 + month - 1 + (amount if unit == "month" else amount * 12)
        ms = days_of(months // 12, months % 12 + 1, day) * DAY_MS + ms % DAY_MS
    else:
        return None
    return ms if -MAX_MS <= ms <= MAX_MS else None


def text_of(ms: int) -> str:
    """`YYYY-MM-DDThh:mm:ss.mmmZ`; years past four digits get a sign and six (ECMA-262 section 21.4.1.32)."""
    year, month, day = date_of(ms // DAY_MS)
    rest = ms % DAY_MS
    years = "%04d" % year if 0 <= year <= 9999 else ("+%06d" if year > 0 else "-%06d") % abs(year)
    return years + "-%02d-%02dT%02d:%02d:%02d.%03dZ" % (
        month,
        day,
        rest // HOUR_MS,
        rest // 60000 % 60,
        rest // SECOND_MS % 60,
        rest % SECOND_MS,
    )


def text_of_unix(unix: int) -> str:
    """`YYYY-MM-DDThh:mm:ssZ` of Unix seconds, as a validation clock is written."""
    return text_of(unix * SECOND_MS)[:19] + "Z"
