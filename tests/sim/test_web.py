"""The simulator as people and scripts use it: its own process, HTTP, WebSocket, and the page in Chromium."""

from __future__ import annotations

import asyncio
import contextlib
import http.server
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import segno
from boards import make_image
from conftest import need
from PIL import Image
from ports import free_port
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus

ROOT = Path(__file__).resolve().parents[2]
FIRMWARE = """
import machine, time, asyncio
cs = machine.Pin(10, machine.Pin.OUT, value=1)
dc = machine.Pin(13, machine.Pin.OUT, value=1)
rst = machine.Pin(14, machine.Pin.OUT, value=0)
rst(1)
light = machine.PWM(machine.Pin(21), freq=1000, duty_u16=65536)
green = machine.PWM(machine.Pin(39), freq=1000, duty_u16=0)
buzzer = machine.PWM(machine.Pin(7), freq=2000, duty_u16=0)
motor = machine.Pin(41, machine.Pin.OUT, value=0)
spi = machine.SPI(1, baudrate=40000000, sck=machine.Pin(12), mosi=machine.Pin(11), miso=None)
def command(c, data=b""):
    cs(0)
    dc(0)
    spi.write(bytes((c,)))
    dc(1)
    if data:
        spi.write(data)
    cs(1)
def box(x, y, w, h, colour):
    command(0x2a, bytes((0, x, 0, x + w - 1)))
    command(0x2b, bytes((y >> 8, y & 255, (y + h - 1) >> 8, (y + h - 1) & 255)))
    command(0x2c, colour * (w * h))
for c, d in ((0x11, b""), (0x3a, b"\\x55"), (0x36, b"\\0"), (0x21, b""), (0x29, b"")):
    command(c, d)
box(0, 0, 40, 40, b"\\xf8\\x00")
power = machine.Pin(2, machine.Pin.OUT, value=1)
uart = machine.UART(1, 9600, tx=17, rx=18, rxbuf=4096)
key = machine.Pin(6, machine.Pin.IN, machine.Pin.PULL_UP)
flag = asyncio.ThreadSafeFlag()
key.irq(lambda pin: flag.set(), machine.Pin.IRQ_FALLING)
async def keys():
    while True:
        await flag.wait()
        await asyncio.sleep_ms(20)
        if key.value() == 0:
            print("KEY")
            green.duty_u16(65536)
            buzzer.duty_u16(32768)
            motor(1)
            box(200, 300, 8, 4, b"\\x07\\xe0")
            await asyncio.sleep_ms(400)  # a busy computer's browser shall see it, too
            buzzer.duty_u16(0)
            motor(0)
async def scanner():
    reader = asyncio.StreamReader(uart)
    await asyncio.sleep_ms(600)
    uart.write(bytes((0x7e, 0, 8, 1, 0, 6, 0, 0xab, 0xcd)))
    uart.write(bytes((0x7e, 0, 8, 1, 0, 0, 0xd1, 0xab, 0xcd)))
    await reader.readexactly(14)
    while True:
        uart.write(bytes((0x7e, 0, 8, 1, 0, 2, 1, 0xab, 0xcd)))
        await reader.readexactly(7)
        print("SCANNING")
        got = b""
        while not got.endswith(b"\\r"):
            got += await reader.read(256)
        print("CODE", got)
async def main():
    asyncio.create_task(keys())
    await scanner()
asyncio.run(main())
"""
PEOPLE = [
    {
        "id": "zhang-san",
        "name": "张*三",
        "note_zh": "老师",
        "note_en": "teacher",
        "colour": "green",
        "media": ["live", "paper"],
        "companions": [],
    }
]


def code_picture(text: str) -> bytes:
    out = io.BytesIO()
    segno.make(text, error="m", micro=False).save(out, kind="png", scale=4, border=4)
    return out.getvalue()


class Town(http.server.BaseHTTPRequestHandler):
    """As much of an authority as the page asks for."""

    def do_GET(self) -> None:
        if self.path == "/api/people":
            body, kind = json.dumps(PEOPLE).encode(), "application/json"
        elif self.path.startswith("/api/people/zhang-san/code.png"):
            body, kind = code_picture("YM1:TOWN " + self.path[-5:].upper()), "image/png"
        else:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


class Simulator:
    """``python -m simulator`` in a process of its own."""

    def __init__(
        self,
        profile: Path,
        authority: str,
        port: int | None = None,
        others: list[Path] | None = None,
        speed: int = 1,
    ) -> None:
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        command = [sys.executable, "-m", "simulator", "--profile", str(profile), "--port", str(self.port)]
        for other in others or []:
            command += ["--profile", str(other)]
        if speed > 1:
            command += ["--speed", str(speed)]
        self.process = subprocess.Popen(
            [*command, "--authority", authority], cwd=ROOT, stdout=subprocess.DEVNULL
        )
        self.http = httpx.Client(base_url=self.url, trust_env=False, timeout=30)
        for _ in range(200):
            with contextlib.suppress(httpx.TransportError):
                if self.http.get("/healthz").status_code == 200:
                    break
            assert self.process.poll() is None
            time.sleep(0.05)

    def beside(self, port: int) -> Simulator:
        """Another handheld of the same process."""
        other = object.__new__(Simulator)
        other.port, other.url, other.process = port, f"http://127.0.0.1:{port}", self.process
        other.http = httpx.Client(base_url=other.url, trust_env=False, timeout=30)
        return other

    def post(self, path: str, expect: int = 200, **options: object) -> dict[str, object]:
        answer = self.http.post(path, **options)  # type: ignore[arg-type]
        assert answer.status_code == expect, answer.text
        result: dict[str, object] = answer.json()
        return result

    def state(self) -> dict[str, object]:
        result: dict[str, object] = self.http.get("/api/state").json()
        return result

    def mark(self) -> int:
        return int(self.state()["last_event"])  # type: ignore[call-overload]

    def wait(self, kind: str, after: int, where: object = None, limit_s: float = 10) -> dict[str, object]:
        """The data of the next event of a kind."""
        ends = time.monotonic() + limit_s
        while time.monotonic() < ends:
            found = self.http.get("/api/events", params={"after": after, "kinds": kind, "wait_s": 2}).json()
            for event in found["events"]:
                after = event["number"]
                if where is None or where(event["data"]):  # type: ignore[operator]
                    data: dict[str, object] = event["data"]
                    return data
        raise AssertionError(f"no event {kind}")

    def line(self, start: str, after: int = 0) -> str:
        data = self.wait("console", after, lambda d: d["line"].startswith(start))
        return str(data["line"])[len(start) :].strip()

    def stop(self) -> None:
        self.http.close()
        self.process.terminate()
        self.process.wait(10)


@pytest.fixture(scope="module")
def authority() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Town)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


@pytest.fixture(scope="module")
def simulator(tmp_path_factory: pytest.TempPathFactory, authority: str) -> Iterator[Simulator]:
    profile = make_image(tmp_path_factory.mktemp("profile"), {"/main.py": FIRMWARE})
    started = Simulator(profile, authority)
    # A picture shown before the firmware has switched the module on is not seen.
    started.line("SCANNING")
    yield started
    started.stop()


def test_state_and_screen(simulator: Simulator) -> None:
    simulator.line("SCANNING")
    state = simulator.state()
    assert state["state"] == "running" and state["backlight"] == 100
    picture = Image.open(io.BytesIO(simulator.http.get("/api/screen.png").content))
    assert picture.size == (240, 320)
    assert picture.getpixel((39, 39)) == (255, 0, 0) and picture.getpixel((40, 40)) == (0, 0, 0)
    assert Image.open(io.BytesIO(simulator.http.get("/api/screen.png?scale=2").content)).size == (480, 640)
    assert simulator.http.get("/api/screen.png?scale=9").status_code == 422


def test_keys_light_sound_and_vibration(simulator: Simulator) -> None:
    mark = simulator.mark()
    simulator.post("/api/keys/yes?hold_ms=100")
    assert simulator.wait("led", mark) == {"rgb": [0, 255, 0]}
    assert simulator.wait("tone", mark) == {"hz": 2000}
    assert simulator.wait("vibration", mark) == {"on": True}
    simulator.post("/api/keys/other", expect=422)


def test_pictures_and_text_reach_the_firmware_as_bytes(simulator: Simulator) -> None:
    mark = simulator.mark()
    found = simulator.post("/api/camera/picture", content=code_picture("YM1:HELLO 1"))
    assert found == {"found": 1, "bytes": 11}
    assert simulator.line("CODE", mark) == r"b'YM1:HELLO 1\r'"
    assert simulator.wait("uart_last_byte", mark) == {"bytes": 12}
    mark = simulator.mark()
    simulator.post("/api/camera/text", content=b"plain text")
    assert simulator.line("CODE", mark) == r"b'plain text\r'"
    out = io.BytesIO()
    Image.new("RGB", (60, 60), "white").save(out, "JPEG")
    assert simulator.post("/api/camera/picture", content=out.getvalue()) == {"found": 0, "bytes": 0}
    preview = simulator.http.get("/api/camera/picture.png")
    assert Image.open(io.BytesIO(preview.content)).size == (60, 60)


def test_what_is_no_picture_is_refused(simulator: Simulator) -> None:
    assert "not a PNG" in str(simulator.post("/api/camera/picture", expect=422, content=b"GIF89a nonsense"))
    simulator.post("/api/camera/picture", expect=413, content=bytes((8 << 20) + 1))
    simulator.post("/api/camera/text", expect=422, content=b"")
    simulator.post("/api/camera/text", expect=413, content=bytes(9000))


def test_people_of_the_town(simulator: Simulator) -> None:
    assert simulator.http.get("/api/town").json() == PEOPLE
    mark = simulator.mark()
    assert simulator.post("/api/camera/person/zhang-san?medium=live")["found"] == 1
    assert simulator.line("CODE", mark) == r"b'YM1:TOWN =LIVE\r'"
    simulator.post("/api/camera/person/nobody", expect=404)
    simulator.post("/api/camera/person/..%2fx", expect=404)


def test_world_changes_are_checked(simulator: Simulator) -> None:
    changed = simulator.post("/api/world", json={"skin_centi_c": None, "wifi": False, "battery_mv": 3600})
    assert changed == {
        "skin_centi_c": None,
        "ambient_centi_c": 2400,
        "battery_mv": 3600,
        "wifi": False,
        "server": True,
    }
    changed = simulator.post("/api/world", json={"skin_centi_c": 3500, "wifi": True})
    assert changed["skin_centi_c"] == 3500 and changed["battery_mv"] == 3600
    for wrong in ({"skin_centi_c": "hot"}, {"wifi": 1}, {"colour": 3}, {"battery_mv": 99999}):
        simulator.post("/api/world", expect=422, json=wrong)


def test_faults(simulator: Simulator) -> None:
    now = simulator.post("/api/faults", json={"unplug": "ds3231", "chip": "mlx90614", "fault": "bad_pec"})
    assert now["plugged"] == {"gm65": True, "mlx90614": True, "ds3231": False}
    assert now["faults"] == {"mlx90614": "bad_pec", "ds3231": None, "bus": None}
    now = simulator.post("/api/faults", json={"plug": "ds3231", "chip": "mlx90614", "fault": None})
    assert now["faults"] == {"mlx90614": None, "ds3231": None, "bus": None}
    simulator.post("/api/faults", expect=422, json={"chip": "ds3231", "fault": "flag"})
    simulator.post("/api/faults", expect=422, json={"unplug": "screen"})


def test_other_sites_and_other_names_are_refused(simulator: Simulator) -> None:
    evil = {"origin": "http://evil.example"}
    assert simulator.http.post("/api/keys/yes", headers=evil).status_code == 403
    assert simulator.http.get("/api/state", headers={"host": "evil.example"}).status_code == 400
    assert simulator.http.post("/api/keys/no", headers={"origin": simulator.url}).status_code == 200
    answer = simulator.http.get("/")
    assert "default-src 'none'" in answer.headers["content-security-policy"]


def test_power_off_and_on(simulator: Simulator) -> None:
    assert simulator.post("/api/power/kill") == {"state": "off"}
    assert simulator.state()["pid"] is None
    assert Image.open(io.BytesIO(simulator.http.get("/api/screen.png").content)).getpixel((0, 0)) == (0, 0, 0)
    mark = simulator.mark()
    assert simulator.post("/api/power/on") == {"state": "running"}
    simulator.line("SCANNING", mark)
    mark = simulator.mark()
    simulator.post("/api/power/reset")
    assert simulator.wait("boot", mark)["cause"] == 2
    # The next test finds the board as this one found it: a key is not heard before the firmware listens.
    simulator.line("SCANNING", mark)


# WebSocket


async def next_pixels(connection: ClientConnection) -> bytes:
    while True:
        message = await asyncio.wait_for(connection.recv(), 10)
        if isinstance(message, bytes):
            return message


def test_live_connection(simulator: Simulator) -> None:
    simulator.line("SCANNING", 0)

    async def watch() -> None:
        async with connect(simulator.url.replace("http", "ws") + "/ws") as connection:
            state = json.loads(await connection.recv())
            assert state["type"] == "state" and state["state"] == "running"
            full = await next_pixels(connection)
            assert full[:8] == bytes.fromhex("0000 0000 00F0 0140") and len(full) == 8 + 153_600
            await connection.send(json.dumps({"key": "yes", "closed": True}))
            part = await next_pixels(connection)
            assert part == bytes.fromhex("00C8 012C 0008 0004") + b"\x07\xe0" * 32
            await connection.send("not json")
            await connection.send(json.dumps({"key": "other", "closed": True}))
        for _ in range(100):  # the page is gone, so its finger is off the key
            events = simulator.http.get("/api/events?kinds=key&wait_s=0").json()["events"]
            if not events[-1]["data"]["closed"]:
                return
            await asyncio.sleep(0.02)
        raise AssertionError("the key is still down")

    asyncio.run(watch())


def test_live_connection_of_another_site_is_refused(simulator: Simulator) -> None:
    async def watch() -> None:
        with pytest.raises(InvalidStatus):
            async with connect(simulator.url.replace("http", "ws") + "/ws", origin="http://evil.example"):
                pass

    asyncio.run(watch())


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_idle_with_a_page_open_costs_next_to_nothing(simulator: Simulator) -> None:
    def cpu_s() -> float:
        fields = Path(f"/proc/{simulator.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    async def watch() -> None:
        async with connect(simulator.url.replace("http", "ws") + "/ws"):
            await asyncio.sleep(1)
            before = cpu_s()
            await asyncio.sleep(3)
            assert cpu_s() - before <= 0.09, "more than 3 % of a core"

    asyncio.run(watch())


# The process


def test_without_firmware_it_says_so(tmp_path: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "simulator", "--profile", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert result.returncode == 1 and "flash.img is missing" in result.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_signals_leave_no_child(tmp_path: Path, authority: str, number: signal.Signals) -> None:
    started = Simulator(make_image(tmp_path, {"/main.py": FIRMWARE}), authority)
    child = int(str(started.state()["pid"]))
    started.process.send_signal(number)
    started.process.wait(10)
    started.http.close()
    for _ in range(100):
        if not Path(f"/proc/{child}").exists():
            return
        time.sleep(0.03)
    os.kill(child, signal.SIGKILL)
    raise AssertionError("the interpreter outlived the simulator")


# The page


@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    need(chromium is not None, 4, "no chromium on this machine")
    from playwright.sync_api import sync_playwright

    arguments = ["--no-sandbox", "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"]
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=arguments)
        yield started
        started.close()


@pytest.fixture
def page(browser, simulator: Simulator):
    """The page at a desk's width; script errors, refused content and outside requests fail the test."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.grant_permissions(["camera"], origin=simulator.url)
    opened = context.new_page()
    troubles: list[str] = []
    opened.on("pageerror", lambda error: troubles.append(str(error)))
    opened.on("console", lambda line: troubles.append(line.text) if line.type == "error" else None)
    opened.on("request", lambda r: None if r.url.startswith(simulator.url) else troubles.append(r.url))
    opened.goto(simulator.url)
    until(opened, "document.querySelector('#status').textContent === 'Running'")
    yield opened
    context.close()
    assert [trouble for trouble in troubles if "ERR_CONNECTION" not in trouble] == []


def until(page, expression: str, limit_s: float = 10) -> None:
    """Wait for a condition on the page, from outside: its policy forbids evaluating text inside."""
    ends = time.monotonic() + limit_s
    while not page.evaluate(expression):
        assert time.monotonic() < ends, expression
        time.sleep(0.02)


PIXEL = "(p) => [...document.querySelector('#screen').getContext('2d').getImageData(p[0], p[1], 1, 1).data]"


@pytest.mark.browser
def test_page_shows_the_screen_and_takes_keys(page, simulator: Simulator) -> None:
    mark = simulator.mark()
    simulator.post("/api/power/cycle")
    simulator.line("SCANNING", mark)
    until(page, f"({PIXEL})([5, 5])[0] === 255")
    assert page.evaluate(PIXEL, [5, 5]) == [255, 0, 0, 255]
    assert page.evaluate(PIXEL, [201, 301]) == [0, 0, 0, 255]
    page.locator("#sound").click()
    page.wait_for_selector("#sound[aria-pressed=true]")
    page.keyboard.down("3")
    page.wait_for_selector("[data-key=yes].down")
    until(page, f"({PIXEL})([201, 301])[1] === 255")
    page.wait_for_selector("#device.shake", state="attached")
    page.keyboard.up("3")
    page.wait_for_selector("[data-key=yes]:not(.down)")
    assert page.locator("#led").get_attribute("aria-label") == "LED red 0, green 255, blue 0"
    mark = simulator.mark()
    page.locator("[data-key=no]").click()
    assert simulator.wait("key", mark)["key"] == "no"
    page.locator("[data-key=middle]").focus()
    page.keyboard.press("Enter")
    assert simulator.wait("key", mark, lambda d: d["key"] == "middle")


@pytest.mark.browser
def test_page_camera(page, simulator: Simulator, tmp_path: Path) -> None:
    mark = simulator.mark()
    page.locator("#town button", has_text="Phone").first.click()
    until(page, "document.querySelector('#found').textContent.startsWith('1 code: 14 bytes')")
    assert simulator.line("CODE", mark) == r"b'YM1:TOWN =LIVE\r'"
    mark = simulator.mark()
    picture = tmp_path / "code.png"
    picture.write_bytes(code_picture("YM1:FROM A FILE"))
    page.set_input_files("#file", str(picture))
    assert simulator.line("CODE", mark) == r"b'YM1:FROM A FILE\r'"
    mark = simulator.mark()
    page.evaluate(
        """(bytes) => {
            const transfer = new DataTransfer();
            transfer.items.add(new File([new Uint8Array(bytes)], "dropped.png", { type: "image/png" }));
            document.querySelector("#drop").dispatchEvent(
                new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true }));
        }""",
        list(code_picture("YM1:DROPPED")),
    )
    assert simulator.line("CODE", mark) == r"b'YM1:DROPPED\r'"
    until(page, "document.querySelector('#preview').naturalWidth > 0")
    mark = simulator.mark()
    page.locator("#webcam").click()
    assert simulator.wait("picture", mark)["found"] == 0, "the browser's test picture has no code"
    page.locator("#webcam").click()
    page.wait_for_selector("#video", state="hidden")


@pytest.mark.browser
def test_page_world_faults_and_power(page, simulator: Simulator) -> None:
    page.locator("#skin").fill("3640")
    page.locator("#wifi").uncheck()
    page.locator("#mlx").select_option("bad_pec")
    page.locator("[data-chip=ds3231]").uncheck()
    for _ in range(100):
        state = simulator.state()
        if state["faults"]["mlx90614"] and not state["plugged"]["ds3231"] and not state["world"]["wifi"]:
            break
        time.sleep(0.03)
    assert state["world"]["skin_centi_c"] == 3640 and state["plugged"]["ds3231"] is False
    assert state["faults"]["mlx90614"] == "bad_pec"
    assert page.locator("#skin-value").text_content() == "36.40 °C"
    page.locator("#mlx").select_option("")
    page.locator("[data-chip=ds3231]").check()
    page.locator("#wifi").check()
    page.locator("#kill").click()
    page.wait_for_selector("#dead:not([hidden])")
    page.locator("#on").click()
    page.wait_for_selector("#dead", state="hidden")
    until(page, "document.querySelector('#console').textContent.includes('power-on')")


@pytest.mark.browser
def test_page_is_labelled_fits_a_phone_and_comes_back(browser, tmp_path: Path, authority: str) -> None:
    profile = make_image(tmp_path, {"/main.py": FIRMWARE})
    first = Simulator(profile, authority)
    page = browser.new_page(viewport={"width": 360, "height": 740})
    page.goto(first.url)
    until(page, "document.querySelector('#status').textContent === 'Running'")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "scrolls sideways"
    unnamed = page.evaluate(
        """() => [...document.querySelectorAll("button, input, select, canvas, [role=img]")].filter((e) =>
            !(e.getAttribute("aria-label") || e.textContent.trim() || e.labels?.length)).map((e) =>
            e.outerHTML)"""
    )
    assert unnamed == []
    assert page.locator("header #sound").bounding_box()["height"] >= 24
    first.stop()
    page.wait_for_selector("#status.bad")
    second = Simulator(profile, authority, first.port)
    try:
        until(page, "document.querySelector('#status').textContent === 'Running'")
        until(page, f"({PIXEL})([5, 5])[0] === 255")
    finally:
        page.close()
        second.stop()
