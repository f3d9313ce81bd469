"""Base45 (RFC 9285): two bytes as three characters of QR's alphanumeric set.

Strict both ways: no lower case, no white space beyond the alphabet's own space, no group above its range.
"""

from firmware.core.errors import CoreError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Groups = Callable[[bytes | memoryview, int, bytes, bytearray], int]

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"

_INVALID = 255


class Base45Error(CoreError):
    """Text that is not base45."""


def _table() -> bytes:
    """256 bytes: a character's code to its value, 255 where it has none."""
    table = bytearray([_INVALID] * 256)
    letters = ALPHABET.encode()  # a character out of a text would be interned
    for value in range(45):
        table[letters[value]] = value
    return bytes(table)


_VALUE_OF = _table()


def decode(text: "bytes | memoryview | str", groups: "Groups | None" = None) -> bytes:
    """The bytes that `text` stands for; raises Base45Error (RFC 9285 section 4.3, 6).

    `groups` does the work: the function below, or base45_native.groups where native code runs.
    """
    if isinstance(text, str):
        text = text.encode()
    length = len(text)
    if length % 3 == 1:
        raise Base45Error("length")
    out = bytearray(2 * length // 3)
    wrong = (groups or portable_groups)(text, length, _VALUE_OF, out)
    if wrong:
        raise Base45Error("character" if wrong == 1 else "group")
    return bytes(out)


def portable_groups(text: "bytes | memoryview", length: int, values: bytes, out: bytearray) -> int:
    """Decode `length` characters into `out`; 0, or 1 for a wrong character, 2 for a group out of range.

    `values` has the value of every byte, 255 for none.
    """
    at = 0
    i = 0
    whole = length - length % 3
    while i < whole:
        low, middle, high = values[text[i]], values[text[i + 1]], values[text[i + 2]]
        if (low | middle | high) & 0x80:
            return 1
        number = low + 45 * middle + 2025 * high
        if number > 0xFFFF:
            return 2
        out[at] = number >> 8
        out[at + 1] = number & 0xFF
        at += 2
        i += 3
    if i < length:
        low, middle = values[text[i]], values[text[i + 1]]
        if (low | middle) & 0x80:
            return 1
        if low + 45 * middle > 0xFF:
            return 2
        out[at] = low + 45 * middle
    return 0


def encode(data: bytes) -> str:
    """`data` as base45 text (RFC 9285 section 4.2)."""
    parts = []
    for i in range(0, len(data) - 1, 2):
        number = data[i] << 8 | data[i + 1]
        parts.append(ALPHABET[number % 45] + ALPHABET[number // 45 % 45] + ALPHABET[number // 2025])
    if len(data) & 1:
        parts.append(ALPHABET[data[-1] % 45] + ALPHABET[data[-1] // 45])
    return "".join(parts)
