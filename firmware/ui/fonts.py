"""Text and pictures from the asset files, drawn into displayio bitmaps.

The files are described in host_tools/device/assets.py. A font stays in flash: a character is found by two
look-ups (page table in memory, glyph number in the file), its glyph is kept in one of a few slots, the one
longest unused is given up. Nothing here fails on any text: what the font lacks is drawn as a box.

This file is the one place that goes past the displayio API: `Bitmap.canvas` and `Bitmap.raw` let framebuf
copy glyphs and files fill bitmaps.
"""

import struct

import framebuf

from drivers.displayio import Bitmap
from firmware.ui.texts import Texts

if False:
    from io import BufferedReader

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


def _open(path: str, magic: bytes) -> "tuple[BufferedReader, bytes]":
    """The open file and its first four bytes; raises AssetError."""
    file = None
    try:
        file = open(path, "rb")
    except OSError:
        pass
    if file is None:
        raise AssetError("missing: " + path)
    head = file.read(4)
    if len(head) != 4 or head[:3] != magic:
        file.close()
        raise AssetError("not an asset file: " + path)
    return file, head


class Font:
    """One size of text. `height` is the height of a line in pixels, Chinese characters are `size` wide."""

    def __init__(self, path: str, slots: int) -> None:
        self._file, head = _open(path, b"YF1")
        self.size = head[3]
        rest = self._file.read(_HEADER - 4)
        if len(rest) != _HEADER - 4 or self.size not in (16, 24):
            raise AssetError("not a font: " + path)
        self._glyphs = struct.unpack(">H", rest)[0]
        self.height = rest[2]
        self._pages = rest[4:]
        self._start = _HEADER + _PAGE * max(self._pages)
        self._cell = self.size * self.size // 4
        #: The glyphs in the slots as they are in the file, and the code of the character in each.
        self._slots = memoryview(bytearray(slots * (self._cell + 4)))
        self._codes = [-1] * slots
        #: Numbers of the slots, the longest unused first.
        self._order = list(range(slots))

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

    def draw(self, bitmap: Bitmap, text: str, x: int, y: int) -> None:
        """Draw a text into a bitmap of 4 values with the line's upper left corner at a point; cut at the
        edges."""
        canvas = bitmap.canvas()
        end = x
        for code in code_points(text):
            glyph = self._glyph(code)
            advance, left, top = struct.unpack_from(">bbb", glyph, self._cell)
            cell = framebuf.FrameBuffer(glyph, self.size, self.size, framebuf.GS2_HMSB)
            canvas.blit(cell, end + left, y + top, 0)
            end += advance
        bitmap.dirty(max(0, x), max(0, y), min(bitmap.width, end), min(bitmap.height, y + self.height))

    def _advance(self, code: int) -> int:
        """Width of a character in pixels."""
        return self._glyph(code)[self._cell]

    def _glyph(self, code: int) -> memoryview:
        """The glyph of a character: pixels, advance, left, top. Good until as many others as there are
        slots."""
        order = self._order
        size = self._cell + 4
        if code in self._codes:
            slot = self._codes.index(code)
            order.remove(slot)
            order.append(slot)
            return self._slots[slot * size : (slot + 1) * size]
        slot = order.pop(0)
        order.append(slot)
        self._codes[slot] = code
        glyph = self._slots[slot * size : (slot + 1) * size]
        self._file.seek(self._start + self._number(code) * size)
        if self._file.readinto(glyph) != size:
            glyph[:] = bytes(size)
        return glyph

    def _number(self, code: int) -> int:
        """The number of a character's glyph, 0 for the box."""
        page = self._pages[code >> 8] if code < 0x10000 else 0
        if not page:
            return 0
        self._file.seek(_HEADER + _PAGE * (page - 1) + 2 * (code & 255))
        pair = self._file.read(2)
        number = pair[0] << 8 | pair[1] if len(pair) == 2 else 0
        return number if number < self._glyphs else 0


class Pictures:
    """The pre-rendered words, digits and shapes by name."""

    def __init__(self, path: str) -> None:
        self._file, head = _open(path, b"YP1")
        self._index = self._file.read(24 * head[3])
        if len(self._index) != 24 * head[3]:
            raise AssetError("cut short: " + path)

    def _entry(self, name: str) -> "tuple[int, int, int, int]":
        """Bits per pixel, width, height and offset of a picture; raises AssetError for an unknown name."""
        wanted = name.encode()
        for at in range(0, len(self._index), 24):
            entry = struct.unpack_from(">15sBHHI", self._index, at)
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
        self._file.seek(offset)
        self._file.readinto(bitmap.raw())
        bitmap.dirty()


class Fonts:
    """All assets of a directory: `small` is for details, `large` for what is read at arm's length.

    A slot of the fonts takes about 0.2 kB; there are enough for the longest line and the digits that tick.
    """

    def __init__(self, directory: str) -> None:
        self.small = Font(directory + "/text16.bin", 32)
        self.large = Font(directory + "/text24.bin", 20)
        self.pictures = Pictures(directory + "/pictures.bin")
        self.texts = Texts(_open(directory + "/texts.bin", b"YT1")[0])
