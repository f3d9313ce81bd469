"""The simulator's models, what looks inside it, and its page in real Chromium: more than test_web.py asks."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe import findings
from boards import PRESSES, make_image
from PIL import Image
from system import wait_until
from test_web import FIRMWARE, Simulator, authority, browser, code_picture, page, simulator, until

from simulator import camera, optics, scenario

__all__ = ["authority", "browser", "page", "simulator"]

HERE = Path(__file__).resolve().parent
FOCUS = (HERE / "focus.js").read_text("utf-8")

WRITER = (
    PRESSES
    + """
i2c = machine.I2C(0, scl=machine.Pin(9), sda=machine.Pin(8), freq=100000)
def read():
    good = bad = 0
    for _ in range(200):
        try:
            i2c.readfrom_mem_into(0x68, 0, bytearray(7))
            good += 1
        except OSError:
            bad += 1
    return good, bad
try:
    with open("/count") as f:
        n = int(f.read())
except (OSError, ValueError):
    n = 0
print("START", n)
uart = machine.UART(1, 9600, tx=17, rx=18, rxbuf=4096)
watch(6)
while True:
    if 6 in pressed:
        print("I2C", *read())
        let_go(6)
        print("UP")
    n += 1
    with open("/count", "w") as f:
        f.write(str(n))
    time.sleep_ms(30)
"""
)


@pytest.fixture(scope="module")
def writer(tmp_path_factory: pytest.TempPathFactory, authority: str) -> Iterator[Simulator]:
    profile = make_image(tmp_path_factory.mktemp("writer"), {"/main.py": WRITER})
    started = Simulator(profile, authority)
    started.line("START")
    yield started
    started.stop()


# Models


def test_noise_on_i2c_comes_and_goes(writer: Simulator) -> None:
    def read() -> list[int]:
        mark = writer.mark()
        writer.post("/api/keys/yes?hold_ms=80")
        found = [int(word) for word in writer.line("I2C", mark).split()]
        writer.line("UP", mark)
        return found

    assert read() == [200, 0]
    assert writer.post("/api/faults", json={"i2c_noise_per_mille": 100})["noise"] == {"uart": 0, "i2c": 100}
    good, bad = read()
    assert bad > 10 and good > 10, "some transfers fail, some do not"
    writer.post("/api/faults", json={"i2c_noise_per_mille": 0})
    assert read() == [200, 0]


def test_the_clock_chip_drifts_and_jumps(writer: Simulator) -> None:
    before = writer.post("/api/faults", json={"clock_shift_s": 86_400})
    assert round(float(str(before["clock_offset_s"]))) == 86_400
    writer.post("/api/faults", json={"clock_drift_ppm": 100_000})
    began = time.monotonic()
    offset = 86_400.0
    while offset < 86_401:
        assert time.monotonic() - began < 30
        offset = float(str(writer.state()["clock_offset_s"]))
    assert time.monotonic() - began > 4, "a tenth too fast is a second in ten"
    now = writer.post("/api/faults", json={"clock_drift_ppm": 0, "clock_shift_s": -86_401})
    assert abs(float(str(now["clock_offset_s"]))) <= 2


def test_power_cuts_in_a_loop_each_one_write_later(writer: Simulator) -> None:
    mark = writer.mark()
    writer.post("/api/faults", json={"cut_loop": True})
    for count in (2, 3, 4, 5, 6):
        writer.wait("fault", mark, lambda data, count=count: data.get("cut_loop") == count)
    mark = writer.mark()
    writer.post("/api/faults", json={"cut_loop": False})
    events = writer.http.get("/api/events", params={"kinds": "power", "wait_s": 0}).json()["events"]
    assert sum(event["data"] == {"state": "cut"} for event in events) >= 5
    writer.post("/api/power/cycle")
    assert int(writer.line("START", mark)) >= 0, "the file system survived"
    assert writer.state()["state"] == "running" and writer.state()["cut_loop"] == 0


def test_noise_on_the_scanner_line(tmp_path: Path, authority: str) -> None:
    started = Simulator(make_image(tmp_path, {"/main.py": FIRMWARE}), authority)

    def arrives() -> str:
        last = started.http.get("/api/trace").json()["last"]
        mark = started.mark()
        started.post("/api/camera/text", content=b"clean text")
        started.wait("uart_last_byte", mark)
        rows = started.http.get("/api/trace", params={"after": last, "bus": "uart"}).json()["rows"]
        return "".join(bytes.fromhex(row["head"]).decode("latin-1") for row in rows if row["way"] == "in")

    try:
        started.line("SCANNING")
        started.post("/api/faults", json={"uart_noise_per_mille": 1000})
        noisy = arrives()
        assert len(noisy) == 11 and not set("clean text") <= set(noisy)
        mark = started.mark()
        started.post("/api/faults", json={"uart_noise_per_mille": 0})
        started.post("/api/power/cycle")
        started.line("SCANNING", mark)
        assert "clean text\r" in arrives()
    finally:
        started.stop()


# The phone


def test_optics_draw_what_a_camera_sees() -> None:
    picture = code_picture("HC1:" + "A7" * 200)
    straight = optics.photograph(picture, optics.View())
    assert straight.size == (640, 480) and camera.read(straight) == [b"HC1:" + b"A7" * 200]
    assert camera.read(optics.photograph(picture, optics.View(turn=137, tilt=30)))
    for view in (optics.View(tilt=74), optics.View(distance_mm=600), optics.View(shake=6.0)):
        assert not camera.read(optics.photograph(picture, view)), view
    far, near = (optics.photograph(picture, optics.View(mm)).histogram()[optics.ROOM] for mm in (300, 150))
    assert far > near, "further away more of the room is seen"


def test_sweep_counts_the_ways_that_read(simulator: Simulator) -> None:
    def ways(text: str) -> int:
        simulator.post("/api/camera/picture", content=code_picture(text))
        answer = simulator.post("/api/camera/sweep")
        views = answer["views"]
        assert isinstance(views, list) and len(views) == answer["tried"] == 135
        assert sum(view["read"] for view in views) == answer["read"]
        return int(str(answer["read"]))

    small, large = ways("YM1:" + "A" * 60), ways("YM1:" + "A7" * 500)
    print(f"reads: {small} of 135 with 64 characters, {large} of 135 with 1004")
    assert small > 80 and 20 < large < small
    shown = simulator.post("/api/camera/phone", json={"distance_mm": 160, "turn": 20})
    assert shown["found"] == 1
    assert Image.open(io.BytesIO(simulator.http.get("/api/camera/picture.png").content)).size == (640, 480)
    simulator.post("/api/camera/phone", json={"distance_mm": 1}, expect=422)


# Looking inside


def test_trace_shows_what_passed_on_the_buses(simulator: Simulator) -> None:
    last = simulator.http.get("/api/trace").json()["last"]
    mark = simulator.mark()
    simulator.post("/api/camera/text", content=b"traced")
    simulator.line("CODE", mark)
    simulator.post("/api/keys/yes?hold_ms=60")
    simulator.wait("frame", mark)
    rows = simulator.http.get("/api/trace", params={"after": last}).json()["rows"]
    came = "".join(bytes.fromhex(row["head"]).decode("latin-1") for row in rows if row["way"] == "in")
    assert "traced" in came
    pixels = [row for row in rows if row["bus"] == "spi" and row["to"] == "data" and row["size"] >= 64]
    assert pixels and pixels[-1]["head"].startswith("07e007e0")
    assert [row["number"] for row in rows] == sorted(row["number"] for row in rows)
    only = simulator.http.get("/api/trace", params={"bus": "uart"}).json()["rows"]
    assert {row["bus"] for row in only} == {"uart"}


def test_trace_tells_errors_of_i2c(writer: Simulator) -> None:
    writer.post("/api/faults", json={"unplug": "ds3231"})
    last = writer.http.get("/api/trace").json()["last"]
    mark = writer.mark()
    writer.post("/api/keys/yes?hold_ms=60")
    assert writer.line("I2C", mark) == "0 200"
    writer.line("UP", mark)
    writer.post("/api/faults", json={"plug": "ds3231"})
    rows = writer.http.get("/api/trace", params={"after": last, "bus": "i2c"}).json()["rows"]
    assert {(row["to"], row["error"]) for row in rows} == {("68", "ENODEV")}


def test_heap_of_the_running_firmware(simulator: Simulator) -> None:
    heap = simulator.http.get("/api/heap").json()
    boot = simulator.state()["boot"]
    assert isinstance(boot, dict)
    assert heap["used"] + heap["free"] == boot["used"] + boot["free"]
    assert heap["used"] > boot["used"]


def test_a_session_is_recorded_as_a_scenario(simulator: Simulator, tmp_path: Path) -> None:
    simulator.post("/api/record/start")
    mark = simulator.mark()
    simulator.post("/api/world", json={"skin_centi_c": 3470})
    simulator.post("/api/camera/person/zhang-san?medium=paper")
    simulator.line("CODE", mark)
    mark = simulator.mark()
    simulator.post("/api/keys/middle?hold_ms=80")
    simulator.wait("key", mark, lambda data: not data["closed"])
    time.sleep(0.1)
    simulator.post("/api/world", json={"wifi": False})
    simulator.post("/api/world", json={"wifi": True})
    simulator.post("/api/camera/text", content=b"hello there")
    simulator.post("/api/faults", json={"clock_shift_s": -3600})
    simulator.post("/api/faults", json={"clock_shift_s": 3600})
    simulator.post("/api/world", json={"server": False, "battery_mv": 3500})
    simulator.post("/api/world", json={"server": True, "battery_mv": 3980})
    simulator.post("/api/faults", json={"unplug": "ds3231", "chip": "mlx90614", "fault": "bad_pec"})
    simulator.post("/api/faults", json={"plug": "ds3231", "chip": "mlx90614", "fault": None})
    simulator.post("/api/faults", json={"uart_noise_per_mille": 5})
    simulator.post("/api/faults", json={"uart_noise_per_mille": 0})
    assert simulator.post("/api/record/stop")["recording"] is False
    text = simulator.http.get("/api/record.txt").text
    (tmp_path / "recorded.txt").write_text(text)
    steps = [(step.verb, *step.words) for step in scenario.load(tmp_path / "recorded.txt").steps]
    assert steps == [
        ("comes", "zhang-san", "code", "paper", "skin", "34.70"),
        ("press", "middle"),
        ("world", "wifi", "off"),
        ("world", "wifi", "on"),
        ("shows", "text", "hello there"),
        ("clock", "-3600s"),
        ("clock", "+3600s"),
        ("world", "server", "off"),
        ("world", "battery", "3.50"),
        ("world", "server", "on"),
        ("world", "battery", "3.98"),
        ("unplug", "ds3231"),
        ("fault", "mlx90614", "bad_pec"),
        ("plug", "ds3231"),
        ("fault", "mlx90614", "none"),
        ("noise", "uart", "5"),
        ("noise", "uart", "0"),
    ]


ANSWERS = (
    PRESSES
    + """
watch(4)
watch(6)
def answer(number):
    while number not in pressed:
        time.sleep_ms(5)
    let_go(number)
power = machine.Pin(2, machine.Pin.OUT, value=1)
uart = machine.UART(1, 9600, tx=17, rx=18, rxbuf=4096)
def say(frame, size):
    uart.write(frame)
    while uart.any() < size:
        time.sleep_ms(5)
    uart.read(size)
time.sleep_ms(600)
say(b"\\x7e\\0\\x08\\x01\\0\\x06\\0\\xab\\xcd", 7)
say(b"\\x7e\\0\\x08\\x01\\0\\0\\xd1\\xab\\xcd", 7)
print("flow: idle")
uart.write(b"\\x7e\\0\\x08\\x01\\0\\x02\\x01\\xab\\xcd")
while uart.any() < 8:
    time.sleep_ms(5)
print("flow: id_check")
answer(4)  # no
print("flow: measure")
answer(6)  # yes
print("flow: verdict 0")
print("flow: idle")
print("END")
"""
)


def test_answers_to_the_handhelds_questions_become_words_of_the_scene(tmp_path: Path, authority: str) -> None:
    started = Simulator(make_image(tmp_path, {"/main.py": ANSWERS}), authority)
    try:
        mark = started.mark()
        started.post("/api/power/cycle")
        started.post("/api/record/start")
        started.line("flow: idle", mark)
        started.post("/api/camera/person/zhang-san?medium=live")
        started.line("flow: id_check", mark)
        started.post("/api/keys/no?hold_ms=60")
        started.line("flow: measure", mark)
        started.post("/api/keys/yes?hold_ms=60")
        started.line("END", mark)
        started.post("/api/record/stop")
        lines = started.http.get("/api/record.txt").text.split("\n")
        assert lines[2:4] == ["comes zhang-san code live skin 34.20 id no mask yes", "verdict pass"]
    finally:
        started.stop()


# The page


@pytest.mark.browser
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (1280, "dark"), (360, "light")])
def test_axe_finds_nothing(browser, simulator: Simulator, width: int, scheme: str) -> None:
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    opened = context.new_page()
    try:
        for path in ("/", "/devices"):
            opened.goto(simulator.url + path)
            until(opened, "!document.querySelector('#status').textContent.startsWith('Connecting')")
            for at in range(opened.locator("summary").count()):
                opened.locator("summary").nth(at).click()
            assert findings(opened) == []
            assert opened.evaluate("document.documentElement.scrollWidth <= innerWidth"), "scrolls sideways"
    finally:
        context.close()


@pytest.mark.browser
def test_axe_would_find_what_is_wrong(browser) -> None:
    opened = browser.new_page()
    try:
        opened.set_content("<p style='color: #999; background: #aaa'>grey</p><button></button><img src='x'>")
        found = {line.split()[0] for line in findings(opened)}
        assert {"color-contrast", "button-name", "image-alt", "html-has-lang", "landmark-one-main"} <= found
    finally:
        opened.close()


@pytest.mark.browser
def test_every_control_is_reached_by_tab_and_shows_it(page) -> None:
    wanted = page.evaluate(
        "[...document.querySelectorAll('button, input, select, summary, a[href]')]"
        ".filter((e) => e.checkVisibility() && !e.disabled).length"
    )
    seen = set()
    for _ in range(2 * wanted):
        page.keyboard.press("Tab")
        now = page.evaluate(FOCUS)
        if now is None:
            break
        assert now["seen"], f"focus on {now['what']} cannot be seen"
        seen.add(page.evaluate("[...document.querySelectorAll('*')].indexOf(document.activeElement)"))
    assert len(seen) >= wanted


@pytest.mark.browser
def test_keys_are_held_by_mouse_and_by_touch(browser, simulator: Simulator) -> None:
    context = browser.new_context(viewport={"width": 360, "height": 740}, has_touch=True)
    opened = context.new_page()
    try:
        opened.goto(simulator.url)
        until(opened, "document.querySelector('#status').textContent === 'Running'")
        mark = simulator.mark()
        opened.locator("[data-key=middle]").tap()
        assert simulator.wait("key", mark, lambda data: not data["closed"])["key"] == "middle"
        mark = simulator.mark()
        opened.locator("[data-key=no]").hover()
        opened.mouse.down()
        simulator.wait("key", mark, lambda data: data == {"key": "no", "closed": True})
        opened.wait_for_selector("[data-key=no].down")

        def down() -> bool:
            events = simulator.http.get(f"/api/events?after={mark}&kinds=key&wait_s=0").json()["events"]
            # The key before still bounces, on a busy computer.
            return [event["data"]["closed"] for event in events if event["data"]["key"] == "no"][-1] is True

        wait_until(down, "still down", 5)  # the contact bounces first
        opened.mouse.up()
        simulator.wait("key", mark, lambda data: data == {"key": "no", "closed": False})
        opened.wait_for_selector("[data-key=no]:not(.down)")
    finally:
        context.close()


@pytest.mark.browser
def test_page_models_phone_and_recording(page, simulator: Simulator, tmp_path: Path) -> None:
    page.locator("#noise-i2c").fill("30")
    page.locator("#noise-i2c").dispatch_event("change")
    page.locator("[data-shift='3600']").click()
    page.locator("#server").uncheck()
    until(page, "document.querySelector('#noise-i2c-value').textContent === '3.0 %'")
    ends = time.monotonic() + 10
    while True:
        state = simulator.state()
        there = state["noise"] == {"uart": 0, "i2c": 30} and state["world"]["server"] is False
        if there and abs(int(str(state["clock_offset_s"])) - 3600) <= 1:
            break
        assert time.monotonic() < ends, state
        time.sleep(0.05)
    page.locator("#noise-i2c").fill("0")
    page.locator("#noise-i2c").dispatch_event("change")
    page.locator("#clock-true").click()
    page.locator("#server").check()
    picture = tmp_path / "code.png"
    picture.write_bytes(code_picture("YM1:ON A PHONE"))
    page.set_input_files("#file", str(picture))
    until(page, "document.querySelector('#found').textContent.startsWith('1 code')")
    page.locator("#phone summary").click()
    page.locator("#distance").fill("160")
    page.locator("#phone-show").click()
    until(page, "document.querySelector('#phone-result').textContent === 'It reads.'")
    page.locator("#tilt").fill("70")
    page.locator("#distance").fill("400")
    page.locator("#phone-show").click()
    until(page, "document.querySelector('#phone-result').textContent === 'It does not read.'")
    page.locator("#phone-sweep").click()
    until(page, "document.querySelector('#phone-result').textContent.includes('of 135 ways read')", 30)
    assert page.locator("#phone-table tbody tr").count() == 3
    page.locator("#record").click()
    page.wait_for_selector("#record[aria-pressed=true]")
    page.keyboard.press("2")
    wait_until(
        lambda: "press middle" in simulator.http.get("/api/record.txt").text, "the key press recorded", 10
    )
    page.locator("#record").click()
    page.wait_for_selector("#recorded:not([hidden])")
    assert "press middle" in simulator.http.get("/api/record.txt").text


@pytest.mark.browser
def test_page_shows_traffic_and_heap(page, simulator: Simulator) -> None:
    page.locator("#traffic summary").click()
    until(page, "document.querySelector('#heap').textContent.includes('bytes in use')")
    until(page, "document.querySelector('#heap-line').ariaLabel.includes('bytes were free')")
    line = "document.querySelector('#heap-line')"
    until(page, f"{line}.getContext('2d').getImageData(0, 0, {line}.width, 70).data.some((v) => v)")
    simulator.post("/api/camera/text", content=b"seen on the page")
    wanted = b"seen on".hex()
    until(page, f"document.querySelector('#rows').textContent.includes('{wanted}')")
    page.locator("[data-bus=spi]").check()
    simulator.post("/api/keys/yes")
    until(page, "[...document.querySelectorAll('#rows tr')].some((r) => r.cells[1].textContent === 'spi')")
    painted = (
        "document.querySelector('#lanes').getContext('2d').getImageData(70, 0, 650, 120).data.some((v) => v)"
    )
    assert page.evaluate(painted)
    page.locator("#traffic summary").click()


@pytest.mark.browser
def test_page_shows_what_lies_on_the_flash(page) -> None:
    for name, words in (
        ("tasks", "has not told of its tasks yet"),
        ("packs", "There is none: nobody passes."),
        ("settings", "In force: defaults (slot 0 missing; slot 1 missing)"),
        ("journal", "0 of 0 sectors hold something"),
    ):
        page.locator(f"#{name} summary").click()
        until(page, f"document.querySelector('#{name}-told').textContent.includes('{words}')")
    assert "device_id" in str(page.locator("#setting-rows").text_content())
    assert "/main.py" in str(page.locator("#file-rows").text_content())


@pytest.mark.browser
def test_page_shows_and_sets_wear(page, simulator: Simulator) -> None:
    page.locator("#wear summary").click()
    until(page, "document.querySelector('#wear-files-told').textContent.includes('128 sectors')")
    page.locator("#life").select_option("10")
    ends = time.monotonic() + 10
    while simulator.state()["wear"]["life"] != 10:  # type: ignore[index]
        assert time.monotonic() < ends
        time.sleep(0.02)
    page.locator("#flash-new").click()
    until(page, "document.querySelector('#life').value === '100000'")
    pixels = "document.querySelector('#wear-files').getContext('2d').getImageData(0, 0, 50, 10).data"
    until(page, f"{pixels}.some((v) => v)")
    page.locator("#wear summary").click()


@pytest.mark.browser
def test_page_lets_time_pass(page, simulator: Simulator) -> None:
    def now() -> int:
        return int(str(simulator.state()["now_unix"]))

    before = now()
    page.locator("[data-jump='3600']").click()
    until(page, "!document.querySelector(\"[data-jump='3600']\").disabled", 30)
    assert 3600 <= now() - before < 3900
    shown = str(page.locator("#time-now").text_content())
    minutes = {time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(now() - ago_s)) for ago_s in range(0, 60, 10)}
    assert shown in minutes
    page.locator("#speed").select_option("60")
    until(page, "document.querySelector('#status').textContent === 'Running, time ×60'")
    began, moment = time.monotonic(), now()
    while now() - moment < 60:
        assert time.monotonic() - began < 30, "a minute takes a second"
        time.sleep(0.05)
    page.locator("#speed").select_option("1")
    until(page, "document.querySelector('#status').textContent === 'Running'")
