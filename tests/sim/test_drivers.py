"""The drivers on the simulated board: each chip's driver against the model that was written without it."""

from __future__ import annotations

import asyncio
import importlib.util
import time
import zlib
from collections.abc import Awaitable, Callable
from pathlib import Path

from boards import make_image

from simulator.devices.gm65 import FACTORY
from simulator.handheld import Handheld

ROOT = Path(__file__).resolve().parents[2]
GOOD = b"YM1:" + b"A1 $%*+-./:B2C3 " * 18

SCANNER = """
import asyncio, binascii, machine
from drivers.gm65 import GM65, GM65Error
from drivers.keys import Keys, NO
pin = machine.Pin
async def keyboard(scanner, keys):
    while True:
        pause = await keys.next() == NO
        scanner.pause() if pause else scanner.resume()
        print("PAUSE" if pause else "RESUME")
async def main():
    uart = machine.UART(1, 9600, tx=pin(17), rx=pin(18), rxbuf=4096)
    scanner = GM65(uart, power=pin(2, pin.OUT, value=1))
    scanner.on_state = lambda ok: print("STATE", ok)
    keys = Keys(tuple(pin(n, pin.IN, pin.PULL_UP) for n in (4, 5, 6)))
    task = asyncio.create_task(keyboard(scanner, keys))
    try:
        await scanner.start()
        print("READY", scanner.baud, scanner.refused)
    except GM65Error as e:
        print("READY", e)
    while True:
        text = await scanner.read()
        print("CODE", len(text), binascii.crc32(text))
asyncio.run(main())
"""

BUS = """
import asyncio, machine
from drivers.battery import Battery
from drivers.buzzer import Buzzer
from drivers.ds3231 import DS3231, RtcError
from drivers.keys import Keys
from drivers.led import Led
from drivers.mlx90614 import Thermometer, ThermometerError
from drivers.vibration import Vibration
pin = machine.Pin
async def main():
    i2c = machine.I2C(0, sda=pin(8), scl=pin(9), freq=100_000)
    thermometer = Thermometer(i2c)
    rtc = DS3231(i2c)
    battery = Battery(machine.ADC(pin(1), atten=machine.ADC.ATTN_11DB))
    led = Led(machine.PWM(pin(38)), machine.PWM(pin(39)), machine.PWM(pin(40)))
    buzzer = Buzzer(machine.PWM(pin(7)))
    vibration = Vibration(pin(41, pin.OUT, value=0))
    keys = Keys(tuple(pin(n, pin.IN, pin.PULL_UP) for n in (4, 5, 6)))
    await asyncio.sleep_ms(300)
    print("READY", keys.stuck())
    while True:
        key = await keys.next()
        if key == 0:
            try:
                print("TEMPERATURE", *thermometer.read_centi_c())
            except ThermometerError as e:
                print("TEMPERATURE", e)
        elif key == 1:
            try:
                t = rtc.read_unix()
                print("TIME", t)
                rtc.write_unix(1_793_491_200)
                print("WRITTEN", rtc.read_unix())
            except RtcError as e:
                print("TIME", e)
            mv = battery.read_millivolts()
            print("BATTERY", mv, battery.percent(mv))
        else:
            led.set(255, 128, 0)
            buzzer.play(((2000, 80), (0, 40), (2600, 120)))
            vibration.pulse((100, 50, 100))
            await asyncio.sleep_ms(500)
            led.off()
            print("PLAYED")
asyncio.run(main())
"""


class Console:
    """Reads the console on and on: `line` waits for the next one with a given beginning."""

    def __init__(self, handheld: Handheld) -> None:
        self._world = handheld.world
        self._after = 0

    async def line(self, start: str, timeout_s: float = 15) -> str:
        """The next line that begins with `start`, without it; a traceback fails."""
        event = await self._world.wait_for(
            "console",
            timeout_s,
            after=self._after,
            where=lambda e: e.data["line"].startswith((start, "Traceback")),
        )
        if event.data["line"].startswith("Traceback"):
            await asyncio.sleep(0.2)
            raise AssertionError("the script failed")
        self._after = event.number
        return event.data["line"][len(start) :].strip()

    def lines(self, start: str) -> list[str]:
        """Those that begin with `start` since the last one that was waited for."""
        return [
            e.data["line"]
            for e in self._world.since(self._after)
            if e.kind == "console" and e.data["line"].startswith(start)
        ]


def sources() -> dict[str, str]:
    files = {f"/drivers/{path.name}": path.read_text("utf-8") for path in (ROOT / "drivers").glob("*.py")}
    for name in ("adafruit_mlx90614", "adafruit_bus_device", "adafruit_bus_device.i2c_device"):
        spec = importlib.util.find_spec(name)
        assert spec and spec.origin
        tail = "/__init__.py" if Path(spec.origin).name == "__init__.py" else ".py"
        files["/lib/" + name.replace(".", "/") + tail] = Path(spec.origin).read_text("utf-8")
    return files


def play(tmp_path: Path, main: str, body: Callable[[Handheld, Console], Awaitable[None]]) -> None:
    """Run `main` on the board while `body` acts on the world."""

    async def run() -> None:
        make_image(tmp_path, {"/main.py": main, **sources()}, blocks=256)
        handheld = Handheld(tmp_path)
        try:
            await handheld.start()
            await body(handheld, Console(handheld))
        except BaseException:
            print("\n".join(handheld.console))
            raise
        finally:
            await handheld.stop()

    asyncio.run(run())


def code(text: bytes) -> str:
    """What the script prints for a code."""
    return f"{len(text)} {zlib.crc32(text)}"


def factory(tmp_path: Path, model: str) -> None:
    """A module as it leaves its factory."""
    zones = bytearray(256)
    for zone, value in FACTORY[model].items():
        zones[zone] = value
    tmp_path.mkdir(parents=True, exist_ok=True)
    (tmp_path / "scanner.bin").write_bytes(zones)


def test_scanner_from_the_factory_and_after(tmp_path: Path) -> None:
    for model in FACTORY:
        profile = tmp_path / model
        factory(profile, model)

        async def first(h: Handheld, console: Console) -> None:
            assert await console.line("READY") == "115200 []"
            h.world.show_text(GOOD)
            assert await console.line("CODE") == code(GOOD)
            zones = (h.profile / "scanner.bin").read_bytes()
            assert zones[0x0D] & 3 == 0 and zones[0x03] & 2 and zones[0x60] == 1 and zones[0] & 0x43 == 1
            assert zones[0x2A:0x2C] == b"\x1a\x00" and zones[0x0E] & 4 == 0 and zones[0x3F] & 1
            before = zones
            await h.power_cycle()
            assert await console.line("READY") == "115200 []"
            assert (h.profile / "scanner.bin").read_bytes() == before
            h.world.show_text(GOOD)
            assert await console.line("CODE") == code(GOOD)

        play(profile, SCANNER, first)


def test_scanner_payloads_noise_and_latency(tmp_path: Path) -> None:
    longest = (GOOD * 20)[:4095] + b" "

    async def body(h: Handheld, console: Console) -> None:
        await console.line("READY")
        for text in (longest, GOOD, b" ", b"x", "张三".encode(), b"A" * 4097, longest[:-1]):
            h.world.show_text(text)
            assert await console.line("CODE") == code(text)
        h.world.show_text(b"B" * 7000)
        assert await console.line("CODE") == code(b"B" * 4097)
        assert h.board.uart.lost == 0

        noise = bytes((i * 7919 >> 3 ^ i * 31) & 0xFF for i in range(4096))
        h.world.uart_noise(noise.replace(b"\r", b"\n"))
        await asyncio.sleep(0.8)
        assert console.lines("CODE") == []
        h.world.show_text(GOOD)
        assert await console.line("CODE") == code(GOOD)
        h.world.uart_noise(noise)
        await asyncio.sleep(0.6)
        for _ in range(20):
            h.world.show_text(GOOD)
            if await console.line("CODE") == code(GOOD):
                break
        else:
            raise AssertionError("noise blocks the scanner")
        assert console.lines("STATE") == []

        late = []
        for _ in range(10):
            await asyncio.sleep(0.1)
            h.world.show_text(GOOD)
            last = await h.world.wait_for("uart_last_byte")
            assert await console.line("CODE") == code(GOOD)
            late.append(time.monotonic_ns() // 1_000_000 - last.t_ms)
        assert sorted(late)[5] < 40, late

    play(tmp_path, SCANNER, body)


def test_scanner_unplugged_and_plugged_in(tmp_path: Path) -> None:
    async def body(h: Handheld, console: Console) -> None:
        await console.line("READY")
        h.world.show_text(GOOD * 12)
        await asyncio.sleep(0.2)  # the first fifth of its bytes
        h.world.unplug("gm65")
        assert await console.line("STATE") == "False"
        assert console.lines("CODE") == []
        h.world.plug("gm65")
        h.world.show_text(GOOD)
        begun = time.monotonic()
        assert await console.line("STATE") == "True"
        assert await console.line("CODE") == code(GOOD)
        assert time.monotonic() - begun < 5

        # Another module takes its place, straight from the factory: 9600 baud, output to USB.
        h.world.unplug("gm65")
        zones = bytearray(256)
        for zone, value in FACTORY["gm861"].items():
            zones[zone] = value
        h.board.scanner._saved[:] = zones
        h.world.plug("gm65")
        assert await console.line("STATE") == "False"
        assert await console.line("STATE") == "True"
        h.world.show_text(GOOD)
        assert await console.line("CODE") == code(GOOD)

        # A contact that is loose for a moment.
        for _ in range(3):
            h.world.unplug("gm65")
            await asyncio.sleep(0.05)
            h.world.plug("gm65")
            h.world.show_text(GOOD)
            assert await console.line("CODE", 20) == code(GOOD)

    play(tmp_path, SCANNER, body)


def test_scanner_absent_at_power_on(tmp_path: Path) -> None:
    async def body(h: Handheld, console: Console) -> None:
        h.world.unplug("gm65")
        assert "does not answer" in await console.line("READY")
        h.world.plug("gm65")
        assert await console.line("STATE") == "True"
        h.world.show_text(GOOD)
        assert await console.line("CODE") == code(GOOD)

    play(tmp_path, SCANNER, body)


def test_scanner_pauses(tmp_path: Path) -> None:
    async def body(h: Handheld, console: Console) -> None:
        await console.line("READY")
        for _ in range(3):
            h.world.press("no")
            await console.line("PAUSE")
            await asyncio.sleep(0.4)
            assert not h.board.scanner.scanning
            h.world.show_text(b"STALE")
            await asyncio.sleep(0.3)
            assert console.lines("CODE") == []
            h.world.show_text(GOOD)
            h.world.press("yes")
            assert await console.line("CODE") == code(GOOD)
        # Paused while a long code comes in: it is dropped, and the next one is not.
        h.world.show_text(GOOD * 10)
        await h.world.wait_for("scanner_decoded")
        h.world.press("no")
        await console.line("PAUSE")
        await asyncio.sleep(0.5)
        h.world.press("yes")
        await console.line("RESUME")
        await asyncio.sleep(0.3)
        h.world.show_text(b"YM1:NEXT")
        seen = [await console.line("CODE")]
        if seen[-1] != code(b"YM1:NEXT"):
            assert seen == [code(GOOD * 10)]  # it was complete before the key's bounce had settled
            assert await console.line("CODE") == code(b"YM1:NEXT")

    play(tmp_path, SCANNER, body)


def test_thermometer(tmp_path: Path) -> None:
    async def body(h: Handheld, console: Console) -> None:
        assert await console.line("READY") == "False"

        async def measured() -> str:
            await asyncio.sleep(0.3)
            h.world.press("no")
            return await console.line("TEMPERATURE")

        h.world.skin_centi_c, h.world.ambient_centi_c = 3650, 2250
        await measured()
        for skin, ambient in ((3650, 2250), (3420, -500), (4200, 3990)):
            h.world.skin_centi_c, h.world.ambient_centi_c = skin, ambient
            await measured()  # settles
            found = [int(part) for part in (await measured()).split()]
            assert abs(found[0] - skin) <= 25 and abs(found[1] - ambient) <= 2, found
        for fault, message in (
            ("nak", "no answer"),
            ("bad_pec", "wrong checksum"),
            ("flag", "error flag"),
            ("ffff", "wrong checksum"),
        ):
            h.world.i2c_fault("mlx90614", fault)
            assert await measured() == "thermometer: " + message
            h.world.i2c_fault("mlx90614", None)
            assert len((await measured()).split()) == 2
        h.world.unplug("mlx90614")
        assert await measured() == "thermometer: no answer"
        h.world.plug("mlx90614")
        await asyncio.sleep(0.3)
        assert len((await measured()).split()) == 2
        h.world.i2c_fault("bus", "stuck")
        assert await measured() == "thermometer: no answer"

    play(tmp_path, BUS, body)


def test_clock_and_battery(tmp_path: Path) -> None:
    async def body(h: Handheld, console: Console) -> None:
        await console.line("READY")

        async def ask() -> None:
            await asyncio.sleep(0.3)  # the last press is over
            h.world.press("middle")

        h.world.battery_mv = 3990
        await ask()
        assert abs(int(await console.line("TIME")) - time.time()) < 5
        assert int(await console.line("WRITTEN")) in (1_793_491_200, 1_793_491_201)
        mv, percent = (int(part) for part in (await console.line("BATTERY")).split())
        assert abs(mv - 3990) < 60 and 70 <= percent <= 90
        await ask()
        assert 1_793_491_200 <= int(await console.line("TIME")) < 1_793_491_220
        await console.line("BATTERY")
        h.board.clock.stopped = True
        await ask()
        assert await console.line("TIME") == "None"
        assert int(await console.line("WRITTEN")) >= 1_793_491_200
        await console.line("BATTERY")
        h.world.unplug("ds3231")
        await ask()
        assert await console.line("TIME") == "the clock chip does not answer"

    play(tmp_path, BUS, body)


def test_light_sound_and_vibration(tmp_path: Path) -> None:
    async def body(h: Handheld, console: Console) -> None:
        await console.line("READY")
        assert h.world.led == (0, 0, 0)
        number = h.world.last_event
        h.world.press("yes", hold_ms=60)
        await h.world.wait_for("led", after=number, where=lambda e: max(h.world.led) > 0)
        await asyncio.sleep(0.1)
        assert h.world.led == (255, 128, 0)
        await console.line("PLAYED")
        await asyncio.sleep(0.1)
        assert h.world.led == (0, 0, 0)
        events = [e for e in h.world.since(number) if e.kind in ("tone", "vibration")]
        print(events)
        tones = [(e.data, e.t_ms) for e in events if e.kind == "tone"]
        pulses = [(e.data, e.t_ms) for e in events if e.kind == "vibration"]
        assert len(tones) == 4 and len(pulses) == 4
        for found, lengths in ((tones, (80, 40, 120)), (pulses, (100, 50, 100))):
            for index, length_ms in enumerate(lengths):
                assert length_ms - 10 <= found[index + 1][1] - found[index][1] < length_ms + 80, found

    play(tmp_path, BUS, body)
