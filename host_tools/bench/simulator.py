"""How fast the simulator shows its first screen, and what it costs while nobody does anything."""

from __future__ import annotations

import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import CDPSession, sync_playwright

from host_tools.bench.figures import Figures, figure, left_out
from host_tools.bench.programs import ROOT, micropython
from host_tools.device.build import build
from host_tools.device.engines import target_of
from host_tools.device.image import prepare

STARTS = 3
IDLE_S = 10.0
LIMIT_S = 40.0
#: The handheld's own self test and first tries to find a network are over then.
SETTLES_S = 5.0
NAMES = ("sim_first_screen_s", "sim_idle_core_percent")


def bench_simulator() -> Figures:
    """The compiled firmware in `python -m simulator`, and its page in Chromium."""
    if not Path("/proc/self/stat").exists():
        return left_out(NAMES, "no /proc on this system")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        return left_out(NAMES, "no chromium: install Debian's package of that name")
    interpreter = micropython()
    with tempfile.TemporaryDirectory() as folder:
        tree = build(ROOT / "build" / "device", target_of(interpreter))
        prepare(Path(folder) / "flash.img", tree, None, interpreter)
        try:
            firsts = [_first_screen_s(folder) for _ in range(STARTS)]
            parts = _idle_percent(folder, chromium)
        except TimeoutError as e:
            return left_out(NAMES, str(e))
    told = ", ".join(f"{name} {value:.2f}" for name, value in parts.items())
    return {
        NAMES[0]: figure(
            statistics.median(firsts), "s", f"from the command to light on a drawn screen, median of {STARTS}"
        ),
        NAMES[1]: figure(sum(parts.values()), "%", f"of a core, over {IDLE_S:.0f} s: {told}"),
    }


class _Started:
    """The simulator in a process of its own over a profile."""

    def __init__(self, folder: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self._began_s = time.monotonic()
        command = [sys.executable, "-m", "simulator", "--profile", folder, "--port", str(port)]
        self.process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
        self._http = httpx.Client(base_url=self.url, trust_env=False, timeout=30)

    def __enter__(self) -> _Started:
        return self

    def __exit__(self, *error: object) -> None:
        self._http.close()
        self.process.terminate()
        self.process.wait(10)

    def get(self, path: str) -> Any:
        """What the simulator answers once it does. Raises TimeoutError."""
        ends_s = time.monotonic() + LIMIT_S
        while True:
            try:
                return self._http.get(path).json()
            except httpx.TransportError:
                if time.monotonic() > ends_s:
                    raise TimeoutError("the simulator does not answer") from None
                time.sleep(0.02)

    def first_screen_s(self) -> float:
        """Seconds from the start until something was drawn that light fell on. Raises TimeoutError."""
        after, lit = 0, False
        ends_s = time.monotonic() + LIMIT_S
        while time.monotonic() < ends_s:
            for event in self.get(f"/api/events?after={after}&kinds=frame,backlight&wait_s=2")["events"]:
                after = event["number"]
                if event["kind"] == "backlight":
                    lit = event["data"]["percent"] > 0
                elif lit:
                    return time.monotonic() - self._began_s
        raise TimeoutError("no screen shows")


def _first_screen_s(folder: str) -> float:
    with _Started(folder) as started:
        return started.first_screen_s()


def _idle_percent(folder: str, chromium: str) -> dict[str, float]:
    """Processor time of the simulator, of the firmware's interpreter and of the page's main thread."""
    with _Started(folder) as started, sync_playwright() as playwright:
        started.first_screen_s()
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.goto(started.url)
        metrics = page.context.new_cdp_session(page)
        metrics.send("Performance.enable")
        page.wait_for_timeout(SETTLES_S * 1000)
        pids = started.process.pid, int(started.get("/api/state")["pid"])
        before = [*map(_cpu_s, pids), _page_s(metrics)]
        page.wait_for_timeout(IDLE_S * 1000)
        after = [*map(_cpu_s, pids), _page_s(metrics)]
        browser.close()
    names = ("simulator", "firmware", "page")
    return {name: (now - then) / IDLE_S * 100 for name, then, now in zip(names, before, after, strict=True)}


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _page_s(metrics: CDPSession) -> float:
    found = {entry["name"]: entry["value"] for entry in metrics.send("Performance.getMetrics")["metrics"]}
    return float(found["TaskDuration"])
