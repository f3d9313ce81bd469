"""The simulated board answers as the ESP32 port does where the interpreter would not; docs/fidelity.md."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from boards import make_image
from test_web import ROOT, Simulator

ASK = """
import json, time, os, sys, machine, esp32, network, socket, asyncio
def error(f):
    try:
        return repr(f())
    except Exception as e:
        return type(e).__name__ + repr(e.args)
a = {}
a["time"] = [isinstance(time.time(), int), len(time.gmtime()), time.gmtime(0)[:6]]
a["time"].append(time.mktime((2000, 1, 1, 0, 0, 0, 0, 0)))
a["start"] = time.gmtime()[:3]
a["rtc"] = machine.RTC().datetime()[:3]
a["host"] = [hasattr(os, "system"), hasattr(os, "getenv"), os.uname()[0], sorted(os.listdir("/"))]
a["path"] = sys.path
a["pins"] = [error(lambda: machine.Pin(22)), error(lambda: machine.Pin(49))]
a["pins"].append(error(lambda: machine.ADC(machine.Pin(21))))
a["pwm"] = error(lambda: machine.PWM(machine.Pin(7), freq=0))
spi = machine.SPI(1, baudrate=30_000_000, sck=machine.Pin(12), mosi=machine.Pin(11))
a["spi"] = spi._options["baudrate"]
a["nvs"] = [error(lambda: esp32.NVS("n").get_blob("none", bytearray(4))), error(lambda: esp32.NVS("n" * 16))]
w = network.WLAN(network.WLAN.IF_STA)
a["wifi"] = [w.status(), error(lambda: w.status("rssi")), error(lambda: w.connect("x", "y"))]
a["name"] = error(lambda: socket.getaddrinfo("server.example", 443))
i2c = machine.I2C(0, scl=machine.Pin(9), sda=machine.Pin(8), freq=100000)
a["i2c"] = error(lambda: i2c.readfrom(0x33, 1))
u = machine.UART(1, 9600, tx=17, rx=18)
a["uart"] = [u.any(), u.read(), u.readline(), error(lambda: machine.UART(1).write("abc"))]
a["freq"] = [machine.freq(), error(lambda: machine.freq(7))]
a["wdt"] = error(lambda: machine.WDT(timeout=0))
a["id"] = len(machine.unique_id())
a["ticks"] = time.ticks_diff(time.ticks_add(time.ticks_ms(), 1000), time.ticks_ms())
print("ANSWERS", json.dumps(a))
"""


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, object]]:
    profile = make_image(tmp_path_factory.mktemp("fidelity"), {"/main.py": ASK})
    started = Simulator(profile, "http://127.0.0.1:9")
    yield json.loads(started.line("ANSWERS"))
    started.stop()


def test_time_counts_whole_seconds_from_2000(answers: dict[str, object]) -> None:
    assert answers["time"] == [True, 8, [2000, 1, 1, 0, 0, 0], 0]
    assert answers["start"] == [2000, 1, 1] and answers["rtc"] == [2000, 1, 1]


def test_nothing_of_the_computer_is_there(answers: dict[str, object]) -> None:
    assert answers["host"] == [False, False, "esp32", ["main.py", "rom"]]
    assert answers["path"] == ["", ".frozen", "/lib", "/rom", "/rom/lib"]


def test_pins_and_peripherals_have_the_chips_limits(answers: dict[str, object]) -> None:
    assert all(str(said).startswith("ValueError") for said in answers["pins"])  # type: ignore[attr-defined]
    assert str(answers["pwm"]).startswith("ValueError") and str(answers["wdt"]).startswith("ValueError")
    assert answers["spi"] == 80_000_000 // 3, "a whole divisor of 80 MHz, never faster than asked"
    assert answers["freq"][0] == 160_000_000 and "ValueError" in answers["freq"][1]  # type: ignore[index]
    assert answers["id"] == 6


def test_errors_have_the_esp_idfs_numbers(answers: dict[str, object]) -> None:
    assert answers["nvs"] == [f"OSError({-0x1102},)", f"OSError({-0x1109},)"]
    assert answers["wifi"] == [1000, "OSError('Wifi Not Connected',)", f"OSError({0x3002},)"]
    assert answers["name"] == "OSError(-202,)" and answers["i2c"] == "OSError(19,)"


def test_an_empty_uart_reads_none(answers: dict[str, object]) -> None:
    assert answers["uart"] == [0, None, None, "3"]


def test_the_table_names_tests_that_exist() -> None:
    text = (ROOT / "docs" / "fidelity.md").read_text("utf-8")
    named = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", text)
    assert len(named) > 25
    for path, test in named:
        source = (ROOT / path).read_text("utf-8")
        assert not test or f"def {test}(" in source, f"{path} has no {test}"
    rows = [line for line in text.splitlines() if line.startswith("| ") and not line.startswith("| what")]
    assert all(len(re.findall(r"(?<!\\)\|", row)) == 6 for row in rows), "five columns in every row"
    assert Path(ROOT / "docs" / "simulator.md").exists()
