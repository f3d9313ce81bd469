"""What the module's camera sees of a phone: distance, angles, focus and light, from a picture of its screen.

The sensor has 640 by 480 points over 35 by 26 degrees, as small scanner modules have. Lengths are in
millimetres. What is drawn is one frame; whether it reads is then the decoder's own finding
(simulator/camera.py).
"""

from __future__ import annotations

import functools
import io
import itertools
import math
import random
from collections.abc import Iterator
from typing import NamedTuple

from PIL import Image, ImageChops, ImageDraw, ImageFilter

from simulator import camera

SENSOR = (640, 480)
FIELD_DEGREES = 35.0
FOCUS_MM = 150.0
"""Sharp here; a fixed lens blurs in proportion to the difference of the reciprocals."""
BLUR_AT_CLOSE = 3.2
"""Points of blur at half the focus distance."""
SCREEN_MM = 50.0
"""Width of the picture on the phone's screen: the wallet's page fills it."""
ROOM, BODY = 92, 22
NOISE = 6.0
"""Of the sensor: standard deviation in steps of 256; the same points in every frame."""
SEED = 640


class View(NamedTuple):
    """How a phone is held. Degrees: `turn` in the plane, `tilt` away from it. `shake` is blur by movement in
    points; `glare` 0 to 100: how much of full white a lamp's mirror image adds.
    """

    distance_mm: int = 150
    turn: int = 0
    tilt: int = 0
    shake: float = 0.0
    glare: int = 0


DISTANCES_MM = (100, 130, 160, 200, 260)
TURNS = (0, 30, 45)
TILTS = (0, 35, 50)
LIGHTS = ((0.0, 0), (1.2, 0), (0.0, 96))
"""What `sweep` tries: every combination; a light is (shake, glare)."""


def photograph(picture: bytes, view: View) -> Image.Image:
    """The camera's frame, grey. Raises PictureError."""
    screen = camera.opened(picture).convert("L")
    focal = SENSOR[0] / 2 / math.tan(math.radians(FIELD_DEGREES / 2))
    scale = SCREEN_MM / screen.width
    half = (SCREEN_MM / 2, screen.height * scale / 2)
    edge = [(x * (half[0] + 5), y * (half[1] + 9)) for x, y in ((-1, -1), (1, -1), (1, 1), (-1, 1))]
    glass = [(x * half[0], y * half[1]) for x, y in ((-1, -1), (1, -1), (1, 1), (-1, 1))]
    frame = Image.new("L", SENSOR, ROOM)
    ImageDraw.Draw(frame).polygon([_project(point, view, focal) for point in edge], fill=BODY)
    corners = [_project(point, view, focal) for point in glass]
    # Bigger pictures than the frame are made smaller first: a lens averages, it does not pick points.
    shrink = max(1, round(screen.width / max(1.0, math.dist(corners[0], corners[1]))))
    width, height = screen.width / shrink, screen.height / shrink
    screen = screen.reduce(shrink)
    data = _perspective(corners, ((0, 0), (width, 0), (width, height), (0, height)))
    seen = screen.transform(SENSOR, Image.Transform.PERSPECTIVE, data, Image.Resampling.BICUBIC)
    mask = Image.new("L", SENSOR, 0)
    ImageDraw.Draw(mask).polygon(corners, fill=255)
    frame.paste(seen, (0, 0), mask)
    if view.glare:
        frame = _glare(frame, corners, view.glare)
    blur = BLUR_AT_CLOSE * abs(FOCUS_MM / view.distance_mm - 1) + view.shake
    if blur > 0.05:
        frame = frame.filter(ImageFilter.GaussianBlur(blur))
    return ImageChops.add(frame, _noise(), 1.0, -128)


@functools.cache
def _noise() -> Image.Image:
    """What the sensor adds to every frame, around 128."""
    dice = random.Random(SEED)  # noqa: S311 - noise, no secret
    points = (round(dice.gauss(128, NOISE)) for _ in range(SENSOR[0] * SENSOR[1]))
    return Image.frombytes("L", SENSOR, bytes(min(255, max(0, point)) for point in points))


def _project(point: tuple[float, float], view: View, focal: float) -> tuple[float, float]:
    turn, tilt = math.radians(view.turn), math.radians(view.tilt)
    x = point[0] * math.cos(turn) - point[1] * math.sin(turn)
    y = point[0] * math.sin(turn) + point[1] * math.cos(turn)
    depth = view.distance_mm + y * math.sin(tilt)
    y *= math.cos(tilt)
    return SENSOR[0] / 2 + focal * x / max(depth, 10.0), SENSOR[1] / 2 + focal * y / max(depth, 10.0)


def _glare(frame: Image.Image, corners: list[tuple[float, float]], percent: int) -> Image.Image:
    """A lamp in the glass: a soft white spot over a quarter of the screen."""
    width = math.dist(corners[0], corners[1]) * 0.65
    x = sum(c[0] for c in corners) / 4 + width * 0.2
    y = sum(c[1] for c in corners) / 4 - width * 0.2
    spot = Image.new("L", SENSOR, 0)
    ImageDraw.Draw(spot).ellipse((x - width / 2, y - width * 0.4, x + width / 2, y + width * 0.4), fill=255)
    spot = spot.filter(ImageFilter.GaussianBlur(max(1.0, width / 8))).point(
        [v * percent // 100 for v in range(256)]
    )
    return Image.composite(Image.new("L", SENSOR, 255), frame, spot)


def _perspective(
    target: list[tuple[float, float]], source: tuple[tuple[float, float], ...]
) -> tuple[float, ...]:
    """The eight numbers with which a point of the target is looked up in the source."""
    rows: list[list[float]] = []
    for (x, y), (u, v) in zip(target, source, strict=True):
        rows.append([x, y, 1, 0, 0, 0, -u * x, -u * y, u])
        rows.append([0, 0, 0, x, y, 1, -v * x, -v * y, v])
    for at in range(8):
        best = max(range(at, 8), key=lambda row: abs(rows[row][at]))
        rows[at], rows[best] = rows[best], rows[at]
        pivot = rows[at][at]
        rows[at] = [value / pivot for value in rows[at]]
        for row in range(8):
            if row != at and rows[row][at]:
                factor = rows[row][at]
                rows[row] = [a - factor * b for a, b in zip(rows[row], rows[at], strict=True)]
    return tuple(row[8] for row in rows)


def png(frame: Image.Image) -> bytes:
    """A frame as a file."""
    out = io.BytesIO()
    frame.save(out, "PNG")
    return out.getvalue()


def views() -> Iterator[View]:
    """Every view of a sweep."""
    for distance, turn, tilt, (shake, glare) in itertools.product(DISTANCES_MM, TURNS, TILTS, LIGHTS):
        yield View(distance, turn, tilt, shake, glare)


def sweep(picture: bytes) -> list[tuple[View, bool]]:
    """Each view, and whether the code still reads. Raises PictureError."""
    return [(view, bool(camera.read(photograph(picture, view)))) for view in views()]
