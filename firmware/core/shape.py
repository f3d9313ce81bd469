"""Small checks that hold a decoded CBOR object against its CDDL; each returns the value, now of a known type.

The modules that own a format catch ShapeError at their entry and raise their own.
"""

from firmware.core.errors import CoreError

UINT_MAX = 0xFFFFFFFFFFFFFFFF
# Unix seconds: what the clock of the ESP32 can hold with room to add days. Keeps sums inside 64 bits.
UNIX_MAX = 0xFFFFFFFF


class ShapeError(CoreError):
    """A decoded object that is not what its format says."""


def mapping(value: object, required: tuple[int, ...], optional: tuple[int, ...] = ()) -> dict[int, object]:
    """A map with all `required` keys and no others but `optional` ones."""
    if not isinstance(value, dict):
        raise ShapeError("map expected")
    for key in required:
        if key not in value:
            raise ShapeError("key %d missing" % key)
    for key in value:
        if key not in required and key not in optional:
            raise ShapeError("unknown key")
    return value


def array(value: object, low: int, high: int) -> list[object]:
    """An array of `low` to `high` elements."""
    if not isinstance(value, list) or not low <= len(value) <= high:
        raise ShapeError("array expected")
    return value


def uint(value: object, limit: int = UINT_MAX) -> int:
    """A whole number from 0 to `limit`."""
    if type(value) is not int or not 0 <= value <= limit:
        raise ShapeError("unsigned number expected")
    return value


def sint(value: object, limit: int = 0x7FFFFFFF) -> int:
    """A whole number from -`limit` - 1 to `limit`."""
    if type(value) is not int or not -limit - 1 <= value <= limit:
        raise ShapeError("number expected")
    return value


def unix(value: object) -> int:
    """A time in Unix seconds."""
    return uint(value, UNIX_MAX)


def choice(value: object, count: int) -> int:
    """One of 0 to `count` - 1."""
    return uint(value, count - 1)


def octets(value: object, low: int, high: int | None = None) -> bytes:
    """A byte string of `low` to `high` bytes; of exactly `low` without `high`."""
    if type(value) is not bytes or not low <= len(value) <= (low if high is None else high):
        raise ShapeError("bytes expected")
    return value


def text(value: object, high: int, low: int = 0) -> str:
    """A text of `low` to `high` bytes of UTF-8."""
    if type(value) is not str or not low <= len(value.encode()) <= high:
        raise ShapeError("text expected")
    return value
