"""What the ESP32 port's start does: mount the flash, run /boot.py and /main.py, then wait as the prompt
would, or give the prompt to the serial port.

Imported by `_start`. Every shim is loaded here and the ROM image they came from is unmounted again, so that
the firmware sees its own ROM, the flash image and nothing of the computer.
"""

# ruff: noqa: I001
import gc

import struct
import sys

import _sim
import vfs

import sim_flash
import esp32  # noqa: F401
import machine
from asyncio import core
import network  # noqa: F401
import sim_flag  # noqa: F401
import os
import socket  # noqa: F401
import time  # noqa: F401

_block = sim_flash.Flash(sys.argv[2])
try:
    _sim.journal.append(open(sys.argv[2][: sys.argv[2].rfind("/")] + "/journal.img", "r+b"))
except OSError:
    pass  # this board has no such partition
_sim.hook_asyncio(core)
vfs.umount("/")
vfs.umount("/_sim")
_error = None
try:
    vfs.mount(vfs.VfsLfs2(_block, readsize=32, progsize=32), "/")
    os.chdir("/")
except OSError as e:
    _error = e
sys.path[:] = ["", ".frozen", "/lib", "/rom", "/rom/lib"]
sys.argv[:] = []
gc.collect()
_answer = struct.unpack("<BBqI6s", _sim.call(0x8F))
machine._cause[0] = _answer[0]
_sim.rtc[0] = _answer[2]
_sim.cut[0] = _answer[3]
machine._chip[0] = _answer[4]
_sim.post(0x0B, 0, 0, struct.pack("<III", gc.mem_alloc() - _sim.rom[1], gc.mem_alloc(), gc.mem_free()))


def _run(path: str) -> None:
    try:
        os.stat(path)
    except OSError:
        return
    try:
        execfile(path, {"__name__": "__main__", "__file__": path})  # noqa: F821
    except SystemExit:
        machine.soft_reset()
    except BaseException as e:  # noqa: BLE001
        sys.print_exception(e)


if _error is None:
    _run("/boot.py")
    if _answer[1] < 2:
        _run("/main.py")
else:
    print("The internal filesystem appears to be corrupted:", _error)
print("MicroPython v1.29.0 simulated; Yima simulated board with ESP32S3")
while not _answer[1]:  # else the interpreter's own prompt comes next
    _sim.pump(-1)
