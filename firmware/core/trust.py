"""The trust list (docs/formats.md): the issuer keys a handheld believes, signed by the root key."""

from firmware.core import cbor, cose, rsa, shape
from firmware.core.errors import CoreError
from firmware.core.hmac256 import sha256

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    VerifySteps = Callable[[bytes, bytes, bytes], Generator[None, None, bool]]

MAX_BYTES = 65536
MAX_KEYS = 1024
MAX_KEY_BYTES = 1024

# What a key may sign.
KIND_LIVE = 1
KIND_PAPER = 2
KIND_DCC = 3
KIND_PLACE = 4

# Items of a full list: per key a map, eight keys and values, and four kinds.
_MAX_ITEMS = 16 + MAX_KEYS * 24


class TrustError(CoreError):
    """A trust list that is malformed, too big, or not signed by the root key."""


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


class TrustList:
    """A verified trust list. Whether it is the newest, and not yet expired, is for the caller to judge."""

    __slots__ = ("expires_unix", "issued_unix", "keys", "version")

    def __init__(self, version: int, issued_unix: int, expires_unix: int, keys: list[IssuerKey]) -> None:
        self.version = version
        self.issued_unix = issued_unix
        self.expires_unix = expires_unix
        self.keys = keys

    def find(self, kid: bytes) -> list[IssuerKey]:
        """The keys of this kid: none, one, or, as 8 bytes may meet by chance, several."""
        return [key for key in self.keys if key.kid == kid]


def kid_of_key(public_key: bytes) -> bytes:
    """The kid of a P-256 key x‖y: the first 8 bytes of SHA-256 over the uncompressed point 04‖x‖y."""
    return sha256(b"\x04", public_key)[:8]


def open_steps(
    data: bytes, root_key: bytes, verify_steps: "VerifySteps"
) -> "Generator[None, None, TrustList]":
    """Check the signature of a trust list by `root_key` (x‖y), then parse it, in slices of work.

    Returns a TrustList; raises TrustError. `verify_steps` is p256.verify_steps or its like.
    """
    if len(data) > MAX_BYTES:
        raise TrustError("too long")
    try:
        sign1 = cose.parse_sign1(data)
    except cose.CoseError as e:
        raise TrustError(str(e)) from None
    if sign1.header != {cose.ALG: cose.ES256, cose.KID: kid_of_key(root_key)} or sign1.unprotected:
        raise TrustError("header")
    good = yield from verify_steps(root_key, cose.sign1_digest(sign1), sign1.signature)
    if not good:
        raise TrustError("signature")
    return parse_payload(sign1.payload)


def parse_payload(payload: bytes) -> TrustList:
    """The payload of a trust list whose signature was good; raises TrustError."""
    try:
        fields = shape.mapping(cbor.loads(payload, max_items=_MAX_ITEMS), (1, 2, 3, 4))
        keys = shape.array(fields[4], 0, MAX_KEYS)
        # One at a time in place: the decoded map of a key is garbage as soon as its IssuerKey stands.
        for i in range(len(keys)):
            keys[i] = _issuer_key(keys[i])
        return TrustList(shape.uint(fields[1]), shape.unix(fields[2]), shape.unix(fields[3]), keys)  # type: ignore[arg-type]
    except (cbor.CborError, shape.ShapeError) as e:
        raise TrustError(str(e)) from None


def encode_trust(
    version: int,
    issued_unix: int,
    expires_unix: int,
    keys: list[IssuerKey],
    root_key: bytes,
    sign: "Callable[[bytes], bytes]",
) -> bytes:
    """A signed trust list; raises TrustError if it would not be accepted.

    `sign` turns the bytes to be signed into r‖s under the private half of `root_key` (x‖y).
    """
    payload = cbor.dumps({1: version, 2: issued_unix, 3: expires_unix, 4: [_entry(key) for key in keys]})
    parse_payload(payload)
    protected = cbor.dumps({cose.ALG: cose.ES256, cose.KID: kid_of_key(root_key)})
    data = cose.encode_sign1(protected, payload, sign(cose.sig_structure(protected, payload)))
    if len(data) > MAX_BYTES:
        raise TrustError("too long")
    return data


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
    """One entry of the list; raises ShapeError."""
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
