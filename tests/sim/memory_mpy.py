"""Run by test_screens.py under MicroPython: prints the bytes of heap that display and screens take.

Arguments: a ROMFS image with drivers, firmware and assets; the folder of draw_screens.py. Prints `code
BYTES`, then `NAME BYTES` for what lives while a screen shows, code not counted.
"""

import gc
import sys

import vfs


def allocated():
    gc.collect()
    return gc.mem_alloc()


with open(sys.argv[1], "rb") as image:
    vfs.mount(vfs.VfsRom(image.read()), "/rom")
sys.path[:] = ["/rom", ".frozen"]
# Not ours: every firmware has these.
import asyncio  # noqa: E402, F401

from firmware.core import reasons  # noqa: E402, F401

before = allocated()
from drivers.displayio import Display  # noqa: E402
from drivers.st7789 import ST7789  # noqa: E402, F401
from firmware.ui import sounds  # noqa: E402, F401
from firmware.ui.fonts import Fonts  # noqa: E402
from firmware.ui.screens import Screens  # noqa: E402

print("code", allocated() - before)
sys.path.append(sys.argv[2])
from draw_screens import SCREENS  # noqa: E402


class Nowhere:
    def open_window(self, x, y, width, height):
        pass

    def write(self, pixels):
        pass

    def close_window(self):
        pass


before = allocated()
screens = Screens(Display(Nowhere()), Fonts("/rom/assets"), "zh")
for name in SCREENS:
    SCREENS[name](screens)
    screens.countdown(500)
    print(name, allocated() - before)
