"""``time`` as the ESP32 port has it: whole seconds since 2000, eight-tuples, a clock that the RTC sets.

Ticks are the interpreter's own: asyncio's task queue, written in C, uses those.
"""

import _sim

_native = _sim.native_time
ticks_ms = _native.ticks_ms
ticks_us = _native.ticks_us
ticks_cpu = _native.ticks_cpu
ticks_add = _native.ticks_add
ticks_diff = _native.ticks_diff
sleep_us = _native.sleep_us
_EPOCH = 946684800


def time_ns() -> int:
    """Nanoseconds since 2000-01-01."""
    return _native.time_ns() + (_sim.rtc[0] - _EPOCH) * 1000000000


def time() -> int:
    """Seconds since 2000-01-01."""
    return _native.time_ns() // 1000000000 - _EPOCH + _sim.rtc[0]


def gmtime(seconds: object = None) -> tuple:
    """(year, month, day, hour, minute, second, weekday, day of the year)."""
    return _native.gmtime((time() if seconds is None else int(seconds)) + _EPOCH)[:8]


localtime = gmtime


def mktime(t: tuple) -> int:
    """Seconds since 2000-01-01 of an eight-tuple; fields out of range carry over."""
    return int(_native.mktime(tuple(t[:8]) + (0,))) - _EPOCH


def sleep_ms(ms: int) -> None:
    """Sleep; interrupt handlers run meanwhile."""
    end = ticks_add(ticks_ms(), ms)
    while True:
        left = ticks_diff(end, ticks_ms())
        if left <= 0:
            return
        _sim.pump(left)


def sleep(seconds: float) -> None:
    """Sleep; interrupt handlers run meanwhile."""
    sleep_ms(int(seconds * 1000))
