"""`make bench`: every figure of the project, each beside a peer measured in the same run.

Figures go to ``build/bench.json`` as ``{name: {value, unit, peer, note}}`` and, beside what is asked of them,
to standard output. What cannot be measured here, for want of a program, has no value, and a note that says
what to install; docs/bench.md explains every name.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from host_tools.bench import counts, inputs, model
from host_tools.bench.board import compile_kernel
from host_tools.bench.bus import bench_bus
from host_tools.bench.figures import TARGETS, Figures, figure, left_out, table
from host_tools.bench.heap import bench_heap
from host_tools.bench.journal import bench_journal
from host_tools.bench.journal_drain import bench_drain
from host_tools.bench.packs import bench_packs
from host_tools.bench.programs import ROOT, micropython, run_mpy
from host_tools.bench.simulator import bench_simulator
from host_tools.bench.times import FIRMWARE, bench_times
from host_tools.bench.ui import bench_ui
from host_tools.device import engines

_NO_NATIVE = "this MicroPython has no native code emitter"
_NO_VALGRIND = "no valgrind: install Debian's package of that name"
_NO_WASM = "no MicroPython for WebAssembly: pip install --target build/bench -r requirements/bench.txt"
_BASE45 = "firmware/core/base45_native"


def bench_memory(folder: Path, native: bool, native_base45: bool) -> tuple[Figures, int, float]:
    """Bytes allocated, on flash and of code; also a table's sub-tables and the reads of flash for a scan."""

    def allocated(way: str) -> float:
        return run_mpy("verify_mpy.py", str(folder), way, "time", "1")[1]

    engine = FIRMWARE if native else "portable-1"
    loop = "native" if native_base45 else "portable"
    reads, read_bytes, flash_alloc, table_bytes = run_mpy("flash_mpy.py", str(folder), engine)
    rest = run_mpy("scan_mpy.py", str(folder), "none", loop, "alloc")[0]
    sizes = {name: len(compile_kernel(name)) for name in engines.KERNEL}
    crypto = sum(size for name, size in sizes.items() if name != _BASE45)
    heap = "GC heap, 64-bit"
    figures = {
        "scan_alloc_bytes": figure(rest, "B", f"{heap}, a scan without the signature"),
        "verify_bytecode_alloc_bytes": figure(allocated("portable-4"), "B", f"{heap}, portable engine"),
        "cold_verify_alloc_bytes": figure(allocated("cold"), "B", f"{heap}, without tables"),
        "verify_flash_alloc_bytes": figure(
            flash_alloc, "B", f"{heap}, {engine.split('-')[0]} engine, points from flash"
        ),
        "scan_flash_reads": figure(reads, "", f"by LittleFS, {read_bytes:,.0f} B in all"),
        "table_bytes_per_issuer": figure(table_bytes, "B", "as services/tables.py keeps it on flash"),
        "native_code_bytes": figure(crypto, "B", "xtensawin .mpy of p256_limbs and p256_slots"),
    }
    if native:
        figures["verify_alloc_bytes"] = figure(
            allocated("native-4"), "B", f"{heap}, native engine, table in memory"
        )
    else:
        figures |= left_out(("verify_alloc_bytes",), _NO_NATIVE)
    if _BASE45 in sizes:
        figures["native_base45_bytes"] = figure(sizes[_BASE45], "B", "xtensawin .mpy of base45_native")
    return figures, int(table_bytes) // 8192, reads


def bench_counts(folder: Path, native: bool, native_base45: bool, v: int, reads: float) -> Figures:
    """Callgrind's instructions, fuel, and what the model makes of them."""
    figures: Figures = {}
    name = "verify_callgrind_instructions"
    if native and counts.has_callgrind():
        found = counts.verify_instructions(folder, "native-4")
        figures[name] = figure(round(found), "", "x86-64, native engine, 32 KiB per issuer")
    else:
        figures |= left_out((name,), _NO_VALGRIND if native else _NO_NATIVE)
    run = counts.wasm_runner(folder)
    rest_fuel = None
    if run:
        found = counts.verify_fuel(run, "portable-4")
        note = f"portable engine, 32 KiB per issuer, mean of {inputs.VECTORS}"
        figures["verify_wasm_fuel"] = figure(round(found), "", note)
        figures["scan_wasm_fuel"] = figure(
            counts.scan_fuel(run, "portable-4", "portable"), "", "a whole scan, all in bytecode"
        )
        figures["scan_alloc_bytes_32bit"] = figure(
            counts.scan_alloc_32(run), "B", "like scan_alloc_bytes, with words of 32 bits as on the board"
        )
        rest_fuel = counts.scan_fuel(run, "none", "skipped" if native_base45 else "portable")
    else:
        names = ("verify_wasm_fuel", "scan_wasm_fuel", "scan_alloc_bytes_32bit", "esp32_scan_ms_model")
        figures |= left_out(names, _NO_WASM)
    return figures | model.bench_model(folder, v, rest_fuel, reads)


def measure() -> Figures:
    """All figures."""
    native = engines.target_of(micropython()) != engines.PORTABLE
    native_base45 = native and _BASE45 in engines.KERNEL
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        inputs.write_inputs(folder)
        memory, v, reads = bench_memory(folder, native, native_base45)
        figures = (
            bench_times(folder, native, native_base45)
            | memory
            | bench_counts(folder, native, native_base45, v, reads)
        )
    figures |= bench_heap() | bench_journal() | bench_drain() | bench_packs() | bench_simulator()
    figures |= bench_bus()
    figures |= bench_ui(figures["esp32_scan_ms_model"]["value"])
    first = {name: figures[name] for name in TARGETS}
    return first | figures


def main() -> None:
    """Measure, print, write."""
    figures = measure()
    print(table(figures))
    out = ROOT / "build" / "bench.json"
    out.parent.mkdir(exist_ok=True)
    out.write_text(json.dumps(figures, indent=2, ensure_ascii=False) + "\n", "utf-8")
    print(f"written to {out.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
