"""``os`` as the ESP32 port has it: without the shell and the environment of a computer."""

import sys

_path = sys.path[:]
sys.path.clear()
from os import *  # noqa: E402

sys.path.extend(_path)
del system, getenv, putenv, unsetenv  # noqa: F821


def sync() -> None:
    """Every write is through at once."""


def uname() -> tuple:
    """(system, node, release, version, machine)."""
    return ("esp32", "esp32", "1.29.0", "v1.29.0 simulated", "Yima simulated board with ESP32S3")


def dupterm(stream: object, index: int = 0) -> None:
    """The console stays where it is."""
