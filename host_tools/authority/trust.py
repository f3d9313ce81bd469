"""Certificates of foreign issuers that the authority trusts, and the trust list of those without packs."""

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
from firmware.core.errors import CoreError
from firmware.core.trust import IssuerKey, TrustList, encode_trust
from host_tools import pki
from host_tools.authority.keys import KIND_EU, ROLES, Keys
from host_tools.files import locked, read_limited, write_private
from host_tools.trustlist import TrustTrouble, open_list

DAY_S = 86_400
#: A handheld that hears nothing for this long says that it cannot decide.
LIFE_S = 7 * DAY_S
#: A list older than this is replaced, so that what handhelds hold is rarely near its end.
RENEW_S = DAY_S // 2
#: A key takes up to 640 bytes of the 512 KiB that a pack has for keys.
MAX_IMPORTED = 700
#: One certificate file; a PEM bundle of a whole country fits.
MAX_FILE_BYTES = 262_144
MAX_ISSUER_BYTES = 64
PEM_MARK = b"-----BEGIN CERTIFICATE-----"


@dataclass(frozen=True)
class Imported:
    """One certificate that the list speaks for."""

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
        """Import the certificates in `path`: DER, or one or more in PEM. Raises TrustTrouble, FileTrouble."""
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
                    raise TrustTrouble(f"no more than {MAX_IMPORTED} certificates can be trusted")
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


class TrustBook:
    """The trust list of handhelds that know no packs, in `folder`."""

    def __init__(self, folder: Path, keys: Keys, certificates: Certificates) -> None:
        self._folder = folder
        self._keys = keys
        self._certificates = certificates
        self._list_file = folder / "trust.cose"
        self._content_file = folder / "trust.content"

    def current(self, now_unix: int) -> bytes:
        """The signed list as it stands, signed anew where that is due. Raises TrustTrouble."""
        with locked(self._folder):
            entries = self._entries(now_unix)
            content = (
                hashlib.sha256(repr([_fields(entry) for entry in entries]).encode()).hexdigest().encode()
            )
            version = 1
            if self._list_file.exists():
                data = read_limited(self._list_file)
                old = open_list(data, self._keys.root_public)
                same = self._content_file.exists() and read_limited(self._content_file) == content
                if same and 0 <= now_unix - old.issued_unix < RENEW_S:
                    return data
                version = old.version + 1
            try:
                data = encode_trust(
                    version,
                    now_unix,
                    now_unix + LIFE_S,
                    entries,
                    self._keys.root_public,
                    pki.signer(self._keys.root),
                )
            except CoreError as e:
                raise TrustTrouble(f"the trust list cannot be made: {e}") from e
            # A crash between the two costs one version number, nothing else.
            write_private(self._list_file, data)
            write_private(self._content_file, content)
            return data

    def opened(self, now_unix: int) -> TrustList:
        """The current list, parsed. Raises TrustTrouble."""
        return open_list(self.current(now_unix), self._keys.root_public)

    def _entries(self, now_unix: int) -> list[IssuerKey]:
        own = [
            IssuerKey(
                entry.kid,
                cose.ES256,
                entry.key,
                ROLES[entry.label].name,
                entry.not_before_unix,
                entry.not_after_unix,
                list(ROLES[entry.label].kinds),
            )
            for entry in self._keys.trusted(now_unix)
            if entry.label != "place"
        ]
        return own + self._certificates.entries()


def load_certificates(path: Path) -> list[x509.Certificate]:
    """The certificates in a file, DER or PEM. Raises TrustTrouble or FileTrouble, both naming the file."""
    content = read_limited(path, MAX_FILE_BYTES)
    try:
        if PEM_MARK in content:
            return x509.load_pem_x509_certificates(content)
        return [x509.load_der_x509_certificate(content)]
    except ValueError as e:
        raise TrustTrouble(f"{path}: not an X.509 certificate in PEM or DER") from e


def issuer_key(certificate: x509.Certificate) -> IssuerKey:
    """The entry of the trust list for an EU document signer's certificate.

    RSA keys are taken for PS256. A key that the handheld cannot use is kept too, an EC key without its bytes,
    so that codes under it are answered "unsupported key" and not "unknown issuer". Raises TrustTrouble for a
    key that is neither EC nor RSA, and for RSA keys that have no room in the list.
    """
    try:
        public = certificate.public_key()
    except (ValueError, UnsupportedAlgorithm) as e:
        raise TrustTrouble("the certificate's key cannot be read") from e
    key, exponent = b"", None
    if isinstance(public, ec.EllipticCurvePublicKey) and isinstance(public.curve, ec.SECP256R1):
        algorithm, key = cose.ES256, pki.public_bytes(public)
    elif isinstance(public, ec.EllipticCurvePublicKey):
        algorithm = cose.ES384
    elif isinstance(public, rsa.RSAPublicKey):
        algorithm, exponent = cose.PS256, public.public_numbers().e
        key = public.public_numbers().n.to_bytes((public.key_size + 7) // 8, "big")
        if not 128 <= len(key) <= 512:
            raise TrustTrouble(f"an RSA key of {public.key_size} bits cannot go into the trust list")
    else:
        raise TrustTrouble("the certificate's key is neither EC nor RSA")
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


def _fields(key: IssuerKey) -> tuple[object, ...]:
    return (
        key.kid,
        key.alg,
        key.key,
        key.issuer,
        key.not_before_unix,
        key.not_after_unix,
        key.kinds,
        key.exponent,
    )


def _algorithm_name(key: IssuerKey) -> str:
    names = {cose.ES256: "ES256", cose.PS256: "PS256", cose.ES384: "ES384 or other curve"}
    return names[key.alg] if key.usable() else f"{names[key.alg]}, not supported"
