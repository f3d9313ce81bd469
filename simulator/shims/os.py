"""``os`` as the ESP32 port has it: without the shell and the environment of a computer.

Looks everything else up in the builtin module, for a copy of its table would cost the firmware a kilobyte.
"""

import _sim


def __getattr__(name: str) -> object:
    if name in ("system", "getenv", "putenv", "unsetenv"):
        raise AttributeError(name)
    if name in ("sync", "uname", "dupterm"):
        return getattr(_sim.rare("os"), name)
    return getattr(_sim.native_os, name)
