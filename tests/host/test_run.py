"""The whole system as people start it: `yima run` and `yima demo`, with every part real."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
from conftest import micropython, need

ROOT = Path(__file__).resolve().parents[2]
YIMA = [sys.executable, "-m", "host_tools.cli"]
#: One after the other: two systems at once would be slow for no gain.
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("system")]


@pytest.fixture(autouse=True)
def interpreter():
    need(Path(micropython()).exists(), 1, "no MicroPython interpreter")


def free_base() -> int:
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            base = probe.getsockname()[1]
        if base < 60_000:
            return base


def processes(state: Path) -> list[str]:
    """Command lines of living processes that have to do with a state folder."""
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            if str(state) in line and "Z" not in (entry / "stat").read_text().rpartition(")")[2].split()[0]:
                found.append(line)
    return found


def wait_until(condition, what: str, limit_s: float = 60.0) -> None:
    ends = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < ends, what
        time.sleep(0.1)


@contextlib.contextmanager
def started(state: Path, base: int):
    """A `yima run`, killed at the end if the test did not end it."""
    argv = [*YIMA, "run", "--no-browser", "--state", str(state), "--port-base", str(base)]
    process = subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.wait(10)


def running(state: Path, process: subprocess.Popen) -> dict[str, str]:
    """What run.json tells once the system works."""
    path = state / "run.json"
    wait_until(lambda: path.exists() or process.poll() is not None, "the system does not start")
    assert process.poll() is None, process.stdout.read()
    return json.loads(path.read_text())


def devices(system: dict[str, str]) -> list[dict]:
    headers = {"authorization": f"Bearer {system['console_key']}"}
    return httpx.get(f"{system['console']}/api/devices", headers=headers, trust_env=False).json()


def test_the_demo_in_a_system_of_its_own(tmp_path):
    begun = time.monotonic()
    state = tmp_path / "yima"
    demo = subprocess.run([*YIMA, "demo", "--state", str(state)], cwd=ROOT, capture_output=True, text=True)
    assert demo.returncode == 0, demo.stdout + demo.stderr
    lines = demo.stdout.splitlines()
    assert len([line for line in lines if line.startswith("ok ")]) == 16
    assert lines[-1].startswith("16 passengers, 16 as expected")
    assert time.monotonic() - begun < 60
    assert not state.exists()


def test_a_system_over_its_life(tmp_path):
    state, base = tmp_path / "yima", free_base()
    with started(state, base) as process:
        system = running(state, process)
        assert (state / "run.json").stat().st_mode & 0o077 == 0
        wait_until(lambda: devices(system) and devices(system)[0]["last_seen_unix"], "it does not enrol")
        demo = subprocess.run(
            [*YIMA, "demo", "--state", str(state)], cwd=ROOT, capture_output=True, text=True
        )
        assert demo.returncode == 0, demo.stdout + demo.stderr
        assert "temporary" not in demo.stdout
        again = subprocess.run(
            [*YIMA, "run", "--no-browser", "--state", str(state)], cwd=ROOT, capture_output=True, text=True
        )
        assert again.returncode == 1 and "in use by another yima run" in again.stderr
        first = devices(system)
        assert len(first) == 1 and first[0]["held_seq"] == 17 and first[0]["alert"] is None
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
        said = process.stdout.read()
        assert f"{system['console']}/?key={system['console_key']}" in said and "stopping" in said
    assert processes(state) == [] and not (state / "run.json").exists()
    # The next start: the same handheld with the same records, and a killed command leaves no orphans.
    with started(state, base) as process:
        system = running(state, process)
        wait_until(lambda: devices(system)[0]["last_seen_unix"] > first[0]["last_seen_unix"], "no sync")
        second = devices(system)
        assert [(d["id"], d["held_seq"], d["alert"]) for d in second] == [(first[0]["id"], 17, None)]
        assert len(processes(state)) >= 4
        process.kill()
    wait_until(lambda: processes(state) == [], "orphans are left", 15)
    database = sqlite3.connect(state / "server" / "fleet.db")
    assert database.execute("SELECT count(*), max(seq) FROM record").fetchone() == (17, 17)
    database.close()


def test_ctrl_c_while_it_starts(tmp_path):
    state = tmp_path / "yima"
    with started(state, free_base()) as process:
        wait_until(lambda: (state / "log" / "authority.log").exists(), "nothing starts")
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
    assert processes(state) == [] and not (state / "run.json").exists()


def test_another_port_base_is_refused_in_words(tmp_path):
    state, base = tmp_path / "yima", free_base()
    with started(state, base) as process:
        running(state, process)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    with started(state, base + 10) as process:
        assert process.wait(30) == 1
        assert f"https://localhost:{base + 2}" in process.stdout.read()
    assert processes(state) == []
