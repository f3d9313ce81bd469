"""What a handheld computes with: native code for one kind of processor, or bytecode.

A *target* is the processor that the native code is compiled for, or ``portable`` for none. The build writes
the choice into the module ``firmware.engine``, compiles the kernel for the target and leaves what was not
chosen out; see "How a signature is checked" in docs/architecture.md.
"""

from __future__ import annotations

import subprocess
from collections.abc import Generator
from pathlib import Path
from typing import Any

from firmware.core import p256
from firmware.core.p256_comb import build_table_steps
from firmware.core.p256_portable import LIMB_SCALE, PortableEngine

ROOT = Path(__file__).resolve().parents[2]
PORTABLE = "portable"
#: The reference board: ESP32-S3 and ESP32 have Xtensa cores with windowed registers.
BOARD = "xtensawin"
TARGETS = (BOARD, "x64", PORTABLE)
#: Modules of firmware.core in viper: native code cannot stand in a module with bytecode for another target.
KERNEL = (
    "firmware/core/adpcm_native",
    "firmware/core/base45_native",
    "firmware/core/p256_limbs",
    "firmware/core/p256_slots",
)
ENGINE = "firmware/engine"
#: Pairs of points that the native engine adds at once: 8 take 4.6 kB of the handheld's heap, 32 would take
#: 9.8 kB and a tenth less time.
RECORDS = 8
#: Sub-tables of the generator's table, of 8 KiB each. It lies in ROM, where it costs nothing but room.
GENERATOR_SUB_TABLES = 4
#: What MicroPython answers for the target in ``sys.implementation._mpy``, py/persistentcode.h.
_ARCHITECTURES = {2: "x64", 10: BOARD}


def target_of(micropython: str) -> str:
    """The target that an interpreter on this computer runs; ``portable`` where it loads no native code."""
    result = subprocess.run(
        [micropython, "-c", "import sys; print(sys.implementation._mpy >> 10 & 15)"],
        capture_output=True,
        text=True,
        check=False,
    )
    number = result.stdout.strip()
    return _ARCHITECTURES.get(int(number), PORTABLE) if number.isdigit() else PORTABLE


def module(target: str) -> str:
    """The text of ``firmware.engine`` for a target."""
    if target == PORTABLE:
        return (ROOT / f"{ENGINE}.py").read_text("utf-8")
    return (
        "from firmware.core.adpcm_native import decode\n"
        "from firmware.core.base45_native import groups\n"
        "from firmware.core.p256_native import NativeEngine\n"
        "\n\n"
        "def make_engine():\n"
        f"    return NativeEngine({RECORDS})\n"
    )


def top_level(text: str) -> str:
    """A module's text with the kernel imported from the top of the ROM.

    A package would cost the handheld two module objects more.
    """
    for name in KERNEL:
        text = text.replace(f"from {name.replace('/', '.')} import", f"from {name.rpartition('/')[2]} import")
    return text


def generator_table(target: str) -> bytes:
    """The table of the curve's generator as the target's engine wants it."""
    engine = PortableEngine() if target == PORTABLE else PortableEngine(LIMB_SCALE)
    generator = p256.GX.to_bytes(32, "big") + p256.GY.to_bytes(32, "big")
    return bytes(_finish(build_table_steps(engine, generator, GENERATOR_SUB_TABLES)))


def _finish(steps: Generator[None, None, Any]) -> Any:
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value
