"""Every word on the screens, Chinese and English.

The words stand in firmware/ui/texts.txt, a text is named by its id. On the handheld they stay in flash as
``texts.bin`` (described in host_tools/device/assets.py) and are looked up there.
"""

import binascii
import struct

from firmware.core import reasons

if False:
    from typing import Callable

ZH = "zh"
EN = "en"
#: No line of the table is longer than this, in bytes.
_LONGEST = 256


class Texts:
    """The table of texts; `language` is "zh" or "en"."""

    def __init__(self, data: memoryview) -> None:
        """Take the bytes of a text file."""
        self.language = ZH
        #: Gives text and advice of a reason that signed rules brought, by number and language, or None.
        self.of_rules: "Callable[[int, str], tuple[str, str] | None] | None" = None
        self._data = data
        self._count = struct.unpack_from(">H", data, 4)[0]

    def get(self, text_id: str) -> str:
        """The text in the language set; an unknown id comes back itself: a strange word beats a dead
        screen."""
        data = self._data
        wanted = text_id.encode()
        hash = binascii.crc32(wanted) & 0xFFFF
        low, high = 0, self._count
        while low < high:
            middle = (low + high) // 2
            at = 6 + 2 * middle
            found = data[at] << 8 | data[at + 1]
            if found == hash:
                start = struct.unpack_from(">H", data, at + 2 * self._count)[0]
                line = bytes(data[start : start + _LONGEST]).split(b"\n", 1)[0].split(b"|")
                if line[0] != wanted:
                    break
                words: str = line[2 if self.language == EN else 1].decode()
                return words.replace("↵", "\n")
            if found < hash:
                low = middle + 1
            else:
                high = middle
        return text_id

    def trust_age(self, age_s: "int | None") -> str:
        """How old the pack is, in words; None stands for no pack."""
        if age_s is None:
            return self.get("age_trust_none")
        for text_id, unit_s in (("age_trust_days", 86_400), ("age_trust_hours", 3_600)):
            if age_s >= 2 * unit_s:
                return self.get(text_id).format(age_s // unit_s)
        return self.get("age_trust_minutes").format(max(0, age_s) // 60)

    def reason(self, reason: int) -> str:
        """One line why."""
        return self._of(reason, 0)

    def advice(self, reason: int) -> str:
        """What to do about it."""
        return self._of(reason, 1)

    def _of(self, reason: int, part: int) -> str:
        if reason < reasons.FIRST_OF_RULES:
            return self.get(advice_text(reason) if part else reason_text(reason))
        found = self.of_rules(reason, self.language) if self.of_rules else None
        if found:
            return found[part]
        return self.get(("reason_of_rule", "advice_of_rule")[part]).replace("{}", "%d" % reason)

    def test_age(self, days: int) -> str:
        """How long ago the last negative test was taken."""
        return self.get("test_days").format(days) if days > 0 else self.get("test_today")


def reason_text(reason: int) -> str:
    """The id of the line that says why."""
    return "reason_" + reasons.name_of(reason)


def advice_text(reason: int) -> str:
    """The id of the line that says what to do."""
    return "advice_" + reasons.name_of(reason)
