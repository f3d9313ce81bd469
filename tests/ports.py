"""Ports for tests: below those that the kernel gives away, so that nobody gets between choice and use."""

from __future__ import annotations

import contextlib
import random
import socket

#: Linux gives away 32768 to 60999, macOS and Windows what is above 49151.
LOWEST, BEYOND = 10_240, 32_000
#: As many as `yima run` takes from its base on, and some.
RUN_PORTS = 16


def free_ports(count: int) -> list[int]:
    """So many ports in a row on which nobody listens now."""
    while True:
        base = random.SystemRandom().randrange(LOWEST, BEYOND - count)
        with contextlib.ExitStack() as stack, contextlib.suppress(OSError):
            for port in range(base, base + count):
                stack.enter_context(socket.socket()).bind(("127.0.0.1", port))
            return list(range(base, base + count))


def free_port() -> int:
    """A port on which nobody listens now."""
    return free_ports(1)[0]


def free_base() -> int:
    """A port from which on a whole system finds room."""
    return free_ports(RUN_PORTS)[0]
