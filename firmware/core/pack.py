"""The pack (docs/formats.md): all that a handheld must trust, listed in a manifest that the root key signed.

The manifest names each part by kind, length and SHA-256; the parts travel and lie apart, so that an update
moves only those that changed. A *package file* holds a manifest and any of its parts in one piece, for USB or
a sheet of QR pictures::

    "YPK1" | manifest length u32 | manifest | per part: SHA-256 (32) | length u32 | its bytes

To change the root key, a manifest signed by the new one is wrapped in a message signed by the old one.
"""

import struct

from firmware.core import cbor, cose, shape
from firmware.core.errors import CoreError
from firmware.core.hmac256 import sha256
from firmware.core.trust import kid_of_key

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator

    from firmware.core.trust import VerifySteps

MAX_MANIFEST = 4096
MAX_PARTS = 16
VERSION_MAX = 0xFFFFFFFF

# Kinds of parts. A handheld leaves alone what it does not know.
KEYS = 1
REVOCATIONS = 2
REVOCATION_CHANGES = 3
SCENES = 4
RULES = 5
VALUE_SETS = 6
TEXTS = 7
ROSTER = 8
SEALING_KEY = 9
CONFIG = 10
KIND_MAX = 0xFFFF

# What a revocation names.
SUBJECT = 1
CODE = 2
KEY = 3

# Roles in a roster; whoever is not in it is a visitor.
VISITOR = 0
STAFF = 1
NEW = 2
RETURNING = 3

# Why a pack, or a part, is not taken.
OLDER = 1
FOREIGN_ROOT = 2
BAD_SIGNATURE = 3
EXPIRED = 4
PART_TOO_LARGE = 5
PART_MISSING = 6
PART_DAMAGED = 7
MALFORMED = 8
STORAGE = 9

PACKAGE_MAGIC = b"YPK1"
PACKAGE_HEAD = 8
PART_HEAD = 36
#: The longest package file: every part at its limit.
MAX_PACKAGE = 2_097_152

_CONTENT_TYPE = 3
_ROOT_TYPE = "yima-root"
_ENTRY = 38
# The manifest has a map, four values and four items per part.
_MAX_ITEMS = 32 + MAX_PARTS * 4


class PackError(CoreError):
    """A pack or a part that is not taken; `reason` is OLDER ... STORAGE."""

    def __init__(self, reason: int, detail: str = "") -> None:
        super().__init__("pack: " + name_of(reason) + (" (" + detail + ")" if detail else ""))
        self.reason = reason


class Manifest:
    """A manifest whose signature was good. Whether it is new, and not yet expired, is for the caller."""

    __slots__ = ("entries", "expires_unix", "issued_unix", "root_key", "version")

    def __init__(self, version: int, issued_unix: int, expires_unix: int, entries: bytes) -> None:
        self.version = version
        self.issued_unix = issued_unix
        self.expires_unix = expires_unix
        #: Per part kind u16, length u32 and SHA-256 in one string: objects would take ten times as much.
        self.entries = entries
        #: The key x‖y that signed it: another one than was asked for where the root changes.
        self.root_key = b""

    def parts(self) -> "Iterator[tuple[int, int, bytes]]":
        """Kind, length and SHA-256 of every part, those of unknown kinds too."""
        for at in range(0, len(self.entries), _ENTRY):
            kind, length = struct.unpack(">HI", self.entries[at : at + 6])
            yield kind, length, self.entries[at + 6 : at + _ENTRY]

    def part(self, kind: int) -> "tuple[int, bytes] | None":
        """Length and SHA-256 of the part of this kind, None without one."""
        for found, length, digest in self.parts():
            if found == kind:
                return length, digest
        return None


def name_of(reason: int) -> str:
    """A refusal's name, for messages and logs."""
    if reason == OLDER:
        return "older"
    if reason == FOREIGN_ROOT:
        return "foreign root"
    if reason == BAD_SIGNATURE:
        return "bad signature"
    if reason == EXPIRED:
        return "expired"
    if reason == PART_TOO_LARGE:
        return "part too large"
    if reason == PART_MISSING:
        return "part missing"
    if reason == PART_DAMAGED:
        return "part damaged"
    if reason == MALFORMED:
        return "malformed"
    return "storage"


def encode_entry(kind: int, length: int, digest: bytes) -> bytes:
    """One part as `Manifest.entries` has it."""
    return struct.pack(">HI", kind, length) + digest


def limit_of(kind: int) -> int:
    """How many bytes a part of this kind may have; 0 for a kind that we do not know."""
    if kind == KEYS:
        return 524_288
    if kind == REVOCATIONS:
        return 1_048_576
    if kind == REVOCATION_CHANGES:
        return 131_072
    if kind == SCENES:
        return 16_384
    if kind == RULES:
        return 65_536
    if kind == VALUE_SETS:
        return 65_536
    if kind == TEXTS:
        return 32_768
    if kind == ROSTER:
        return 262_144
    if kind == SEALING_KEY:
        return 128
    if kind == CONFIG:
        return 4_096
    return 0


def revocation_key(what: int, identity: bytes) -> bytes:
    """The key of a revocation of a subject, code or key (SUBJECT, CODE, KEY) in its table."""
    return sha256(bytes((what,)), identity)[:8]


def text_key(number: int, language: int) -> bytes:
    """The key of a text in its book: a reason's number, and 0 for Chinese, 1 for English."""
    return struct.pack(">IHBB", number, 0, 0, language)


def open_steps(
    data: bytes, root_key: bytes, verify_steps: "VerifySteps"
) -> "Generator[None, None, Manifest]":
    """Check a manifest's signature by `root_key` (x‖y), then parse it, in slices.

    A manifest wrapped for a change of root is taken by whoever holds the old key, checking both signatures,
    and by whoever holds the new key already. Raises PackError: FOREIGN_ROOT, BAD_SIGNATURE, PART_TOO_LARGE or
    MALFORMED. `verify_steps` is p256.verify_steps or its like.
    """
    if len(data) > MAX_MANIFEST:
        raise PackError(MALFORMED, "too long")
    try:
        sign1 = _sign1(data)
        signer = root_key
        if _CONTENT_TYPE in sign1.header:
            if sign1.header[_CONTENT_TYPE] != _ROOT_TYPE:
                raise PackError(MALFORMED, "content type")
            fields = shape.mapping(cbor.loads(sign1.payload, max_items=8), (1, 2))
            signer = shape.octets(fields[1], 64)
            if signer != root_key:
                yield from _verify_steps(sign1, root_key, verify_steps, 3)
            sign1 = _sign1(shape.octets(fields[2], 1, MAX_MANIFEST))
    except (cose.CoseError, cbor.CborError, shape.ShapeError) as e:
        raise PackError(MALFORMED, str(e)) from None
    yield from _verify_steps(sign1, signer, verify_steps, 2)
    manifest = parse_payload(sign1.payload)
    manifest.root_key = signer
    return manifest


def parse_payload(payload: bytes) -> Manifest:
    """The payload of a manifest whose signature was good; raises PackError MALFORMED or PART_TOO_LARGE."""
    try:
        fields = shape.mapping(cbor.loads(payload, max_items=_MAX_ITEMS), (1, 2, 3, 4))
        entries = bytearray()
        kinds = []
        for entry in shape.array(fields[4], 0, MAX_PARTS):
            values = shape.array(entry, 3, 3)
            kind = shape.uint(values[0], KIND_MAX)
            length = shape.uint(values[1], 0xFFFFFFFF)
            if kind in kinds:
                raise PackError(MALFORMED, "part twice")
            kinds.append(kind)
            limit = limit_of(kind)
            if limit and length > limit:
                raise PackError(PART_TOO_LARGE, "kind %d" % kind)
            entries.extend(encode_entry(kind, length, shape.octets(values[2], 32)))
        return Manifest(
            shape.uint(fields[1], VERSION_MAX),
            shape.unix(fields[2]),
            shape.unix(fields[3]),
            bytes(entries),
        )
    except (cbor.CborError, shape.ShapeError) as e:
        raise PackError(MALFORMED, str(e)) from None


def encode_manifest(
    version: int,
    issued_unix: int,
    expires_unix: int,
    parts: "Iterable[tuple[int, bytes]]",
    root_key: bytes,
    sign: "Callable[[bytes], bytes]",
) -> bytes:
    """A signed manifest over (kind, bytes) parts; raises PackError if it would not be accepted.

    `sign` turns the bytes to be signed into r‖s under the private half of `root_key` (x‖y).
    """
    listed = [[kind, len(data), sha256(data)] for kind, data in parts]
    payload = cbor.dumps({1: version, 2: issued_unix, 3: expires_unix, 4: listed})
    parse_payload(payload)
    return _limited(_signed({cose.ALG: cose.ES256, cose.KID: kid_of_key(root_key)}, payload, sign))


def encode_rotation(
    manifest: bytes, new_root: bytes, old_root: bytes, sign: "Callable[[bytes], bytes]"
) -> bytes:
    """A manifest signed by `new_root`, wrapped for handhelds that still hold `old_root`, whose `sign` it is.

    Raises PackError if it would not be accepted.
    """
    header = {cose.ALG: cose.ES256, _CONTENT_TYPE: _ROOT_TYPE, cose.KID: kid_of_key(old_root)}
    return _limited(_signed(header, cbor.dumps({1: new_root, 2: manifest}), sign))


def package_head(head: bytes, part: bool) -> "tuple[bytes, int]":
    """What a package file says before a manifest (8 bytes) or, with `part`, before a part (36 bytes).

    Returns magic or SHA-256, and the length of what follows; raises PackError MALFORMED.
    """
    if len(head) != (PART_HEAD if part else PACKAGE_HEAD) or not (part or head[:4] == PACKAGE_MAGIC):
        raise PackError(MALFORMED, "not a package")
    length: int = struct.unpack(">I", head[-4:])[0]
    if not part and not 1 <= length <= MAX_MANIFEST:
        raise PackError(MALFORMED, "manifest's length")
    return head[:-4], length


def encode_package(manifest: bytes, parts: "Iterable[bytes]") -> bytes:
    """A package file of a manifest and some of its parts; raises PackError if it is too long."""
    pieces = [PACKAGE_MAGIC, struct.pack(">I", len(manifest)), manifest]
    for data in parts:
        pieces.append(sha256(data) + struct.pack(">I", len(data)))
        pieces.append(data)
    package = b"".join(pieces)
    if len(package) > MAX_PACKAGE:
        raise PackError(PART_TOO_LARGE, "package")
    return package


def _sign1(data: bytes) -> cose.Sign1:
    """A COSE_Sign1 with tag 18 and nothing in its unprotected header; raises PackError, CoseError."""
    sign1 = cose.parse_sign1(data)
    if data[:1] != b"\xd2" or sign1.unprotected:
        raise PackError(MALFORMED, "header")
    return sign1


def _verify_steps(
    sign1: cose.Sign1, key: bytes, verify_steps: "VerifySteps", header_items: int
) -> "Generator[None, None, None]":
    """Check a message's header and its signature by `key`; raises PackError."""
    header = sign1.header
    if len(header) != header_items or header.get(cose.ALG) != cose.ES256:
        raise PackError(MALFORMED, "header")
    if header.get(cose.KID) != kid_of_key(key):
        raise PackError(FOREIGN_ROOT)
    good = yield from verify_steps(key, cose.sign1_digest(sign1), sign1.signature)
    if not good:
        raise PackError(BAD_SIGNATURE)


def _signed(header: "dict[int, object]", payload: bytes, sign: "Callable[[bytes], bytes]") -> bytes:
    protected = cbor.dumps(header)
    return cose.encode_sign1(protected, payload, sign(cose.sig_structure(protected, payload)))


def _limited(data: bytes) -> bytes:
    if len(data) > MAX_MANIFEST:
        raise PackError(MALFORMED, "too long")
    return data
