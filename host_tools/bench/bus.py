"""A bus in simulated time: passengers a minute in a queue, and how fast an hour of a line's day goes by.

The firmware, the chips and the passengers live by the simulator's clock (simulator/busday.py), so the figure
does not depend on the computer; docs/bench.md, "A bus", tells what is charged for the board's work.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from host_tools.bench.figures import Figures, figure
from host_tools.bench.programs import ROOT

LIMIT_S = 900
QUEUE = 60
#: A line's hour: at each of 15 stops three people board.
HOUR_PASSENGERS = 45


def _ride(passengers: int, hours: float) -> dict[str, Any]:
    command = [sys.executable, "-m", "simulator.busday"]
    command += ["--passengers", str(passengers), "--hours", str(hours)]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, timeout=LIMIT_S, check=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def bench_bus() -> Figures:
    """The figures."""
    queue, hour = _ride(QUEUE, 0), _ride(HOUR_PASSENGERS, 1)
    note = f"scene transit, {queue['passengers']} in one queue, simulated time, board's work charged"
    return {
        "bus_passengers_per_minute": figure(queue["per_minute"], "", note),
        "bus_turn_ms": figure(queue["turn_ms"], "ms", "from the code before the camera to the light"),
        "bus_code_ms": figure(queue["checked_ms"], "ms", "of it for checking the code, as charged"),
        "bus_hour_speed": figure(
            hour["simulated_s"] / hour["took_s"],
            "",
            f"an hour with {hour['passengers']} passengers, times faster",
        ),
    }
