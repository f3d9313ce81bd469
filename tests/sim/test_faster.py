"""Faster time: the whole simulator under libfaketime. What needs the library is left out where it is not."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from boards import make_image
from test_web import ROOT, Simulator

from host_tools import faster

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


def has_library() -> bool:
    try:
        faster.library()
    except faster.FasterTrouble:
        return False
    return True


def test_waits_end_sooner_and_both_sides_see_the_same_time(tmp_path: Path) -> None:
    if not has_library():
        pytest.skip("no libfaketime on this machine")
    started = Simulator(make_image(tmp_path, {"/main.py": FIRMWARE}), "http://127.0.0.1:9", None, None, SPEED)
    try:
        first = [int(word) for word in started.line("TICK 1").split()]
        began = time.monotonic()
        last = [int(word) for word in started.line("TICK 9").split()]
        took_s = time.monotonic() - began
        assert last[1] - first[1] in range(38_000, 60_000) and abs(last[0] - first[0] - 40) <= 2
        print(f"40 s in {took_s:.1f} s")
        assert took_s < 40 / SPEED * 3
        state = started.state()
        assert state["speed"] == SPEED
    finally:
        started.stop()


def test_chips_and_firmware_agree_on_the_date(tmp_path: Path) -> None:
    if not has_library():
        pytest.skip("no libfaketime on this machine")
    firmware = """
import machine, time
i2c = machine.I2C(0, scl=machine.Pin(9), sda=machine.Pin(8), freq=100000)
print("UP")
time.sleep(60)
start = time.time()
b = bytearray(2)
i2c.readfrom_mem_into(0x68, 0, b)
minute = (b[1] >> 4) * 10 + (b[1] & 15)
second = (b[0] >> 4) * 10 + (b[0] & 15)
print("CHIP", minute * 60 + second)
time.sleep(100)
i2c.readfrom_mem_into(0x68, 0, b)
minute = (b[1] >> 4) * 10 + (b[1] & 15)
second = (b[0] >> 4) * 10 + (b[0] & 15)
print("CHIP", minute * 60 + second)
"""
    started = Simulator(make_image(tmp_path, {"/main.py": firmware}), "http://127.0.0.1:9", None, None, SPEED)
    try:
        mark = 0
        first = int(started.line("CHIP", mark))
        mark = started.mark()
        second = int(started.line("CHIP", mark))
        assert (second - first) % 3600 in range(99, 110), "the chip's second is the firmware's"
    finally:
        started.stop()


def test_without_the_library_it_says_so(tmp_path: Path) -> None:
    if has_library() and "YIMA_FAKETIME" not in os.environ:
        pytest.skip("the library is installed")
    environment = {name: os.environ[name] for name in os.environ if name != "YIMA_FAKETIME"}
    result = subprocess.run(
        [sys.executable, "-m", "simulator", "--profile", str(tmp_path), "--speed", "5"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert result.returncode == 1 and "apt install libfaketime" in result.stderr
