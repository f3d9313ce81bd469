"""Makes the fonts and pictures of the handheld from the OFL font Noto Sans CJK, and has its speech made.

Run as ``python -m host_tools.device.assets DIRECTORY``. Text is stored antialiased, 2 bits per pixel in
framebuf's GS2_HMSB order (first pixel in the lowest bits). All integers are big-endian.

Font files ``text16.bin`` and ``text24.bin``, GB2312, Latin and signs::

    0    3  "YF1"
    3    1  size, cells are size x size pixels
    4    2  number of glyphs
    6    1  height of a line of text
    7    1  reserved
    8  256  page table: 1 + number of the page of U+nn00 to U+nnFF, 0 for none
    264     pages of 256 glyph numbers, 2 bytes each; glyph 0 is the box for a missing character
    then    glyphs: the cell's pixels, then advance, left and top of the cell as signed bytes, 0

Picture file ``pictures.bin``::

    0    3  "YP1"
    3    1  number of pictures
    4       per picture 24 bytes, by name: name (15, NUL-padded), bits per pixel, width (2), height (2),
            offset (4)
    then    pixels, rows padded to whole bytes

Text file ``texts.bin``, from firmware/ui/texts.txt::

    0    4  "YT1", 0
    4    2  number of texts
    6       lower 16 bits of CRC-32 of each id, ascending, then the offset of each line, 2 bytes each
    then    lines of id|Chinese|English in UTF-8

Clip file ``voice.bin``: see speech.py.
"""

from __future__ import annotations

import binascii
import hashlib
import importlib.util
import io
import os
import shutil
import struct
import sys
import unicodedata
from pathlib import Path

import PIL
from PIL import Image, ImageDraw, ImageFont, features

from host_tools.device import opentype, shapes, speech

ROOT = Path(__file__).resolve().parent.parent.parent
FONT_PACKAGE = "cvttf_NotoSansCJK_Regular"
FONT_FILE = "NotoSansCJKtc-Regular.otf"
#: Size of the font, height of a line, row of the line where a Chinese character's square begins.
SIZES = {16: (21, 2), 24: (31, 3)}
#: The square of a Chinese character lies this much of its size above the baseline.
SQUARE_ASCENT = 0.88
#: Large words: what they say and the size that fills the width of the panel.
WORDS = {
    "pass_zh": ("通行", 62),
    "stop_zh": ("禁止通行", 56),
    "attention_zh": ("需核实", 62),
    "pass_en": ("PASS", 72),
    "stop_en": ("STOP", 72),
    "attention_en": ("CHECK", 68),
    "in_zh": ("入", 54),
    "in_en": ("IN", 50),
    "out_zh": ("出", 54),
    "out_en": ("OUT", 40),
    "show_zh": ("请出示健康码", 37),
    "show_en": ("Show your code", 30),
}
FILES = ("text16.bin", "text24.bin", "pictures.bin", "texts.bin", "voice.bin")
TEXTS = speech.TEXTS
LONGEST_LINE = 256
DIGITS = "0123456789.-X"
DIGIT_SIZE = 72
#: Signs beyond GB2312 and Latin that a text may need.
SIGNS = "…–—·•℃°×→←↑↓✓"


#: Letters of European names that the font may lack, and the letter that is shown for each.
LATIN_BASES = {
    chr(code): unicodedata.normalize("NFKD", chr(code))[0]
    for code in range(0x100, 0x180)
    if ord(unicodedata.normalize("NFKD", chr(code))[0]) < 0x80
} | dict(zip("ĦħıŁłĸŉŊŋŦŧ", "HhiLlknNnTt", strict=True))


def _pack(pixels: bytes, width: int, height: int, bits: int) -> bytes:
    """Levels, one byte each, to framebuf's order: GS2_HMSB first pixel lowest, GS4_HMSB first pixel
    highest."""
    per_byte = 8 // bits
    out = bytearray()
    for y in range(height):
        row = pixels[y * width : (y + 1) * width].ljust((width + per_byte - 1) // per_byte * per_byte, b"\0")
        for x in range(0, len(row), per_byte):
            byte = 0
            for i in range(per_byte):
                byte |= row[x + i] << bits * (i if bits == 2 else per_byte - 1 - i)
            out.append(byte)
    return bytes(out)


def _levels(image: Image.Image, gamma: float = 0.8) -> bytes:
    """Coverage 0-255 to four levels; the curve gives thin strokes the weight they lose on a dark ground."""
    table = [round(3 * (v / 255) ** gamma) for v in range(256)]
    return image.point(table).tobytes()


class Face:
    """The font at one size."""

    def __init__(self, data: bytes, size: int) -> None:
        self.size = size
        self._font = ImageFont.truetype(io.BytesIO(data), size, layout_engine=ImageFont.Layout.BASIC)

    def advance(self, text: str) -> int:
        """Width of a text in whole pixels."""
        return round(self._font.getlength(text))

    def ink(self, text: str) -> tuple[int, int, int, int]:
        """Left, top, right, bottom of the drawn pixels, relative to the pen on the baseline."""
        left, top, right, bottom = self._font.getbbox(text, anchor="ls")
        return int(left), int(top), int(right), int(bottom)

    def draw(
        self, text: str, width: int, height: int, pen: tuple[int, int], stroke: float = 0
    ) -> Image.Image:
        """The text on an empty picture, the pen on the baseline."""
        image = Image.new("L", (width, height))
        ImageDraw.Draw(image).text(pen, text, fill=255, font=self._font, anchor="ls", stroke_width=stroke)
        return image


def _glyph(face: Face, char: str, line: int, top: int) -> bytes:
    """One glyph record. The cell moves down for what hangs below the line, up for accents, left for
    overhang."""
    size = face.size
    baseline = top + round(size * SQUARE_ASCENT)
    ink = face.ink(char)
    left = max(min(0, ink[0]), -size // 4)
    if baseline + ink[3] > top + size:
        top = baseline + ink[3] - size
    top = max(0, min(top, line - size, max(0, baseline + ink[1]) if baseline + ink[1] < top else top))
    cell = face.draw(char, size, size, (-left, baseline - top))
    advance = face.advance(char)
    return _pack(_levels(cell), size, size, 2) + struct.pack(">bbbB", advance, left, top, 0)


def _box(size: int, top: int) -> bytes:
    """The glyph of a missing character."""
    image = Image.new("L", (size, size))
    ImageDraw.Draw(image).rectangle((2, 2, size - 3, size - 2), outline=255)
    return _pack(_levels(image), size, size, 2) + struct.pack(">bbbB", size, 0, top, 0)


def font_file(data: bytes, size: int, chars: list[str]) -> bytes:
    """A font file with these characters."""
    line, top = SIZES[size]
    face = Face(data, size)
    pages: dict[int, list[int]] = {}
    glyphs = [_box(size, top)]
    for char in chars:
        pages.setdefault(ord(char) >> 8, [0] * 256)[ord(char) & 255] = len(glyphs)
        glyphs.append(_glyph(face, char, line, top))
    for char, other in LATIN_BASES.items():
        cells = pages.setdefault(ord(char) >> 8, [0] * 256)
        cells[ord(char) & 255] = cells[ord(char) & 255] or pages[0][ord(other)]
    table = bytearray(256)
    for number, page in enumerate(sorted(pages)):
        table[page] = number + 1
    indexes = b"".join(struct.pack(">256H", *pages[page]) for page in sorted(pages))
    header = struct.pack(">3sBHBB", b"YF1", size, len(glyphs), line, 0)
    return header + bytes(table) + indexes + b"".join(glyphs)


def text_chars(known: set[int]) -> list[str]:
    """GB2312, Latin, our signs and what else the texts' source holds, as far as the font has them."""
    source = TEXTS.read_text("utf-8")
    chars = {chr(c) for c in (*range(0x20, 0x7F), *range(0xA0, 0x180))} | set(SIGNS)
    chars |= {c for c in source if ord(c) > 0x7F}
    for row in range(0xA1, 0xF8):
        for cell in range(0xA1, 0xFF):
            try:
                chars.add(bytes((row, cell)).decode("gb2312"))
            except UnicodeDecodeError:
                continue
    return sorted(c for c in chars if ord(c) in known)


def _word(data: bytes, text: str, size: int) -> tuple[bytes, int, int]:
    face = Face(data, size)
    ink = face.ink(text)
    width, height = ink[2] - ink[0] + 4, ink[3] - ink[1] + 4
    image = face.draw(text, width, height, (2 - ink[0], 2 - ink[1]), stroke=size / 56)
    return _pack(_levels(image), width, height, 2), width, height


def _digit(data: bytes, char: str) -> tuple[bytes, int, int]:
    face = Face(data, DIGIT_SIZE)
    height = 56
    width = face.advance(char)
    if char == "-":
        width = face.advance("0")
    ink = face.ink(char)
    left = (width - ink[2] - ink[0]) // 2
    # A hyphen stands at half the height of small letters; beside digits it belongs higher.
    raised = 8 if char == "-" else 0
    image = face.draw(char, width, height, (left, height - 2 - raised), stroke=0.5)
    return _pack(_levels(image), width, height, 2), width, height


def picture_file(data: bytes) -> bytes:
    """The big words, the big digits and the shapes."""
    pictures: dict[str, tuple[int, bytes, int, int]] = {}
    for name, (text, size) in WORDS.items():
        pictures[name] = (2, *_word(data, text, size))
    for char in DIGITS:
        pictures["digit_" + char] = (2, *_digit(data, char))
    for name, (levels, side, bits) in shapes.draw_all().items():
        pictures[name] = (bits, _pack(levels, side, side, bits), side, side)
    offset = 4 + 24 * len(pictures)
    header = struct.pack(">3sB", b"YP1", len(pictures))
    body = b""
    for name, (bits, packed, width, height) in sorted(pictures.items()):
        header += struct.pack(">15sBHHI", name.encode(), bits, width, height, offset + len(body))
        body += packed
    return header + body


def text_file(source: str) -> bytes:
    """The text file; raises ValueError for a line that is not id|Chinese|English, or two ids of one hash."""
    lines: dict[int, bytes] = {}
    for line in source.splitlines():
        if not line or line.startswith("#"):
            continue
        if line.count("|") != 2 or len(line.encode()) >= LONGEST_LINE:
            raise ValueError(f"not a text: {line}")
        key = binascii.crc32(line.split("|")[0].encode()) & 0xFFFF
        if key in lines:
            raise ValueError(f"two ids of one hash, rename one: {line}")
        lines[key] = line.encode() + b"\n"
    lines = dict(sorted(lines.items()))
    offset = 6 + 4 * len(lines)
    offsets = []
    for packed in lines.values():
        offsets.append(offset)
        offset += len(packed)
    index = struct.pack(f">4sH{len(lines)}H{len(lines)}H", b"YT1", len(lines), *lines, *offsets)
    return index + b"".join(lines.values())


def font_path() -> Path:
    """Where the font package put its font; raises FileNotFoundError where it is not installed."""
    spec = importlib.util.find_spec(FONT_PACKAGE)
    if spec is None or spec.origin is None:
        raise FileNotFoundError(f"the package {FONT_PACKAGE} is not installed")
    return Path(spec.origin).parent / FONT_FILE


def fingerprint() -> str:
    """Changes when anything does that the files are made from."""
    digest = hashlib.sha256(f"{PIL.__version__} {features.version('freetype2')}".encode())
    digest.update(speech.fingerprint())
    for path in (font_path(), TEXTS, Path(__file__), Path(opentype.__file__), Path(shapes.__file__)):
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def build(out: Path) -> list[Path]:
    """Put the asset files into `out`; they are made once and kept under ``build/assets``. Returns their
    paths."""
    kept = ROOT / "build" / "assets" / fingerprint()[:16]
    if not kept.is_dir():
        staging = kept.with_name(f".{kept.name}.{os.getpid()}")
        staging.mkdir(parents=True, exist_ok=True)
        data, known = opentype.simplified(font_path().read_bytes())
        chars = text_chars(known)
        (staging / "text16.bin").write_bytes(font_file(data, 16, chars))
        (staging / "text24.bin").write_bytes(font_file(data, 24, chars))
        (staging / "pictures.bin").write_bytes(picture_file(data))
        (staging / "texts.bin").write_bytes(text_file(TEXTS.read_text("utf-8")))
        (staging / "voice.bin").write_bytes(speech.clip_file(TEXTS.read_text("utf-8")))
        try:
            staging.rename(kept)
        except OSError:
            # Another build was faster; its folder holds the same bytes.
            shutil.rmtree(staging)
    out.mkdir(parents=True, exist_ok=True)
    return [Path(shutil.copyfile(kept / name, out / name)) for name in FILES]


if __name__ == "__main__":
    for made in build(Path(sys.argv[1])):
        print(f"{made} {made.stat().st_size} bytes")
