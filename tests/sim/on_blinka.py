"""Run by test_blinka.py under CPython: a drawing script on Blinka's displayio.

Arguments: folder of Blinka, name of the script, its arguments.
"""

import importlib
import sys
from pathlib import Path
from types import ModuleType

from host_tools.bench import ui_blinka

ui_blinka.stage(Path(sys.argv[1]))
# Of MicroPython, adafruit_display_text wants this alone.
sys.modules["micropython"] = ModuleType("micropython")
sys.modules["micropython"].const = lambda value: value
importlib.import_module(sys.argv[2]).main(*sys.argv[3:])
