"""The page's controls as requests, each with what it does to the firmware: battery, server, power, wear."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator

import pytest
from boards import PRESSES, make_image
from test_web import Simulator, authority

__all__ = ["authority"]

# One probe for all, which starts slowly.
pytestmark = pytest.mark.xdist_group("controls")

PROBE = (
    PRESSES
    + """
import network, socket
adc = machine.ADC(machine.Pin(1))
other = machine.Pin(4, machine.Pin.IN, machine.Pin.PULL_UP)
wlan = network.WLAN(network.STA_IF)
wlan.active(True)
wlan.connect("yima", "yima-door-2020")
while not wlan.isconnected():
    time.sleep_ms(20)
def ask():
    s = socket.socket()
    s.settimeout(5)
    try:
        s.connect(socket.getaddrinfo("localhost", PORT)[0][-1])
        s.write(b"GET / HTTP/1.0\\r\\n\\r\\n")
        return s.read(12).decode()
    except OSError as e:
        return "error %d" % e.errno
    finally:
        s.close()
n = 0
watch(6)
print("READY")
while True:
    if 6 in pressed:
        print("UV", adc.read_uv())
        print("NET", ask())
        n += 1
        with open("/count", "w") as f:
            f.write("%4000d" % n)
        let_go(6)
        print("UP", n)
    time.sleep_ms(5)
"""
)


class Hello(http.server.BaseHTTPRequestHandler):
    """A server that says that it is there."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def probe(tmp_path_factory: pytest.TempPathFactory, authority: str) -> Iterator[Simulator]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hello)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    main = PROBE.replace("PORT", str(server.server_port))
    profile = tmp_path_factory.mktemp("probe")
    (profile / "journal.img").write_bytes(b"\xff" * 4096 * 8)
    started = Simulator(make_image(profile, {"/main.py": main}), authority)
    started.line("READY")
    yield started
    started.stop()
    server.shutdown()


def press(probe: Simulator) -> tuple[int, str]:
    """What the firmware measures and hears at one press: microvolts at its pin, and what the server says."""
    mark = probe.mark()
    probe.post("/api/keys/yes?hold_ms=80")
    found = int(probe.line("UV", mark)), probe.line("NET", mark)
    probe.line("UP", mark)
    return found


def test_battery(probe: Simulator) -> None:
    probe.post("/api/world", json={"battery_mv": 4000})
    full = press(probe)[0]
    probe.post("/api/world", json={"battery_mv": 3300})
    empty = press(probe)[0]
    assert full / empty == pytest.approx(4000 / 3300, rel=0.01)
    probe.post("/api/world", json={"battery_mv": 3980})


def test_server_up_and_down_while_the_network_is_there(probe: Simulator) -> None:
    assert press(probe)[1].startswith("HTTP/1.0 200")
    probe.post("/api/world", json={"server": False})
    mark = probe.mark()
    assert press(probe)[1].startswith("error"), "refused"
    assert probe.state()["link"] is True
    probe.post("/api/world", json={"server": True})
    assert press(probe)[1].startswith("HTTP/1.0 200") and probe.mark() > mark


def test_wear_is_told_and_controlled(probe: Simulator) -> None:
    def files() -> dict[str, object]:
        found: dict[str, object] = probe.http.get("/api/inspect/wear").json()["parts"]["files"]
        return found

    before = files()
    press(probe)
    assert sum(files()["erases"]) > sum(before["erases"])  # type: ignore[call-overload]
    answer = probe.post("/api/faults", json={"flash_fails": "files", "flash_life": 5000})
    assert answer["wear"]["life"] == 5000  # type: ignore[index]
    for _ in range(30):
        press(probe)
        if files()["worn"]:
            break
    assert len(files()["worn"]) == 1  # type: ignore[arg-type]
    new = probe.post("/api/faults", json={"flash_new": True})["wear"]
    assert new["life"] == 100_000 and new["parts"]["files"]["worn"] == 0  # type: ignore[index]
    for wrong in ({"flash_life": 0}, {"flash_fails": "attic"}, {"flash_new": False}):
        probe.post("/api/faults", expect=422, json=wrong)


def test_power_now_and_at_the_next_flash_write(probe: Simulator) -> None:
    assert probe.post("/api/power/kill") == {"state": "off"}
    assert probe.state()["pid"] is None
    mark = probe.mark()
    probe.post("/api/power/on")
    probe.line("READY", mark)
    probe.post("/api/faults", json={"cut_power_at": 1})
    assert probe.state()["state"] == "running", "nothing was written yet"
    mark = probe.mark()
    probe.post("/api/keys/yes?hold_ms=80")
    assert probe.wait("power", mark) == {"state": "cut"}
    assert probe.state()["state"] == "off"
    probe.post("/api/power/on")
    probe.line("READY", mark)


def test_inspection_of_a_flash_without_yima(probe: Simulator) -> None:
    press(probe)
    flash = probe.http.get("/api/inspect/flash").json()
    assert flash["packs"] == [] and flash["settings"]["slot"] is None
    assert {"/main.py", "/count"} <= {row["path"] for row in flash["files"]}
    journal = probe.http.get("/api/inspect/journal").json()
    assert (journal["sectors"], journal["records"], journal["with_key"]) == (8, [], False)
    assert probe.http.get("/api/inspect/journal?newest=0").status_code == 422
    assert probe.http.get("/api/inspect/tasks").json()["tasks"] == []
