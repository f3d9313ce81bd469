"""First file that MicroPython runs on the handheld: full clock speed, nothing of ours imported.

Choosing an update slot and rolling a bad one back come here with signed updates.
"""

import gc

import machine

# Recent official images start at 160 MHz on some boards.
machine.freq(240_000_000)

# Collect often while the program loads: what loading leaves behind would otherwise lie scattered between what
# stays, and no large buffer would find room.
gc.threshold(4096)
