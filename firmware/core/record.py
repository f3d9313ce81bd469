"""The record of one person decided, and the hash chain over records (docs/formats.md)."""

from firmware.core import cbor, shape
from firmware.core.errors import CoreError
from firmware.core.hmac256 import sha256

MAX_BYTES = 512
GENESIS = bytes(32)

# Keys of a record.
SEQ = 1
TIME = 2
CLOCK = 3
DEVICE = 4
PLACE = 5
SCENE = 6
DIRECTION = 7
SUB = 8
PARTY = 9
KIND = 10
CTI = 11
COLOUR = 12
VERDICT = 13
REASONS = 14
TEMPERATURE = 15
MASK = 16
CHECKER = 17
CONFIRMED = 18

CLOCK_TRUSTED = 0
CLOCK_NOT_TRUSTED = 1
DIRECTION_IN = 0
DIRECTION_OUT = 1
DIRECTION_NONE = 2
MASK_NOT_ASKED = 0
MASK_WORN = 1
MASK_NOT_WORN = 2
CONFIRMED_ID_EQUAL = 1
CONFIRMED_ID_DIFFERS = 2

_REQUIRED = (SEQ, TIME, CLOCK, DEVICE, PLACE, SCENE, DIRECTION, KIND, VERDICT, REASONS, MASK)
_OPTIONAL = (SUB, PARTY, CTI, COLOUR, TEMPERATURE, CHECKER, CONFIRMED)
_CHOICES = {CLOCK: 2, DIRECTION: 3, KIND: 4, COLOUR: 4, VERDICT: 3, MASK: 3}
_TEXT_LIMITS = {DEVICE: 32, PLACE: 96, SCENE: 32, CHECKER: 48}
# Reasons are small numbers; a record tells of one person, so there are few.
_MAX_REASONS = 24
_MAX_REASON = 255


class RecordError(CoreError):
    """Fields that are no record, or bytes that are none."""


def encode(fields: dict[int, object]) -> bytes:
    """The bytes of a record, deterministic; raises RecordError if it would not be accepted."""
    try:
        data = cbor.dumps(fields)
    except cbor.CborError as e:
        raise RecordError(str(e)) from None
    decode(data)
    return data


def decode(data: bytes) -> dict[int, object]:
    """The fields of a record, every one of its form; raises RecordError."""
    if len(data) > MAX_BYTES:
        raise RecordError("too long")
    try:
        fields = shape.mapping(cbor.loads(data, 2, 128), _REQUIRED, _OPTIONAL)
        _check(fields)
    except (cbor.CborError, shape.ShapeError) as e:
        raise RecordError(str(e)) from None
    return fields


def chain(previous: bytes, record: bytes) -> bytes:
    """The chain value after `record`, 32 bytes: SHA-256 over the value before it and the record's bytes."""
    return sha256(previous, record)


def _check(fields: dict[int, object]) -> None:
    """Raise ShapeError unless each field is of its form."""
    if shape.uint(fields[SEQ], 0xFFFFFFFF) == 0:
        raise shape.ShapeError("sequence")
    shape.unix(fields[TIME])
    for key, count in _CHOICES.items():
        if key in fields:
            shape.choice(fields[key], count)
    for key, limit in _TEXT_LIMITS.items():
        if key in fields:
            shape.text(fields[key], limit)
    for reason in shape.array(fields[REASONS], 0, _MAX_REASONS):
        shape.uint(reason, _MAX_REASON)
    if SUB in fields:
        shape.octets(fields[SUB], 16)
    if CTI in fields:
        shape.octets(fields[CTI], 0, 32)
    if PARTY in fields:
        for number in shape.array(fields[PARTY], 3, 3):
            shape.uint(number, 0xFFFFFFFF)
    if TEMPERATURE in fields:
        for number in shape.array(fields[TEMPERATURE], 3, 3):
            shape.sint(number)
    if CONFIRMED in fields:
        for number in shape.array(fields[CONFIRMED], 1, 8):
            shape.uint(number, 255)
