"""A stand-in for a foreign issuer of EU Digital COVID Certificates, so that the import of one can be tried.

The format is the published one (hcert-spec): CWT in COSE_Sign1, zlib, base45, ``HC1:``; kid is the first 8
bytes of SHA-256 over the signer's certificate.
"""

from __future__ import annotations

import hashlib
import zlib
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from firmware.core import base45, cbor, cose
from host_tools import pki
from host_tools.authority.locked_key import Passphrases, load_or_create_key
from host_tools.files import create_private, read_limited

COUNTRY = "XX"
NAME = "Yima test issuer (not a state)"
LIFE_S = 180 * 86_400
CERTIFICATE_DAYS = 730
#: Claim numbers of CWT (RFC 8392) and the hcert claim.
ISS, EXP, IAT, HCERT = 1, 4, 6, -260


class ForeignIssuer:
    """Key and certificate in one folder, made on first use; `yima trust add` takes `certificate_file`."""

    def __init__(self, folder: Path, passphrases: Passphrases) -> None:
        self._key = load_or_create_key(folder / "issuer.key", passphrases)
        self.certificate_file = folder / "issuer.pem"
        if not self.certificate_file.exists():
            made = pki.self_signed(self._key, NAME, COUNTRY, CERTIFICATE_DAYS)
            create_private(self.certificate_file, made.public_bytes(serialization.Encoding.PEM))
        self._certificate = x509.load_pem_x509_certificate(read_limited(self.certificate_file))

    @property
    def kid(self) -> bytes:
        """As in the header of the certificates it signs."""
        return hashlib.sha256(self._certificate.public_bytes(serialization.Encoding.DER)).digest()[:8]

    def certificate_text(self, now_unix: int) -> tuple[str, int]:
        """A traveller's certificate as in a QR picture, and when it expires."""
        expires_unix = now_unix + LIFE_S
        payload = cbor.dumps(
            {ISS: COUNTRY, EXP: expires_unix, IAT: now_unix - 86_400, HCERT: {1: _vaccinated()}}
        )
        protected = cbor.dumps({cose.ALG: cose.ES256, cose.KID: self.kid})
        signature = pki.signer(self._key)(cose.sig_structure(protected, payload))
        signed = cose.encode_sign1(protected, payload, signature)
        return "HC1:" + base45.encode(zlib.compress(signed, 9)), expires_unix


def _vaccinated() -> dict[str, object]:
    """An invented traveller, in the fields of the EU's JSON schema 1.3.0."""
    return {
        "ver": "1.3.0",
        "nam": {"fn": "Beispiel", "fnt": "BEISPIEL", "gn": "Mia", "gnt": "MIA"},
        "dob": "1990-02-03",
        "v": [
            {
                "tg": "840539006",
                "vp": "1119349007",
                "mp": "EU/1/20/1528",
                "ma": "ORG-100030215",
                "dn": 2,
                "sd": 2,
                "dt": "2021-06-01",
                "co": COUNTRY,
                "is": NAME,
                "ci": "URN:UVCI:01:XX:YIMA0TEST0001#K",
            }
        ],
    }
