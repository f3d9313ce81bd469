"""Health codes: Yima's own `YM1:` and the EU certificate `HC1:`, from scanned text to a verified Code.

The chain is made of one-job steps, each refusing with a reason of its own: prefix, length, base45, (inflate,)
COSE, kid, key, signature, claims, issuer. What the claims mean at the door is judged in verdict.py.
"""

from firmware.core import base45, cbor, cose, inflate, pack, reasons, rsa, shape, trust
from firmware.core.errors import CoreError
from firmware.core.hmac256 import sha256

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from firmware.core.trust import VerifySteps

KIND_UNREADABLE = 0
# The numbers of the kinds that a key may sign.
KIND_LIVE = trust.KIND_LIVE
KIND_PAPER = trust.KIND_PAPER
KIND_DCC = trust.KIND_DCC

MAX_TEXT = 4096
MAX_INFLATED = 16384

COLOUR_GREEN = 0
COLOUR_YELLOW = 1
COLOUR_ORANGE = 2
COLOUR_RED = 3

RESULT_NEGATIVE = 0
RESULT_POSITIVE = 1
RESULT_PENDING = 2

# Claims (RFC 8392 section 3.1), Yima's private one, and the EU's hcert.
ISS = 1
SUB = 2
EXP = 4
IAT = 6
CTI = 7
HEALTH = -65537
HCERT = -260

# Keys of the health map.
_COLOUR, _NAME, _MEDIUM, _TEST, _IGG, _GROUPS, _COMPANIONS, _ARRIVAL, _ID_TAIL, _OWN_SUB = (
    1,
    2,
    3,
    4,
    5,
    6,
    7,
    8,
    9,
    10,
)
_MAX_COMPANIONS = 5
# A full party's claims have some 250 items.
_MAX_ITEMS = 512
# Of an EU certificate, what a door has no use for.
_DCC_UNREAD = ("v", "t", "r", "dob", "ver")


class CodeError(CoreError):
    """A text that is no acceptable code; `reason` is one of firmware.core.reasons."""

    def __init__(self, reason: int) -> None:
        super().__init__(reasons.name_of(reason))
        self.reason = reason


class Person:
    """The holder of a code or a companion in it.

    `test` and `igg` are (result, time taken), `arrival` (region, time of arrival). An EU certificate knows a
    name only: its `colour` is None and its `sub` empty.
    """

    __slots__ = ("arrival", "colour", "groups", "id_tail", "igg", "name", "sub", "test")

    def __init__(self, sub: bytes, name: str, colour: int | None) -> None:
        self.sub = sub
        self.name = name
        self.colour = colour
        self.test: tuple[int, int] | None = None
        self.igg: tuple[int, int] | None = None
        self.groups: list[int] = []
        self.arrival: tuple[str, int] | None = None
        self.id_tail: str | None = None


class Code:
    """A code's claims; the first of `people` is the holder. `payload` is the signed payload's bytes."""

    __slots__ = ("cti", "expires_unix", "issued_unix", "issuer", "kid", "kind", "payload", "people")

    def __init__(
        self,
        kind: int,
        issuer: str,
        cti: bytes,
        issued_unix: int,
        expires_unix: int,
        people: list[Person],
        payload: bytes,
    ) -> None:
        self.kind = kind
        self.issuer = issuer
        self.kid = b""
        self.cti = cti
        self.issued_unix = issued_unix
        self.expires_unix = expires_unix
        self.people = people
        self.payload = payload


class Checked:
    """What came of a check: a Code with reason OK, or None with the reason why."""

    __slots__ = ("code", "reason")

    def __init__(self, code: Code | None, reason: int) -> None:
        self.code = code
        self.reason = reason


def check_steps(
    text: bytes,
    current: "trust.Keys | None",
    now_unix: int | None,
    verify_steps: "VerifySteps",
    groups: "base45.Groups | None" = None,
) -> "Generator[None, None, Checked]":
    """Take a scanned text through the whole chain; yields None between slices of work, returns a Checked.

    Never raises, whatever the bytes. Without a clock (`now_unix` None) the issuer's validity is held against
    the time of issue only. `groups` is base45's inner loop where there is a native one.
    """
    try:
        is_dcc, body = unprefix(text)
        data = decode_base45(body, groups)
        yield None
        if is_dcc:
            data = inflate_body(data)
            yield None
        sign1 = parse(data, is_dcc)
        kid, alg = kid_and_alg(sign1, is_dcc)
        yield None
        keys = usable_keys(current, kid, alg)
        key = yield from signer_steps(sign1, keys, verify_steps)
        code = claims(sign1.payload, is_dcc)
        code.kid = kid
        check_issuer(code, key, now_unix)
    except CodeError as e:
        return Checked(None, e.reason)
    except MemoryError:
        # What this handheld has no room for is longer than it can take: refused, and the next one is served.
        return Checked(None, reasons.TOO_LONG)
    return Checked(code, reasons.OK)


def unprefix(text: bytes) -> "tuple[bool, bytes | memoryview]":
    """Whether a text is an EU certificate, and what follows its prefix, uncopied."""
    prefix = text[:4]
    if prefix != b"YM1:" and prefix != b"HC1:":
        raise CodeError(reasons.NOT_A_CODE)
    if len(text) > MAX_TEXT:
        raise CodeError(reasons.TOO_LONG)
    return prefix == b"HC1:", memoryview(text)[4:]


def decode_base45(body: "bytes | memoryview", groups: "base45.Groups | None" = None) -> bytes:
    """The bytes of a code's text."""
    try:
        return base45.decode(body, groups)
    except base45.Base45Error:
        raise CodeError(reasons.DAMAGED) from None


def inflate_body(data: bytes) -> bytes:
    """An EU certificate's COSE message, at most 16 KiB of it."""
    try:
        return inflate.inflate_zlib(data, MAX_INFLATED)
    except inflate.InflateError:
        raise CodeError(reasons.DAMAGED) from None


def parse(data: bytes, is_dcc: bool) -> cose.Sign1:
    """The COSE_Sign1 of a code; an EU certificate's may be tagged as a CWT."""
    try:
        return cose.parse_sign1(data, is_dcc)
    except cose.CoseError:
        raise CodeError(reasons.DAMAGED) from None


def kid_and_alg(sign1: cose.Sign1, is_dcc: bool) -> tuple[bytes, int]:
    """The kid and the algorithm that a message names.

    `YM1:` has both in the protected header and nothing else anywhere. An EU certificate may have them in the
    unprotected one; the protected header goes first: nothing unsigned overrules it (hcert-spec 3.3.2).
    """
    header = sign1.header
    kid, alg = header.get(cose.KID), header.get(cose.ALG)
    if is_dcc:
        if kid is None:
            kid = sign1.unprotected.get(cose.KID)
        if alg is None:
            alg = sign1.unprotected.get(cose.ALG)
    elif sign1.unprotected or len(header) != 2:
        raise CodeError(reasons.DAMAGED)
    if type(kid) is not bytes or type(alg) is not int:
        raise CodeError(reasons.DAMAGED)
    return kid, alg


def usable_keys(current: "trust.Keys | None", kid: bytes, alg: int) -> list[trust.IssuerKey]:
    """The keys of this kid that can check the algorithm named; at least one."""
    if current is None:
        raise CodeError(reasons.NO_TRUST_LIST)
    known = current.find(kid)
    if not known:
        damaged = current.damaged >> pack.KEYS & 1
        raise CodeError(reasons.PACK_DAMAGED if damaged else reasons.UNKNOWN_ISSUER)
    usable = []
    for key in known:
        if key.alg == alg and key.usable():
            usable.append(key)
    if not usable:
        # A P-256 key signs ES256 only, so any other name is a forger's try. An RSA key has many algorithms.
        forged = all(key.alg == cose.ES256 for key in known)
        raise CodeError(reasons.BAD_SIGNATURE if forged else reasons.UNSUPPORTED_KEY)
    return usable


def signer_steps(
    sign1: cose.Sign1, keys: list[trust.IssuerKey], verify_steps: "VerifySteps"
) -> "Generator[None, None, trust.IssuerKey]":
    """The one of `keys` that made the signature; yields None between slices of work."""
    digest = cose.sign1_digest(sign1)
    for key in keys:
        exponent = key.exponent
        if exponent is None:
            good = yield from verify_steps(key.key, digest, sign1.signature)
        else:
            good = yield from rsa.verify_pss_steps(key.key, exponent, digest, sign1.signature)
        if good:
            return key
    raise CodeError(reasons.BAD_SIGNATURE)


def check_issuer(code: Code, key: trust.IssuerKey, now_unix: int | None) -> None:
    """Refuse a code of a kind, a time or a name that the key is not trusted for."""
    if (
        code.kind not in key.kinds
        or not key.not_before_unix <= code.issued_unix <= key.not_after_unix
        or (now_unix is not None and not key.not_before_unix <= now_unix <= key.not_after_unix)
        or (code.kind != KIND_DCC and (code.issuer != key.issuer or key.alg != cose.ES256))
    ):
        raise CodeError(reasons.ISSUER_NOT_VALID)


def claims(payload: bytes, is_dcc: bool) -> Code:
    """The claims of a payload whose signature was good."""
    try:
        return _dcc_claims(payload) if is_dcc else _ym1_claims(payload)
    except (cbor.CborError, shape.ShapeError):
        raise CodeError(reasons.DAMAGED) from None


def encode_ym1(payload_map: dict[int, object], kid: bytes, sign: "Callable[[bytes], bytes]") -> str:
    """The text of a `YM1:` code with these claims; `sign` turns the bytes to be signed into r‖s.

    Raises CodeError if the claims are not those of a code, or the text comes out too long.
    """
    payload = cbor.dumps(payload_map)
    claims(payload, False)
    protected = cbor.dumps({cose.ALG: cose.ES256, cose.KID: kid})
    signature = sign(cose.sig_structure(protected, payload))
    text = "YM1:" + base45.encode(cose.encode_sign1(protected, payload, signature))
    if len(text) > MAX_TEXT:
        raise CodeError(reasons.TOO_LONG)
    return text


def _ym1_claims(payload: bytes) -> Code:
    """Claims as docs/formats.md has them; raises CborError or ShapeError."""
    fields = shape.mapping(cbor.loads(payload, max_items=_MAX_ITEMS), (ISS, SUB, EXP, IAT, CTI, HEALTH))
    health = shape.mapping(
        fields[HEALTH],
        (_COLOUR, _NAME, _MEDIUM),
        (_TEST, _IGG, _GROUPS, _COMPANIONS, _ARRIVAL, _ID_TAIL),
    )
    people = [_person(shape.octets(fields[SUB], 16), health)]
    if _COMPANIONS in health:
        for value in shape.array(health[_COMPANIONS], 1, _MAX_COMPANIONS):
            companion = shape.mapping(
                value, (_COLOUR, _NAME, _OWN_SUB), (_TEST, _IGG, _GROUPS, _ARRIVAL, _ID_TAIL)
            )
            people.append(_person(shape.octets(companion[_OWN_SUB], 16), companion))
    return Code(
        KIND_PAPER if shape.choice(health[_MEDIUM], 2) else KIND_LIVE,
        shape.text(fields[ISS], 64, 1),
        shape.octets(fields[CTI], 8),
        shape.unix(fields[IAT]),
        shape.unix(fields[EXP]),
        people,
        payload,
    )


def _person(sub: bytes, fields: dict[int, object]) -> Person:
    """A person's part of the health map or of a companion."""
    person = Person(sub, shape.text(fields[_NAME], 48, 1), shape.choice(fields[_COLOUR], 4))
    if _TEST in fields:
        person.test = _test(fields[_TEST])
    if _IGG in fields:
        person.igg = _test(fields[_IGG])
    if _GROUPS in fields:
        for group in shape.array(fields[_GROUPS], 1, 8):
            if shape.uint(group, 8) == 0:
                raise shape.ShapeError("group")
            person.groups.append(shape.uint(group, 8))
    if _ARRIVAL in fields:
        region, arrived = shape.array(fields[_ARRIVAL], 2, 2)
        person.arrival = (shape.text(region, 48), shape.unix(arrived))
    if _ID_TAIL in fields:
        person.id_tail = shape.text(fields[_ID_TAIL], 16)
    return person


def _test(value: object) -> tuple[int, int]:
    """(result, time taken) of a test."""
    result, taken = shape.array(value, 2, 2)
    return shape.choice(result, 3), shape.unix(taken)


def _dcc_claims(payload: bytes) -> Code:
    """What the handheld uses of an EU certificate (hcert-spec 3.3, EU DCC schema 1.3).

    `cti` is made of the payload's hash: the certificate's own identifier is personal. Raises CborError or
    ShapeError.
    """
    fields = _text_keys(cbor.loads(payload, max_items=_MAX_ITEMS, unread=_DCC_UNREAD))
    hcert = _text_keys(_text_keys(fields.get(HCERT)).get(1))
    if ("v" in hcert) + ("t" in hcert) + ("r" in hcert) != 1:
        raise shape.ShapeError("one of three groups expected")
    names = _text_keys(hcert.get("nam"))
    issuer = fields.get(ISS)
    return Code(
        KIND_DCC,
        "" if issuer is None else shape.text(issuer, 64),
        sha256(payload)[:8],
        _numeric_date(fields.get(IAT)),
        _numeric_date(fields.get(EXP)),
        [Person(b"", _initials(names), None)],
        payload,
    )


def _text_keys(value: object) -> dict[object, object]:
    """A map with keys of any kind."""
    if not isinstance(value, dict):
        raise shape.ShapeError("map expected")
    return value


def _numeric_date(value: object) -> int:
    """A NumericDate (RFC 8392 section 2); some issuers write it as a float."""
    if isinstance(value, float) and 0.0 <= value <= 4e9:
        return int(value)
    return shape.unix(value)


def _initials(names: dict[object, object]) -> str:
    """ "G. M." of Gabriele Musterfrau: a name for the checker's eyes that identifies nobody by itself."""
    parts = []
    for own, transliterated in (("gn", "gnt"), ("fn", "fnt")):
        name = names.get(own) or names.get(transliterated) or ""
        if not isinstance(name, str):
            raise shape.ShapeError("name")
        if name:
            parts.append(name[:1] + ".")
    if not parts:
        raise shape.ShapeError("name")
    return " ".join(parts)
