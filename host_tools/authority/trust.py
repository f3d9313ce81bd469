"""Certificates of foreign issuers that the authority trusts; their keys go into packs."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from firmware.core import cose
from firmware.core.trust import IssuerKey
from host_tools import pki
from host_tools.authority.keys import KIND_EU
from host_tools.files import locked, read_limited, write_private
from host_tools.packfile import PackTrouble

#: A key takes up to 640 bytes of the 512 KiB that a pack has for keys.
MAX_IMPORTED = 700
#: One certificate file; a PEM bundle of a whole country fits.
MAX_FILE_BYTES = 262_144
MAX_ISSUER_BYTES = 64
PEM_MARK = b"-----BEGIN CERTIFICATE-----"


@dataclass(frozen=True)
class Imported:
    """One certificate whose key is trusted."""

    kid: bytes
    issuer: str
    algorithm: str
    new: bool


class Certificates:
    """The certificates of foreign issuers that were imported into `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._imported = folder / "imported"

    def add(self, path: Path) -> list[Imported]:
        """Import the certificates in `path`: DER, or one or more in PEM. Raises PackTrouble, FileTrouble."""
        certificates = load_certificates(path)
        added = []
        with locked(self._folder):
            total = len(self.files())
            # All are looked at before the first is kept: a file goes in whole or not at all.
            for certificate, entry in [(c, issuer_key(c)) for c in certificates]:
                der = certificate.public_bytes(serialization.Encoding.DER)
                target = self._imported / f"{hashlib.sha256(der).hexdigest()}.der"
                new = not target.exists()
                if new and total >= MAX_IMPORTED:
                    raise PackTrouble(f"no more than {MAX_IMPORTED} certificates can be trusted")
                if new:
                    write_private(target, der)
                    total += 1
                added.append(Imported(entry.kid, entry.issuer, _algorithm_name(entry), new))
        return added

    def files(self) -> list[Path]:
        """The imported certificates' files."""
        return sorted(self._imported.glob("*.der"))

    def entries(self) -> list[IssuerKey]:
        """What packs say about them."""
        return [issuer_key(x509.load_der_x509_certificate(read_limited(path))) for path in self.files()]


def load_certificates(path: Path) -> list[x509.Certificate]:
    """The certificates in a file, DER or PEM. Raises PackTrouble or FileTrouble, both naming the file."""
    content = read_limited(path, MAX_FILE_BYTES)
    try:
        if PEM_MARK in content:
            return x509.load_pem_x509_certificates(content)
        return [x509.load_der_x509_certificate(content)]
    except ValueError as e:
        raise PackTrouble(f"{path}: not an X.509 certificate in PEM or DER") from e


def issuer_key(certificate: x509.Certificate) -> IssuerKey:
    """What packs say of the key in an EU document signer's certificate.

    RSA keys are taken for PS256. A key that the handheld cannot use is kept too, an EC key without its bytes,
    so that codes under it are answered "unsupported key" and not "unknown issuer". Raises PackTrouble for a
    key that is neither EC nor RSA, and for RSA keys that have no room in a pack.
    """
    try:
        public = certificate.public_key()
    except (ValueError, UnsupportedAlgorithm) as e:
        raise PackTrouble("the certificate's key cannot be read") from e
    key, exponent = b"", None
    if isinstance(public, ec.EllipticCurvePublicKey) and isinstance(public.curve, ec.SECP256R1):
        algorithm, key = cose.ES256, pki.public_bytes(public)
    elif isinstance(public, ec.EllipticCurvePublicKey):
        algorithm = cose.ES384
    elif isinstance(public, rsa.RSAPublicKey):
        algorithm, exponent = cose.PS256, public.public_numbers().e
        key = public.public_numbers().n.to_bytes((public.key_size + 7) // 8, "big")
        if not 128 <= len(key) <= 512:
            raise PackTrouble(f"an RSA key of {public.key_size} bits cannot go into a pack")
    else:
        raise PackTrouble("the certificate's key is neither EC nor RSA")
    der = certificate.public_bytes(serialization.Encoding.DER)
    return IssuerKey(
        hashlib.sha256(der).digest()[:8],
        algorithm,
        key,
        _issuer_name(certificate),
        _unix(certificate.not_valid_before_utc.timestamp()),
        _unix(certificate.not_valid_after_utc.timestamp()),
        [KIND_EU],
        exponent,
    )


def _issuer_name(certificate: x509.Certificate) -> str:
    """The signer's country, or its common name where it names none."""
    for oid in (NameOID.COUNTRY_NAME, NameOID.COMMON_NAME):
        for attribute in certificate.subject.get_attributes_for_oid(oid):
            name = attribute.value if isinstance(attribute.value, str) else attribute.value.decode("latin-1")
            if name:
                return name.encode()[:MAX_ISSUER_BYTES].decode("utf-8", "ignore")
    return "?"


def _unix(seconds: float) -> int:
    """Dates before 1970 or beyond what 32 bits hold are cut to those limits."""
    return max(0, min(int(seconds), 0xFFFFFFFF))


def _algorithm_name(key: IssuerKey) -> str:
    names = {cose.ES256: "ES256", cose.PS256: "PS256", cose.ES384: "ES384 or other curve"}
    return names[key.alg] if key.usable() else f"{names[key.alg]}, not supported"
