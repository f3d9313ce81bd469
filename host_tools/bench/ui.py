"""Figures of the screens: bytes on the display's bus, redraws beside Blinka displayio, and scan to verdict.

docs/bench.md explains every name and the model of the board.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

from host_tools.authority.default_rules import default_records
from host_tools.bench import counts, model, rounds
from host_tools.bench.figures import Figures, figure, left_out
from host_tools.bench.programs import LIMIT_S, ROOT, mpy_command, mpy_environment
from host_tools.device import assets

#: Where `make` puts what requirements/oracle.txt names.
ORACLE = ROOT / "build" / "oracle"
SPI_HZ = 40_000_000
#: The driver looks at the UART this often while bytes come.
POLL_MS = 5.0
#: One write of at most a page into SPI flash, with the driver's part in it (W25Q32JV: 0.4 ms, at most 3 ms).
PROGRAM_MS = 1.5
#: Xtensa instructions for one of x86, as the portable engine has it.
INSTRUCTIONS_PER_X86 = 0.82
_RECORDS = 32
_ROUNDS = 3
_REDRAWS = ("full", "verdict", "clock_tick")
_NO_BLINKA = "no Blinka displayio: make lint installs it"
_NO_COUNT = "no valgrind, or no MicroPython for WebAssembly"


def _lines(script: str, *arguments: str, heap: str = "8M") -> list[list[str]]:
    """The words of each line that a script prints under MicroPython."""
    result = subprocess.run(
        mpy_command(script, *arguments, heap=heap),
        env=mpy_environment(),
        stdout=subprocess.PIPE,
        text=True,
        timeout=LIMIT_S,
        check=True,
    )
    return [line.split() for line in result.stdout.splitlines()]


def bus_bytes(folder: Path) -> dict[str, tuple[int, list[tuple[int, ...]]]]:
    """Bytes on the bus and windows (x1, y1, x2, y2) of each job of ui_jobs_mpy.py, by the real driver."""
    found = _lines("ui_mpy.py", str(folder / "assets"), "count")
    return {
        name: (int(sent), [tuple(map(int, window.split(","))) for window in windows])
        for name, sent, *windows in found
    }


def _ours(folder: Path, name: str) -> float:
    return float(_lines("ui_mpy.py", str(folder / "assets"), "time", name, "20")[-1][0])


def _blinka(folder: Path, name: str) -> float:
    command = [sys.executable, "-m", "host_tools.bench.ui_blinka", str(ORACLE), str(folder / "assets")]
    result = subprocess.run(
        [*command, "time", name, "2"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        timeout=LIMIT_S,
        check=True,
    )
    return float(result.stdout)


def redraws(folder: Path) -> Figures:
    """Microseconds of redraws, ours on MicroPython and Blinka's on CPython, and their ratios."""
    jobs: dict[str, rounds.Job] = {f"ours {name}": partial(_ours, folder, name) for name in _REDRAWS}
    if ORACLE.is_dir():
        jobs |= {f"blinka {name}": partial(_blinka, folder, name) for name in _REDRAWS}
    us = rounds.minima(jobs, _ROUNDS)
    figures: Figures = {}
    for name in _REDRAWS:
        ours, theirs = us[f"ours {name}"], us.get(f"blinka {name}")
        figures[f"redraw_{name}_us"] = figure(
            ours, "µs", "drawn and given to the driver, which gives it to nobody"
        )
        key = f"blinka_vs_redraw_{name}"
        if theirs is None:
            figures |= left_out((key,), _NO_BLINKA)
        else:
            note = f"the same screen, minima of {_ROUNDS} interleaved rounds"
            figures[key] = figure(theirs / ours, "ratio", note, "Blinka displayio on CPython")
    return figures


def _ms(instructions: float) -> float:
    return instructions * model.CYCLES_PER_INSTRUCTION / model.CLOCK_HZ * 1000


def scan_to_verdict(folder: Path, scan_ms: float, spi_bytes: int) -> dict[str, float] | None:
    """Milliseconds of what lies between a code's last byte and the verdict; None without the counters."""
    run = counts.wasm_runner(folder)
    if run is None or not counts.has_callgrind():
        return None
    draw, measured = (run("ui_mpy.py", "/in/assets", "passage", number)[0] for number in "23")
    judged, once = (run("ui_rules_mpy.py", "/in/rules", number)[0] for number in "01")
    nothing, records = (counts.callgrind("ui_record_mpy.py", number) for number in ("0", str(_RECORDS)))
    writes = float(_lines("ui_record_mpy.py", str(_RECORDS))[-1][0])
    return {
        "uart": POLL_MS,
        "scan": scan_ms,
        "rules": _ms((once - judged) * model.INSTRUCTIONS_PER_FUEL),
        "record": _ms((records - nothing) / _RECORDS * INSTRUCTIONS_PER_X86) + writes * PROGRAM_MS,
        "drawing": _ms((measured - draw) * model.INSTRUCTIONS_PER_FUEL),
        "bus": spi_bytes * 8 / SPI_HZ * 1000,
    }


def bench_ui(scan: object) -> Figures:
    """All figures of the screens; `scan` is the value of esp32_scan_ms_model, None where it is left out."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        assets.build(folder / "assets")
        (folder / "rules").write_text("".join(f"{record.hex()}\n" for record in default_records()), "utf-8")
        sent = bus_bytes(folder)
        notes = {
            "full": "the idle screen after another",
            "verdict": "a verdict after the thermometer's screen",
            "clock_tick": "a minute passes on the idle screen",
            "battery_tick": "a per cent less in the bar on top",
            "countdown": "one step of the line under a verdict",
        }
        figures: Figures = {
            f"spi_bytes_{key}": figure(sent[key][0], "B", f"{note}; windows: {len(sent[key][1])}")
            for key, note in notes.items()
        }
        figures |= redraws(folder)
        parts = None
        if isinstance(scan, (int, float)):
            parts = scan_to_verdict(folder, float(scan), sent["verdict"][0])
    key = "scan_to_verdict_ms_model"
    if parts is None:
        return figures | left_out((key,), _NO_COUNT)
    shares = ", ".join(f"{part} {ms:.0f}" for part, ms in parts.items())
    return figures | {key: figure(sum(parts.values()), "ms", f"a model, without temperature: {shares}")}
