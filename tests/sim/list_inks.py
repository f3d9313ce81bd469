"""Run by test_screens_seen.py under MicroPython: prints SCREEN GROUND INK for every text that a screen shows.

Argument: folder of the assets. Colours as six hexadecimal digits.
"""

import sys

from draw_screens import SCREENS, Frame

from drivers.displayio import Display
from firmware.ui import widgets
from firmware.ui.fonts import Fonts
from firmware.ui.screens import Screens

asked = []
made = widgets.Inks.text


def text(inks, ground, ink):
    asked.append((ground, ink))
    return made(inks, ground, ink)


widgets.Inks.text = text
screens = Screens(Display(Frame()), Fonts(sys.argv[1]), "zh")
for language in ("zh", "en"):
    screens.language = language
    for name in SCREENS:
        # A view that stays asks for no more inks.
        screens.language = language
        asked.clear()
        SCREENS[name](screens)
        for ground, ink in set(asked):
            print("%s_%s %06x %06x" % (name, language, ground, ink))
