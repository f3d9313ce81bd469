"""What a pack costs a handheld: its way into force on flash, and a look-up among 100,000 revocations."""

from __future__ import annotations

import hashlib
import os
import subprocess
import tempfile
from pathlib import Path

from firmware.core import cbor, cose, pack, table
from firmware.core.trust import kid_of_key
from host_tools.bench.figures import Figures, figure
from host_tools.bench.programs import micropython

ROOT = Path(__file__).resolve().parents[2]
REVOCATIONS = 100_000
#: Revocations that came after the base.
CHANGES = 1_000


_NOTES = {
    "pack_install": "first pack: 100,000 revocations and 1,000 changes onto LittleFS in memory",
    "pack_update": "next pack: one more change, so that only the part of changes moves",
    "revocation_lookup": "among 100,000 revocations and 1,001 changes, two tables, LittleFS in memory",
    "revocation_bytes": "the part with 100,000 revocations",
}
_UNITS = {"ms": "ms", "us": "us", "bytes": "B"}


def bench_packs() -> Figures:
    """Entries of build/bench.json."""
    found: Figures = {}
    for name, value in measure().items():
        note = next(note for start, note in _NOTES.items() if name.startswith(start))
        found[name] = figure(value, _UNITS.get(name.rpartition("_")[2], ""), note)
    return found


def measure() -> dict[str, float]:
    """Figures by name, of one run on the interpreter of the simulated handheld."""
    with tempfile.TemporaryDirectory(prefix="yima-bench-") as name:
        folder = Path(name)
        base = table.encode_table(((_revoked(number), b"") for number in range(REVOCATIONS)), 0)
        changes = [table.encode_table(_changes(count), 1) for count in (CHANGES, CHANGES + 1)]
        for version, part in enumerate(changes):
            parts = [(pack.REVOCATIONS, base), (pack.REVOCATION_CHANGES, part)]
            _write(folder / str(version), version + 1, parts)
        result = subprocess.run(
            [
                micropython(),
                "-X",
                "heapsize=16M",
                str(ROOT / "host_tools" / "bench" / "packs_mpy.py"),
                str(folder / "0"),
                str(folder / "1"),
            ],
            env={**os.environ, "MICROPYPATH": f"{ROOT}:.frozen", "TZ": "UTC"},
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        )
    return {name: float(value) for name, value in map(str.split, result.stdout.splitlines())}


def _revoked(number: int) -> bytes:
    return pack.revocation_key(pack.SUBJECT, b"subject %d" % number)


def _changes(count: int) -> list[tuple[bytes, bytes]]:
    return [(_revoked(REVOCATIONS + number), b"\1") for number in range(count)]


def _write(folder: Path, version: int, parts: list[tuple[int, bytes]]) -> None:
    """Manifest and parts as files; nobody checks this signature."""
    folder.mkdir()
    listed = [[kind, len(data), hashlib.sha256(data).digest()] for kind, data in parts]
    payload = cbor.dumps({1: version, 2: 0, 3: 0xFFFFFFFF, 4: listed})
    header = cbor.dumps({1: -7, 4: kid_of_key(bytes(64))})
    (folder / "manifest").write_bytes(cose.encode_sign1(header, payload, bytes(64)))
    for _, data in parts:
        (folder / hashlib.sha256(data).hexdigest()).write_bytes(data)
