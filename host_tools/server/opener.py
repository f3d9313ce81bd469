"""Sealed records on the server's side (docs/formats.md, "Sealed journal"): follow their chain, open them.

Following needs no key: what a handheld sends is a list of heads and sealed records, and order, gaps and chain
show in it. Opening needs the private half of the sealing key that the head names; it can be done later, and
somewhere else. Made from the specifications with `cryptography`, not from the firmware's sealing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESCCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from firmware.core import cbor

MAX_HEAD = 192
MAX_SEALED = 535
_ENCRYPT_TAG = 96
_AES_CCM_16_64_128 = 10
_ECDH_ES_HKDF_256 = -25
_RANGE = -65537
_KEY_BITS = 128
_ITEMS = 48
#: The plain form of what every record has: its protected header, all up to its sequence, and what the tag is
#: over up to the external data, which is longer than 23 bytes and shorter than 256.
_PROTECTED = b"\xa1\x01\x0a"
_START = b"\x83\x43" + _PROTECTED + b"\xa1\x06\x44"
_STRUCTURE = b"\x83\x68Encrypt0\x43" + _PROTECTED + b"\x58"


class OpenerError(ValueError):
    """Bytes that are no head or no sealed record, or a batch that does not hold together."""


class CannotOpenError(OpenerError):
    """Not sealed for this key, or changed since: the tag is another one."""


@dataclass(frozen=True)
class Head:
    """A segment's head taken apart; nothing in it is to be believed before `Segment` has checked its tag."""

    data: bytes
    device: str
    first: int
    kid: bytes
    ephemeral: ec.EllipticCurvePublicKey
    iv: bytes
    protected: bytes
    recipient_protected: bytes
    tag: bytes


class Followed(NamedTuple):
    """A sealed record in its place: what opens it, and the chain before and after it."""

    sequence: int
    sealed: bytes
    head: Head
    chain_before: bytes
    chain_after: bytes


def is_head(item: bytes) -> bool:
    """Whether an item of a batch is a head (it has COSE_Encrypt's tag) and not a record."""
    return item[:2] == b"\xd8\x60"


def parse_head(data: bytes) -> Head:
    """Take a head apart. Raises OpenerError."""
    if len(data) > MAX_HEAD:
        raise OpenerError("head: too long")
    try:
        value = _load(data)
        if not isinstance(value, cbor.Tag) or value.number != _ENCRYPT_TAG:
            raise OpenerError("head: tag 96 expected")
        members: Any = value.value
        protected, unprotected, tag, [[inner, outer, nothing]] = members
        header = _load(protected)
        named = _load(inner)
        if set(named) != {1, 4} or named[1] != _ECDH_ES_HKDF_256 or nothing != b"":
            raise OpenerError("head: recipient")
        if set(header) != {1, _RANGE} or header[1] != _AES_CCM_16_64_128:
            raise OpenerError("head: protected header")
        device, first = header[_RANGE]
        if set(unprotected) != {5} or set(outer) != {-1}:
            raise OpenerError("head: headers")
        key, kid, iv = outer[-1], named[4], unprotected[5]
        if set(key) != {1, -1, -2, -3} or (key[1], key[-1]) != (2, 1):
            raise OpenerError("head: ephemeral key")
        if not (isinstance(device, str) and type(first) is int and first > 0):
            raise OpenerError("head: range")
        for octets, size in ((kid, 8), (iv, 13), (tag, 8), (key[-2], 32), (key[-3], 32)):
            if not isinstance(octets, bytes) or len(octets) != size:
                raise OpenerError("head: lengths")
        point = b"\x04" + key[-2] + key[-3]
        ephemeral = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
    except OpenerError:
        raise
    except (cbor.CborError, TypeError, ValueError, KeyError) as e:
        raise OpenerError("head: malformed") from e
    return Head(data, device, first, kid, ephemeral, iv, protected, inner, tag)


def _load(data: bytes) -> Any:
    return cbor.loads(data, max_items=_ITEMS)


def parse_sealed(data: bytes) -> tuple[int, bytes, bytes]:
    """Sequence, protected header and ciphertext of a sealed record. Raises OpenerError."""
    size = len(data)
    if size > MAX_SEALED:
        raise OpenerError("record: too long")
    if size > 14 and data.startswith(_START):
        # As the handhelds write it. Whatever else there may be is read by the rules.
        if data[12] == 0x58 and data[13] == size - 14:
            return int.from_bytes(data[8:12], "big"), _PROTECTED, data[14:]
        if data[12] == 0x59 and data[13] << 8 | data[14] == size - 15:
            return int.from_bytes(data[8:12], "big"), _PROTECTED, data[15:]
    try:
        protected, unprotected, ciphertext = _load(data)
        if _load(protected) != {1: _AES_CCM_16_64_128} or set(unprotected) != {6}:
            raise OpenerError("record: headers")
        partial = unprotected[6]
        if not isinstance(partial, bytes) or len(partial) != 4 or not isinstance(ciphertext, bytes):
            raise OpenerError("record: members")
    except OpenerError:
        raise
    except (cbor.CborError, TypeError, ValueError) as e:
        raise OpenerError("record: malformed") from e
    return int.from_bytes(partial, "big"), protected, ciphertext


class Segment:
    """A segment whose key was agreed on anew; opens its records. Raises CannotOpenError for another's."""

    def __init__(self, private_key: ec.EllipticCurvePrivateKey, head: Head) -> None:
        nobody = [None, None, None]
        info = cbor.dumps([_AES_CCM_16_64_128, nobody, nobody, [_KEY_BITS, head.recipient_protected]])
        shared = private_key.exchange(ec.ECDH(), head.ephemeral)
        key = HKDF(SHA256(), _KEY_BITS // 8, None, info).derive(shared)
        self._cipher = AESCCM(key, tag_length=8)
        self._iv = int.from_bytes(head.iv, "big")
        self._place = b"\x84" + cbor.dumps(head.device) + cbor.dumps(head.first)
        self._decrypt(head.iv, head.tag, "Encrypt", head.protected, b"")

    def open(self, sealed: bytes, chain_before: bytes) -> bytes:
        """The record in plain. Raises OpenerError; CannotOpenError for another device's, another segment's,
        one out of its place, or one that was changed.
        """
        sequence, protected, ciphertext = parse_sealed(sealed)
        outside = self._place + cbor.head(0, sequence) + b"\x58\x20" + chain_before
        nonce = (self._iv ^ sequence).to_bytes(13, "big")
        if protected is not _PROTECTED or len(chain_before) != 32:
            outside = self._place + cbor.head(0, sequence) + cbor.dumps(chain_before)
            return self._decrypt(nonce, ciphertext, "Encrypt0", protected, outside)
        try:
            covered = _STRUCTURE + bytes((len(outside),)) + outside
            return self._cipher.decrypt(nonce, ciphertext, covered)
        except (InvalidTag, ValueError) as e:
            raise CannotOpenError("not sealed for this key, or changed") from e

    def _decrypt(
        self, nonce: bytes, ciphertext: bytes, context: str, protected: bytes, outside: bytes
    ) -> bytes:
        try:
            return self._cipher.decrypt(nonce, ciphertext, cbor.dumps([context, protected, outside]))
        except (InvalidTag, ValueError) as e:
            raise CannotOpenError("not sealed for this key, or changed") from e


def open_record(
    private_key: ec.EllipticCurvePrivateKey, head: bytes, sealed: bytes, chain_before: bytes
) -> bytes:
    """One record in plain, from its segment's head and the chain value before it. Raises OpenerError.

    Keep a `Segment` for more than one: agreeing on the key is most of the work.
    """
    return Segment(private_key, parse_head(head)).open(sealed, chain_before)


def follow(
    items: Iterable[bytes],
    first_sequence: int,
    chain_before: bytes,
    device: str,
    head_before: bytes = b"",
    former: str | None = None,
) -> list[Followed]:
    """Check a batch's order and chain without opening anything. Raises OpenerError.

    `head_before` is the head that the record before `first_sequence` was taken with, empty for none: a batch
    that goes on in its segment has to bring the same. Heads that no record follows are left out. `former` is
    another id that the device had, None for none.
    """
    followed: list[Followed] = []
    head: Head | None = None
    sequence, chain = first_sequence, chain_before
    in_force = head_before
    for item in items:
        if is_head(item):
            head = parse_head(item)
            if head.device not in (device, former):
                raise OpenerError("head: another device's")
            continue
        if head is None:
            raise OpenerError("record without a head")
        # As handhelds write a record of less than 256 bytes; whatever else there may be is read by the rules.
        usual = item.startswith(_START + sequence.to_bytes(4, "big") + b"\x58")
        if not usual or item[13:14] != (len(item) - 14 & 0xFF).to_bytes(1, "big") or len(item) > 269:
            came = parse_sealed(item)[0]
            if came != sequence:
                raise OpenerError(f"order: {came} came where {sequence} belongs")
        begins = head.first == sequence
        if head.first > sequence or (not begins and in_force and head.data != in_force):
            raise OpenerError(f"record {sequence} is of another segment")
        after = sha256(chain + (head.data if begins else b"") + item).digest()
        followed.append(Followed(sequence, item, head, chain, after))
        sequence, chain, in_force = sequence + 1, after, head.data
    return followed
