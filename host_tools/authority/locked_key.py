"""Private keys at rest: PKCS #8 in PEM, encrypted by a passphrase with PBES2, scrypt and AES-256-CBC.

`openssl pkcs8 -scrypt` writes the same, and any PKCS #8 reader opens it. The encryption of ``cryptography``
itself stretches the passphrase by 2,048 rounds of PBKDF2 only, which is why the envelope is made here
(RFC 5958 section 3, RFC 8018 section 6.2, RFC 7914 section 7).
"""

from __future__ import annotations

import base64
import getpass
import os
import secrets
import sys
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives import padding, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from host_tools.files import FileTrouble, create_private, read_limited, write_private

#: Where the passphrase comes from, in this order; then the file of the folder, then a question.
VARIABLE = "YIMA_AUTHORITY_PASSPHRASE"
FILE_VARIABLE = "YIMA_AUTHORITY_PASSPHRASE_FILE"
GENERATED = "passphrase"
LABEL = "ENCRYPTED PRIVATE KEY"
#: scrypt's cost N. What people think up is worth 16 MiB and some 50 ms; 256 random bits need no stretching.
COST = 16_384
COST_OF_RANDOM = 1_024
BLOCK_SIZE = 8
SALT_BYTES = 16
_PBES2 = bytes.fromhex("06092a864886f70d01050d")
_SCRYPT = bytes.fromhex("06092b06010401da47040b")
_AES_256_CBC = bytes.fromhex("060960864801650304012a")
SEQUENCE, INTEGER, OCTETS = 0x30, 0x02, 0x04


@dataclass(frozen=True)
class Passphrases:
    """`chosen` locks every key from now on; the others may still open what an earlier run locked."""

    chosen: bytes
    random: bool
    others: tuple[bytes, ...] = ()
    #: A generated passphrase that is no longer needed once every key is locked by `chosen`.
    obsolete: Path | None = None


def find_passphrases(folder: Path) -> Passphrases:
    """The passphrase for the keys of `folder`; a folder without keys and passphrase gets a generated one.

    Raises FileTrouble where keys are locked and nobody says by what.
    """
    generated = folder / GENERATED
    given = os.environ.get(VARIABLE, "").encode()
    if not given and (named := os.environ.get(FILE_VARIABLE)):
        given = read_limited(Path(named), 4_096).strip()
    if given:
        if not generated.exists():
            return Passphrases(given, random=False)
        return Passphrases(given, False, (read_limited(generated, 4_096).strip(),), generated)
    if generated.exists():
        return Passphrases(read_limited(generated, 4_096).strip(), random=True)
    if any(_is_locked(path) for path in folder.rglob("*.key")):
        if not sys.stdin.isatty():
            raise FileTrouble(f"{folder}: the keys are locked; set {VARIABLE} or {FILE_VARIABLE}")
        return Passphrases(getpass.getpass("passphrase of the authority's keys: ").encode(), random=False)
    passphrase = create_private(generated, secrets.token_urlsafe(32).encode() + b"\n").strip()
    print(
        f"yima: the authority's keys are locked by a passphrase made for you, in {generated}. That is for "
        f"trying things out: a real authority keeps its passphrase elsewhere and sets {VARIABLE}.",
        file=sys.stderr,
    )
    return Passphrases(passphrase, random=True)


def load_key(path: Path, passphrases: Passphrases) -> ec.EllipticCurvePrivateKey:
    """The P-256 key in `path`. One that is not locked, or by an earlier passphrase, is locked anew.

    Raises FileTrouble for any other content and for a wrong passphrase.
    """
    pem = read_limited(path, 16_384)
    tried = (passphrases.chosen, *passphrases.others) if _is_locked(path) else (None,)
    for passphrase in tried:
        try:
            key = serialization.load_pem_private_key(pem, passphrase)
        except (ValueError, TypeError):
            continue
        if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
            raise FileTrouble(f"{path}: not a P-256 key")
        if passphrase != passphrases.chosen:
            # One rename: the unlocked file is gone in the same step in which the locked one appears.
            write_private(path, lock_key(key, passphrases))
        return key
    if tried == (None,):
        raise FileTrouble(f"{path}: not a private key in PEM")
    raise FileTrouble(f"{path}: the passphrase does not open this key")


def load_or_create_key(path: Path, passphrases: Passphrases) -> ec.EllipticCurvePrivateKey:
    """The same; made on first use. Two processes that start at once agree on one key."""
    if not path.exists():
        create_private(path, lock_key(ec.generate_private_key(ec.SECP256R1()), passphrases))
    return load_key(path, passphrases)


def lock_key(key: ec.EllipticCurvePrivateKey, passphrases: Passphrases) -> bytes:
    """The key in PEM, encrypted by `passphrases.chosen`."""
    plain = key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    salt, iv = secrets.token_bytes(SALT_BYTES), secrets.token_bytes(16)
    cost = COST_OF_RANDOM if passphrases.random else COST
    secret = Scrypt(salt=salt, length=32, n=cost, r=BLOCK_SIZE, p=1).derive(passphrases.chosen)
    padder = padding.PKCS7(128).padder()
    encryptor = Cipher(algorithms.AES256(secret), modes.CBC(iv)).encryptor()
    encrypted = encryptor.update(padder.update(plain) + padder.finalize()) + encryptor.finalize()
    derivation = _der(SEQUENCE, _SCRYPT, _der(SEQUENCE, _der(OCTETS, salt), *map(_integer, (cost, 8, 1))))
    scheme = _der(
        SEQUENCE, _PBES2, _der(SEQUENCE, derivation, _der(SEQUENCE, _AES_256_CBC, _der(OCTETS, iv)))
    )
    text = base64.b64encode(_der(SEQUENCE, scheme, _der(OCTETS, encrypted))).decode()
    lines = "\n".join(text[at : at + 64] for at in range(0, len(text), 64))
    return f"-----BEGIN {LABEL}-----\n{lines}\n-----END {LABEL}-----\n".encode()


def _is_locked(path: Path) -> bool:
    return LABEL.encode() in read_limited(path, 16_384)


def _integer(value: int) -> bytes:
    # One bit more than the number needs: DER's integers have a sign.
    return _der(INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def _der(tag: int, *parts: bytes) -> bytes:
    content = b"".join(parts)
    size = len(content)
    if size < 128:
        return bytes((tag, size)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + content
