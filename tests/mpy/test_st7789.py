"""The ST7789 driver's command stream: what goes over the wires and when."""

import asyncio

from drivers import st7789
from drivers.st7789 import ST7789


class Wires:
    """Notes every change of the lines and every byte, with the state of CS, DC and reset at the time."""

    def __init__(self):
        self.events = []
        self.level = {"cs": 1, "dc": 0, "reset": 1}
        self.duty = None

    def pin(self, name):
        wires = self

        class Pin:
            def value(self, level=None):
                if level is not None and wires.level[name] != level:
                    wires.level[name] = level
                    wires.events.append((name, level))
                return wires.level[name]

        return Pin()

    def write(self, data):
        assert self.level["cs"] == 0, "written with the chip not selected"
        self.events.append(("data" if self.level["dc"] else "command", bytes(data)))

    def freq(self, hertz):
        pass

    def duty_u16(self, duty):
        self.duty = duty

    def commands(self):
        """[(command, its data, ms waited afterwards)]."""
        found = []
        for kind, what in self.events:
            if kind == "command":
                assert len(what) == 1
                found.append([what[0], b"", 0])
            elif kind == "data":
                found[-1][1] += what
            elif kind == "wait" and found:
                found[-1][2] += what
        return found


def started():
    wires = Wires()

    async def sleep_ms(ms):
        wires.events.append(("wait", ms))

    class Asyncio:
        pass

    Asyncio.sleep_ms = staticmethod(sleep_ms)
    panel = ST7789(wires, wires.pin("cs"), wires.pin("dc"), wires.pin("reset"), wires)
    real, st7789.asyncio = st7789.asyncio, Asyncio
    try:
        asyncio.run(panel.start())
    finally:
        st7789.asyncio = real
    return wires, panel


def test_reset_is_low_for_ten_ms_and_then_left_alone_for_120():
    events = started()[0].events
    low, high = events.index(("reset", 0)), events.index(("reset", 1))
    assert sum([ms for kind, ms in events[low:high] if kind == "wait"]) >= 10
    first = [kind for kind, _ in events].index("command")
    assert high < first
    assert sum([ms for kind, ms in events[high:first] if kind == "wait"]) >= 120


def test_start_sends_what_the_panel_needs():
    commands = started()[0].commands()
    assert commands[0][0] == 0x11 and commands[0][2] >= 120
    sent = {command: data for command, data, _ in commands}
    assert sent[0x3A] == b"\x55"
    assert sent[0x36] == b"\x00"
    assert sent[0x21] == b"" and sent[0x13] == b""
    assert sent[0xB2] == b"\x0c\x0c\x00\x33\x33"
    assert (sent[0xB7], sent[0xBB], sent[0xC0], sent[0xC2]) == (b"\x35", b"\x28", b"\x0c", b"\x01\xff")
    assert (sent[0xC3], sent[0xC4], sent[0xC6], sent[0xD0]) == (b"\x10", b"\x20", b"\x0f", b"\xa4\xa1")
    assert len(sent[0xE0]) == len(sent[0xE1]) == 14
    assert commands[-1][0] == 0x29


def test_start_clears_the_memory_before_the_display_goes_on():
    wires = started()[0]
    commands = wires.commands()
    assert [c[0] for c in commands[-4:]] == [0x2A, 0x2B, 0x2C, 0x29]
    assert commands[-4][1] == b"\x00\x00\x00\xef" and commands[-3][1] == b"\x00\x00\x01\x3f"
    assert commands[-2][1] == bytes(240 * 320 * 2)
    assert wires.duty == 0


def test_a_window_is_addressed_inclusively_and_takes_bytes_as_they_are():
    wires, panel = started()
    wires.events.clear()
    pixels = bytes(range(2 * 3 * 2))
    panel.open_window(7, 300, 3, 2)
    panel.write(memoryview(pixels)[:6])
    assert wires.level["cs"] == 0, "a window is one transaction"
    panel.write(memoryview(pixels)[6:])
    panel.close_window()
    assert wires.commands() == [
        [0x2A, b"\x00\x07\x00\x09", 0],
        [0x2B, b"\x01\x2c\x01\x2d", 0],
        [0x2C, pixels, 0],
    ]
    assert wires.level["cs"] == 1


def test_brightness_is_kept_in_bounds():
    wires, panel = started()
    for percent, duty in ((0, 0), (50, 32767), (100, 65535), (140, 65535), (-3, 0)):
        panel.brightness(percent)
        assert wires.duty == duty


def test_sleep_darkens_first():
    wires, panel = started()
    panel.brightness(80)
    wires.events.clear()
    asyncio.run(panel.sleep())
    assert wires.duty == 0
    assert [c[0] for c in wires.commands()] == [0x28, 0x10]
