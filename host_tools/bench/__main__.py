"""`make bench`: every figure of the project, each beside a peer measured in the same run.

Figures go to ``build/bench.json`` as ``{name: {value, unit, peer, note}}`` and to a table on standard output.
"""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from hashlib import sha256
from pathlib import Path

import ecdsa
import httpx
from ecdsa.util import sigdecode_string, sigencode_string

from host_tools.bench.comb import bench_comb
from host_tools.device.build import build
from host_tools.device.engines import target_of
from host_tools.device.image import prepare

ROOT = Path(__file__).resolve().parents[2]
ROUNDS = 7
VECTORS = 32
START_LIMIT_S = 30


def make_vectors() -> tuple[list[tuple[ecdsa.VerifyingKey, bytes, bytes]], bytes]:
    """Fixed messages signed with RFC 6979, for python-ecdsa and as the vector file of verify_mpy.py."""
    key = ecdsa.SigningKey.from_secret_exponent(0xC0FFEE, curve=ecdsa.NIST256p, hashfunc=sha256)
    public = key.get_verifying_key()
    signed = []
    packed = b""
    for i in range(VECTORS):
        digest = sha256(b"yima %d" % i).digest()
        signature = key.sign_digest_deterministic(digest, hashfunc=sha256, sigencode=sigencode_string)
        signed.append((public, digest, signature))
        packed += public.to_string() + digest + signature
    return signed, packed


def time_ecdsa(signed: list[tuple[ecdsa.VerifyingKey, bytes, bytes]]) -> float:
    """Microseconds per verification of python-ecdsa on this CPython, one pass over the vectors."""
    start = time.perf_counter()
    for public, digest, signature in signed:
        public.verify_digest(signature, digest, sigdecode=sigdecode_string)
    return (time.perf_counter() - start) / len(signed) * 1e6


def time_ours(vectors: Path) -> tuple[float, int]:
    """Microseconds and bytes allocated per verification of firmware.core.p256 on MicroPython."""
    interpreter = os.environ.get("MICROPYTHON") or str(Path(sys.executable).parent / "micropython")
    result = subprocess.run(
        [interpreter, "-X", "heapsize=8M", str(Path(__file__).with_name("verify_mpy.py")), str(vectors), "1"],
        env={**os.environ, "MICROPYPATH": f"{ROOT}:.frozen"},
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    microseconds, allocated = result.stdout.split()
    return float(microseconds), int(allocated)


def bench_verify() -> dict[str, dict[str, object]]:
    """Verification on MicroPython against python-ecdsa on CPython, minima of interleaved rounds."""
    signed, packed = make_vectors()
    with tempfile.TemporaryDirectory() as folder:
        vectors = Path(folder) / "vectors"
        vectors.write_bytes(packed)
        theirs, ours, allocated = [], [], 0
        for _ in range(ROUNDS):
            theirs.append(time_ecdsa(signed))
            microseconds, allocated = time_ours(vectors)
            ours.append(microseconds)
        comb = bench_comb(vectors, ROUNDS)
    note = f"minima of {ROUNDS} interleaved rounds over {VECTORS} signatures"
    return comb | {
        "verify_us": {
            "value": round(min(ours), 1),
            "unit": "µs",
            "peer": None,
            "note": "P-256 on MicroPython unix port",
        },
        "ecdsa_us": {
            "value": round(min(theirs), 1),
            "unit": "µs",
            "peer": None,
            "note": f"python-ecdsa {ecdsa.__version__}, CPython",
        },
        "verify_vs_ecdsa_plain": {
            "value": round(min(ours) / min(theirs), 3),
            "unit": "ratio",
            "peer": "python-ecdsa on CPython",
            "note": note,
        },
        "verify_alloc_bytes": {
            "value": allocated,
            "unit": "B",
            "peer": None,
            "note": "GC heap allocated by one verification, 64-bit",
        },
    }


def bench_heap() -> dict[str, dict[str, object]]:
    """What of its 200 kB heap a simulated handheld has in use when it is ready, by its own account."""
    interpreter = os.environ.get("MICROPYTHON") or str(Path(sys.executable).parent / "micropython")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        tree = build(ROOT / "build" / "device", target_of(interpreter))
        prepare(Path(folder) / "flash.img", tree, None, interpreter)
        command = [sys.executable, "-m", "simulator", "--profile", folder, "--port", str(port)]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL) as process:
            try:
                live, shims = _heap_of(f"http://127.0.0.1:{port}/api/state")
            finally:
                process.terminate()
    note = f"64-bit, before enrolment; {shims} B of it the simulator's shims and asyncio"
    return {"heap_live_bytes": {"value": live, "unit": "B", "peer": None, "note": note}}


def _heap_of(url: str) -> tuple[int, int]:
    """Bytes in use when the firmware said that it was ready, and the shims' share. Raises TimeoutError."""
    end = time.monotonic() + START_LIMIT_S
    while time.monotonic() < end:
        time.sleep(0.2)
        try:
            state = httpx.get(url).json()
        except httpx.TransportError:
            continue
        ready = re.search(r"ready, (\d+) bytes free", "\n".join(state["console"]))
        if ready and state["boot"]:
            return state["boot"]["used"] + state["boot"]["free"] - int(ready[1]), state["boot"]["shims"]
    raise TimeoutError("the simulated handheld does not get ready")


def main() -> None:
    """Measure, print, write."""
    figures = {**bench_verify(), **bench_heap()}
    width = max(map(len, figures))
    for name, figure in figures.items():
        print(f"{name:{width}}  {figure['value']:>12}  {figure['unit']:6}  {figure['note']}")
    out = ROOT / "build" / "bench.json"
    out.parent.mkdir(exist_ok=True)
    out.write_text(json.dumps(figures, indent=2, ensure_ascii=False) + "\n", "utf-8")
    print(f"written to {out.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
