"""The chip models against the byte examples of the data sheets, on a clock that the test moves."""

from __future__ import annotations

import calendar
from collections.abc import Callable

import pytest

from simulator.devices import gm65, mlx90614, st7789
from simulator.devices.battery import Battery
from simulator.devices.ds3231 import DS3231
from simulator.devices.gm65 import GM65, answer, crc16
from simulator.devices.keys import Keys
from simulator.devices.mlx90614 import MLX90614
from simulator.devices.smbus import pec
from simulator.devices.st7789 import ST7789
from simulator.devices.wire import Wire, resample
from simulator.timebase import VirtualTime
from simulator.world import rgb888

ACK = bytes.fromhex("02000001003331")


def h(text: str) -> bytes:
    return bytes.fromhex(text)


# GM65


@pytest.mark.parametrize(
    ("body", "crc"),
    [
        ("07 01 00 0A 01", "EE8A"),
        ("09 01 00 00 00", "DEC8"),
        ("0A 01 00 00 00", "301A"),
        ("08 02 00 2A 39 01", "A7EA"),
        ("00 00 01 00", "3331"),
        ("00 00 01 01", "2310"),
        ("00 00 01 3E", "E4AC"),
        ("00 00 01 D6", "988A"),
    ],
)
def test_crc_of_the_manuals_frames(body: str, crc: str) -> None:
    assert crc16(h(body)) == h(crc)


class Bench:
    """A module on a virtual bench; what it sends arrives in `got` without delay of the line."""

    def __init__(self, model: str = "gm65s", saved: bytes | None = None) -> None:
        self.time = VirtualTime()
        self.got = bytearray()
        self.bauds: list[int] = []
        self.notes: list[tuple[str, dict[str, object]]] = []
        self.stored: list[bytes] = []
        self.module = GM65(
            self.time,
            self._send,
            lambda kind, data: self.notes.append((kind, data)),
            model=model,
            saved=saved,
            on_save=self.stored.append,
        )
        self.module.power(True)
        self.time.advance(gm65.START_S)

    def _send(self, data: bytes, baud: int, done: Callable[[], None] | None) -> None:
        self.got += data
        self.bauds.append(baud)
        if done:
            done()

    def ask(self, frame: str, wait_s: float = 0.02, baud: int | None = None) -> bytes:
        self.got.clear()
        self.module.receive(h(frame), baud or self.module.baud)
        self.time.advance(wait_s)
        return bytes(self.got)

    def command_mode(self) -> None:
        assert self.ask("7E 00 08 01 00 00 D1 AB CD") == ACK
        assert self.ask("7E 00 08 01 00 0D A0 AB CD") == ACK


def test_reads_and_factory_settings() -> None:
    bench = Bench()
    assert bench.ask("7E 00 07 01 00 2A 02 D8 0F") == h("02 00 00 02 39 01 C1 4C")
    assert bench.ask("7E 00 07 01 00 03 01 AB CD") == ACK, "setup codes are on from the factory"
    assert bench.ask("7E 00 07 01 00 00 01 AB CD") == h("02 00 00 01 D6 98 8A")
    assert len(bench.ask("7E 00 07 01 00 00 00 AB CD")) == 3 + 1 + 256 + 2
    assert Bench("gm861").ask("7E 00 07 01 00 0D 01 AB CD")[4] == 0xA1


def test_silent_to_wrong_crc_wrong_baud_and_slow_frames() -> None:
    bench = Bench()
    good = "7E 00 07 01 00 0A 01 EE 8A"
    assert len(bench.ask(good)) == 7
    assert bench.ask("7E 00 07 01 00 0A 01 EE 8B") == b""
    assert bench.ask(good, baud=115200) == b""
    bench.ask("7E 00 07 01 00")
    bench.time.advance(0.3)
    assert len(bench.ask("0A 01 EE 8A")) == 7
    bench.ask("7E 00 07 01 00")
    bench.time.advance(0.41)
    assert bench.ask("0A 01 EE 8A") == b""
    assert len(bench.ask(good)) == 7, "the next frame is read again"
    assert len(bench.ask("00 FF 7E 7E 00 07 01 00 0A 01 EE 8A")) == 7


def test_save_and_power_loss() -> None:
    bench = Bench()
    bench.command_mode()
    bench.module.power(False)
    bench.module.power(True)
    assert bench.ask("7E 00 07 01 00 00 01 AB CD", wait_s=0.1) == b"", "it starts up first"
    bench.time.advance(gm65.START_S)
    assert bench.ask("7E 00 07 01 00 00 01 AB CD")[4] == 0xD6
    bench.command_mode()
    assert bench.ask("7E 00 09 01 00 00 00 DE C8") == ACK
    again = Bench(saved=bench.stored[-1])
    assert again.ask("7E 00 07 01 00 00 01 AB CD")[4] == 0xD1
    assert again.ask("7E 00 08 01 00 D9 55 AB CD") == ACK
    again.time.advance(1)
    assert again.ask("7E 00 07 01 00 00 01 AB CD")[4] == 0xD6


def test_trigger_decode_and_tail() -> None:
    bench = Bench()
    bench.command_mode()
    trigger = "7E 00 08 01 00 02 01 AB CD"
    assert bench.ask(trigger) == ACK
    bench.module.show(b"hello world")
    bench.time.advance(0.2)
    assert bytes(bench.got) == ACK + b"hello world\r"
    assert not bench.module.scanning and not bench.module.viewing
    bench.module.show(b"second")
    bench.time.advance(1)
    assert b"second" not in bench.got, "it waits for the next trigger"
    assert bench.ask("7E 00 08 01 00 60 21 AB CD") == ACK
    assert bench.ask(trigger, 0.3) == ACK + b"second\r\n"
    assert [data for kind, data in bench.notes if kind == "uart_last_byte"] == [{"bytes": 12}, {"bytes": 8}]


def test_trigger_times_out_silently() -> None:
    bench = Bench()
    bench.command_mode()
    assert bench.ask("7E 00 08 01 00 06 0A AB CD") == ACK
    assert bench.ask("7E 00 08 01 00 02 01 AB CD", 0.9) == ACK
    assert bench.module.scanning
    bench.time.advance(0.2)
    assert not bench.module.scanning and bytes(bench.got) == ACK


def test_stop_while_a_code_is_in_view() -> None:
    bench = Bench()
    bench.command_mode()
    bench.ask("7E 00 08 01 00 02 01 AB CD")
    bench.module.show(b"late")
    assert bench.ask("7E 00 08 01 00 02 00 AB CD", 1) == ACK
    assert bench.module.viewing


def test_a_stop_may_come_too_late() -> None:
    bench = Bench()
    bench.command_mode()
    bench.module.late_decodes = True
    bench.ask("7E 00 08 01 00 02 01 AB CD")
    bench.module.show(b"late")
    assert bench.ask("7E 00 08 01 00 02 00 AB CD", 1) == ACK + b"late\r"
    assert not bench.module.scanning


def test_framed_output_and_usb_routing() -> None:
    bench = Bench()
    bench.command_mode()
    bench.ask("7E 00 08 01 00 60 81 AB CD")
    bench.ask("7E 00 08 01 00 02 01 AB CD")
    bench.module.show(b"0\r0")
    bench.time.advance(0.2)
    assert bytes(bench.got) == ACK + b"\x03\x00\x030\r0"
    usb = Bench("gm861")
    usb.ask("7E 00 08 01 00 00 D1 AB CD")
    usb.ask("7E 00 08 01 00 02 01 AB CD")
    usb.module.show(b"lost")
    usb.time.advance(0.3)
    assert bytes(usb.got) == ACK and not usb.module.viewing, "it beeps, and nothing arrives"


def test_continuous_mode_repeats_unless_suppressed() -> None:
    bench = Bench()
    bench.module.show(b"A", reads=99)
    bench.time.advance(3.5)
    assert bytes(bench.got).count(b"A") >= 3
    assert bench.ask("7E 00 08 01 00 13 80 AB CD", 3)[7:].count(b"A") == 0


def test_baud_change_is_acknowledged_at_the_old_rate() -> None:
    bench = Bench()
    bench.bauds.clear()
    assert bench.ask("7E 00 08 02 00 2A 1A 00 AB CD", baud=9600) == ACK
    assert bench.bauds == [3_000_000 // 0x139]
    assert bench.module.baud == 115384
    assert bench.ask("7E 00 07 01 00 0A 01 EE 8A", baud=9600) == b""
    assert len(bench.ask("7E 00 07 01 00 0A 01 EE 8A", baud=115200)) == 7


def test_deep_sleep_swallows_the_first_command_and_restarts() -> None:
    bench = Bench()
    bench.command_mode()
    bench.ask("7E 00 08 01 00 D9 A5 AB CD")
    assert bench.ask("7E 00 07 01 00 00 01 AB CD") == b""
    bench.time.advance(gm65.START_S)
    assert bench.ask("7E 00 07 01 00 00 01 AB CD")[4] == 0xD6, "unsaved settings are gone"


def test_setup_codes_are_a_danger_until_forbidden() -> None:
    bench = Bench()
    assert bench.module.see_setup_code(gm65.Z_OUTPUT, 0xA1)
    assert bench.module.zones[gm65.Z_OUTPUT] == 0xA1
    bench.ask("7E 00 08 01 00 03 02 AB CD")
    assert not bench.module.see_setup_code(gm65.Z_OUTPUT, 0xA2)


def test_gbk_output_rewrites_utf8_unless_set() -> None:
    bench = Bench()
    bench.command_mode()
    bench.ask("7E 00 08 01 00 02 01 AB CD")
    bench.module.show("码".encode())
    bench.time.advance(0.2)
    assert bytes(bench.got)[7:-1] == "码".encode("gbk")
    bench.ask("7E 00 08 01 00 0D BC AB CD")
    bench.ask("7E 00 08 01 00 02 01 AB CD")
    bench.module.show("码".encode())
    bench.time.advance(0.2)
    assert bytes(bench.got)[7:-1] == "码".encode()


def test_heartbeat_only_where_documented() -> None:
    assert Bench("gm861").ask("7E 00 0A 01 00 00 00 30 1A") == h("03 00 00 01 00 33 31")
    assert Bench("gm65s").ask("7E 00 0A 01 00 00 00 30 1A") == b""


def test_reads_the_version_and_refuses_to_write_it() -> None:
    bench = Bench()
    bench.ask("7E 00 08 01 00 E2 01 AB CD")
    assert bench.ask("7E 00 07 01 00 E2 01 AB CD") == answer(b"\x64")
    assert bench.ask("7E 00 07 01 00 E0 01 AB CD") == answer(b"\x05")


# The line


def test_wire_takes_ten_bit_times_a_byte() -> None:
    time = VirtualTime()
    got: list[tuple[float, int]] = []
    wire = Wire(time, lambda data, baud: got.append((time.time(), len(data))))
    done: list[float] = []
    wire.send(bytes(600), 115200, lambda: done.append(time.time()))
    wire.send(bytes(96), 9600, lambda: done.append(time.time()))
    time.advance(1)
    assert done == [pytest.approx(0.05208, abs=1e-4), pytest.approx(0.15208, abs=1e-4)]
    assert sum(n for _, n in got) == 696 and len(got) > 20
    first = [n for t, n in got if t <= 0.0261]
    assert 280 <= sum(first) <= 300, "half the time, half the bytes"


def test_resampling_at_another_rate() -> None:
    assert resample(b"\x55\xaa", 9615, 9600) == b"\x55\xaa"
    garbage = resample(ACK, 9600, 115200)
    assert garbage and garbage != ACK and len(garbage) > len(ACK)
    assert len(resample(bytes(range(64)), 115200, 9600)) < 16


# MLX90614


@pytest.mark.parametrize(("data", "crc"), [("B4 07 B5 D2 3A", 0x30), ("B4 22 07 C8", 0x48), ("B4 FF", 0xE8)])
def test_pec_of_the_data_sheets_examples(data: str, crc: int) -> None:
    assert pec(h(data)) == crc


def thermometer(skin: int = 3650, ambient: int = 2400) -> tuple[VirtualTime, MLX90614]:
    time = VirtualTime()
    chip = MLX90614(time, lambda: (skin, ambient))
    time.advance(1)
    return time, chip


def read(chip: MLX90614, register: int, count: int = 3) -> bytes:
    assert chip.write(bytes((register,)), False, 100_000) == 1
    data = chip.read(count, True, 100_000)
    assert data is not None
    return data


def test_temperature_words() -> None:
    assert mlx90614.word(-7001) == 0x27AD and mlx90614.word(38219) == 0x7FFF
    _, chip = thermometer(3787, -7001)
    assert read(chip, 6)[:2] == h("AD 27")
    data = read(chip, 7)
    assert data[2] == pec(h("B4 07 B5") + data[:2])
    assert abs((data[0] | data[1] << 8) * 2 - 27315 - 3787) < 30


def test_a_stop_before_the_read_and_faults() -> None:
    _, chip = thermometer()
    chip.write(b"\x07", True, 100_000)
    assert chip.read(3, True, 100_000) == b"\xff\xff\xff"
    assert chip.write(b"\x07", False, 400_000) is None
    chip.fault = "nak"
    assert chip.write(b"\x07", False, 100_000) is None
    chip.fault = "flag"
    data = read(chip, 7)
    assert data[1] & 0x80 and data[2] == pec(h("B4 07 B5") + data[:2])
    chip.fault = "bad_pec"
    data = read(chip, 7)
    assert data[2] != pec(h("B4 07 B5") + data[:2])
    chip.fault = "ffff"
    assert read(chip, 7) == b"\xff\xff\xff"


def test_first_reading_takes_a_quarter_of_a_second() -> None:
    time = VirtualTime()
    chip = MLX90614(time, lambda: (3650, 2400))
    assert read(chip, 7)[:2] == b"\0\0" and read(chip, 0xF0)[0] & 0x10 == 0
    time.advance(0.26)
    assert read(chip, 7)[:2] != b"\0\0" and read(chip, 0xF0)[0] & 0x10


def test_settles_towards_a_new_temperature() -> None:
    time = VirtualTime()
    skin = [2400]
    chip = MLX90614(time, lambda: (skin[0], 2400))
    time.advance(1)
    read(chip, 7)
    skin[0] = 3600
    time.advance(0.02)
    read(chip, 7)
    time.advance(0.2)
    settled = read(chip, 7)
    assert abs((settled[0] | settled[1] << 8) * 2 - 27315 - 3600) < 40


def test_eeprom_wants_pec_and_erasing() -> None:
    time, chip = thermometer()
    assert read(chip, 0x24)[:2] == b"\xff\xff", "emissivity 1.0"
    wanted = h("24 E0 FA")
    assert chip.write(wanted + b"\x00", True, 100_000) == 3, "wrong PEC"
    assert chip.write(wanted + bytes((pec(h("B4") + wanted),)), True, 100_000) == 4
    assert read(chip, 0x24)[:2] == b"\xff\xff", "not erased before"
    zero = h("24 00 00")
    chip.write(zero + bytes((pec(h("B4") + zero),)), True, 100_000)
    assert read(chip, 0xF0)[0] & 0x80
    time.advance(0.01)
    chip.write(wanted + bytes((pec(h("B4") + wanted),)), True, 100_000)
    time.advance(0.01)
    assert read(chip, 0x24)[:2] == h("E0 FA")


# DS3231


def clock(text: tuple[int, ...]) -> DS3231:
    return DS3231(now=lambda: float(calendar.timegm((*text, 0, 0, 0))))


def test_clock_is_bcd() -> None:
    chip = clock((2020, 5, 22, 17, 8, 59))
    chip.write(b"\x00", False, 100_000)
    assert chip.read(7, True, 100_000) == h("59 08 17 05 22 05 20")


def test_clock_set_read_and_oscillator_stop_flag() -> None:
    now = [1_000_000.0]
    changes: list[int] = []
    chip = DS3231(now=lambda: now[0], stopped=True, on_change=lambda: changes.append(1))
    chip.write(b"\x0f", False, 100_000)
    assert (chip.read(1, True, 100_000) or b"\0")[0] & 0x80
    chip.write(h("00 58 59 23 04 31 12 31"), True, 100_000)
    chip.write(h("0F 00"), True, 100_000)
    assert not chip.stopped and len(changes) == 2
    now[0] += 3
    chip.write(b"\x00", False, 100_000)
    assert chip.read(7, True, 100_000) == h("01 00 00 04 01 01 32")
    assert chip.unix() == calendar.timegm((2032, 1, 1, 0, 0, 1, 0, 0, 0))


def test_clock_twelve_hours_and_century() -> None:
    chip = clock((2020, 1, 1, 0, 0, 0))
    chip.write(h("02 72"), True, 100_000)
    assert chip.unix() == calendar.timegm((2020, 1, 1, 12, 0, 0, 0, 0, 0))
    chip.write(h("02 52"), True, 100_000)
    assert chip.unix() == calendar.timegm((2020, 1, 1, 0, 0, 0, 0, 0, 0))
    chip.write(h("05 81 00"), True, 100_000)
    assert chip.unix() == calendar.timegm((2100, 1, 1, 0, 0, 0, 0, 0, 0))
    chip.fault = "nak"
    assert chip.write(b"\x00", False, 100_000) is None


# ST7789


class Glass:
    """A controller driven byte by byte."""

    def __init__(self) -> None:
        self.bursts: list[tuple[int, int, int, int]] = []
        self.chip = ST7789(lambda *where: self.bursts.append(where), lambda: None)
        self.chip.reset_pin(True)
        for command, data in ((0x11, ""), (0x3A, "55"), (0x36, "00"), (0x21, ""), (0x29, "")):
            self.send(command, h(data))

    def send(self, command: int, data: bytes = b"") -> None:
        self.chip.select(True)
        self.chip.data_command(False)
        self.chip.receive(bytes((command,)))
        self.chip.data_command(True)
        if data:
            self.chip.receive(data)
        self.chip.select(False)

    def window(self, x0: int, y0: int, x1: int, y1: int) -> None:
        self.send(0x2A, x0.to_bytes(2, "big") + x1.to_bytes(2, "big"))
        self.send(0x2B, y0.to_bytes(2, "big") + y1.to_bytes(2, "big"))

    def at(self, x: int, y: int) -> str:
        return self.chip.region(x, y, 1, 1).hex()


def test_window_and_memory_write() -> None:
    glass = Glass()
    glass.window(238, 318, 239, 319)
    glass.send(0x2C, h("F800 07E0 001F FFFF"))
    assert [glass.at(238, 318), glass.at(239, 318), glass.at(238, 319), glass.at(239, 319)] == [
        "f800", "07e0", "001f", "ffff",
    ]  # fmt: skip
    assert glass.bursts == [(238, 318, 2, 2)]
    glass.send(0x2C, h("1234 1234 1234 1234 5678"))
    assert glass.at(238, 318) == "5678", "past the end it starts again"
    assert rgb888(h("F800 07E0 001F FFFF 0000")) == h("FF0000 00FF00 0000FF FFFFFF 000000")


def test_bursts_may_be_cut_anywhere() -> None:
    glass = Glass()
    glass.window(0, 0, 2, 0)
    glass.chip.select(True)
    glass.chip.data_command(False)
    glass.chip.receive(b"\x2c")
    glass.chip.data_command(True)
    for byte in h("1111 2222 3333"):
        glass.chip.receive(bytes((byte,)))
    glass.chip.select(False)
    assert glass.chip.region(0, 0, 3, 1) == h("1111 2222 3333")


def test_madctl_colmod_and_endianness() -> None:
    glass = Glass()
    glass.send(0x36, h("C0"))
    glass.window(0, 0, 0, 0)
    glass.send(0x2C, h("ABCD"))
    assert glass.at(239, 319) == "abcd"
    glass.send(0x36, h("20"))
    glass.window(5, 7, 5, 7)
    glass.send(0x2C, h("1357"))
    assert glass.at(7, 5) == "1357"
    glass.send(0x36, h("00"))
    glass.send(0x3A, h("66"))
    glass.window(1, 1, 1, 1)
    glass.send(0x2C, h("FC 00 00"))
    assert glass.at(1, 1) == "f800"
    glass.send(0x3A, h("55"))
    glass.send(0xB0, h("00 F8"))
    glass.window(2, 2, 2, 2)
    glass.send(0x2C, h("00F8"))
    assert glass.at(2, 2) == "f800"


def test_asleep_off_inverted_and_reset() -> None:
    glass = Glass()
    glass.window(0, 0, 0, 0)
    glass.send(0x2C, h("F800"))
    glass.send(0x20)
    assert glass.at(0, 0) == "07ff", "this panel needs INVON"
    glass.send(0x21)
    glass.send(0x28)
    assert glass.at(0, 0) == "0000"
    glass.send(0x29)
    glass.send(0x10)
    assert not glass.chip.visible
    glass.send(0x11)
    glass.chip.reset_pin(False)
    glass.send(0x2C, h("1234"))
    glass.chip.reset_pin(True)
    assert not glass.chip.visible and glass.chip.pixels[0:2] == h("F800"), "memory survives, settings do not"
    glass.chip.select(False)
    glass.chip.data_command(False)
    glass.chip.receive(b"\x29")
    assert not glass.chip.on, "not selected"
    assert st7789.WIDTH * st7789.HEIGHT * 2 == 153_600


# Small parts


def test_keys_bounce_and_end_where_they_should() -> None:
    time = VirtualTime()
    edges: list[tuple[float, bool]] = []
    keys = Keys(time, lambda key, closed: edges.append((time.time(), closed)))
    keys.press("yes", 0.1)
    time.advance(0.05)
    assert keys.closed("yes") and len(edges) >= 3 and len(edges) % 2 == 1
    assert edges[-1][0] < 0.006
    time.advance(0.2)
    assert not keys.closed("yes") and edges[-1][1] is False
    edges.clear()
    keys.press("no", 0.1, bounce=False)
    time.advance(1)
    assert [closed for _, closed in edges] == [True, False]


def test_battery_through_its_divider() -> None:
    loaded = [False]
    battery = Battery(lambda: 4000, lambda: loaded[0])

    def average() -> float:
        return sum(battery.microvolts() for _ in range(200)) / 200

    assert abs(average() - 2_000_000) < 1000
    loaded[0] = True
    assert abs(average() - 1_992_500) < 1000
