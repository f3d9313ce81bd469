"""Keys and certificates of the host: P-256 everywhere, signing by ``cryptography``.

A public key is the 64 bytes x‖y, a signature the 64 bytes r‖s, as in docs/formats.md. The fleet server has a
small certification authority of its own; the handheld gets its certificate in DER at enrolment, and trusts no
other.
"""

from __future__ import annotations

import datetime
import ipaddress
import ssl
from collections.abc import Callable, Generator, Iterable
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import (
    Prehashed,
    decode_dss_signature,
    encode_dss_signature,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from host_tools.files import FileTrouble, create_private, read_limited, write_private

Signer = Callable[[bytes], bytes]
CA_YEARS = 10
SERVER_DAYS = 397
#: A server certificate is made anew when less than this is left of it.
RENEW_DAYS = 30
#: Clocks differ; a handheld that is a day behind must still accept the certificate.
BACKDATE = datetime.timedelta(days=2)
#: TLS 1.2 suites that MicroPython's Mbed TLS has, forward secret and authenticated.
CIPHERS = "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256"


def load_or_create_key(path: Path) -> ec.EllipticCurvePrivateKey:
    """The P-256 key in the PEM file `path`, made on first use. Raises FileTrouble for any other content."""
    if path.exists():
        pem = read_limited(path)
    else:
        pem = create_private(path, key_pem(ec.generate_private_key(ec.SECP256R1())))
    try:
        key = serialization.load_pem_private_key(pem, None)
    except (ValueError, TypeError) as e:
        raise FileTrouble(f"{path}: not a private key in PEM without a passphrase") from e
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise FileTrouble(f"{path}: not a P-256 key")
    return key


def key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    """The private key as unencrypted PKCS #8 in PEM."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def public_bytes(key: ec.EllipticCurvePublicKey) -> bytes:
    """x‖y, 64 bytes."""
    point = key.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
    return point[1:]


def signer(key: ec.EllipticCurvePrivateKey) -> Signer:
    """A function that signs a message with ES256 and returns r‖s, 64 bytes (RFC 9053, section 2.1)."""

    def sign(message: bytes) -> bytes:
        r, s = decode_dss_signature(key.sign(message, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")

    return sign


def verify_steps(public_key: bytes, digest: bytes, signature: bytes) -> Generator[None, None, bool]:
    """The host's stand-in for ``firmware.core.p256.verify_steps``: same arguments, same answer, no slices."""
    yield None
    if len(public_key) != 64 or len(signature) != 64:
        return False
    try:
        key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), b"\x04" + public_key)
        r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
        key.verify(encode_dss_signature(r, s), digest, ec.ECDSA(Prehashed(hashes.SHA256())))
    except (ValueError, InvalidSignature):
        return False
    return True


class ServerPki:
    """The fleet server's certification authority and its server certificate, in one folder."""

    def __init__(self, folder: Path) -> None:
        self.ca_file = folder / "ca.pem"
        self.key_file = folder / "server.key"
        self.certificate_file = folder / "server.pem"
        self._ca_key = load_or_create_key(folder / "ca.key")
        self.ca = self._load_or_create_ca()

    @property
    def ca_der(self) -> bytes:
        """The certificate that handhelds check the server against."""
        return self.ca.public_bytes(serialization.Encoding.DER)

    def ensure_server_certificate(self, names: Iterable[str]) -> None:
        """Have a certificate for `names` (host names and addresses) that stays valid for a while."""
        wanted = sorted(set(names))
        key = load_or_create_key(self.key_file)
        if self.certificate_file.exists():
            old = _certificate(self.certificate_file)
            fresh = old.not_valid_after_utc - _now() > datetime.timedelta(days=RENEW_DAYS)
            ours = old.issuer == self.ca.subject and old.public_key() == key.public_key()
            if fresh and ours and sorted(_names(old)) == wanted:
                return
        certificate = (
            _builder(_name("Yima fleet server"), self.ca.subject, key, SERVER_DAYS)
            .add_extension(x509.SubjectAlternativeName([_general_name(n) for n in wanted]), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._ca_key.public_key()), critical=False
            )
            .sign(self._ca_key, hashes.SHA256())
        )
        write_private(self.certificate_file, certificate.public_bytes(serialization.Encoding.PEM))

    def tls_context(self) -> ssl.SSLContext:
        """For the listening side: TLS 1.2 (all that MicroPython speaks) and 1.3."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers(CIPHERS)
        context.load_cert_chain(self.certificate_file, self.key_file)
        return context

    def _load_or_create_ca(self) -> x509.Certificate:
        if self.ca_file.exists():
            return _certificate(self.ca_file)
        name = _name("Yima fleet CA")
        certificate = (
            _builder(name, name, self._ca_key, 365 * CA_YEARS)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_ca_usage(), critical=True)
            .sign(self._ca_key, hashes.SHA256())
        )
        create_private(self.ca_file, certificate.public_bytes(serialization.Encoding.PEM))
        return _certificate(self.ca_file)


def self_signed(
    key: ec.EllipticCurvePrivateKey, common_name: str, country: str, days: int
) -> x509.Certificate:
    """A certificate of its own making, as a foreign issuer's document signer would publish it."""
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, country),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )
    return _builder(name, name, key, days).sign(key, hashes.SHA256())


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, days: int
) -> x509.CertificateBuilder:
    now = _now()
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATE)
        .not_valid_after(now + datetime.timedelta(days=days))
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _ca_usage() -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _names(certificate: x509.Certificate) -> list[str]:
    extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    addresses = [str(a) for a in extension.get_values_for_type(x509.IPAddress)]
    return extension.get_values_for_type(x509.DNSName) + addresses


def _certificate(path: Path) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(read_limited(path))
    except ValueError as e:
        raise FileTrouble(f"{path}: not a certificate in PEM") from e


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
