"""Whether real screenshots can be read: in the sun, by the colour-blind, from an arm's length.

Protanopia and deuteranopia are simulated by the matrices of Machado, Oliveira and Fernandes, A
Physiologically-based Model for Simulation of Color Vision Deficiency, IEEE TVCG 15(6), 2009, severity 1.0, on
linear RGB. Luminance and contrast are those of WCAG 2.
"""

from __future__ import annotations

import itertools
from functools import cache

import pytest
from drawing import HERE, asset_folder, drawn, run
from PIL import Image, ImageChops, ImageFilter

Color = tuple[int, int, int]
Matrix = tuple[tuple[float, float, float], ...]

VISIONS: dict[str, Matrix] = {
    "normal": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protanopia": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "deuteranopia": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
}
VERDICTS = ("pass", "stop_orange", "attention_stale")
#: Where the shape of a verdict stands; where it stands beside a direction, and that direction.
SHAPE = (64, 31, 176, 143)
SHAPE_BESIDE_WAY = (12, 31, 124, 143)
WAY = (136, 31, 228, 143)
#: What must be read in the sun (WCAG 2, AA), and what must be seen.
TEXT, SEEN = 4.5, 3.0


def luminance(color: Color, vision: str) -> float:
    """Relative luminance as an eye gets it."""
    linear = [v / 255 / 12.92 if v <= 10 else ((v / 255 + 0.055) / 1.055) ** 2.4 for v in color]
    rows = VISIONS[vision]
    r, g, b = (min(1, max(0, sum(m * v for m, v in zip(row, linear, strict=True)))) for row in rows)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def contrast(a: Color, b: Color, vision: str) -> float:
    high, low = sorted((luminance(a, vision), luminance(b, vision)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def shown(text: str) -> Color:
    """A colour of six hexadecimal digits as the panel has it, RGB565."""
    r, g, b = (int(text[i : i + 2], 16) for i in (0, 2, 4))
    return r >> 3 << 3 | r >> 5, g >> 2 << 2 | g >> 6, b >> 3 << 3 | b >> 5


def ground_and_ink(name: str) -> tuple[Color, Color]:
    """The two commonest colours of a verdict."""
    colors = sorted(drawn()[name].crop((0, 24, 240, 314)).getcolors(100_000) or [], reverse=True)
    return colors[0][1], colors[1][1]


def silhouette(name: str, box: tuple[int, int, int, int], vision: str) -> Image.Image:
    """A part of a screen from an arm's length, as what is lighter than halfway between ground and ink.

    A blur of 3 pixels, half a millimetre on the panel, is an eye of 20/50 at 60 centimetres.
    """
    grounds = [luminance(color, vision) for color in ground_and_ink(name)]
    image = Image.new("L", (box[2] - box[0], box[3] - box[1]))
    raw = iter(drawn()[name].crop(box).tobytes())
    bright = cache(lambda *color: round(255 * luminance(color, vision)))
    image.frombytes(bytes(bright(*color) for color in zip(raw, raw, raw, strict=True)))
    halfway = 255 * sum(grounds) / 2
    ink_is_light = grounds[1] > grounds[0]
    return image.filter(ImageFilter.GaussianBlur(3)).point(
        lambda v: 255 if (v > halfway) == ink_is_light else 0
    )


def apart(a: Image.Image, b: Image.Image) -> float:
    """The share of pixels in which two silhouettes differ."""
    return ImageChops.difference(a, b).histogram()[255] / (a.width * a.height)


@pytest.mark.parametrize("vision", VISIONS)
def test_the_grounds_of_the_verdicts_differ_in_luminance(vision: str) -> None:
    grounds = [ground_and_ink(f"{name}_zh")[0] for name in VERDICTS]
    for a, b in itertools.combinations(grounds, 2):
        assert contrast(a, b, vision) >= 2.2, (a, b)


@pytest.mark.parametrize("vision", VISIONS)
@pytest.mark.parametrize("language", ["zh", "en"])
def test_verdicts_differ_in_shape_and_word(vision: str, language: str) -> None:
    """Ground and ink set equal, so that nothing but the drawing is left."""
    for box, least in ((SHAPE, 0.14), ((0, 147, 240, 211), 0.25)):
        seen = [silhouette(f"{name}_{language}", box, vision) for name in VERDICTS]
        for a, b in itertools.combinations(seen, 2):
            assert apart(a, b) >= least, (box, apart(a, b))


@pytest.mark.parametrize("vision", VISIONS)
@pytest.mark.parametrize("verdict", ["pass", "stop", "attention"])
@pytest.mark.parametrize("language", ["zh", "en"])
def test_in_and_out_cannot_be_mistaken(vision: str, verdict: str, language: str) -> None:
    came, left = (silhouette(f"{verdict}_{way}_{language}", WAY, vision) for way in ("in", "out"))
    assert apart(came, left) >= 0.8
    # The verdict itself is the same for both.
    came, left = (
        silhouette(f"{verdict}_{way}_{language}", SHAPE_BESIDE_WAY, vision) for way in ("in", "out")
    )
    assert apart(came, left) == 0


@pytest.mark.parametrize("vision", VISIONS)
def test_every_text_stands_out_from_its_ground(vision: str) -> None:
    pairs = set()
    for line in run(HERE / "list_inks.py", asset_folder()).splitlines():
        name, ground, ink = line.split()
        seen = {color for _, color in drawn()[name].getcolors(100_000) or []}
        if shown(ink) in seen:
            assert shown(ground) in seen, line
            pairs.add((shown(ground), shown(ink)))
    assert len(pairs) >= 14
    dim = {pair: contrast(*pair, vision) for pair in pairs if contrast(*pair, vision) < TEXT}
    assert not dim


@pytest.mark.parametrize("vision", VISIONS)
def test_small_shapes_stand_out_from_their_cards(vision: str) -> None:
    image = drawn()["party_six_zh"]
    card = image.getpixel((120, 84))
    for row in range(3):
        colors = image.crop((14, 80 + 39 * row, 46, 117 + 39 * row)).getcolors(10_000) or []
        commonest = next(color for _, color in sorted(colors, reverse=True) if color != card)
        assert contrast(commonest, card, vision) >= SEEN, (row, commonest)
