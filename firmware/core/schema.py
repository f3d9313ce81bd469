"""Which settings the handheld has, what each may be, and how a slot of them lies in flash.

A value that does not fit its field is answered by the field's default and the name of the key, never by an
exception: a handheld with one bad setting must still start. Texts are limited in UTF-8 bytes.

Slot layout, all integers big-endian: ``"YS1\\n"`` | counter u32 | payload length u16 | payload, a CBOR map
of key to value | CRC-32 of all before.
"""

import binascii
import struct

from firmware.core.errors import CoreError

TEXT = 0
BYTES = 1
CHOICE = 2

MAX_SLOT_BYTES = 4096
_MAGIC = b"YS1\n"
_HEAD_BYTES = 10
_CRC_BYTES = 4


class SchemaError(CoreError):
    """A value that a field does not take, or a slot that is not sound. Names the key, never the value."""


class Field:
    """One setting: key, kind, default, and its limits in bytes (TEXT, BYTES) or its choices (CHOICE).

    `exact`, if not 0, is the only length a non-empty BYTES value may have. An empty TEXT or BYTES value is
    always allowed and means "not set".
    """

    __slots__ = ("choices", "default", "exact", "key", "kind", "limit")

    def __init__(
        self,
        key: str,
        kind: int,
        default: object,
        limit: int = 0,
        exact: int = 0,
        choices: tuple[object, ...] = (),
    ) -> None:
        self.key = key
        self.kind = kind
        self.default = default
        self.limit = limit
        self.exact = exact
        self.choices = choices

    def takes(self, value: object) -> bool:
        """Whether `value` may be stored under this key."""
        if self.kind == CHOICE:
            # type first: True == 1, and a bool is no direction
            return any(type(value) is type(choice) and value == choice for choice in self.choices)
        if self.kind == TEXT:
            return isinstance(value, str) and len(value.encode()) <= self.limit and _printable(value)
        if not isinstance(value, bytes):
            return False
        return len(value) <= self.limit and (not self.exact or len(value) in (0, self.exact))


SETTINGS = (
    Field("device_id", TEXT, "", limit=32),
    Field("server_url", TEXT, "", limit=128),
    Field("ca_der", BYTES, b"", limit=2048),
    Field("place", TEXT, "", limit=64),
    Field("scene", TEXT, "public_place", limit=32),
    Field("language", CHOICE, "zh", choices=("zh", "en")),
    # Whether results are spoken.
    Field("voice", CHOICE, 0, choices=(0, 1)),
    Field("wifi_ssid", TEXT, "", limit=32),
    Field("wifi_key", TEXT, "", limit=64),
    Field("root_key", BYTES, b"", limit=64, exact=64),
    # The version of the newest pack that was in force, u32: no older one comes back.
    Field("pack_floor", BYTES, b"", limit=4, exact=4),
    # Names the token of the enrolment in force and its secret (firmware/services/keystore.py).
    Field("enrolled", BYTES, b"", limit=8, exact=8),
    # In a scene with entries and exits: 0 everybody comes in, 1 goes out, 2 whoever is inside goes out.
    Field("direction", CHOICE, 2, choices=(0, 1, 2)),
    # When the scene was chosen or confirmed, u32.
    Field("scene_unix", BYTES, b"", limit=4, exact=4),
    # firmware/services/pin.py: salt and hash, empty for the factory PIN; wrong tries since a good one.
    Field("pin", BYTES, b"", limit=24, exact=24),
    Field("pin_tries", BYTES, b"", limit=1, exact=1),
)


def _printable(text: str) -> bool:
    return all(byte >= 0x20 and byte != 0x7F for byte in text.encode())


def field_of(fields: tuple[Field, ...], key: str) -> Field:
    """The field of this key. Raises SchemaError for a key that does not exist."""
    for field in fields:
        if field.key == key:
            return field
    raise SchemaError("no setting " + key)


def defaults(fields: tuple[Field, ...]) -> dict[str, object]:
    """Every key with its default."""
    return {field.key: field.default for field in fields}


def cleaned(fields: tuple[Field, ...], stored: object) -> tuple[dict[str, object], list[str]]:
    """Every key with its stored value, or its default where that is missing or bad; and the keys that were
    bad.

    A key that is missing is not bad: a newer program has settings that an older one did not write.
    """
    values = defaults(fields)
    if not isinstance(stored, dict):
        return values, ["*"]
    bad: list[str] = []
    for field in fields:
        if field.key in stored:
            if field.takes(stored[field.key]):
                values[field.key] = stored[field.key]
            else:
                bad.append(field.key)
    return values, bad


def encode_slot(counter: int, payload: bytes) -> bytes:
    """A slot ready to be written. Raises SchemaError if it would be over 4,096 bytes."""
    if len(payload) > MAX_SLOT_BYTES - _HEAD_BYTES - _CRC_BYTES:
        raise SchemaError("settings too long")
    head = _MAGIC + struct.pack(">IH", counter & 0xFFFFFFFF, len(payload)) + payload
    return head + struct.pack(">I", binascii.crc32(head))


def parse_slot(data: bytes) -> tuple[int, bytes]:
    """Counter and payload of a slot. Raises SchemaError for anything but a whole one."""
    if not _HEAD_BYTES + _CRC_BYTES <= len(data) <= MAX_SLOT_BYTES or data[:4] != _MAGIC:
        raise SchemaError("not a settings slot")
    counter, length = struct.unpack(">IH", data[4:_HEAD_BYTES])
    if len(data) != _HEAD_BYTES + length + _CRC_BYTES:
        raise SchemaError("settings slot cut short")
    if struct.unpack(">I", data[-4:])[0] != binascii.crc32(data[:-4]):
        raise SchemaError("checksum of the settings slot")
    return counter, data[_HEAD_BYTES:-4]
