"""Base45 (RFC 9285): two bytes as three characters of QR's alphanumeric set.

Strict both ways: no lower case, no white space beyond the alphabet's own space, no group above its range.
"""

from firmware.core.errors import CoreError

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"

_INVALID = 255


class Base45Error(CoreError):
    """Text that is not base45."""


def _table() -> bytes:
    """256 bytes: a character's code to its value, 255 where it has none."""
    table = bytearray([_INVALID] * 256)
    for value in range(45):
        table[ord(ALPHABET[value])] = value
    return bytes(table)


_VALUE_OF = _table()


def decode(text: bytes | str) -> bytes:
    """The bytes that `text` stands for; raises Base45Error (RFC 9285 section 4.3, 6)."""
    if isinstance(text, str):
        text = text.encode()
    length = len(text)
    groups, rest = divmod(length, 3)
    if rest == 1:
        raise Base45Error("length")
    out = bytearray(2 * groups + rest // 2)
    values = _VALUE_OF
    at = 0
    for i in range(0, 3 * groups, 3):
        low, middle, high = values[text[i]], values[text[i + 1]], values[text[i + 2]]
        # 255 in any place lifts the sum's check out of reach only for `high`, so all three are looked at.
        if low > 44 or middle > 44 or high > 44:
            raise Base45Error("character")
        number = low + 45 * middle + 2025 * high
        if number > 0xFFFF:
            raise Base45Error("group")
        out[at] = number >> 8
        out[at + 1] = number & 0xFF
        at += 2
    if rest:
        low, middle = values[text[-2]], values[text[-1]]
        if low > 44 or middle > 44:
            raise Base45Error("character")
        number = low + 45 * middle
        if number > 0xFF:
            raise Base45Error("group")
        out[at] = number
    return bytes(out)


def encode(data: bytes) -> str:
    """`data` as base45 text (RFC 9285 section 4.2)."""
    parts = []
    for i in range(0, len(data) - 1, 2):
        number = data[i] << 8 | data[i + 1]
        parts.append(ALPHABET[number % 45] + ALPHABET[number // 45 % 45] + ALPHABET[number // 2025])
    if len(data) & 1:
        parts.append(ALPHABET[data[-1] % 45] + ALPHABET[data[-1] // 45])
    return "".join(parts)
