"""Everything faster than it is: processes whose clocks all run N times as fast, by libfaketime.

libfaketime is a small library (Debian: libfaketime) that stands between a program and the system's clocks
and waits. A process that is started with `environment` begins at the virtual time of the one that starts it,
so that authority, server and handhelds agree. Work still takes the time it takes: at speed N a computation
is N times as slow, seen from inside, and a watchdog bites where the processor cannot keep up.
"""

from __future__ import annotations

import os
import re
import sys
import time
from pathlib import Path

FASTEST = 1000
LIBRARY = "YIMA_FAKETIME"
"""Names the library where it is in no usual place."""
STARTED = "YIMA_STARTED"
"""When the computer was started, unix; taken down before time is made faster."""
UPTIME = Path("/proc/uptime")
PLACES = ("/usr/lib", "/usr/lib64", "/usr/local/lib", "/lib")
_SPEED = re.compile(r"x(\d+)$")


class FasterTrouble(Exception):
    """Time cannot be made faster here; the message says why."""


def library() -> str:
    """The library's path. Raises FasterTrouble."""
    named = os.environ.get(LIBRARY)
    if named and Path(named).is_file():
        return named
    for place in PLACES:
        for pattern in ("*/faketime/libfaketimeMT.so.1", "faketime/libfaketimeMT.so.1"):
            for path in sorted(Path(place).glob(pattern)):
                return str(path)
    raise FasterTrouble(
        f"libfaketime is missing (Debian and Ubuntu: apt install libfaketime), or name it with {LIBRARY}="
    )


def speed() -> int:
    """How fast this process's clock runs."""
    found = _SPEED.search(os.environ.get("FAKETIME", ""))
    return int(found[1]) if found else 1


def environment() -> dict[str, str]:
    """What a child of this process needs to see the same time; nothing at speed 1."""
    if speed() == 1:
        return {}
    if STARTED not in os.environ:  # somebody else's `faketime`: it has its own ways
        return {}
    ahead_s = time.time() - _true_unix()
    return {"LD_PRELOAD": os.environ["LD_PRELOAD"], "FAKETIME": f"{ahead_s:+.3f} x{speed()}"}


def restart(wanted: int) -> None:
    """Start this program again at a speed, in this process; returns if it runs at that speed already.

    Raises FasterTrouble.
    """
    if wanted == speed():
        return
    if not UPTIME.exists():
        raise FasterTrouble("only Linux tells the true time beside the faster one")
    changed = {
        **os.environ,
        "LD_PRELOAD": library(),
        "FAKETIME": f"+0 x{wanted}",
        STARTED: f"{time.time() - _up_s():.3f}",
    }
    sys.stdout.flush()
    os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], changed)  # noqa: S606 - ourselves


def _true_unix() -> float:
    """The computer's time, past the library: when it was started, and the seconds since."""
    return float(os.environ[STARTED]) + _up_s()


def _up_s() -> float:
    return float(UPTIME.read_text("ascii").split()[0])
