"""Text and pictures from the asset files, drawn into displayio bitmaps.

The files are described in host_tools/device/assets.py. They stay in flash, which ROMFS makes readable as
memory: glyphs and pictures are drawn from there, without a copy. A character is found by two look-ups, its
page and its glyph's number. Nothing here fails on any text: what the font lacks is drawn as a box.

This file is the one place that goes past the displayio API: `Bitmap.lend` shows a picture where it stands,
and `Line` is a bitmap that draws its text anew whenever it is shown, for there is no memory to keep it.
"""

import struct

import framebuf

from drivers.displayio import Bitmap
from firmware.ui.texts import Texts

ELLIPSIS = "\u2026"
_SPACE = 0x20
#: Marks that must not begin a line.
_CLOSING = (0xFF0C, 0x3002, 0xFF1B, 0xFF1A, 0x3001, 0xFF01, 0xFF1F)
#: A line as wide as the screen, of large text.
_STRIP_BYTES = 240 * 30 // 4
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

    def __init__(self, path: str, strip: bytearray) -> None:
        """`strip` has room for the widest line; fonts may share it."""
        self._data = data = _contents(path, b"YF1")
        self._strip = strip
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

    def pixels(self, text: str, x: int, width: int) -> "tuple[memoryview, int, int, int, int]":
        """A text `x` pixels into a line of a width, cut at the edges, as framebuf's `blit` takes it.

        Good until the next call of this on any font with the same strip.
        """
        stride = (width + 3) // 4 * 4
        pixels = memoryview(self._strip)[: stride * self.height // 4]
        canvas = framebuf.FrameBuffer(pixels, width, self.height, framebuf.GS2_HMSB, stride)
        canvas.fill(0)
        for code in code_points(text):
            start = self._glyph(code)
            advance, left, top = struct.unpack_from(">bbb", self._data, start + self._cell)
            cell = (self._data[start : start + self._cell], self.size, self.size, framebuf.GS2_HMSB)
            canvas.blit(cell, x + left, top, 0)  # type: ignore[arg-type]
            x += advance
        return pixels, width, self.height, framebuf.GS2_HMSB, stride

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
    """A line of text as a bitmap of 4 values. Only as a whole: it has no memory for single pixels."""

    def __init__(self, font: Font, room: int) -> None:
        super().__init__(room, font.height, 4)
        self._font = font
        self._text = ""
        self._left = 0

    def set(self, text: str, x: int = 0) -> None:
        """Show a text with its left edge at `x`."""
        self._text = text
        self._left = x
        self.dirty()

    def _pixels(self) -> "tuple[memoryview, int, int, int, int]":
        return self._font.pixels(self._text, self._left, self.width)


class Pictures:
    """The pre-rendered words, digits and shapes by name."""

    def __init__(self, path: str) -> None:
        self._data = _contents(path, b"YP1")
        if len(self._data) < 4 + 24 * self._data[3]:
            raise AssetError("cut short: " + path)

    def _entry(self, name: str) -> "tuple[int, int, int, int]":
        """Bits per pixel, width, height and offset of a picture; raises AssetError for an unknown name."""
        wanted = name.encode()
        for i in range(self._data[3]):
            entry = struct.unpack_from(">15sBHHI", self._data, 4 + 24 * i)
            if entry[0].rstrip(b"\0") == wanted:
                return entry[1], entry[2], entry[3], entry[4]
        raise AssetError("no picture " + name)

    def size(self, name: str) -> "tuple[int, int]":
        """Width and height of a picture in pixels."""
        return self._entry(name)[1:3]

    def load(self, name: str) -> Bitmap:
        """A picture as a new bitmap."""
        bits, width, height, _ = self._entry(name)
        bitmap = Bitmap(width, height, 1 << bits)
        self.load_into(bitmap, name)
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
        strip = bytearray(_STRIP_BYTES)
        self.small = Font(directory + "/text16.bin", strip)
        self.large = Font(directory + "/text24.bin", strip)
        self.pictures = Pictures(directory + "/pictures.bin")
        self.texts = Texts(_contents(directory + "/texts.bin", b"YT1"))
        #: What firmware.ui.voice says.
        self.clips = _contents(directory + "/voice.bin", b"YV1")
