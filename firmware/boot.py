"""First file that MicroPython runs on the handheld: full clock speed, nothing of ours imported.

Choosing an update slot and rolling a bad one back come here with signed updates.
"""

import machine

# Recent official images start at 160 MHz on some boards.
machine.freq(240_000_000)
