"""Ends what a `yima run` has started if that process dies without doing so itself, even by SIGKILL.

Reads process groups from standard input, ``+GROUP`` when one starts and ``-GROUP`` when it is gone. The pipe
closes with the process that holds its other end; whatever still runs then is asked to end, then killed.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time

GRACE_S = 5.0
POLL_S = 0.05


def main() -> None:
    """Watch until the pipe closes."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    groups: set[int] = set()
    for line in sys.stdin.buffer:
        group = int(line[1:])
        if line[:1] == b"+":
            groups.add(group)
        else:
            groups.discard(group)
    end_groups(groups, GRACE_S)


def end_groups(groups: set[int], grace_s: float) -> None:
    """SIGTERM, at most `grace_s` of patience, SIGKILL."""
    left = {group for group in groups if _signal(group, signal.SIGTERM)}
    ends_s = time.monotonic() + grace_s
    while left and time.monotonic() < ends_s:
        time.sleep(POLL_S)
        left = {group for group in left if _signal(group, 0)}
    for group in left:
        _signal(group, signal.SIGKILL)


def _signal(group: int, number: int) -> bool:
    """Signal a process group; False where it is gone."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)
        return True
    return False


if __name__ == "__main__":
    main()
