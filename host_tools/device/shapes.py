"""Draws the shapes of the verdicts, tick in a disc, bar in an octagon, mark in a triangle, and the two ways.

Each comes large, in 4 levels for a two-colour ramp (0 ground, 3 shape, the sign inside is cut out to the
ground), and small, in 16 levels for a three-colour ramp (0 ground, 8 shape, 15 sign): a small sign keeps
its own colour. The ways, an arrow into a doorway and one out of it, come in 4 levels.
"""

from __future__ import annotations

from collections.abc import Callable

from PIL import Image, ImageDraw

#: Drawn this much larger, then averaged.
OVERSAMPLING = 8
LARGE = 112
SMALL = {"_40": 40, "_32": 32}
WAYS = {"": 56, "_40": 40}

Pen = ImageDraw.ImageDraw


def _stroke(draw: Pen, points: list[tuple[float, float]], width: float, fill: int) -> None:
    """A line with round ends and corners; coordinates in units of the picture's side."""
    side = draw.im.size[0]
    scaled = [(x * side, y * side) for x, y in points]
    draw.line(scaled, fill=fill, width=round(width * side), joint="curve")
    r = width * side / 2
    for x, y in scaled:
        draw.ellipse((x - r, y - r, x + r, y + r), fill=fill)


def _polygon(draw: Pen, points: list[tuple[float, float]], fill: int, rounding: float = 0) -> None:
    """A filled polygon, its corners rounded by `rounding`."""
    side = draw.im.size[0]
    draw.polygon([(x * side, y * side) for x, y in points], fill=fill)
    if rounding:
        _stroke(draw, [*points, points[0]], rounding, fill)


def _pass(body: Pen, sign: Pen) -> None:
    side = body.im.size[0]
    body.ellipse((0, 0, side - 1, side - 1), fill=255)
    _stroke(sign, [(0.27, 0.52), (0.44, 0.69), (0.74, 0.34)], 0.115, 255)


def _stop(body: Pen, sign: Pen) -> None:
    cut = 0.2929  # a regular octagon's corner
    points = [(cut, 0), (1 - cut, 0), (1, cut), (1, 1 - cut), (1 - cut, 1), (cut, 1), (0, 1 - cut), (0, cut)]
    _polygon(body, points, 255)
    side = body.im.size[0]
    sign.rectangle((0.2 * side, 0.42 * side, 0.8 * side, 0.58 * side), fill=255)


def _attention(body: Pen, sign: Pen) -> None:
    _polygon(body, [(0.5, 0.07), (0.94, 0.92), (0.06, 0.92)], 255, rounding=0.08)
    side = body.im.size[0]
    sign.rounded_rectangle((0.445 * side, 0.34 * side, 0.555 * side, 0.66 * side), 0.03 * side, fill=255)
    sign.ellipse((0.435 * side, 0.71 * side, 0.565 * side, 0.84 * side), fill=255)


SHAPES: dict[str, Callable[[Pen, Pen], None]] = {"pass": _pass, "stop": _stop, "attention": _attention}


def _way(pen: Pen, tip: float, tail: float) -> None:
    """A doorway, open to the left, and an arrow through it."""
    _stroke(pen, [(0.56, 0.08), (0.92, 0.08), (0.92, 0.92), (0.56, 0.92)], 0.12, 255)
    _stroke(pen, [(tail, 0.5), (tip, 0.5)], 0.12, 255)
    barb = tip + (0.22 if tip < tail else -0.22)
    _stroke(pen, [(barb, 0.28), (tip, 0.5), (barb, 0.72)], 0.12, 255)


#: Where the arrow ends and begins.
_WAYS = {"in": (0.7, 0.07), "out": (0.07, 0.7)}


def _draw(shape: Callable[[Pen, Pen], None], side: int) -> tuple[bytes, bytes]:
    """Coverage 0-255 of the body and of the sign inside."""
    large = (side * OVERSAMPLING, side * OVERSAMPLING)
    body, sign = Image.new("L", large), Image.new("L", large)
    shape(ImageDraw.Draw(body), ImageDraw.Draw(sign))
    small = [image.resize((side, side), Image.Resampling.BOX).tobytes() for image in (body, sign)]
    return small[0], small[1]


def draw_all() -> dict[str, tuple[bytes, int, int]]:
    """Name to (levels, side, bits per pixel)."""
    made = {}
    for name, shape in SHAPES.items():
        body, sign = _draw(shape, LARGE)
        made[name] = (
            bytes(round(3 * (b - s) / 255) if b > s else 0 for b, s in zip(body, sign, strict=True)),
            LARGE,
            2,
        )
        for suffix, side in SMALL.items():
            body, sign = _draw(shape, side)
            pairs = zip(body, sign, strict=True)
            levels = bytes(8 + round(7 * s / 255) if s else round(8 * b / 255) for b, s in pairs)
            made[name + suffix] = (levels, side, 4)
    for name, (tip, tail) in _WAYS.items():
        for suffix, side in WAYS.items():
            large = Image.new("L", (side * OVERSAMPLING, side * OVERSAMPLING))
            _way(ImageDraw.Draw(large), tip, tail)
            image = large.resize((side, side), Image.Resampling.BOX)
            made[f"way_{name}{suffix}"] = (bytes(round(3 * v / 255) for v in image.tobytes()), side, 2)
    return made
