"""The simulator's clock: faster, jumping, and the same one for chips, firmware, authority and server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from boards import make_image
from conftest import ROOT
from test_web import Simulator

from host_tools import clockpage
from host_tools.clockpage import ClockPage, ClockTrouble
from simulator.passing import until_clear_s
from simulator.scenario import ScenarioError, load

SPEED = 20
FIRMWARE = """
import asyncio, time
async def main():
    n = 0
    while True:
        print("TICK", n, time.time() + 946684800, time.ticks_ms())
        await asyncio.sleep(5)
        n += 1
asyncio.run(main())
"""


def nothing(profile: Path, speed: int = 1) -> Simulator:
    """A simulator without an authority."""
    return Simulator(profile, "http://127.0.0.1:9", None, None, speed)


def test_waits_end_sooner_and_both_sides_see_the_same_time(tmp_path: Path) -> None:
    started = nothing(make_image(tmp_path, {"/main.py": FIRMWARE}), SPEED)
    try:
        first = [int(word) for word in started.line("TICK 1").split()]
        began = time.monotonic()
        last = [int(word) for word in started.line("TICK 9").split()]
        took_s = time.monotonic() - began
        assert last[1] - first[1] in range(40_000, 40_100) and abs(last[0] - first[0] - 40) <= 1
        print(f"40 s in {took_s:.1f} s")
        assert took_s < 20
        state = started.state()
        assert state["speed"] == SPEED
    finally:
        started.stop()


def test_chips_and_firmware_agree_on_the_date(tmp_path: Path) -> None:
    firmware = """
import machine, time
i2c = machine.I2C(0, scl=machine.Pin(9), sda=machine.Pin(8), freq=100000)
def chip():
    b = bytearray(3)
    i2c.readfrom_mem_into(0x68, 0, b)
    hour, minute, second = [(n >> 4) * 10 + (n & 15) for n in (b[2], b[1], b[0])]
    print("CHIP", hour * 3600 + minute * 60 + second)
print("UP")
time.sleep(60)
chip()
time.sleep(1000)
chip()
"""
    started = nothing(make_image(tmp_path, {"/main.py": firmware}), 1000)
    try:
        first = int(started.line("CHIP", 0))
        mark = started.mark()
        second = int(started.line("CHIP", mark))
        assert (second - first) % 86_400 in (1000, 1001), "the chip's second is the firmware's"
    finally:
        started.stop()


def test_a_jump_lets_everything_happen_that_falls_into_it(tmp_path: Path) -> None:
    started = nothing(make_image(tmp_path, {"/main.py": FIRMWARE}))
    try:
        started.line("TICK 0")
        mark, before = started.mark(), started.state()
        began = time.monotonic()
        answer = started.post("/api/time", json={"jump_s": 3600})
        print(f"an hour in {time.monotonic() - began:.2f} s")
        found = started.http.get(
            "/api/events", params={"after": mark, "kinds": "console", "wait_s": 2}
        ).json()
        lines = [event["data"]["line"] for event in found["events"]]
        assert [int(line.split()[1]) for line in lines if line.startswith("TICK")][:700] == list(
            range(1, 701)
        )
        passed_s = int(answer["now_unix"]) - int(before["now_unix"])  # type: ignore[call-overload]
        assert 3600 <= passed_s < 3700 and answer["speed"] == 1
        # The chip's clock went along, and time goes on as before.
        state = started.state()
        assert 3600 <= int(state["clock_unix"]) - int(before["clock_unix"]) < 3700  # type: ignore[call-overload]
        mark = started.mark()
        started.line("TICK", mark)
    finally:
        started.stop()


def test_speed_is_changed_while_it_runs(tmp_path: Path) -> None:
    started = nothing(make_image(tmp_path, {"/main.py": FIRMWARE}))
    try:
        started.line("TICK 0")
        for speed, tick in ((1000, 400), (1, 0), (20, 4), (0, 2000)):
            mark = started.mark()
            begun = int(started.line("TICK", mark).split()[0])
            assert started.post("/api/time", json={"speed": speed})["speed"] == speed
            started.line(f"TICK {begun + tick}", mark)
        started.post("/api/time", json={"speed": 1})
        for wrong in ({"speed": 1001}, {"jump_s": 0}, {"jump_s": 40 * 86_400}, {"speed": "2"}):
            assert started.post("/api/time", 422, json=wrong)
    finally:
        started.stop()


def test_a_program_that_hangs_is_bitten_by_the_watchdog_at_any_speed(tmp_path: Path) -> None:
    hangs = """
import machine
print("CAUSE", machine.reset_cause())
if machine.reset_cause() != 3:
    machine.WDT(timeout=2000)
    while True:
        pass
"""
    started = nothing(make_image(tmp_path, {"/main.py": hangs}), 1000)
    try:
        started.line("CAUSE 3", 0)
    finally:
        started.stop()


def test_a_loop_that_only_looks_at_the_clock_comes_to_its_end(tmp_path: Path) -> None:
    looks = """
import time
time.sleep(1)
end = time.ticks_add(time.ticks_ms(), 200)
while time.ticks_diff(end, time.ticks_ms()) > 0:
    pass
print("PAST", time.ticks_diff(time.ticks_ms(), end))
"""
    started = nothing(make_image(tmp_path, {"/main.py": looks}), 100)
    try:
        assert int(started.line("PAST", 0).split()[0]) < 3
    finally:
        started.stop()


def test_other_processes_follow_the_page(tmp_path: Path) -> None:
    page = ClockPage.create(tmp_path / "clock")
    assert abs(page.unix_us() / 1e6 - time.time()) < 1
    page.stand_at(page.now_us() + 86_400_000_000)
    program = "from host_tools import clockpage; print(clockpage.now())"
    said = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={**os.environ, clockpage.VARIABLE: str(page.path)},
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    assert float(said.stdout) == page.unix_us() / 1e6
    assert abs(float(said.stdout) - time.time() - 86_400) < 30
    page.run_from(page.now_us())
    assert page.unix_us() / 1e6 >= float(said.stdout)


def test_what_is_no_clock_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "short").write_bytes(b"123")
    monkeypatch.setenv(clockpage.VARIABLE, str(tmp_path / "short"))
    with pytest.raises(ClockTrouble, match="is no clock"):
        clockpage.now()


def test_a_bus_takes_thirty_passengers_a_minute() -> None:
    """Simulated time does not depend on the computer, so a figure can be a test."""
    said = subprocess.run(
        [sys.executable, "-m", "simulator.busday", "--passengers", "20", "--hours", "0"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=300,
    )
    found = json.loads(said.stdout.splitlines()[-1])
    assert found["verdicts"] == {"pass": 19, "stop": 1} and found["per_minute"] >= 30
    # What a board needs by the model for a longer code; five samples of the thermometer, and more.
    assert found["checked_ms"] >= 60 and found["turn_ms"] >= 900


def test_no_scenario_is_played_over_a_moment_that_counts() -> None:
    """Times of day in China, and how long is waited."""
    midnight_unix = 1_800_000_000 // 86_400 * 86_400 - 8 * 3600
    for hour, minute, wait_s in ((21, 55, 0), (21, 57, 182), (22, 0, 0), (12, 0, 0), (23, 59, 62), (0, 0, 0)):
        assert until_clear_s(midnight_unix + hour * 3600 + minute * 60) == wait_s, (hour, minute)


@pytest.mark.parametrize("line", ["speed 0", "speed 1001", "speed x", "jump 8", "jump -8h", "jump 0h"])
def test_scenarios_with_no_such_time_are_refused(tmp_path: Path, line: str) -> None:
    path = tmp_path / "one.txt"
    path.write_text(f"title One\n{line}\n", "utf-8")
    with pytest.raises(ScenarioError, match=r"one\.txt:2: a s"):
        load(path)
