"""``python -m simulator --profile DIR --port 8704 --authority URL``: one handheld and its page."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import uvicorn

from simulator.handheld import Handheld, HandheldError
from simulator.web import SimulatorWeb

HOST = "127.0.0.1"


def main() -> int:
    """Run until a signal asks for an end; 1 if the handheld cannot start."""
    parser = argparse.ArgumentParser(prog="python -m simulator", description=__doc__)
    parser.add_argument("--profile", type=Path, required=True, help="directory with the handheld's flash.img")
    parser.add_argument("--port", type=int, default=8704, help="of the page, on 127.0.0.1")
    parser.add_argument("--authority", help="URL of the authority with the town's people")
    parser.add_argument("--micropython", help="the interpreter, instead of the installed one")
    parser.add_argument(
        "--serial", action="store_true", help="with a serial port for mpremote; its path is printed"
    )
    parser.add_argument("--heap", default="200k", help="heap of the interpreter, such as 200k")
    options = parser.parse_args()
    handheld = Handheld(
        options.profile, micropython=options.micropython, heap=options.heap, serial=options.serial
    )
    try:
        handheld.check()
    except HandheldError as e:
        print(e, file=sys.stderr)
        return 1
    print(f"handheld: http://{HOST}:{options.port}/", flush=True)
    uvicorn.run(
        SimulatorWeb(handheld, options.authority).app,
        host=HOST,
        port=options.port,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        ws="websockets-sansio",
        ws_max_size=4096,
        timeout_graceful_shutdown=2,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
