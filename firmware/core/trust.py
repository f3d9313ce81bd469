"""Issuer keys (docs/formats.md): whose signature a handheld believes, on which kind of code, and when."""

from firmware.core import cbor, cose, rsa, shape
from firmware.core.errors import CoreError
from firmware.core.hmac256 import sha256

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from typing import Protocol

    VerifySteps = Callable[[bytes, bytes, bytes], Generator[None, None, bool]]

    class Keys(Protocol):
        """Where issuer keys are looked up: a pack."""

        damaged: int
        expires_unix: int

        def find(self, kid: bytes) -> "list[IssuerKey]":
            """The keys of this kid: none, one, or, as 8 bytes may meet by chance, several."""


MAX_KEY_BYTES = 1024

# What a key may sign.
KIND_LIVE = 1
KIND_PAPER = 2
KIND_DCC = 3
KIND_PLACE = 4


class TrustError(CoreError):
    """An issuer key that is not of its form."""


class IssuerKey:
    """One key of an issuer; `key` is x‖y for ES256, the modulus for PS256 with its `exponent`, else empty."""

    __slots__ = ("alg", "exponent", "issuer", "key", "kid", "kinds", "not_after_unix", "not_before_unix")

    def __init__(
        self,
        kid: bytes,
        alg: int,
        key: bytes,
        issuer: str,
        not_before_unix: int,
        not_after_unix: int,
        kinds: list[int],
        exponent: int | None = None,
    ) -> None:
        self.kid = kid
        self.alg = alg
        self.key = key
        self.issuer = issuer
        self.not_before_unix = not_before_unix
        self.not_after_unix = not_after_unix
        self.kinds = kinds
        self.exponent = exponent

    def usable(self) -> bool:
        """Whether a handheld can check signatures by this key."""
        if self.exponent is None:
            return self.alg == cose.ES256
        return self.alg == cose.PS256 and rsa.supported(self.key, self.exponent)


def kid_of_key(public_key: bytes) -> bytes:
    """The kid of a P-256 key x‖y: the first 8 bytes of SHA-256 over the uncompressed point 04‖x‖y."""
    return sha256(b"\x04", public_key)[:8]


def encode_issuer_key(key: IssuerKey) -> bytes:
    """The CBOR map of one key; raises TrustError if it would not be accepted."""
    data = cbor.dumps(_entry(key))
    parse_issuer_key(data)
    return data


def parse_issuer_key(data: bytes) -> IssuerKey:
    """Read the CBOR map of one key; raises TrustError."""
    if len(data) > MAX_KEY_BYTES:
        raise TrustError("key too long")
    try:
        return _issuer_key(cbor.loads(data, max_items=32))
    except (cbor.CborError, shape.ShapeError) as e:
        raise TrustError(str(e)) from None


def _entry(key: IssuerKey) -> dict[int, object]:
    entry: dict[int, object] = {
        1: key.kid,
        2: key.alg,
        3: key.key,
        4: key.issuer,
        5: key.not_before_unix,
        6: key.not_after_unix,
        7: key.kinds,
    }
    if key.exponent is not None:
        entry[8] = key.exponent
    return entry


def _issuer_key(value: object) -> IssuerKey:
    """One decoded key; raises ShapeError."""
    fields = shape.mapping(value, (1, 2, 3, 4, 5, 6, 7), (8,))
    alg = shape.sint(fields[2])
    exponent = shape.uint(fields[8]) if 8 in fields else None
    kinds = [shape.uint(kind, KIND_PLACE) for kind in shape.array(fields[7], 1, 4)]
    if 0 in kinds:
        raise shape.ShapeError("kind")
    if alg == cose.ES256:
        key = shape.octets(fields[3], 64)
    elif alg == cose.PS256:
        key = shape.octets(fields[3], 128, 512)
    else:
        key = shape.octets(fields[3], 0)
    if (alg == cose.PS256) != (exponent is not None):
        raise shape.ShapeError("exponent")
    return IssuerKey(
        shape.octets(fields[1], 8),
        alg,
        key,
        shape.text(fields[4], 64),
        shape.unix(fields[5]),
        shape.unix(fields[6]),
        kinds,
        exponent,
    )
