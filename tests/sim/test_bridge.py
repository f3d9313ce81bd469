"""The bridge: scripts in a real MicroPython process, on the shims, against the chip models of a real
board."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from boards import make_image

from simulator.handheld import Handheld, HandheldError

SCANNER = """
import machine, time
power = machine.Pin(2, machine.Pin.OUT, value=1)
uart = machine.UART(1, 9600, tx=17, rx=18, rxbuf=4096)
time.sleep_ms(700)
def ask(frame, wait_ms=150):
    uart.write(frame)
    time.sleep_ms(wait_ms)
    return uart.read()
COMMAND_MODE = bytes((0x7e, 0, 8, 1, 0, 0, 0xd1, 0xab, 0xcd))
TRIGGER = bytes((0x7e, 0, 8, 1, 0, 2, 1, 0xab, 0xcd))
FAST = bytes((0x7e, 0, 8, 2, 0, 0x2a, 0x1a, 0, 0xab, 0xcd))
ACK = bytes((2, 0, 0, 1, 0, 0x33, 0x31))
assert ask(COMMAND_MODE) == ACK
assert ask(FAST) == ACK
uart.init(115200)
"""
SETUP = """
import machine, time, asyncio, sys, os, gc
"""


def play(
    tmp_path: Path,
    main: str,
    body: Callable[[Handheld], Awaitable[None]],
    *,
    heap: str = "200k",
    **files: str,
) -> list[str]:
    """Run `main` as /main.py while `body` acts on the world; the console."""

    async def run() -> list[str]:
        if not (tmp_path / "flash.img").exists():
            make_image(tmp_path, {"/main.py": main, **{f"/{n}.py": text for n, text in files.items()}})
        handheld = Handheld(tmp_path, heap=heap)
        try:
            await handheld.start()
            await body(handheld)
        except BaseException:
            print("\n".join(handheld.console))
            raise
        finally:
            await handheld.stop()
        return list(handheld.console)

    return asyncio.run(run())


async def line(handheld: Handheld, start: str, timeout_s: float = 10) -> str:
    """The first console line that begins with `start`, past or to come; without that beginning."""

    def failed(text: str) -> bool:
        return text.startswith("Traceback") and not start.startswith("Traceback")

    event = await handheld.world.wait_for(
        "console",
        timeout_s,
        after=0,
        where=lambda e: e.data["line"].startswith(start) or failed(e.data["line"]),
    )
    text = event.data["line"]
    if failed(text):
        await asyncio.sleep(0.2)
        raise AssertionError("\n".join(handheld.console))
    return text[len(start) :].strip()


# Start


def test_boot_order_and_invisible_host(tmp_path: Path) -> None:
    main = """
import sys, os, time, machine
print("LIST", os.listdir("/"), sys.path, sys.argv)
for path in ("/etc/passwd", "/_sim/machine.mpy", "/proc/self/maps", "/rom/../etc/passwd"):
    try:
        open(path)
        print("SEEN", path)
    except OSError:
        pass
print("SHELL", hasattr(os, "system"), hasattr(os, "getenv"))
print("TIME", time.time() < 100, time.localtime()[0], len(time.localtime()), machine.reset_cause())
print("END")
"""

    async def body(h: Handheld) -> None:
        await line(h, "END")
        assert h.boot["shims"] < 32_000

    console = play(tmp_path, main, body, boot="print('BOOT')")
    assert console[0] == "BOOT"
    assert "LIST ['rom', 'boot.py', 'main.py'] ['', '.frozen', '/lib', '/rom', '/rom/lib'] []" in console
    assert not [text for text in console if text.startswith("SEEN")]
    assert "SHELL False False" in console
    assert "TIME True 2000 8 1" in console


def test_missing_image_says_so(tmp_path: Path) -> None:
    with pytest.raises(HandheldError, match=r"flash\.img is missing"):
        asyncio.run(Handheld(tmp_path).start())


def test_blank_flash_is_reported(tmp_path: Path) -> None:
    (tmp_path / "flash.img").write_bytes(b"\xff" * 4096 * 64)

    async def body(h: Handheld) -> None:
        await line(h, "The internal filesystem appears to be corrupted")

    play(tmp_path, "", body)


def test_uncaught_exception_leaves_the_prompt_and_the_handheld_alive(tmp_path: Path) -> None:
    async def body(h: Handheld) -> None:
        await h.world.wait_for("console", after=0, where=lambda e: "simulated board" in e.data["line"])
        assert h.state == "running"

    assert "ValueError: seven" in play(tmp_path, "raise ValueError('seven')", body)


# UART


def test_uart_stream_reader_and_poll(tmp_path: Path) -> None:
    main = (
        SCANNER
        + """
import asyncio, select
async def main():
    reader = asyncio.StreamReader(uart)
    uart.write(TRIGGER)
    assert await reader.readexactly(7) == ACK
    print("READY")
    print("LINE", await reader.readexactly(6))
asyncio.run(main())
poll = select.poll()
poll.register(uart, select.POLLIN)
assert poll.poll(20) == []
assert uart.read() is None and uart.any() == 0
uart.write(TRIGGER)
print("POLL", len(poll.poll(1000)))
time.sleep_ms(50)
print("ANY", uart.any(), uart.read(2), uart.any(), uart.read(), uart.readline())
buf = bytearray(20)
print("READY2")
uart.write(TRIGGER)
while not uart.any() > 7:
    time.sleep_ms(5)
time.sleep_ms(50)
n = uart.readinto(buf)
print("INTO", n, bytes(buf[7:n]))
"""
    )

    async def body(h: Handheld) -> None:
        await line(h, "READY")
        h.world.show_text(b"hello")
        assert await line(h, "LINE") == r"b'hello\r'"
        assert await line(h, "POLL") == "1"
        assert await line(h, "ANY") == r"7 b'\x02\x00' 5 b'\x00\x01\x0031' None"
        h.world.show_text(b"again")
        assert await line(h, "INTO") == r"13 b'again\r'"

    play(tmp_path, main, body)


def test_uart_takes_its_time(tmp_path: Path) -> None:
    """600 bytes at 115,200 baud take 52 ms, at 9,600 baud 627 ms (hardware.md 1.4)."""
    main = (
        SCANNER
        + """
def measure(n):
    uart.write(TRIGGER)
    while uart.any() < 8:
        time.sleep_ms(1)
    start = time.ticks_us()
    got = uart.read()
    while not got.endswith(b"\\r"):
        time.sleep_ms(1)
        got += uart.read() or b""
    return time.ticks_diff(time.ticks_us(), start) / 1000
print("READY")
print("FAST", measure(600))
uart.write(bytes((0x7e, 0, 8, 2, 0, 0x2a, 0x39, 1, 0xab, 0xcd)))
time.sleep_ms(50)
uart.init(9600)
print("SLOW", measure(600))
"""
    )

    async def body(h: Handheld) -> None:
        await line(h, "READY")
        h.world.clock.speed = 100  # from event to event: a busy computer makes nothing late
        h.world.show_text(b"A" * 599)
        fast = float(await line(h, "FAST"))
        h.world.show_text(b"A" * 599)
        slow = float(await line(h, "SLOW"))
        assert 46 <= fast <= 62, fast
        assert 610 <= slow <= 650, slow

    play(tmp_path, main, body)


def test_uart_overflow_loses_bytes_and_says_so(tmp_path: Path) -> None:
    main = (
        SCANNER
        + """
uart.init(115200, rxbuf=256)
print("READY")
uart.write(TRIGGER)
time.sleep_ms(400)
print("GOT", len(uart.read()))
"""
    )

    async def body(h: Handheld) -> None:
        await line(h, "READY")
        h.world.show_text(b"A" * 599)
        assert await line(h, "GOT") == "256"
        assert h.board.uart.lost == 7 + 600 - 256

    play(tmp_path, main, body)


def test_wrong_baud_is_garbage_and_noise_arrives(tmp_path: Path) -> None:
    main = (
        SCANNER
        + """
uart.init(9600)
uart.write(TRIGGER)
time.sleep_ms(100)
print("WRONG", uart.read() == ACK)
uart.init(115200)
print("QUIET", uart.read())
while not uart.any():
    time.sleep_ms(1)
time.sleep_ms(50)
print("NOISE", uart.read())
"""
    )

    async def body(h: Handheld) -> None:
        assert await line(h, "WRONG") == "False"
        await line(h, "QUIET")
        h.world.uart_noise(b"\x00\xff\x7e")
        assert await line(h, "NOISE") == r"b'\x00\xff~'"

    play(tmp_path, main, body)


def test_unplugged_scanner_is_silent_and_comes_back_with_saved_settings(tmp_path: Path) -> None:
    main = (
        SCANNER
        + """
SAVE = bytes((0x7e, 0, 9, 1, 0, 0, 0, 0xde, 0xc8))
MODE = bytes((0x7e, 0, 7, 1, 0, 0, 1, 0xab, 0xcd))
assert ask(SAVE) == ACK
print("SAVED")
while ask(MODE) is not None:
    pass
print("GONE")
while ask(MODE) is None:
    pass
print("BACK", ask(MODE)[4] == 0xd1)
"""
    )

    async def body(h: Handheld) -> None:
        await line(h, "SAVED")
        h.world.unplug("gm65")
        await line(h, "GONE")
        h.world.plug("gm65")
        assert await line(h, "BACK") == "True"

    play(tmp_path, main, body)


def test_uart_idle_interrupt(tmp_path: Path) -> None:
    main = (
        SCANNER
        + """
calls = []
uart.irq(lambda u: calls.append(u.any()), machine.UART.IRQ_RXIDLE)
uart.write(TRIGGER)
time.sleep_ms(100)
print("CALLS", calls)
"""
    )

    async def body(h: Handheld) -> None:
        assert await line(h, "CALLS") == "[7]"

    play(tmp_path, main, body)


# I2C


def test_i2c_errors_reach_the_firmware(tmp_path: Path) -> None:
    main = """
import machine, errno, time
def attempt(f, *a):
    try:
        return f(*a)
    except OSError as e:
        return errno.errorcode[e.errno]
i2c = machine.I2C(0, sda=machine.Pin(8), scl=machine.Pin(9), freq=100000)
time.sleep_ms(300)
print("SCAN", i2c.scan())
print("NOBODY", attempt(i2c.readfrom, 0x33, 2))
print("STOP", (i2c.writeto(0x5a, b"\\x07"), i2c.readfrom(0x5a, 3)))
print("FAULTS")
while attempt(i2c.readfrom_mem, 0x5a, 7, 3) != "ENODEV":
    time.sleep_ms(5)
print("NAK")
while attempt(i2c.readfrom_mem, 0x5a, 7, 3) != "ETIMEDOUT":
    time.sleep_ms(5)
print("STUCK")
while len(i2c.scan() if attempt(i2c.readfrom_mem, 0x5a, 7, 3) != "ETIMEDOUT" else "") != 1:
    time.sleep_ms(5)
print("UNPLUGGED", i2c.scan())
fast = machine.I2C(0, sda=machine.Pin(8), scl=machine.Pin(9), freq=400000)
while attempt(fast.readfrom_mem, 0x68, 0, 7) == "ENODEV":
    time.sleep_ms(5)
print("TOOFAST", attempt(fast.readfrom_mem, 0x5a, 7, 3), len(fast.readfrom_mem(0x68, 0, 7)))
wrong = machine.I2C(0, sda=machine.Pin(4), scl=machine.Pin(9), freq=100000)
print("WIRES", wrong.scan())
"""

    async def body(h: Handheld) -> None:
        assert await line(h, "SCAN") == "[90, 104]"
        assert await line(h, "NOBODY") == "ENODEV"
        assert await line(h, "STOP") == r"(1, b'\xff\xff\xff')"
        await line(h, "FAULTS")
        h.world.i2c_fault("mlx90614", "nak")
        await line(h, "NAK")
        h.world.i2c_fault("mlx90614", None)
        h.world.i2c_fault("bus", "stuck")
        await line(h, "STUCK")
        h.world.i2c_fault("bus", None)
        h.world.unplug("ds3231")
        assert await line(h, "UNPLUGGED") == "[90]"
        h.world.plug("ds3231")
        assert await line(h, "TOOFAST") == "ENODEV 7"
        assert await line(h, "WIRES") == "[]"

    play(tmp_path, main, body)


def test_thermometer_follows_the_world(tmp_path: Path) -> None:
    main = """
import machine, time
i2c = machine.I2C(0, sda=machine.Pin(8), scl=machine.Pin(9), freq=100000)
time.sleep_ms(300)
def centi(register):
    b = i2c.readfrom_mem(0x5a, register, 3)
    return (b[0] | b[1] << 8) * 2 - 27315
while True:
    print("TEMPS", centi(7), centi(6))
    time.sleep_ms(200)
"""

    async def body(h: Handheld) -> None:
        h.world.skin_centi_c, h.world.ambient_centi_c = 3655, 1800
        await asyncio.sleep(0.8)
        seen = await h.world.wait_for("console", 5)
        skin, ambient = map(int, seen.data["line"].split()[1:])
        assert abs(skin - 3655) <= 25 and abs(ambient - 1800) <= 2
        h.world.skin_centi_c = None
        await asyncio.sleep(0.8)
        seen = await h.world.wait_for("console", 5)
        assert abs(int(seen.data["line"].split()[1]) - 1800) <= 25

    play(tmp_path, main, body)


# SPI


PANEL = """
import machine, time
cs = machine.Pin(10, machine.Pin.OUT, value=1)
dc = machine.Pin(13, machine.Pin.OUT, value=1)
rst = machine.Pin(14, machine.Pin.OUT, value=1)
light = machine.PWM(machine.Pin(21), freq=1000, duty_u16=65536)
spi = machine.SPI(1, baudrate=40000000, sck=machine.Pin(12), mosi=machine.Pin(11), miso=None)
def command(c, data=b""):
    cs(0)
    dc(0)
    spi.write(bytes((c,)))
    dc(1)
    if data:
        spi.write(data)
    cs(1)
rst(0); rst(1)
for c, d in ((0x11, b""), (0x3a, b"\\x55"), (0x36, b"\\0"), (0x21, b""), (0x29, b"")):
    command(c, d)
"""


def test_spi_pixels_in_their_place(tmp_path: Path) -> None:
    main = (
        PANEL
        + """
command(0x2a, bytes((0, 10, 0, 11)))
command(0x2b, bytes((1, 0, 1, 1)))
command(0x2c, b"\\xf8\\x00\\x07\\xe0\\x00\\x1f\\xff\\xff")
print("DONE")
"""
    )

    async def body(h: Handheld) -> None:
        await line(h, "DONE")
        frame = await h.world.wait_for("frame", after=0)
        assert frame.data == {"x": 10, "y": 256, "w": 2, "h": 2}
        picture = h.world.screenshot()
        assert [picture.getpixel(at) for at in ((10, 256), (11, 256), (10, 257), (11, 257), (12, 257))] == [
            (255, 0, 0),
            (0, 255, 0),
            (0, 0, 255),
            (255, 255, 255),
            (0, 0, 0),
        ]

    play(tmp_path, main, body)


def test_full_frames_are_quick(tmp_path: Path) -> None:
    main = (
        PANEL
        + """
band = bytearray(240 * 40 * 2)
start = time.ticks_us()
for i in range(20):
    for y in range(8):
        command(0x2a, bytes((0, 0, 0, 239)))
        command(0x2b, bytes((y * 40 >> 8, y * 40 & 255, (y * 40 + 39) >> 8, (y * 40 + 39) & 255)))
        command(0x2c, band)
uart = machine.ADC(machine.Pin(1)).read_uv()
print("MS", time.ticks_diff(time.ticks_us(), start) / 20000)
"""
    )

    async def body(h: Handheld) -> None:
        assert float(await line(h, "MS")) < 31, "slower than the real bus at 40 MHz"

    play(tmp_path, main, body)


def test_dark_without_backlight_or_on_the_wrong_wire(tmp_path: Path) -> None:
    main = (
        PANEL
        + """
command(0x2a, bytes((0, 0, 0, 0)))
command(0x2b, bytes((0, 0, 0, 0)))
command(0x2c, b"\\xff\\xff")
spi2 = machine.SPI(1, baudrate=40000000, sck=machine.Pin(12), mosi=machine.Pin(3), miso=None)
command(0x2c, b"\\x00\\x00")
print("LIT")
time.sleep_ms(300)
light.duty_u16(0)
print("DARK")
time.sleep(9)
"""
    )

    async def body(h: Handheld) -> None:
        await line(h, "LIT")
        assert h.world.screenshot().getpixel((0, 0)) == (255, 255, 255)
        await line(h, "DARK")
        assert h.world.screenshot().getpixel((0, 0)) == (0, 0, 0)

    play(tmp_path, main, body)


# Pins


def test_key_interrupts_with_bounce_while_asyncio_sleeps(tmp_path: Path) -> None:
    main = """
import machine, asyncio, time
edges = []
flag = asyncio.ThreadSafeFlag()
def edge(pin):
    edges.append(pin.value())
    flag.set()
keys = [machine.Pin(n, machine.Pin.IN, machine.Pin.PULL_UP) for n in (4, 5, 6)]
keys[2].irq(edge, machine.Pin.IRQ_FALLING | machine.Pin.IRQ_RISING)
print("READY", [k.value() for k in keys])
async def main():
    await flag.wait()
    await asyncio.sleep_ms(60)
    print("HELD", keys[2].value(), keys[1].value())
    await asyncio.sleep_ms(300)
    print("FREE", keys[2].value())
    print("EDGES", edges)
asyncio.run(main())
keys[2].irq(None)
"""

    async def body(h: Handheld) -> None:
        assert await line(h, "READY") == "[1, 1, 1]"
        h.world.press("yes", 200)
        assert await line(h, "HELD") == "0 1"
        assert await line(h, "FREE") == "1"
        edges = json.loads(await line(h, "EDGES"))
        assert len(edges) > 2 and edges[0] == 0 and edges[-1] == 1

    play(tmp_path, main, body)


def test_key_interrupt_reaches_a_sleeping_program_quickly(tmp_path: Path) -> None:
    main = """
import machine, time
seen = []
key = machine.Pin(4, machine.Pin.IN, machine.Pin.PULL_UP)
key.irq(lambda p: seen.append(time.ticks_ms()), machine.Pin.IRQ_FALLING)
print("READY")
time.sleep_ms(1000)
print("SEEN", len(seen))
"""

    async def body(h: Handheld) -> None:
        await line(h, "READY")
        h.world.press("no", 50, bounce=False)
        assert await line(h, "SEEN") == "1"

    play(tmp_path, main, body)


def test_key_without_pull_up_reads_low(tmp_path: Path) -> None:
    main = "import machine\nprint('LEVEL', machine.Pin(4, machine.Pin.IN).value())"

    async def body(h: Handheld) -> None:
        assert await line(h, "LEVEL") == "0"

    play(tmp_path, main, body)


def test_pwm_led_vibration_adc(tmp_path: Path) -> None:
    main = """
import machine, time
buzzer = machine.PWM(machine.Pin(7), freq=2700, duty_u16=32768)
buzzer.freq(3100)
buzzer.duty_u16(0)
leds = [machine.PWM(machine.Pin(n), freq=1000, duty_u16=0) for n in (38, 39, 40)]
leds[1].duty_u16(65535)
leds[2].duty(512)
motor = machine.Pin(41, machine.Pin.OUT, value=0)
motor(1)
time.sleep_ms(20)
motor(0)
adc = machine.ADC(machine.Pin(1), atten=machine.ADC.ATTN_11DB)
print("UV", sum(adc.read_uv() for _ in range(32)) // 32)
print("FREQ", buzzer.freq(), leds[2].duty_u16())
time.sleep(9)
"""

    async def body(h: Handheld) -> None:
        h.world.battery_mv = 3700
        assert abs(int(await line(h, "UV")) - 1_850_000) < 2000
        assert await line(h, "FREQ") == "3100 32768"
        tones = [e.data["hz"] for e in h.world.events if e.kind == "tone"]
        assert tones == [2700, 3100, 0]
        assert h.world.led == (0, 255, 128)
        assert [e.data["on"] for e in h.world.events if e.kind == "vibration"] == [True, False]

    play(tmp_path, main, body)


def test_timers_fire_in_sleep_and_asyncio(tmp_path: Path) -> None:
    main = """
import machine, time, asyncio
n = [0, 0]
def count(timer): n[0] += 1
def once(timer): n[1] += 1
t = machine.Timer(0, period=50, mode=machine.Timer.PERIODIC, callback=count)
machine.Timer(-1, period=30, mode=machine.Timer.ONE_SHOT, callback=once)
time.sleep_ms(275)
first = n[0]
async def main():
    await asyncio.sleep_ms(250)
asyncio.run(main())
t.deinit()
total = n[0]
time.sleep_ms(150)
print("COUNT", first, total, n[0] - total, n[1])
"""

    async def body(h: Handheld) -> None:
        first, total, after, once = map(int, (await line(h, "COUNT")).split())
        assert 4 <= first <= 6 and 8 <= total <= 11 and after == 0 and once == 1

    play(tmp_path, main, body)


# Storage, clocks, resets


def test_nvs_survives_only_what_was_committed(tmp_path: Path) -> None:
    main = """
import esp32, machine
nvs = esp32.NVS("yima")
buf = bytearray(40)
try:
    n = nvs.get_blob("secret", buf)
    print("SECRET", bytes(buf[:n]), nvs.get_i32("count"))
    try:
        nvs.get_i32("lost")
    except OSError as e:
        print("LOST", e.errno)
    nvs.erase_key("secret")
    nvs.commit()
    try:
        nvs.get_blob("secret", buf)
    except OSError as e:
        print("ERASED", e.errno)
    try:
        nvs.set_i32("a-key-of-16-char", 1)
    except OSError as e:
        print("LONG", e.errno)
except OSError as e:
    print("FIRST", e.errno)
    nvs.set_blob("secret", bytes(range(32)))
    nvs.set_i32("count", -7)
    nvs.commit()
    nvs.set_i32("lost", 1)
    machine.reset()
"""

    async def body(h: Handheld) -> None:
        assert await line(h, "FIRST") == "-4354"
        assert await line(h, "SECRET") == f"{bytes(range(32))!r} -7"
        assert await line(h, "LOST") == "-4354"
        assert await line(h, "ERASED") == "-4354"
        assert await line(h, "LONG") == "-4361"

    play(tmp_path, main, body)


def test_reset_respawns_and_keeps_the_chips_clock(tmp_path: Path) -> None:
    main = """
import machine, time
print("CAUSE", machine.reset_cause(), time.localtime()[0])
if machine.reset_cause() == 1:
    machine.RTC().datetime((2026, 5, 22, 0, 12, 0, 0, 0))
    print("SET", time.localtime()[:6], machine.RTC().datetime()[:7])
    try:
        machine.reset()
    except BaseException as e:
        print("CAUGHT", repr(e))
    while True:
        pass
"""

    async def body(h: Handheld) -> None:
        assert await line(h, "SET") == "(2026, 5, 22, 12, 0, 0) (2026, 5, 22, 4, 12, 0, 0)"
        assert await line(h, "CAUSE 2") == "2026"
        first = h.pid
        await h.power_cycle()
        assert h.pid != first
        await h.world.wait_for(
            "console", after=h.world.last_event - 1, where=lambda e: e.data["line"] == "CAUSE 1 2000"
        )

    console = play(tmp_path, main, body)
    assert not [text for text in console if text.startswith("CAUGHT")]


def test_battery_clock_runs_through_power_cycle_and_a_new_simulator(tmp_path: Path) -> None:
    main = """
import machine
i2c = machine.I2C(0, sda=machine.Pin(8), scl=machine.Pin(9), freq=100000)
if machine.reset_cause() == 1 and i2c.readfrom_mem(0x68, 6, 1) != b"\\x31":
    i2c.writeto_mem(0x68, 0, bytes((0x58, 0x59, 0x23, 0x04, 0x31, 0x12, 0x31)))
    print("SET")
else:
    print("CLOCK", i2c.readfrom_mem(0x68, 4, 3).hex())
"""

    async def body(h: Handheld) -> None:
        await line(h, "SET")
        await h.power_cycle()
        assert (await line(h, "CLOCK")).startswith("3112")

    play(tmp_path, main, body)

    async def again(h: Handheld) -> None:
        assert await line(h, "CLOCK") in ("311231", "010132")

    play(tmp_path, main, again)


def test_watchdog_bites_a_program_that_hangs(tmp_path: Path) -> None:
    main = """
import machine, time
print("CAUSE", machine.reset_cause())
if machine.reset_cause() == 1:
    wdt = machine.WDT(timeout=400)
    for _ in range(6):
        time.sleep_ms(100)
        wdt.feed()
    print("FED")
    while True:
        pass
"""

    async def body(h: Handheld) -> None:
        await line(h, "FED")
        assert await line(h, "CAUSE 3") == ""

    play(tmp_path, main, body)


def test_flash_survives_sigkill(tmp_path: Path) -> None:
    main = """
import os, time
try:
    print("FOUND", os.stat("/count")[6])
except OSError:
    print("FOUND 0")
with open("/count", "ab") as f:
    while True:
        f.write(b"x" * 100)
        f.flush()
        print("FLUSHED", f.tell())
        time.sleep_ms(1)
"""

    async def body(h: Handheld) -> None:
        await h.world.wait_for("console", where=lambda e: e.data["line"] == "FLUSHED 3000")
        os.kill(h.pid or 0, signal.SIGKILL)
        await h.world.wait_for("reset")
        flushed = [int(t.split()[1]) for t in h.console if t.startswith("FLUSHED")]
        found = await h.world.wait_for(
            "console",
            after=0,
            where=lambda e: e.data["line"].startswith("FOUND") and e.data["line"] != "FOUND 0",
        )
        assert int(found.data["line"].split()[1]) >= flushed[-1]
        await h.kill()
        assert h.state == "off"
        await h.start()

    play(tmp_path, main, body)


def test_armed_power_cut_tears_the_write(tmp_path: Path) -> None:
    main = """
import os, time
print("FILES", sorted(os.listdir("/")))
with open("/a", "wb") as f:
    for i in range(1000):
        time.sleep_ms(1)
        f.write(bytes(100))
        f.flush()
        print("AT", i)
"""

    async def body(h: Handheld) -> None:
        await line(h, "AT 5")
        h.cut_power_at(7)
        await h.world.wait_for("power", where=lambda e: e.data["state"] == "cut")
        await asyncio.sleep(0.1)
        assert h.state == "off" and h.pid is None
        mark = h.world.last_event
        await h.start()
        await h.world.wait_for("console", after=mark, where=lambda e: e.data["line"].startswith("FILES"))

    play(tmp_path, main, body)


# Network


NET = """
import network, time, socket, errno, asyncio
w = network.WLAN(network.WLAN.IF_STA)
w.active(True)
"""


def test_wifi_states(tmp_path: Path) -> None:
    main = (
        NET
        + """
def until(state):
    for _ in range(600):
        if w.status() == state:
            return state
        time.sleep_ms(5)
    return -w.status()
print("IDLE", w.status(), w.isconnected(), [s[0] for s in w.scan()])
w.connect("yima", "wrong")
print("JOINING", w.status(), until(202))
w.connect("other", "x")
print("OTHER", until(201))
w.connect("yima", "yima-door-2020")
print("UP", until(1010), w.isconnected(), w.ifconfig()[0], w.status("rssi") < 0)
print("LOST", until(200) if until(200) == 200 else until(201))
print("BACK", until(1010))
w.disconnect()
print("LEFT", w.status(), w.isconnected())
"""
    )

    async def body(h: Handheld) -> None:
        assert await line(h, "IDLE") == "1000 False [b'yima']"
        assert await line(h, "JOINING") == "1001 202"
        assert await line(h, "OTHER") == "201"
        assert await line(h, "UP") == "1010 True 192.168.4.17 True"
        h.world.wifi = False
        assert await line(h, "LOST") == "200"
        h.world.wifi = True
        assert await line(h, "BACK") == "1010"
        assert await line(h, "LEFT") == "1000 False"

    play(tmp_path, main, body)


def test_sockets_through_the_relay_stall_without_wifi(tmp_path: Path) -> None:
    main = (
        NET
        + """
def attempt(f, *a):
    try:
        return f(*a)
    except OSError as e:
        return e.errno
print("DOWN", attempt(socket.getaddrinfo, "localhost", PORT))
w.connect("yima", "yima-door-2020")
while not w.isconnected():
    time.sleep_ms(10)
async def main():
    r, wr = await asyncio.open_connection("localhost", PORT)
    wr.write(b"one\\n")
    await wr.drain()
    print("ECHO", await r.readline())
    while w.isconnected():
        await asyncio.sleep_ms(10)
    wr.write(b"two\\n")
    await wr.drain()
    try:
        print("BAD", await asyncio.wait_for(r.readline(), 0.5))
    except asyncio.TimeoutError:
        print("STALLED", attempt(socket.getaddrinfo, "localhost", PORT))
    print("LATE", await r.readline())
    wr.close()
    await wr.wait_closed()
    a = socket.getaddrinfo("localhost", CLOSED, 0, socket.SOCK_STREAM)[0]
    s = socket.socket(a[0], a[1], a[2])
    print("REFUSED", attempt(s.connect, a[-1]) == errno.ECONNREFUSED)
asyncio.run(main())
"""
    )

    async def body(h: Handheld) -> None:
        assert await line(h, "DOWN") == "-202"
        assert await line(h, "ECHO") == r"b'one\n'"
        h.world.wifi = False
        assert await line(h, "STALLED") == "-202"
        h.world.wifi = True
        assert await line(h, "LATE") == r"b'two\n'"
        assert await line(h, "REFUSED") == "True"

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.readline():
            writer.write(data)
        writer.close()

    async def run() -> None:
        server = await asyncio.start_server(echo, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        spare = await asyncio.start_server(echo, "127.0.0.1", 0)
        closed = spare.sockets[0].getsockname()[1]
        spare.close()
        await spare.wait_closed()
        make_image(tmp_path, {"/main.py": f"PORT = {port}\nCLOSED = {closed}\n" + main})
        h = Handheld(tmp_path)
        try:
            await h.start()
            await body(h)
        finally:
            print("\n".join(h.console))
            await h.stop()
            server.close()

    asyncio.run(run())


# Processes


IDLE = """
import machine, asyncio
key = machine.Pin(4, machine.Pin.IN, machine.Pin.PULL_UP)
key.irq(lambda p: None, machine.Pin.IRQ_FALLING)
print("READY")
async def main():
    while True:
        await asyncio.sleep(1)
asyncio.run(main())
"""


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_idle_costs_no_cpu(tmp_path: Path) -> None:
    async def body(h: Handheld) -> None:
        await line(h, "READY")
        await asyncio.sleep(0.5)
        before = cpu_s(h.pid or 0), time.process_time()
        await asyncio.sleep(3)
        assert cpu_s(h.pid or 0) - before[0] <= 0.03
        assert time.process_time() - before[1] <= 0.06

    play(tmp_path, IDLE, body)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("busy", [False, True])
def test_no_orphan_when_the_simulator_is_killed(tmp_path: Path, busy: bool) -> None:
    make_image(tmp_path, {"/main.py": "while True:\n    pass\n" if busy else IDLE})
    script = (
        "import asyncio, sys\nfrom pathlib import Path\nfrom simulator.handheld import Handheld\n"
        "async def main():\n    h = Handheld(Path(sys.argv[1]))\n    await h.start()\n"
        "    print(h.pid, flush=True)\n    await asyncio.sleep(60)\nasyncio.run(main())\n"
    )
    root = Path(__file__).resolve().parents[2]
    parent = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, text=True, cwd=root
    )
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    assert Path(f"/proc/{child}").exists()
    parent.kill()
    parent.wait()
    for _ in range(100):
        if not Path(f"/proc/{child}").exists():
            return
        time.sleep(0.05)
    os.kill(child, signal.SIGKILL)
    pytest.fail("the interpreter outlived the simulator")


def test_dying_again_and_again_ends_dead(tmp_path: Path) -> None:
    async def body(h: Handheld) -> None:
        for _ in range(3):
            await asyncio.sleep(0.05)
            mark = h.world.last_event
            os.kill(h.pid or 0, signal.SIGKILL)
            await h.world.wait_for("exit", after=mark)
            if h.state != "dead":
                await h.world.wait_for("boot", after=mark)
        await asyncio.sleep(0.3)
        assert h.state == "dead"
        await h.start()
        assert h.state == "running"

    play(tmp_path, IDLE, body)
