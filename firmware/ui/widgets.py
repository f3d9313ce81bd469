"""Colours and the pieces that screens are made of, written against displayio alone."""

from drivers.displayio import Bitmap, Group, Palette, TileGrid
from firmware.ui.fonts import Line

if False:
    from firmware.ui.fonts import Font, Fonts, Pictures

WIDTH = 240
HEIGHT = 320
BAR_HEIGHT = 24
KEYS_HEIGHT = 36
KEYS_Y = HEIGHT - KEYS_HEIGHT
MARGIN = 6
KEY_ROOM = 76
LOW_BATTERY_PERCENT = 15

WHITE = 0xFFFFFF
GROUND = 0x0C1014
PANEL = 0x1C2228
DIM = 0x96A0AA
#: The grounds of the verdicts. tests/sim/test_screens_seen.py holds them apart for every eye.
GREEN = 0x008241
RED = 0x6C000E
YELLOW = 0xFFBE00
#: Words in colour on the dark ground.
GREEN_TEXT = 0x5CD69A
RED_TEXT = 0xFF8080
AMBER = 0xFFB41E
BLACK = 0x141000

LEFT = 0
CENTRE = 1
RIGHT = 2


def mix(a: int, b: int, part: int, parts: int) -> int:
    """The colour `part`/`parts` of the way from a to b."""
    color = 0
    for shift in (16, 8, 0):
        from_a, from_b = a >> shift & 255, b >> shift & 255
        color |= (from_a + (from_b - from_a) * part // parts) << shift
    return color


class Inks:
    """The palettes of one view; the same colours give the same palette."""

    def __init__(self) -> None:
        self._made: "dict[tuple[int, ...], Palette]" = {}

    def _make(self, kind: int, colors: "tuple[int, ...]", transparent: bool) -> Palette:
        key = (kind,) + colors
        palette = self._made.get(key)
        if palette is None:
            palette = self._made[key] = Palette(len(colors))
            for value, color in enumerate(colors):
                palette[value] = color
            if transparent:
                palette.make_transparent(0)
        return palette

    def plain(self, *colors: int) -> Palette:
        """A value for each colour."""
        return self._make(0, colors, False)

    def text(self, ground: int, ink: int) -> Palette:
        """Four values of antialiased text or a large shape; the lowest lets the ground show through."""
        return self._make(1, (ground, mix(ground, ink, 1, 3), mix(ground, ink, 2, 3), ink), True)

    def shape(self, ground: int, shape: int, sign: int) -> Palette:
        """Sixteen values of a small shape: 0 ground, 8 shape, 15 sign; the lowest lets the ground show
        through."""
        colors = [mix(ground, shape, value, 8) for value in range(8)]
        colors += [mix(shape, sign, value, 7) for value in range(8)]
        return self._make(2, tuple(colors), True)


def box(inks: Inks, x: int, y: int, width: int, height: int, color: int) -> TileGrid:
    """A filled rectangle."""
    return TileGrid(Bitmap(width, height, 1), pixel_shader=inks.plain(color), x=x, y=y)


def line(font: "Font", x: int, y: int, room: int, palette: Palette, align: int, text: str) -> TileGrid:
    """A line of text that never changes, cut with an ellipsis where there is no room for it."""
    places, width = font.place(text)
    if width > room:
        places, width = font.place(font.fit(text, room))
    bitmap = Line(font, max(1, width))
    bitmap.show(places, 0)
    return TileGrid(bitmap, pixel_shader=palette, x=x + (room - width) * align // 2, y=y)


class Label:
    """A line of text that changes; what does not fit its room is cut with an ellipsis."""

    def __init__(self, font: "Font", x: int, y: int, room: int, palette: Palette, align: int) -> None:
        self._align = align
        self._text = ""
        self._bitmap = Line(font, room)
        self.grid = TileGrid(self._bitmap, pixel_shader=palette, x=x, y=y)

    def set(self, text: str) -> None:
        """Show another text; the same one costs nothing."""
        if text == self._text:
            return
        self._text = text
        self._bitmap.set(text, self._align)


class Digits:
    """Large digits, centred; a changed digit redraws its own cell."""

    def __init__(self, pictures: "Pictures", x: int, y: int, palette: Palette) -> None:
        self.group = Group(x=x, y=y)
        self._pictures = pictures
        self._palette = palette
        self._chars: "list[str]" = []
        self._cells: "list[TileGrid]" = []

    def set(self, text: str, palette: "Palette | None" = None) -> int:
        """Show digits, ``.``, ``-`` or ``X``; anything else is left out. Returns the width in pixels."""
        # Slices, not single characters: see firmware.ui.fonts.code_points.
        chars = [text[i : i + 1] for i in range(len(text))]
        chars = [char for char in chars if char in "0123456789.-X"]
        if palette is not None:
            self._palette = palette
        cells = self._cells
        width = 0
        for i, char in enumerate(chars):
            name = "digit_" + char
            size = self._pictures.size(name)
            width += size[0]
            if i < len(cells) and cells[i].tile_width == size[0]:
                cells[i].pixel_shader = self._palette
                if self._chars[i] != char:
                    self._pictures.load_into(cells[i].bitmap, name)
                continue
            cell = TileGrid(self._pictures.load(name), pixel_shader=self._palette)
            if i < len(cells):
                self.group[i] = cells[i] = cell
            else:
                cells.append(cell)
                self.group.append(cell)
        while len(cells) > len(chars):
            cells.pop()
            self.group.pop()
        self._chars = chars
        x = -width // 2
        for cell in cells:
            cell.x = x
            x += cell.tile_width
        return width


class Gauge:
    """A horizontal bar that fills from the left."""

    def __init__(self, x: int, y: int, width: int, height: int, palette: Palette) -> None:
        self._bitmap = Bitmap(width, height, 2)
        self._filled = 0
        self.grid = TileGrid(self._bitmap, pixel_shader=palette, x=x, y=y)

    def set(self, part: int, parts: int) -> None:
        """Fill `part` of `parts`; only the columns that change are sent."""
        bitmap = self._bitmap
        filled = bitmap.width * max(0, min(part, parts)) // parts
        value = 1 if filled > self._filled else 0
        if filled in (0, bitmap.width) and filled != self._filled:
            bitmap.fill(value)
        else:
            for x in range(min(filled, self._filled), max(filled, self._filled)):
                for y in range(bitmap.height):
                    bitmap[x, y] = value
        self._filled = filled


class StatusBar:
    """The bar on top: scene, place and direction at the left, battery at the right."""

    _PLACE_ROOM = 182

    def __init__(self, fonts: "Fonts", inks: Inks, ground: int, ink: int, warning: int) -> None:
        self.group = Group()
        self._font = fonts.small
        self._inks = (inks.text(ground, ink), inks.text(ground, warning))
        self._place = Label(fonts.small, MARGIN, 1, self._PLACE_ROOM, self._inks[0], LEFT)
        self._battery = Label(fonts.small, 188, 1, 46, self._inks[0], RIGHT)
        self.group.append(box(inks, 0, 0, WIDTH, BAR_HEIGHT, ground))
        self.group.append(self._place.grid)
        self.group.append(self._battery.grid)

    def set(self, scene: str, place: str, direction: str, battery_percent: "int | None") -> None:
        """Show these; the direction stays readable where the place is cut."""
        if direction:
            direction = " " + direction
        head = scene + " · " + place if scene and place else scene + place
        self._place.set(self._font.fit(head, self._PLACE_ROOM - self._font.width(direction)) + direction)
        if battery_percent is not None:
            self._battery.set("%d%%" % battery_percent)
            self._battery.grid.pixel_shader = self._inks[1 if battery_percent < LOW_BATTERY_PERCENT else 0]


class KeyBar:
    """The labels over the three keys, always no, middle, yes; an empty one is a dead key."""

    def __init__(self, fonts: "Fonts", inks: Inks) -> None:
        self.group = Group(y=KEYS_Y)
        self.group.append(box(inks, 0, 0, WIDTH, KEYS_HEIGHT, PANEL))
        self._fonts = fonts
        self._palette = inks.text(PANEL, WHITE)
        self._labels = ("", "", "")

    def set(self, labels: "tuple[str, str, str]") -> None:
        """Show these labels, large where they fit."""
        if labels == self._labels:
            return
        self._labels = labels
        while len(self.group) > 1:
            self.group.pop()
        for i, label in enumerate(labels):
            if label:
                large = self._fonts.large
                font = large if large.width(label) <= KEY_ROOM else self._fonts.small
                y = (KEYS_HEIGHT - font.height) // 2
                self.group.append(line(font, 80 * i + 2, y, KEY_ROOM, self._palette, CENTRE, label))


class Cards:
    """Rounded rectangles of one size."""

    #: Pixels that a corner cuts off, row by row from the outside.
    _CUTS = (6, 4, 3, 2, 1, 1)

    def __init__(self, width: int, height: int, color: int) -> None:
        self._palette = Palette(2)
        self._palette[0] = color
        self._palette.make_transparent(1)
        self._bitmap = Bitmap(width, height, 2)
        for row, cut in enumerate(self._CUTS):
            for y in (row, height - 1 - row):
                for x in range(cut):
                    self._bitmap[x, y] = self._bitmap[width - 1 - x, y] = 1

    def at(self, x: int, y: int) -> TileGrid:
        """One of them."""
        return TileGrid(self._bitmap, pixel_shader=self._palette, x=x, y=y)
