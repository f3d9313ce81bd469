"""What the journal costs: flash wear by each way to keep it, time to seal, bytes on the wire, power cuts."""

from __future__ import annotations

import json
import re
import subprocess
import time
from hashlib import sha256
from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import AESCCM

from firmware.core import cbor
from firmware.core.seal import RECORD_PROTECTED
from host_tools.bench.figures import Figures, figure
from host_tools.bench.programs import HERE, ROOT, micropython, mpy_environment
from host_tools.device.image import JOURNAL_BLOCKS

RECORDS = 3000
SCANS_PER_DAY = 3000
#: What NOR flash is rated for, and what its data sheets give for one erase and for programming 256 bytes.
ERASES_PER_SECTOR = 100_000
ERASE_MS, PROGRAM_MS = 45.0, 0.8
SECTORS = JOURNAL_BLOCKS
ROUNDS = 5
LIMIT_S = 900
CUT_TEST = ROOT / "tests" / "mpy" / "test_ring_cut.py"


def bench_journal(cut_windows: int = 210) -> Figures:
    """All figures; `cut_windows` is how many windows of the power-cut test are run, some 50 cuts each."""
    return bench_flash() | bench_cuts(cut_windows)


def bench_flash() -> Figures:
    """Wear, bytes and sealing time, with their peers."""
    runs = [_run(HERE / "journal_mpy.py", str(RECORDS)) for _ in range(ROUNDS)]
    figures = json.loads(runs[0])
    sealed_us = min(json.loads(run)["seal_us"] for run in runs)
    peer_us = min(_seal_by_cryptography() for _ in range(ROUNDS))
    erases, programmed = figures["ring"]
    file_erases, file_bytes = figures["appended"]
    merged_erases, merged_bytes = figures["merged"]
    years = SECTORS * ERASES_PER_SECTOR / (erases * SCANS_PER_DAY) / 365
    milliseconds = erases * ERASE_MS + programmed / 256 * PROGRAM_MS
    note = f"records of {figures['record_bytes']} B, each acknowledged by itself"
    return {
        "journal_erases_per_record": figure(
            erases,
            "",
            f"{note}; {years:.0f} years at {SCANS_PER_DAY} scans a day on {SECTORS} sectors of "
            f"{ERASES_PER_SECTOR:,} erases",
            f"append and flush on LittleFS {file_erases:.2f}, small files merged by 16 {merged_erases:.2f}",
        ),
        "journal_bytes_per_record": figure(
            programmed,
            "B",
            f"{note}; {milliseconds:.1f} ms of flash time by data sheet figures",
            f"append and flush on LittleFS {file_bytes:.0f}, small files merged by 16 {merged_bytes:.0f}",
        ),
        "wire_bytes_per_record": figure(
            figures["wire_bytes"],
            "B",
            f"sync requests of at most 4,096 B of records and heads, records of {figures['record_bytes']} B; "
            "HTTP and TLS not counted",
        ),
        "journal_seal_us": figure(sealed_us, "µs", "MicroPython unix port, AES built in"),
        "journal_seal_vs_cryptography": figure(
            sealed_us / peer_us,
            "ratio",
            f"the same bytes sealed; minima of {ROUNDS} rounds",
            f"cryptography on CPython, {peer_us:.1f} µs",
        ),
    }


def bench_cuts(windows: int) -> Figures:
    """Power cuts tried at every erase and program, and how many lost a record, a mount or a sequence."""
    output = _run(ROOT / "tests" / "mpy_runner.py", str(CUT_TEST), YIMA_CUT_WINDOWS=str(windows))
    found = re.search(r"(\d+) cut points, (\d+) second cuts", output)
    points, second = (int(found[1]), int(found[2])) if found else (0, 0)
    # The test ends at the first cut that costs anything.
    lost = output.count("FAILED") if found else 1
    note = f"never begun, half, done, scattered bits; {second} more right after the start that followed"
    return {
        "powercut_points": figure(points, "", note),
        "powercut_lost": figure(
            lost, "", "records or acknowledgements lost, sequences doubled, mounts failed"
        ),
    }


def _seal_by_cryptography(count: int = 2000) -> float:
    """Microseconds to make one sealed record with `cryptography` and the same framing."""
    cipher = AESCCM(sha256(b"bench").digest()[:16], tag_length=8)
    plain, chain = bytes(115), bytes(32)
    start = time.perf_counter()
    for sequence in range(1, count + 1):
        outside = cbor.dumps(["yima-4f2a91", 1, sequence, chain])
        data = cbor.dumps(["Encrypt0", RECORD_PROTECTED, outside])
        sealed = cipher.encrypt(sequence.to_bytes(13, "big"), plain, data)
        cbor.dumps([RECORD_PROTECTED, {6: sequence.to_bytes(4, "big")}, sealed])
    return (time.perf_counter() - start) / count * 1e6


def _run(script: Path, *arguments: str, **environment: str) -> str:
    """What a script prints under MicroPython. Raises RuntimeError where it fails otherwise than as a test."""
    result = subprocess.run(
        [micropython(), "-X", "heapsize=32M", str(script), *arguments],
        env={**mpy_environment(), **environment},
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    if result.returncode and "FAILED" not in result.stdout:
        raise RuntimeError(f"{script.name}: {result.stderr[-2000:]}")
    return result.stdout
