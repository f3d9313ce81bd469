"""The whole scan of a 600-character EU certificate on MicroPython, from its text to verified claims."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import zlib
from hashlib import sha256
from pathlib import Path

import ecdsa
from ecdsa.util import sigencode_string

from firmware.core import base45, cbor, cose

ROOT = Path(__file__).resolve().parents[2]
KID = b"benchkey"
#: An invented traveller, as long as real ones are, in the fields of the EU's JSON schema 1.3.0.
HCERT = {
    "ver": "1.3.0",
    "nam": {
        "fn": "Mustermann-Beispiel",
        "fnt": "MUSTERMANN<BEISPIEL",
        "gn": "Maximiliane",
        "gnt": "MAXIMILIANE",
    },
    "dob": "1990-02-03",
    "v": [
        {
            "tg": "840539006",
            "vp": "1119349007",
            "mp": "EU/1/20/1528",
            "ma": "ORG-100030215",
            "dn": 2,
            "sd": 2,
            "dt": "2021-04-01",
            "co": "XX",
            "is": "Ministry of Health, Yima bench",
            "ci": "URN:UVCI:01:XX:YIMA8BENCH7Q2V9RXWZ4K1T60D3HJ#S",
        }
    ],
}


def make_code() -> tuple[str, bytes]:
    """A certificate's text, signed with RFC 6979 to be the same every time, and the public key x‖y."""
    key = ecdsa.SigningKey.from_secret_exponent(0xC0FFEE, curve=ecdsa.NIST256p, hashfunc=sha256)
    protected = cbor.dumps({cose.ALG: cose.ES256, cose.KID: KID})
    payload = cbor.dumps({1: "XX", 4: 1_640_000_000, 6: 1_619_000_000, -260: {1: HCERT}})
    digest = sha256(cose.sig_structure(protected, payload)).digest()
    signature = key.sign_digest_deterministic(digest, hashfunc=sha256, sigencode=sigencode_string)
    signed = cose.encode_sign1(protected, payload, signature)
    text = "HC1:" + base45.encode(zlib.compress(signed, 9))
    return text, key.get_verifying_key().to_string()


def time_scan(file: Path, rounds: int, way: str) -> tuple[float, float, int]:
    """One process of scan_mpy.py: µs of the scan, µs and bytes allocated of all but the signature."""
    interpreter = os.environ.get("MICROPYTHON") or str(Path(sys.executable).parent / "micropython")
    result = subprocess.run(
        [
            interpreter,
            "-X",
            "heapsize=8M",
            str(Path(__file__).with_name("scan_mpy.py")),
            str(file),
            str(rounds),
            way,
        ],
        env={**os.environ, "MICROPYPATH": f"{ROOT}:.frozen"},
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    whole, rest, allocated = result.stdout.split()
    return float(whole), float(rest), int(allocated)


def bench_scan(
    way: str = "complete", mbedtls_us: float | None = None, rounds: int = 40
) -> dict[str, dict[str, object]]:
    """Figures of the scan; `way` names the verifier as scan_mpy.py knows them.

    `mbedtls_us` is the time of one verification by mbedTLS in the same run, if there was one.
    """
    text, public_key = make_code()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "code"
        file.write_text(f"{text}\n{KID.hex()}\n{public_key.hex()}\n", "utf-8")
        whole, rest, allocated = time_scan(file, rounds, way)
    note = f"EU certificate of {len(text)} characters, {way} verifier, MicroPython unix port"
    figures: dict[str, dict[str, object]] = {
        "scan_us": {"value": whole, "unit": "µs", "peer": None, "note": f"{note}, best of {rounds}"},
        "scan_rest_us": {"value": rest, "unit": "µs", "peer": None, "note": "the same without the signature"},
        "scan_alloc_bytes": {
            "value": allocated,
            "unit": "B",
            "peer": None,
            "note": "GC heap allocated by a scan without the signature, 64-bit",
        },
    }
    if mbedtls_us:
        figures["scan_vs_mbedtls"] = {
            "value": round(whole / mbedtls_us, 3),
            "unit": "ratio",
            "peer": "one verification by mbedTLS in C",
            "note": note,
        }
    return figures
