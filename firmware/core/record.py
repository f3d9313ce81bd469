"""What the journal keeps, and the hash chain over it (docs/formats.md): a decision record tells of one person
decided, an event record of something else that happened to the handheld.
"""

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
ROLE = 19
MANUAL = 20
#: Present in an event record only.
EVENT = 21
DETAIL = 22

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
#: The kind where nobody asked for a code or nobody had one: a boarding by key, a manual entry.
KIND_NO_CODE = 4
#: Why somebody was entered by hand.
MANUAL_NO_PHONE = 1
MANUAL_UNREADABLE = 2
MANUAL_OTHER = 3
#: What an event record tells of.
EVENT_SCENE = 1
EVENT_FORCED_OUT = 2
EVENT_PACK = 3
EVENT_CLOCK = 4
EVENT_PRESENCE_RESET = 5

_REQUIRED = (SEQ, TIME, CLOCK, DEVICE, PLACE, SCENE, DIRECTION, KIND, VERDICT, REASONS, MASK)
_OPTIONAL = (SUB, PARTY, CTI, COLOUR, TEMPERATURE, CHECKER, CONFIRMED, ROLE, MANUAL)
_EVENT_REQUIRED = (SEQ, TIME, CLOCK, DEVICE, PLACE, SCENE, EVENT)
_EVENT_OPTIONAL = (SUB, DIRECTION, DETAIL)
#: Fields that are one of so many numbers from 0 on, and fields that are texts of so many bytes.
_CHOICES = ((CLOCK, 2), (DIRECTION, 3), (KIND, 5), (COLOUR, 4), (VERDICT, 3), (MASK, 3), (ROLE, 4))
_TEXT_LIMITS = ((DEVICE, 32), (PLACE, 96), (SCENE, 32), (CHECKER, 48), (DETAIL, 96))
# Reasons are built in or brought by signed rules; a record tells of one person, so there are few.
_MAX_REASONS = 24
_MAX_REASON = 3999


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
        return check(cbor.loads(data, 2, 128))
    except (cbor.CborError, shape.ShapeError) as e:
        raise RecordError(str(e)) from None


def chain(previous: bytes, record: bytes) -> bytes:
    """The chain value after `record`, 32 bytes: SHA-256 over the value before it and the record's bytes."""
    return sha256(previous, record)


def sequence_of(record: bytes) -> int:
    """The sequence inside a record, 0 if it has none where it must be.

    A record is a CBOR map in deterministic order (RFC 8949 §4.2.1), so its lowest key, 1, and the sequence
    come first: map head, 0x01, unsigned integer.
    """
    if not record or not 0xA1 <= record[0] <= 0xB8:
        return 0
    at = 2 if record[0] == 0xB8 else 1
    head = record[at : at + 6]
    if len(head) < 2 or head[0] != 1 or head[1] > 0x1A:
        return 0
    if head[1] < 0x18:
        return head[1]
    size = 1 << (head[1] - 0x18)
    if len(head) < 2 + size:
        return 0
    value = 0
    for byte in head[2 : 2 + size]:
        value = value << 8 | byte
    return value


def check(value: object) -> dict[int, object]:
    """The fields of a record that was read as CBOR; raises ShapeError unless each is of its form."""
    if isinstance(value, dict) and EVENT in value:
        fields = shape.mapping(value, _EVENT_REQUIRED, _EVENT_OPTIONAL)
    else:
        fields = shape.mapping(value, _REQUIRED, _OPTIONAL)
    _above_zero(fields[SEQ], 0xFFFFFFFF)
    shape.unix(fields[TIME])
    for key, count in _CHOICES:
        if key in fields:
            shape.choice(fields[key], count)
    for key, limit in _TEXT_LIMITS:
        if key in fields:
            shape.text(fields[key], limit)
    if EVENT in fields:
        _above_zero(fields[EVENT], 255)
    else:
        for reason in shape.array(fields[REASONS], 0, _MAX_REASONS):
            shape.uint(reason, _MAX_REASON)
    if MANUAL in fields:
        _above_zero(fields[MANUAL], MANUAL_OTHER)
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
    return fields


def _above_zero(value: object, limit: int) -> None:
    """Raise ShapeError unless it is a number from 1 on."""
    if shape.uint(value, limit) == 0:
        raise shape.ShapeError("number from 1 on")
