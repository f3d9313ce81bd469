"""The whole system as people start it: `yima run` and `yima demo`, with every part real."""

from __future__ import annotations

import contextlib
import signal
import sqlite3
import subprocess
import time
from pathlib import Path

import httpx
import pytest
from conftest import micropython, need
from ports import free_base
from system import ROOT, YIMA, running, started, wait_until

#: One after the other: two systems at once would be slow for no gain.
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("system"), pytest.mark.real_time]


@pytest.fixture(autouse=True)
def interpreter():
    need(Path(micropython()).exists(), 1, "no MicroPython interpreter")


def processes(state: Path) -> list[str]:
    """Command lines of living processes that have to do with a state folder."""
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            if str(state) in line and "Z" not in (entry / "stat").read_text().rpartition(")")[2].split()[0]:
                found.append(line)
    return found


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
        # 17 people, and two events: a pack came into force, and one more with the imported issuer.
        assert len(first) == 1 and first[0]["held_seq"] == 19 and first[0]["alert"] is None
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
        assert [(d["id"], d["held_seq"], d["alert"]) for d in second] == [(first[0]["id"], 19, None)]
        assert len(processes(state)) >= 4
        process.kill()
    wait_until(lambda: processes(state) == [], "orphans are left", 15)
    database = sqlite3.connect(state / "server" / "fleet.db")
    assert database.execute("SELECT count(*), max(seq) FROM record").fetchone() == (19, 19)
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
