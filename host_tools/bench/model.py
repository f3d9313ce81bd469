"""What a scan should take on the board, from counts; docs/bench.md has the derivation of every number."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from host_tools.bench.figures import Figures, figure
from host_tools.bench.programs import LIMIT_S, ROOT

CLOCK_HZ = 240_000_000
CYCLES_PER_INSTRUCTION = 2.0
#: Xtensa instructions for one unit of wasm fuel; the most of several pieces that were counted both ways.
INSTRUCTIONS_PER_FUEL = 0.48
#: What the interpreter does around the native code of one verification.
INTERPRETER_INSTRUCTIONS = 270_000
#: One collection of garbage.
COLLECTION_INSTRUCTIONS = 420_000
#: One read of the flash, with LittleFS's part in it.
FLASH_READ_MS = 0.05


def kernel_counts(folder: Path, v: int) -> dict[str, float]:
    """Instructions of the board's own machine code for one verification, by function."""
    command = [sys.executable, "-m", "host_tools.bench.board", str(folder), str(v)]
    result = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, timeout=LIMIT_S, check=True)
    counts: dict[str, float] = json.loads(result.stdout)
    return counts


def scan_ms(native: float, base45: float, rest_fuel: float, flash_reads: float) -> float:
    """Milliseconds of a scan."""
    instructions = (
        native
        + INTERPRETER_INSTRUCTIONS
        + base45
        + rest_fuel * INSTRUCTIONS_PER_FUEL
        + COLLECTION_INSTRUCTIONS
    )
    return instructions * CYCLES_PER_INSTRUCTION / CLOCK_HZ * 1000 + flash_reads * FLASH_READ_MS


def bench_model(folder: Path, v: int, rest_fuel: float | None, flash_reads: float) -> Figures:
    """The model's figures for tables of v sub-tables; without a fuel count only the exact ones."""
    counts = kernel_counts(folder, v)
    base45 = counts.pop("groups", 0.0)
    longest = max(counts.pop("verify_slice"), counts.pop("install_slice"))
    native = sum(counts.values()) - counts["conversions"] - counts["divisions"]
    figures: Figures = {
        "board_verify_instructions": figure(
            native, "", f"of the xtensawin machine code, exact, {8 * v} KiB per issuer"
        ),
        "esp32_slice_ms_model": figure(
            longest * CYCLES_PER_INSTRUCTION / CLOCK_HZ * 1000,
            "ms",
            "longest slice of a verification or of building a table, machine code only; asked: 20 ms",
        ),
    }
    if rest_fuel is not None:
        figures["esp32_scan_ms_model"] = figure(
            scan_ms(native, base45, rest_fuel, flash_reads),
            "ms",
            f"a model: 240 MHz, {8 * v} KiB per issuer on flash; 0.75 to 1.25 times as much is likely",
        )
    return figures
