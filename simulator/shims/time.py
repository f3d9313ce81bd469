"""``time`` as the ESP32 port has it: whole seconds since 2000, eight-tuples, a clock that the RTC sets.

Both run on the simulator's clock (host_tools/clockpage.py). Ticks are far ahead of the interpreter's own, for
asyncio's task queue, written in C, stamps what is ready with those: they must lie in the past.
"""

import _sim

_native = _sim.native_time
_clock = _sim.clock
_spent = _sim.spent
ticks_cpu = _native.ticks_cpu
ticks_add = _native.ticks_add
ticks_diff = _native.ticks_diff
_EPOCH = 946684800
_AHEAD_MS = 1 << 41
_LOOK_US = 3  # what a look at the clock takes on a board, so that a loop that only looks comes to an end


def _now_us() -> int:
    value = _clock[0]
    if not value & 1:
        return (value >> 1) + _native.ticks_us()
    _spent[0] += _LOOK_US
    return (value >> 1) + _spent[0]


def ticks_us() -> int:
    """Microseconds, from no moment in particular."""
    return _now_us() + _AHEAD_MS * 1000


def ticks_ms() -> int:
    """Milliseconds, from no moment in particular."""
    return _now_us() // 1000 + _AHEAD_MS


def time_ns() -> int:
    """Nanoseconds since 2000-01-01."""
    return (_now_us() + _clock[1]) * 1000 + (_sim.rtc[0] - _EPOCH) * 1000000000


def time() -> int:
    """Seconds since 2000-01-01."""
    return time_ns() // 1000000000


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


def sleep_us(us: int) -> None:
    """Sleep; nothing else runs meanwhile."""
    if _clock[0] & 1:
        _spent[0] += us
    else:
        _native.sleep_us(us)


def sleep(seconds: float) -> None:
    """Sleep; interrupt handlers run meanwhile."""
    sleep_ms(int(seconds * 1000))
