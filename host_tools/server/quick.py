"""Reading what handhelds send at speed: the plain form of a record's CBOR (RFC 8949), in one loop.

Records are maps from small numbers to numbers, byte strings, texts and arrays of numbers. `read` takes those
and leaves all else to the strict reader of `firmware.core.cbor`; where it does answer, it answers the same.
"""

from __future__ import annotations

from typing import Any

_UNSIGNED, _NEGATIVE, _BYTES, _TEXT, _ARRAY = range(5)


def read(data: bytes) -> dict[int, Any] | None:
    """The map that `data` holds, None where the strict reader has to look."""
    try:
        return _map(data)
    except (IndexError, UnicodeDecodeError):
        return None


def _map(data: bytes) -> dict[int, Any] | None:
    count = data[0] - 0xA0
    if not 0 <= count < 24:
        return None
    fields: dict[int, Any] = {}
    at = 1
    for _ in range(count):
        key, head = data[at], data[at + 1]
        at += 2
        if key > 23 or key in fields:
            return None
        kind, size = head >> 5, head & 31
        if size > 23:
            if size > 26:
                return None
            end = at + (1 << (size - 24))
            size = int.from_bytes(data[at:end], "big")
            at = end
        if kind == _UNSIGNED:
            fields[key] = size
        elif kind == _BYTES:
            fields[key] = data[at : at + size]
            at += size
        elif kind == _TEXT:
            fields[key] = data[at : at + size].decode()
            at += size
        elif kind == _ARRAY and size < 24:
            items: list[int] = []
            for _ in range(size):
                head = data[at]
                at += 1
                number = head & 31
                if head > 0x3F or number > 26:
                    return None
                if number > 23:
                    end = at + (1 << (number - 24))
                    number = int.from_bytes(data[at:end], "big")
                    at = end
                items.append(number if head < 0x20 else -1 - number)
            fields[key] = items
        else:
            return None
    # A slice beyond the end is short and says nothing; here it shows.
    return fields if at == len(data) else None
