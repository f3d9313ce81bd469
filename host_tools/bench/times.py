"""Times: verification, scan and key installation, each beside its peers in the same rounds."""

from __future__ import annotations

import subprocess
from functools import partial
from pathlib import Path

from host_tools.bench import peers, rounds
from host_tools.bench.figures import Figures, figure, left_out
from host_tools.bench.programs import compile_peer, run_mpy
from host_tools.device import engines

#: What the handheld's firmware does: tables of 8 KiB, and a small workspace.
FIRMWARE = f"native-1-{engines.RECORDS}"
#: Verifications in one turn: each turn takes some tenths of a second.
_TURNS = {
    "native-4": 1024,
    FIRMWARE: 1024,
    "portable-4": 192,
    "cold": 32,
    "textbook": 16,
}
_MBED_TURNS = 300
_SCANS = 200
_INSTALLS = 8
_NO_NATIVE = "this MicroPython has no native code emitter"
_NO_PEER = "no C compiler, or no mbedTLS for it: install gcc and libmbedtls-dev"
_MBED = "mbedTLS in C"
_ECDSA = "python-ecdsa on CPython"


def measure(folder: Path, native: bool, native_base45: bool) -> dict[str, float]:
    """Microseconds, minima of interleaved rounds; what cannot run here is missing."""
    jobs: dict[str, rounds.Job] = {}
    peer = compile_peer(folder)
    if peer:
        jobs["mbedtls"] = partial(_run_peer, peer, folder / "vectors")
    for way, turns in _TURNS.items():
        if native or not way.startswith("native"):
            jobs[way] = partial(_first, "verify_mpy.py", str(folder), way, "time", str(turns))
    loop = "native" if native and native_base45 else "portable"
    scans = {"scan": "native-4", "scan-1": FIRMWARE} if native else {}
    for name, way in {**scans, "rest": "none"}.items():
        jobs[name] = partial(_first, "scan_mpy.py", str(folder), way, loop, "time", str(_SCANS))
    if native:
        jobs["install"] = partial(_first, "verify_mpy.py", str(folder), "native-4", "build", str(_INSTALLS))
    jobs["ecdsa"] = partial(peers.time_us, peers.by_ecdsa(precomputed=False), 2)
    jobs["precomputed"] = partial(peers.time_us, peers.by_ecdsa(precomputed=True), 4)
    jobs["cryptography"] = partial(peers.time_us, peers.by_cryptography(), 64)
    return rounds.minima(jobs)


def _first(script: str, *arguments: str) -> float:
    return run_mpy(script, *arguments)[0]


def _run_peer(peer: Path, vectors: Path) -> float:
    command = [str(peer), str(vectors), str(_MBED_TURNS)]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def bench_times(folder: Path, native: bool, native_base45: bool) -> Figures:
    """All figures that come from a clock."""
    us = measure(folder, native, native_base45)
    figures: Figures = {}

    def time(name: str, job: str, note: str) -> None:
        if job in us:
            figures[name] = figure(us[job], "µs", note)
        else:
            figures.update(left_out((name,), _NO_PEER if job == "mbedtls" else _NO_NATIVE))

    def ratio(name: str, job: str, over: str, peer: str, note: str = "") -> None:
        if job in us and over in us:
            text = f"{note}, {rounds.NOTE}" if note else rounds.NOTE
            figures[name] = figure(us[job] / us[over], "ratio", text, peer)
        else:
            figures.update(left_out((name,), _NO_PEER if native else _NO_NATIVE))

    of_32k, of_8k = "32 KiB per issuer", "8 KiB per issuer and a small workspace, as the firmware has"
    ratio("verify_vs_mbedtls", "native-4", "mbedtls", _MBED, of_32k)
    ratio("verify_8k_vs_mbedtls", FIRMWARE, "mbedtls", _MBED, of_8k)
    ratio("verify_vs_ecdsa_plain", "native-4", "ecdsa", _ECDSA, of_32k)
    ratio("verify_vs_ecdsa_precomputed", "native-4", "precomputed", f"{_ECDSA}, key precomputed", of_32k)
    ratio("verify_vs_cryptography", "native-4", "cryptography", "cryptography (OpenSSL)", of_32k)
    ratio("textbook_vs_verify", "textbook", "native-4", "our verify, both on MicroPython")
    ratio("cold_verify_vs_ecdsa_plain", "cold", "ecdsa", _ECDSA, "without tables")
    # The bytecode path needs no native code: only a missing peer leaves it out.
    if "mbedtls" in us:
        ratio("verify_bytecode_vs_mbedtls", "portable-4", "mbedtls", _MBED, of_32k)
    else:
        figures.update(left_out(("verify_bytecode_vs_mbedtls",), _NO_PEER))
    scanned = f"text in, claims out, base45 in {'native code' if native_base45 else 'bytecode'}"
    ratio("scan_vs_mbedtls", "scan", "mbedtls", f"one verification by {_MBED}", f"{scanned}, {of_32k}")
    ratio("scan_8k_vs_mbedtls", "scan-1", "mbedtls", f"one verification by {_MBED}", f"{scanned}, {of_8k}")
    time("verify_us", "native-4", f"native engine, {of_32k}")
    time("verify_8k_us", FIRMWARE, f"native engine, {of_8k}")
    time("verify_bytecode_us", "portable-4", f"portable engine, {of_32k}")
    time("cold_verify_us", "cold", "complete verifier without tables")
    time("textbook_us", "textbook", "two Jacobian double-and-add multiplications")
    time("scan_us", "scan", scanned)
    time("scan_rest_us", "rest", "the same without the signature")
    time("mbedtls_us", "mbedtls", _MBED)
    time("ecdsa_us", "ecdsa", "python-ecdsa on CPython")
    time("ecdsa_precomputed_us", "precomputed", "python-ecdsa, key precomputed")
    time("cryptography_us", "cryptography", "OpenSSL")
    if "install" in us:
        figures["key_install_ms"] = figure(us["install"] / 1000, "ms", "table of 32 KiB, native engine")
    else:
        figures.update(left_out(("key_install_ms",), _NO_NATIVE))
    return figures
