"""``python -m simulator.play [FILE...] [--shots DIR]``: play scenarios on a temporary system.

Without files all of ``simulator/scenarios`` are played. One line per scenario; status 1 if anything differs.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from pathlib import Path

from host_tools.demo import temporary_system
from host_tools.demo_stage import StageTrouble
from host_tools.run import RunTrouble
from simulator.player import FOLDER, Differs, Player
from simulator.scenario import Scenario, ScenarioError, load

READY_LIMIT_S = 40.0


async def play(scenarios: list[Scenario], shots: Path | None) -> int:
    """Play all; how many differ. Raises StageTrouble, RunTrouble."""
    failed = 0
    async with temporary_system() as (stage, state):
        await stage.wait_until_idle(READY_LIMIT_S)
        device = await stage.wait_for_pack(1, READY_LIMIT_S)
        player = Player(stage, state, str(device["id"]), shots)
        for scenario in scenarios:
            began_s = time.monotonic()
            problem = ""
            try:
                await player.play(scenario)
            except (Differs, StageTrouble) as e:
                failed += 1
                problem = f"\n      differs: {e}"
            mark = "!!" if problem else "ok"
            took_s = time.monotonic() - began_s
            print(
                f"{mark} {' '.join(scenario.missions):8} {scenario.title} ({took_s:.0f} s){problem}",
                flush=True,
            )
    return failed


def main() -> int:
    """Read the arguments, play, tell."""
    parser = argparse.ArgumentParser(prog="yima scenario", description="Play scenarios on the simulator.")
    parser.add_argument("files", nargs="*", type=Path, metavar="FILE")
    parser.add_argument("--shots", type=Path, metavar="DIR", help="where `shot` puts pictures of the screen")
    options = parser.parse_args()
    try:
        scenarios = [load(path) for path in options.files or sorted(FOLDER.glob("*.txt"))]
    except (ScenarioError, OSError, UnicodeDecodeError) as e:
        print(f"yima scenario: {e}", file=sys.stderr)
        return 2
    if options.shots:
        options.shots.mkdir(parents=True, exist_ok=True)
    try:
        failed = asyncio.run(play(scenarios, options.shots))
    except (StageTrouble, RunTrouble) as e:
        print(f"yima scenario: {e}", file=sys.stderr)
        return 1
    print(f"{len(scenarios)} scenarios, {len(scenarios) - failed} as written")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
