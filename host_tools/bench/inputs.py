"""What is measured: fixed signatures, the tables of their key, and a certificate, as files in one folder.

    vectors          per signature 64 bytes key, 32 digest, 64 signature; one key
    ENGINE.g         the generator's table with 4 sub-tables, for ENGINE native or portable
    ENGINE.1 .2 .4   the key's table with so many sub-tables
    code             a certificate's text, its kid in hex, its key in hex, one a line

All signatures are deterministic (RFC 6979), so every run works on the same bytes.
"""

from __future__ import annotations

import zlib
from collections.abc import Generator
from hashlib import sha256
from pathlib import Path
from typing import Any

import ecdsa
from ecdsa.util import sigencode_string

from firmware.core import base45, cbor, cose, p256
from firmware.core.p256_comb import build_table_steps
from firmware.core.p256_portable import LIMB_SCALE, PortableEngine

VECTORS = 32
SUB_TABLES = (1, 2, 4)
KID = b"benchkey"
KEY = ecdsa.SigningKey.from_secret_exponent(0xC0FFEE, curve=ecdsa.NIST256p, hashfunc=sha256)
PUBLIC: bytes = KEY.get_verifying_key().to_string()
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


def sign(digest: bytes) -> bytes:
    """r‖s under the bench's key."""
    signature: bytes = KEY.sign_digest_deterministic(digest, hashfunc=sha256, sigencode=sigencode_string)
    return signature


def make_signatures() -> list[tuple[bytes, bytes]]:
    """Digests and their signatures."""
    digests = [sha256(b"yima %d" % i).digest() for i in range(VECTORS)]
    return [(digest, sign(digest)) for digest in digests]


def make_code() -> str:
    """A certificate's text of about 600 characters."""
    protected = cbor.dumps({cose.ALG: cose.ES256, cose.KID: KID})
    payload = cbor.dumps({1: "XX", 4: 1_640_000_000, 6: 1_619_000_000, -260: {1: HCERT}})
    signature = sign(sha256(cose.sig_structure(protected, payload)).digest())
    return "HC1:" + base45.encode(zlib.compress(cose.encode_sign1(protected, payload, signature), 9))


def finish(steps: Generator[None, None, Any]) -> Any:
    """What a generator of slices returns."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def write_inputs(folder: Path) -> None:
    """All the files. The tables of the native engine are the portable one's at another scale."""
    packed = b"".join(PUBLIC + digest + signature for digest, signature in make_signatures())
    (folder / "vectors").write_bytes(packed)
    (folder / "code").write_text(f"{make_code()}\n{KID.hex()}\n{PUBLIC.hex()}\n", "ascii")
    generator = p256.GX.to_bytes(32, "big") + p256.GY.to_bytes(32, "big")
    for name, engine in (("native", PortableEngine(LIMB_SCALE)), ("portable", PortableEngine())):
        (folder / f"{name}.g").write_bytes(finish(build_table_steps(engine, generator, max(SUB_TABLES))))
        for v in SUB_TABLES:
            (folder / f"{name}.{v}").write_bytes(finish(build_table_steps(engine, PUBLIC, v)))
