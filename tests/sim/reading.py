"""Reads words off the simulated screen: looks for their glyphs, pixel by pixel, in a screenshot.

The font file's layout is the one in host_tools/device/assets.py. The colours are not known here: full strokes
must all have one colour, the ground between them another.
"""

from __future__ import annotations

import struct
from pathlib import Path

from PIL import Image

from host_tools.device.assets import TEXTS

FULL = 3


class Font:
    """The glyphs of one font file."""

    def __init__(self, path: Path) -> None:
        self._data = data = path.read_bytes()
        self.size, self.height = data[3], data[6]
        self._start = 264 + 512 * max(data[8:264])
        self._bytes = self.size * self.size // 4

    def _glyph(self, char: str) -> bytes:
        page = self._data[8 + (ord(char) >> 8)]
        at = 264 + 512 * (page - 1) + 2 * (ord(char) & 255)
        number = struct.unpack_from(">H", self._data, at)[0] if page else 0
        assert number, f"the font has no {char!r}"
        at = self._start + number * (self._bytes + 4)
        return self._data[at : at + self._bytes + 4]

    def render(self, text: str) -> list[tuple[int, int, int]]:
        """Pixels (x, y, level 0 to 3) of a text; no level where no glyph's cell lies."""
        pixels: dict[tuple[int, int], int] = {}
        pen = 0
        for char in text:
            glyph = self._glyph(char)
            advance, left, top = struct.unpack_from(">bbb", glyph, self._bytes)
            for index in range(self.size * self.size):
                level = glyph[index // 4] >> index % 4 * 2 & 3
                at = (pen + left + index % self.size, top + index // self.size)
                pixels[at] = max(level, pixels.get(at, 0))
            pen += advance
        return [(x, y, level) for (x, y), level in pixels.items()]


def find(image: Image.Image, font: Font, text: str) -> tuple[int, int] | None:
    """Where a text stands in a picture, None where it does not."""
    width, height = image.size
    raw = image.tobytes()
    pixels = [raw[i : i + 3] for i in range(0, len(raw), 3)]
    rendered = font.render(text)
    strokes = [y * width + x for x, y, level in rendered if level == FULL]
    ground = [y * width + x for x, y, level in rendered if level == 0]
    right = max(x for x, y, level in rendered if level)
    strokes.sort(key=lambda at: at * 7919 % 1009)  # neighbours are alike: far pixels tell sooner
    first, others = strokes[0], strokes[1:]
    for top in range(height - font.height + 1):
        for left in range(width - right):
            at = top * width + left
            ink = pixels[at + first]
            if ink == pixels[at + ground[0]] or any(pixels[at + other] != ink for other in others):
                continue
            paper = pixels[at + ground[0]]
            if all(pixels[at + other] == paper for other in ground if at + other < len(pixels)):
                return left, top
    return None


def words(text_id: str, language: str = "zh") -> str:
    """A text of the screens by its id."""
    for line in TEXTS.read_text("utf-8").splitlines():
        parts = line.split("|")
        if parts[0] == text_id:
            return parts[1 if language == "zh" else 2]
    raise KeyError(text_id)
