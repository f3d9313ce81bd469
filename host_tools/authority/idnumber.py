"""ID numbers: checked, hashed with the authority's own key, and forgotten but for the last four characters.

ID numbers are few enough to try all of them against a plain hash; without the key that is of no use.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from pathlib import Path

from host_tools.files import create_private

TAIL = 4
#: Other papers (passport, travel permit): letters and digits. 18 characters are always a resident ID.
_OTHER = re.compile(r"[A-Z0-9]{5,17}", re.ASCII)
_RESIDENT = re.compile(r"[1-9][0-9]{16}[0-9X]", re.ASCII)
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECK = "10X98765432"


class IdNumberError(ValueError):
    """Not an ID number. The message does not repeat it."""


def normal(text: str) -> str:
    """The one spelling of an ID number. Raises IdNumberError.

    A resident ID has 18 characters, the last a check by ISO 7064 MOD 11-2 as in GB 11643-1999.
    """
    if len(text) > 32:
        raise IdNumberError("the ID number is too long")
    number = text.strip().replace(" ", "").upper()
    if len(number) == 18:
        if not _RESIDENT.fullmatch(number) or check_character(number[:17]) != number[17]:
            raise IdNumberError("the ID number's check character is wrong")
    elif not _OTHER.fullmatch(number):
        raise IdNumberError("not an ID number (18 characters, or 5 to 17 letters and digits)")
    return number


def check_character(digits: str) -> str:
    """The 18th character for the first 17 of a resident ID."""
    return _CHECK[sum(int(digit) * weight for digit, weight in zip(digits, _WEIGHTS, strict=True)) % 11]


class IdHash:
    """Keyed hashes (HMAC-SHA-256); the key is a file of its own, made on first use."""

    def __init__(self, key_file: Path) -> None:
        self._key = bytes.fromhex(create_private(key_file, secrets.token_hex(32).encode()).decode())

    def __call__(self, number: str) -> bytes:
        """The hash of an ID number in any spelling. Raises IdNumberError."""
        return hmac.new(self._key, normal(number).encode(), hashlib.sha256).digest()
