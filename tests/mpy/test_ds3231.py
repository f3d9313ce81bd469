# heap: 200k
"""The clock chip against MicroPython's own calendar."""

import time

from fakes import FakeI2C

from drivers.ds3231 import DS3231, RtcError

FIRST = 946_684_800
END = 7_258_118_400


class Chip:
    """DS3231 registers; the time stands still."""

    def __init__(self):
        self.registers = bytearray(19)
        self.registers[0x0E] = 0x9C
        self.registers[0x0F] = 0x88

    def read(self, register, count):
        return self.registers[register : register + count]

    def write(self, register, data):
        self.registers[register : register + len(data)] = data


def build():
    chip = Chip()
    return chip, DS3231(FakeI2C({0x68: chip}))


def bcd(value):
    return int(str(value), 16)


def fails(call, *args):
    try:
        call(*args)
    except RtcError:
        return
    raise AssertionError("no error")


def test_a_clock_that_stood_still_tells_no_time():
    chip, rtc = build()
    assert rtc.read_unix() is None
    rtc.write_unix(1_793_491_200)
    assert rtc.read_unix() == 1_793_491_200
    assert chip.registers[0x0F] == 0x08 and chip.registers[0x0E] == 0x1C, (
        "running on battery, other bits kept"
    )
    chip.registers[0x0F] |= 0x80
    assert rtc.read_unix() is None


def test_writes_what_the_calendar_says():
    chip, rtc = build()
    for t in range(FIRST, END, 86_400 * 37 + 12_347):
        rtc.write_unix(t)
        year, month, day, hour, minute, second, weekday = time.gmtime(t)[:7]
        century = 0x80 if year >= 2100 else 0
        assert chip.registers[:7] == bytes(
            (
                bcd(second),
                bcd(minute),
                bcd(hour),
                weekday + 1,
                bcd(day),
                bcd(month) | century,
                bcd(year % 100),
            )
        ), t
        assert rtc.read_unix() == t


def test_the_edges_of_the_calendar():
    _, rtc = build()
    for t in (FIRST, END - 1, 951_782_400, 4_107_542_399, 4_107_542_400, 1_709_164_800, 1_709_251_199):
        rtc.write_unix(t)
        assert rtc.read_unix() == t
    fails(rtc.write_unix, FIRST - 1)
    fails(rtc.write_unix, END)


def test_twelve_hour_mode_is_understood():
    chip, rtc = build()
    rtc.write_unix(FIRST)
    for hour in range(24):
        chip.registers[2] = 0x40 | (0x20 if hour >= 12 else 0) | bcd(hour % 12 or 12)
        assert rtc.read_unix() == FIRST + hour * 3600


def test_what_is_no_date_is_refused():
    chip, rtc = build()
    rtc.write_unix(1_793_491_200)
    good = bytes(chip.registers)
    for register, value in (
        (0, 0x60), (0, 0x0A), (1, 0x60), (2, 0x24), (4, 0x00), (4, 0x31), (5, 0x00), (5, 0x13), (6, 0xA0),
        (4, 0xFF),
    ):  # fmt: skip
        chip.registers[register] = value
        fails(rtc.read_unix)
        chip.registers[:] = good
    chip.registers[4:7] = b"\x29\x02\x25"
    fails(rtc.read_unix)
    chip.registers[4:7] = b"\x29\x02\x24"
    assert rtc.read_unix() == 1_709_164_800


def test_absent():
    rtc = DS3231(FakeI2C({}))
    fails(rtc.read_unix)
    fails(rtc.write_unix, FIRST)
