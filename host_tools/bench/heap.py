"""How much of its heap a simulated handheld has in use."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx

from host_tools.bench.figures import Figures, figure, left_out
from host_tools.bench.programs import ROOT, micropython
from host_tools.device.build import build
from host_tools.device.engines import target_of
from host_tools.device.image import prepare

START_LIMIT_S = 30


def bench_heap() -> Figures:
    """What of its heap a simulated handheld has in use when it is ready, by its own account."""
    interpreter = micropython()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        tree = build(ROOT / "build" / "device", target_of(interpreter))
        prepare(Path(folder) / "flash.img", tree, None, interpreter)
        command = [sys.executable, "-m", "simulator", "--profile", folder, "--port", str(port)]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL) as process:
            try:
                live, shims = _heap_of(f"http://127.0.0.1:{port}/api/state")
            except TimeoutError as e:
                return left_out(("heap_live_bytes",), str(e))
            finally:
                process.terminate()
    note = f"64-bit, before enrolment; {shims} B of it the simulator's shims and asyncio"
    return {"heap_live_bytes": figure(live, "B", note)}


def _heap_of(url: str) -> tuple[int, int]:
    """Bytes in use when the firmware said that it was ready, and the shims' share. Raises TimeoutError."""
    end = time.monotonic() + START_LIMIT_S
    while time.monotonic() < end:
        time.sleep(0.2)
        try:
            state = httpx.get(url).json()
        except httpx.TransportError:
            continue
        ready = re.search(r"ready, (\d+) bytes free", "\n".join(state["console"]))
        if ready and state["boot"]:
            return state["boot"]["used"] + state["boot"]["free"] - int(ready[1]), state["boot"]["shims"]
    raise TimeoutError("the simulated handheld does not get ready")
