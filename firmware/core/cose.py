"""COSE_Sign1 and COSE_Mac0 (RFC 9052 sections 4.2, 4.4, 6.2, 6.3), as much of them as Yima's formats use."""

from firmware.core import cbor
from firmware.core.errors import CoreError
from firmware.core.hmac256 import equal, hmac_sha256, sha256

# Header parameters (RFC 9052 section 3.1) and algorithms (RFC 9053 sections 2.1, 2.2, 3.1; RFC 8230).
ALG = 1
KID = 4
ES256 = -7
ES384 = -35
PS256 = -37
HS256 = 5

# An array of four that begins with its context string (RFC 9052 sections 4.4 and 6.3); no external data.
_SIGNATURE1 = b"\x84\x6aSignature1"
_MAC0 = b"\x84\x64MAC0"
_NO_DATA = b"\x40"

# Items of an envelope: four members, and headers longer than anybody's. Nothing of it is believed yet, so
# nobody shall keep a handheld busy with it.
_MAX_ITEMS = 64

TAG_SIGN1 = 18
TAG_MAC0 = 17
TAG_CWT = 61


class CoseError(CoreError):
    """Bytes that are not the COSE structure asked for."""


class Sign1:
    """A COSE_Sign1 taken apart.

    `protected` holds the protected header's bytes as received, as the signature covers them; `header` is the
    map in them. Nothing is verified yet.
    """

    __slots__ = ("header", "payload", "protected", "signature", "unprotected")

    def __init__(
        self,
        protected: bytes,
        header: dict[object, object],
        unprotected: dict[object, object],
        payload: bytes,
        signature: bytes,
    ) -> None:
        self.protected = protected
        self.header = header
        self.unprotected = unprotected
        self.payload = payload
        self.signature = signature


class Mac0:
    """A COSE_Mac0 taken apart; `verify` says whether its tag is right under a key."""

    __slots__ = ("kid", "payload", "protected", "tag")

    def __init__(self, protected: bytes, kid: bytes, payload: bytes, tag: bytes) -> None:
        self.protected = protected
        self.kid = kid
        self.payload = payload
        self.tag = tag

    def verify(self, key: bytes) -> bool:
        """Whether the tag is the HMAC 256/256 of this message under `key`; compared in constant time."""
        return equal(_mac(key, self.protected, self.payload), self.tag)


def parse_sign1(data: bytes, cwt: bool = False) -> Sign1:
    """Take a COSE_Sign1 apart, tagged with 18 or not; with `cwt` also inside tag 61 (RFC 8392 section 6).

    Raises CoseError.
    """
    value = _load(data)
    if cwt and isinstance(value, cbor.Tag) and value.number == TAG_CWT:
        value = value.value
    if isinstance(value, cbor.Tag) and value.number == TAG_SIGN1:
        value = value.value
    protected, unprotected, payload, signature = _four(value)
    return Sign1(protected, _header(protected), unprotected, payload, signature)


def sig_structure(protected: bytes, payload: bytes) -> bytes:
    """The bytes that a COSE_Sign1 signature covers: Sig_structure (RFC 9052 section 4.4)."""
    return b"".join(_signed(protected, payload))


def sign1_digest(sign1: Sign1) -> bytes:
    """SHA-256 over the Sig_structure, 32 bytes: what ES256 signs."""
    return sha256(*_signed(sign1.protected, sign1.payload))


def encode_sign1(protected: bytes, payload: bytes, signature: bytes) -> bytes:
    """A COSE_Sign1 with tag 18 and an empty unprotected header."""
    return cbor.dumps(cbor.Tag(TAG_SIGN1, [protected, {}, payload, signature]))


def encode_mac0(key: bytes, kid: bytes, payload: bytes) -> bytes:
    """A COSE_Mac0 with tag 17, HMAC 256/256 over `payload` under `key`, which `kid` names."""
    protected = cbor.dumps({ALG: HS256, KID: kid})
    return cbor.dumps(cbor.Tag(TAG_MAC0, [protected, {}, payload, _mac(key, protected, payload)]))


def parse_mac0(data: bytes) -> Mac0:
    """Take a COSE_Mac0, as `encode_mac0` makes it, apart; raises CoseError.

    Call its `verify` before believing it.
    """
    value = _load(data)
    if not isinstance(value, cbor.Tag) or value.number != TAG_MAC0:
        raise CoseError("tag 17 expected")
    protected, unprotected, payload, tag = _four(value.value)
    header = _header(protected)
    kid = header.get(KID)
    if unprotected or len(header) != 2 or header.get(ALG) != HS256 or not isinstance(kid, bytes):
        raise CoseError("header")
    if len(tag) != 32:
        raise CoseError("tag length")
    return Mac0(protected, kid, payload, tag)


def _load(data: bytes) -> object:
    try:
        return cbor.loads(data, max_items=_MAX_ITEMS)
    except cbor.CborError as e:
        raise CoseError(str(e)) from None


def _four(value: object) -> tuple[bytes, dict[object, object], bytes, bytes]:
    """The four members that Sign1 and Mac0 share."""
    if not isinstance(value, list) or len(value) != 4:
        raise CoseError("array of four expected")
    protected, unprotected, payload, last = value
    if (
        not isinstance(protected, bytes)
        or not isinstance(unprotected, dict)
        or not isinstance(payload, bytes)
        or not isinstance(last, bytes)
    ):
        raise CoseError("member type")
    return protected, unprotected, payload, last


def _header(protected: bytes) -> dict[object, object]:
    """The map inside a protected header; an empty string stands for an empty map."""
    if not protected:
        return {}
    header = _load(protected)
    if not isinstance(header, dict):
        raise CoseError("protected header")
    return header


def _signed(protected: bytes, payload: bytes) -> tuple[bytes, ...]:
    """The Sig_structure in parts, so that nobody has to copy the payload."""
    return _SIGNATURE1, cbor.head(2, len(protected)), protected, _NO_DATA, cbor.head(2, len(payload)), payload


def _mac(key: bytes, protected: bytes, payload: bytes) -> bytes:
    """HMAC over the MAC_structure (RFC 9052 section 6.3)."""
    parts = cbor.head(2, len(protected)), protected, _NO_DATA, cbor.head(2, len(payload)), payload
    return hmac_sha256(key, _MAC0, *parts)
