"""Drawing in millimetres on pages that become a PDF: text in the project's CJK font, QR codes, lines.

Pillow puts each page into the PDF as one picture: black and white ones without loss (CCITT group 4), coloured
ones as JPEG of high quality. The modules of a QR code are whole pixels.
"""

from __future__ import annotations

import functools
import io
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

from host_tools.authority import pictures
from host_tools.device import assets, opentype

MM_PER_INCH = 25.4
BORDER_MODULES = 4
JPEG_QUALITY = 92
#: A grey this dark or darker is ink on a black and white page.
INK_LEVEL = 144
BLACK = (0, 0, 0)
WHITE = (255, 255, 255)
Colour = tuple[int, int, int]


@dataclass(frozen=True)
class Format:
    """A paper size in millimetres, and the pixels per inch that its pages are drawn with."""

    width_mm: float
    height_mm: float
    dpi: int


A4 = Format(210, 297, 300)
#: Looked at from further away.
A3 = Format(297, 420, 200)


class Page:
    """One page, white at first."""

    def __init__(self, form: Format, coloured: bool) -> None:
        self.form = form
        self._coloured = coloured
        self._image = Image.new("RGB", (self._px(form.width_mm), self._px(form.height_mm)), WHITE)
        self._draw = ImageDraw.Draw(self._image)

    def text(
        self,
        x_mm: float,
        y_mm: float,
        text: str,
        size_mm: float,
        colour: Colour = BLACK,
        anchor: str = "la",
        width_mm: float | None = None,
    ) -> None:
        """A line of text; `size_mm` is the square of a Chinese character, less where `width_mm` asks for it.

        The anchor is Pillow's: "la" starts at the top left, "ma" has its middle there.
        """
        size = self._px(size_mm)
        if width_mm is not None:
            needed = _font(size).getlength(text)
            size = max(8, int(size * min(1.0, self._px(width_mm) / max(1.0, needed))))
        self._draw.text((self._px(x_mm), self._px(y_mm)), text, fill=colour, font=_font(size), anchor=anchor)

    def box(self, x_mm: float, y_mm: float, width_mm: float, height_mm: float, colour: Colour) -> None:
        """A filled rectangle."""
        corners = (x_mm, y_mm, x_mm + width_mm, y_mm + height_mm)
        self._draw.rectangle([self._px(corner) for corner in corners], fill=colour)

    def cut(self, x_mm: float, y_mm: float, to_x_mm: float, to_y_mm: float) -> None:
        """A dashed line to cut along, level or upright."""
        steps = int(max(to_x_mm - x_mm, to_y_mm - y_mm) / 3)
        for step in range(steps):
            start, end = step / steps, (step + 0.4) / steps
            points = [
                (self._px(x_mm + (to_x_mm - x_mm) * part), self._px(y_mm + (to_y_mm - y_mm) * part))
                for part in (start, end)
            ]
            self._draw.line(points, fill=BLACK, width=1)

    def qr(self, x_mm: float, y_mm: float, side_mm: float, text: str) -> None:
        """A QR code with its white border in the middle of a square, as large as whole pixels allow."""
        rows = pictures.modules(text)
        side = self._px(side_mm)
        scale = side // (len(rows) + 2 * BORDER_MODULES)
        if scale < 2:
            raise ValueError("the code is too large for its place on the paper")
        picture = Image.frombytes("L", (len(rows), len(rows)), b"".join(rows))
        picture = picture.point([255, 0] + [0] * 254).resize(
            (len(rows) * scale,) * 2, Image.Resampling.NEAREST
        )
        left, top = self._px(x_mm), self._px(y_mm)
        self._draw.rectangle((left, top, left + side, top + side), fill=WHITE)
        margin = (side - picture.width) // 2
        self._image.paste(picture, (left + margin, top + margin))

    def picture(self) -> Image.Image:
        """The page for the PDF."""
        if self._coloured:
            return self._image
        levels = [255 if level > INK_LEVEL else 0 for level in range(256)]
        return self._image.convert("L").point(levels).convert("1", dither=Image.Dither.NONE)

    def _px(self, mm: float) -> int:
        return round(mm * self.form.dpi / MM_PER_INCH)


def pdf(pages: Sequence[Page], title: str) -> bytes:
    """The pages, of one format, as a PDF document."""
    first, *others = [page.picture() for page in pages]
    out = io.BytesIO()
    quality = {"quality": JPEG_QUALITY} if first.mode == "RGB" else {}
    first.save(
        out,
        "PDF",
        save_all=True,
        append_images=others,
        resolution=pages[0].form.dpi,
        title=title,
        producer="Yima",
        **quality,
    )
    return out.getvalue()


@functools.cache
def _font_data() -> bytes:
    """Noto Sans CJK with the Chinese mainland's forms of the characters."""
    return opentype.simplified(assets.font_path().read_bytes())[0]


@functools.lru_cache(64)
def _font(size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(io.BytesIO(_font_data()), size, layout_engine=ImageFont.Layout.BASIC)
