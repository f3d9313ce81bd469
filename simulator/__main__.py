"""``python -m simulator --profile DIR --port 8704 --authority URL``: handhelds and their pages.

With several ``--profile`` there are several handhelds, on this port and those after it.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from pathlib import Path

from host_tools import clockpage
from host_tools.server.sealing_keys import SealingKeys
from host_tools.state import MOST_DEVICES
from simulator.clock import Clock
from simulator.desk import Desk, serve
from simulator.handheld import HEAP, Handheld, HandheldError
from simulator.web import SimulatorWeb


def main() -> int:
    """Run until a signal asks for an end; 1 if a handheld cannot start."""
    parser = argparse.ArgumentParser(prog="python -m simulator", description=__doc__)
    parser.add_argument(
        "--profile",
        type=Path,
        required=True,
        action="append",
        help="directory with a handheld's flash.img; may be given several times",
    )
    parser.add_argument("--port", type=int, default=8704, help="of the first page, on 127.0.0.1")
    parser.add_argument("--authority", help="URL of the authority with the town's people")
    parser.add_argument("--micropython", help="the interpreter, instead of the installed one")
    parser.add_argument(
        "--serial", action="store_true", help="with a serial port for mpremote; its path is printed"
    )
    parser.add_argument("--heap", default=HEAP, help="heap of the interpreter, such as 256k")
    parser.add_argument("--speed", type=int, default=1, metavar="N", help="time runs up to N times as fast")
    parser.add_argument(
        "--sealing-keys",
        type=Path,
        metavar="DIR",
        help="the fleet server's sealing keys: the page shows records opened",
    )
    options = parser.parse_args()
    try:
        named = os.environ.get(clockpage.VARIABLE)
        clock = Clock(clockpage.ClockPage(Path(named)) if named else None, options.speed)
    except (clockpage.ClockTrouble, ValueError) as e:
        print(e, file=sys.stderr)
        return 1
    if len(options.profile) > MOST_DEVICES:
        parser.error(f"more than {MOST_DEVICES} handhelds")
    if len({profile.resolve() for profile in options.profile}) < len(options.profile):
        parser.error("two handhelds cannot share a profile")
    handhelds = [
        Handheld(
            profile,
            micropython=options.micropython,
            heap=options.heap,
            serial=options.serial,
            clock=clock,
        )
        for profile in options.profile
    ]
    try:
        for handheld in handhelds:
            handheld.check()
    except HandheldError as e:
        print(e, file=sys.stderr)
        return 1
    desk = Desk(handhelds, options.port)
    for place in desk.places:
        print(f"handheld: {place.url}", flush=True)
    if len(desk.places) > 1:
        print(f"all of them: {desk.places[0].url}devices", flush=True)
    keys = SealingKeys(options.sealing_keys) if options.sealing_keys else None
    asyncio.run(
        serve(
            [
                (SimulatorWeb(place.handheld, options.authority, desk, keys).app, place.port)
                for place in desk.places
            ]
        )
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
