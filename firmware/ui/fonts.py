"""Text and pictures from the asset files, drawn into displayio bitmaps.

The files are described in host_tools/device/assets.py. They stay in flash, which ROMFS makes readable as
memory: glyphs and pictures are drawn from there, without a copy. A character is found by two look-ups, its
page and its glyph's number. Nothing here fails on any text: what the font lacks is drawn as a box.

This file is the one place that goes past the displayio API: `Bitmap.lend` shows a picture where it stands,
and `Line` is a bitmap that draws its glyphs whenever it is shown, for there is no memory to keep it.
"""

import struct

import framebuf

from drivers.displayio import Bitmap
from firmware.ui.texts import Texts

if False:
    from typing import Iterator

ELLIPSIS = "\u2026"
_SPACE = 0x20
#: Marks that must not begin a line.
_CLOSING = (0xFF0C, 0x3002, 0xFF1B, 0xFF1A, 0x3001, 0xFF01, 0xFF1F)
_HEADER = 264
_PAGE = 512


class AssetError(Exception):
    """An asset file is missing or is not one."""


def code_points(text: str) -> "list[int]":
    """The code points of a text.

    MicroPython keeps every character that a loop over a string or an index into it has met, for ever: with
    enough names that would fill the memory. Slices and bytes leave nothing behind.
    """
    points: "list[int]" = []
    for byte in text.encode():
        if byte < 0x80:
            points.append(byte)
        elif byte >= 0xC0:
            points.append(byte & (0x1F if byte < 0xE0 else 0x0F if byte < 0xF0 else 0x07))
        else:
            points[-1] = points[-1] << 6 | byte & 0x3F
    return points


def _contents(path: str, magic: bytes) -> memoryview:
    """All bytes of an asset file; raises AssetError."""
    data = None
    try:
        with open(path, "rb") as file:
            try:
                # A file in ROMFS lends its memory.
                data = memoryview(file)
            except TypeError:
                data = memoryview(file.read())
    except OSError:
        pass
    if data is None:
        raise AssetError("missing: " + path)
    if len(data) < 4 or data[:3] != magic:
        raise AssetError("not an asset file: " + path)
    return data


class Font:
    """One size of text. `height` is the height of a line in pixels, Chinese characters are `size` wide."""

    def __init__(self, path: str) -> None:
        self._data = data = _contents(path, b"YF1")
        self.size = data[3]
        if len(data) < _HEADER or self.size not in (16, 24):
            raise AssetError("not a font: " + path)
        self._glyphs, self.height = struct.unpack_from(">HB", data, 4)
        self._start = _HEADER + _PAGE * max(data[8:_HEADER])
        self._cell = self.size * self.size // 4
        if len(data) < self._start + self._glyphs * (self._cell + 4):
            raise AssetError("cut short: " + path)

    def width(self, text: str) -> int:
        """Width of a text in pixels."""
        return sum([self._advance(code) for code in code_points(text)])

    def fit(self, text: str, width: int) -> str:
        """The text, or as much of its beginning as fits with an ellipsis."""
        room = width - self._advance(ord(ELLIPSIS))
        used = kept = 0
        for i, code in enumerate(code_points(text)):
            used += self._advance(code)
            if used <= room:
                kept = i + 1
            elif used > width:
                return text[:kept].rstrip() + ELLIPSIS
        return text

    def wrap(self, text: str, width: int, lines: int) -> "list[str]":
        """The text on at most `lines` lines, broken after spaces or between Chinese characters.

        A newline in the text breaks as well. The last line is cut with an ellipsis where the text is too
        long.
        """
        broken: "list[str]" = []
        for part in text.split("\n"):
            while part:
                cut = self._break(part, width)
                broken.append(part[:cut].strip())
                part = part[cut:].lstrip()
        if len(broken) > lines:
            broken[lines - 1] = self.fit(broken[lines - 1] + ELLIPSIS, width)
        return broken[:lines]

    def _break(self, text: str, width: int) -> int:
        """How many characters of a text go on the first line; at least one."""
        used = 0
        best = 0
        points = code_points(text)
        for i, code in enumerate(points):
            used += self._advance(code)
            if used > width:
                return best or max(1, i)
            following = points[i + 1] if i + 1 < len(points) else _SPACE
            if _SPACE in (code, following) or (code > 0x2E7F and following not in _CLOSING):
                best = i + 1
        return len(points)

    def place(self, text: str) -> "tuple[bytes, int]":
        """The glyphs of a text, number (2 bytes) and left edge of each, and the width of the text in pixels.

        Nothing stands left of 0 or right of 255: a line is no wider than the screen.
        """
        x = 0
        places = bytearray()
        data = self._data
        record = self._cell + 4
        for code in code_points(text):
            start = self._glyph(code)
            number = (start - self._start) // record
            left = data[start + self._cell + 1]
            places.append(number >> 8)
            places.append(number & 255)
            # The cell's left edge is a signed byte.
            places.append(max(0, min(x + (left if left < 128 else left - 256), 255)))
            x += data[start + self._cell]
        return bytes(places), x

    def glyph(self, number: int) -> "tuple[memoryview, int]":
        """The pixels of a glyph, a square of `size` in GS2_HMSB, and the row of the line where it begins."""
        start = self._start + number * (self._cell + 4)
        end = start + self._cell
        return self._data[start:end], self._data[end + 2]

    def _advance(self, code: int) -> int:
        """Width of a character in pixels."""
        return self._data[self._glyph(code) + self._cell]

    def _glyph(self, code: int) -> int:
        """Where the glyph of a character begins: pixels, advance, left, top. That of the box for others."""
        data = self._data
        page = data[8 + (code >> 8)] if code < 0x10000 else 0
        number = 0
        if page:
            at = _HEADER + _PAGE * (page - 1) + 2 * (code & 255)
            number = data[at] << 8 | data[at + 1]
        return self._start + (number if number < self._glyphs else 0) * (self._cell + 4)


class Line(Bitmap):
    """A line of text as a bitmap of 4 values, the lowest of them never drawn.

    Only as a whole: it has no memory for pixels, and draws its glyphs from the font whenever it is shown.
    """

    def __init__(self, font: Font, room: int) -> None:
        super().__init__(room, font.height, 4)
        self._font = font
        self._places = b""
        self._left = 0

    def set(self, text: str, align: int = 0) -> None:
        """Show a text at the left (0), centred (1) or at the right (2), cut with an ellipsis if it must."""
        places, width = self._font.place(text)
        if width > self.width:
            places, width = self._font.place(self._font.fit(text, self.width))
        self.show(places, (self.width - width) * align // 2)

    def show(self, places: bytes, left: int) -> None:
        """Show what `Font.place` made of a text, so far from the left edge."""
        self._places = places
        self._left = left
        self.dirty()

    def cells(self) -> "Iterator[tuple[memoryview, int, int]]":
        """Pixels, left and upper edge of each glyph."""
        places = self._places
        for i in range(0, len(places), 3):
            pixels, top = self._font.glyph(places[i] << 8 | places[i + 1])
            yield pixels, self._left + places[i + 2], top

    def _is_plain(self) -> bool:
        return False

    def _blit(
        self, canvas: framebuf.FrameBuffer, x: int, y: int, row: framebuf.FrameBuffer, key: int
    ) -> None:
        size = self._font.size
        for pixels, left, top in self.cells():
            # A cell is wider than its character: what of it lies beyond the line is not drawn.
            if left < self.width:
                cell = (pixels, min(size, self.width - left), size, framebuf.GS2_HMSB, size)
                canvas.blit(cell, x + left, y + top, key, row)  # type: ignore[arg-type]


class Pictures:
    """The pre-rendered words, digits and shapes by name."""

    def __init__(self, path: str) -> None:
        self._data = _contents(path, b"YP1")
        if len(self._data) < 4 + 24 * self._data[3]:
            raise AssetError("cut short: " + path)

    def _entry(self, name: str) -> "tuple[int, int, int, int]":
        """Bits per pixel, width, height and offset of a picture; raises AssetError for an unknown name."""
        wanted = (name.encode() + bytes(15))[:15]
        low, high = 0, self._data[3]
        while low < high:
            middle = (low + high) // 2
            entry = struct.unpack_from(">15sBHHI", self._data, 4 + 24 * middle)
            if entry[0] == wanted:
                return entry[1], entry[2], entry[3], entry[4]
            if entry[0] < wanted:
                low = middle + 1
            else:
                high = middle
        raise AssetError("no picture " + name)

    def size(self, name: str) -> "tuple[int, int]":
        """Width and height of a picture in pixels."""
        return self._entry(name)[1:3]

    def load(self, name: str) -> Bitmap:
        """A picture as a new bitmap."""
        bits, width, height, offset = self._entry(name)
        bitmap = Bitmap(width, height, 1 << bits)
        bitmap.lend(self._data[offset : offset + (width * bits + 7) // 8 * height])
        return bitmap

    def load_into(self, bitmap: Bitmap, name: str) -> None:
        """Replace all pixels of a bitmap that has the picture's size; raises AssetError where it has
        another."""
        bits, width, height, offset = self._entry(name)
        if (bits, width, height) != (bitmap.bits_per_value, bitmap.width, bitmap.height):
            raise AssetError("another size: " + name)
        bitmap.lend(self._data[offset : offset + (width * bits + 7) // 8 * height])


class Fonts:
    """All assets of a directory: `small` is for details, `large` for what is read at arm's length."""

    def __init__(self, directory: str) -> None:
        self.small = Font(directory + "/text16.bin")
        self.large = Font(directory + "/text24.bin")
        self.pictures = Pictures(directory + "/pictures.bin")
        self.texts = Texts(_contents(directory + "/texts.bin", b"YT1"))
        #: What firmware.ui.voice says.
        self.clips = _contents(directory + "/voice.bin", b"YV1")
