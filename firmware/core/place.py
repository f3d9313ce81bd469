"""Signed place codes `YL1:`, which hang on a wall or in a bus and tell a handheld where it stands.

Text: `YL1:` + base45 of a COSE_Sign1, ES256, by an issuer key that may sign places (docs/formats.md). The
chain of checks is that of health codes (codes.py), with claims of its own.
"""

from firmware.core import base45, cbor, codes, cose, reasons, shape, trust
from firmware.core.codes import CodeError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from firmware.core.trust import VerifySteps

PREFIX = b"YL1:"
#: Longer texts are not looked at.
MAX_TEXT = 1024

# Claims; 2 and 3 are Yima's own.
_ISS, _PLACE, _SCENE, _EXP, _IAT, _CTI = 1, 2, 3, 4, 6, 7
#: A place's printed code may have been made on a computer whose clock is ahead by this.
_TOLERANCE_S = 3600


class PlaceCode:
    """Where a handheld stands and what it does there, as somebody signed it."""

    __slots__ = ("cti", "expires_unix", "issued_unix", "issuer", "place", "scene")

    def __init__(
        self, issuer: str, place: str, scene: str, issued_unix: int, expires_unix: int, cti: bytes
    ) -> None:
        self.issuer = issuer
        self.place = place
        self.scene = scene
        self.issued_unix = issued_unix
        self.expires_unix = expires_unix
        self.cti = cti


def check_place_steps(
    text: bytes,
    current: "trust.Keys | None",
    now_unix: int | None,
    verify_steps: "VerifySteps",
    groups: "base45.Groups | None" = None,
) -> "Generator[None, None, tuple[PlaceCode | None, int]]":
    """Take a scanned text through the whole chain; yields None between slices of work.

    Returns the place and the reason OK, or None and the reason why. Never raises, whatever the bytes. Without
    a clock (`now_unix` None) no place code holds: an old one on a wall would choose the steps at this door.
    """
    try:
        if not text.startswith(PREFIX):
            raise CodeError(reasons.NOT_A_CODE)
        if len(text) > MAX_TEXT:
            raise CodeError(reasons.TOO_LONG)
        data = codes.decode_base45(memoryview(text)[len(PREFIX) :], groups)
        yield None
        sign1 = codes.parse(data, False)
        kid, alg = codes.kid_and_alg(sign1, False)
        usable = codes.usable_keys(current, kid, alg)
        yield None
        key = yield from codes.signer_steps(sign1, usable, verify_steps)
        place = _claims(sign1.payload)
        if (
            trust.KIND_PLACE not in key.kinds
            or key.issuer != place.issuer
            or key.alg != cose.ES256
            or not key.not_before_unix <= place.issued_unix <= key.not_after_unix
        ):
            raise CodeError(reasons.ISSUER_NOT_VALID)
        _check_time(place, key.not_before_unix, key.not_after_unix, now_unix)
    except CodeError as e:
        return None, e.reason
    return place, reasons.OK


def encode_place(place: PlaceCode, kid: bytes, sign: "Callable[[bytes], bytes]") -> str:
    """The text of a place code; `sign` turns the bytes to be signed into r‖s.

    Raises CodeError if the fields are not those of a place code.
    """
    payload = cbor.dumps(
        {
            _ISS: place.issuer,
            _PLACE: place.place,
            _SCENE: place.scene,
            _EXP: place.expires_unix,
            _IAT: place.issued_unix,
            _CTI: place.cti,
        }
    )
    _claims(payload)
    protected = cbor.dumps({cose.ALG: cose.ES256, cose.KID: kid})
    signature = sign(cose.sig_structure(protected, payload))
    return PREFIX.decode() + base45.encode(cose.encode_sign1(protected, payload, signature))


def _check_time(place: PlaceCode, not_before_unix: int, not_after_unix: int, now_unix: int | None) -> None:
    """Refuse a place code that does not hold now."""
    if now_unix is None:
        raise CodeError(reasons.CLOCK_UNTRUSTED)
    if not not_before_unix <= now_unix <= not_after_unix:
        raise CodeError(reasons.ISSUER_NOT_VALID)
    if now_unix >= place.expires_unix:
        raise CodeError(reasons.EXPIRED)
    if place.issued_unix > now_unix + _TOLERANCE_S:
        raise CodeError(reasons.NOT_YET_VALID)


def _claims(payload: bytes) -> PlaceCode:
    """The claims of a payload; raises CodeError."""
    try:
        fields = shape.mapping(cbor.loads(payload, 2, 16), (_ISS, _PLACE, _SCENE, _EXP, _IAT, _CTI))
        return PlaceCode(
            shape.text(fields[_ISS], 64, 1),
            shape.text(fields[_PLACE], 64, 1),
            shape.text(fields[_SCENE], 32, 1),
            shape.unix(fields[_IAT]),
            shape.unix(fields[_EXP]),
            shape.octets(fields[_CTI], 8),
        )
    except (cbor.CborError, shape.ShapeError):
        raise CodeError(reasons.DAMAGED) from None
