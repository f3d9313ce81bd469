"""Colours and the pieces that screens are made of, written against displayio alone."""

from drivers.displayio import Bitmap, Group, Palette, TileGrid

if False:
    from firmware.ui.fonts import Font, Fonts, Pictures

WIDTH = 240
HEIGHT = 320
BAR_HEIGHT = 24
KEYS_HEIGHT = 36
KEYS_Y = HEIGHT - KEYS_HEIGHT
MARGIN = 6

WHITE = 0xF4F7F9
GROUND = 0x0C1014
PANEL = 0x1C2228
DIM = 0x96A0AA
GREEN = 0x008444
RED = 0x780010
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


def ramp(ground: int, ink: int) -> Palette:
    """Four values of antialiased text or a large shape; the lowest lets the ground show through."""
    palette = Palette(4)
    for value in range(4):
        palette[value] = mix(ground, ink, value, 3)
    palette.make_transparent(0)
    return palette


def shape_ramp(ground: int, shape: int, sign: int) -> Palette:
    """Sixteen values of a small shape: 0 ground, 8 shape, 15 sign."""
    palette = Palette(16)
    for value in range(16):
        palette[value] = mix(ground, shape, value, 8) if value <= 8 else mix(shape, sign, value - 8, 7)
    palette.make_transparent(0)
    return palette


def box(x: int, y: int, width: int, height: int, color: int) -> TileGrid:
    """A filled rectangle."""
    palette = Palette(1)
    palette[0] = color
    return TileGrid(Bitmap(width, height, 1), pixel_shader=palette, x=x, y=y)


class Label:
    """One line of text with fixed room; what does not fit is cut with an ellipsis."""

    def __init__(
        self, font: "Font", x: int, y: int, width: int, palette: Palette, align: int = LEFT, text: str = ""
    ) -> None:
        self._font = font
        self._align = align
        self._text = ""
        self._bitmap = Bitmap(width, font.height, 4)
        self.grid = TileGrid(self._bitmap, pixel_shader=palette, x=x, y=y)
        self.set(text)

    def set(self, text: str) -> None:
        """Show another text; the same one costs nothing."""
        if text == self._text:
            return
        if self._text:
            self._bitmap.fill(0)
        self._text = text
        width = self._bitmap.width
        text = self._font.fit(text, width)
        room = width - self._font.width(text)
        self._font.draw(self._bitmap, text, room * self._align // 2, 0)


class Digits:
    """Large digits, centred; a changed digit redraws its own cell."""

    def __init__(self, pictures: "Pictures", x: int, y: int, palette: Palette) -> None:
        self.group = Group(x=x, y=y)
        self._pictures = pictures
        self._palette = palette
        self._text = ""
        self._cells: "list[TileGrid]" = []

    def color(self, ground: int, ink: int) -> None:
        """Show the digits in another colour."""
        if self._palette[3] != ink:
            for value in range(1, 4):
                self._palette[value] = mix(ground, ink, value, 3)

    def set(self, text: str) -> int:
        """Show digits, ``.``, ``-`` or ``X``; anything else is left out. Returns the width in pixels."""
        text = "".join([c for c in text if c in "0123456789.-X"])
        cells = self._cells
        width = 0
        for i, char in enumerate(text):
            name = "digit_" + char
            size = self._pictures.size(name)
            width += size[0]
            if i < len(cells) and self._text[i] == char:
                continue
            if i < len(cells) and cells[i].tile_width == size[0]:
                self._pictures.load_into(cells[i].bitmap, name)
                continue
            cell = TileGrid(self._pictures.load(name), pixel_shader=self._palette)
            if i < len(cells):
                self.group[i] = cells[i] = cell
            else:
                cells.append(cell)
                self.group.append(cell)
        while len(cells) > len(text):
            cells.pop()
            self.group.pop()
        self._text = text
        x = -width // 2
        for cell in cells:
            cell.x = x
            x += cell.tile_width
        return width


class Gauge:
    """A horizontal bar that fills from the left."""

    def __init__(self, x: int, y: int, width: int, height: int, ground: int, ink: int) -> None:
        palette = Palette(2)
        palette[0] = ground
        palette[1] = ink
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

    def __init__(self, fonts: "Fonts", ground: int = PANEL, ink: int = WHITE, warning: int = AMBER) -> None:
        self.group = Group()
        self._font = fonts.small
        self._ink = ink
        self._warning = warning
        self._ground = ground
        palette = ramp(ground, ink)
        self._place = Label(fonts.small, MARGIN, 2, 178, palette)
        self._battery = Label(fonts.small, 184, 2, 50, ramp(ground, ink), RIGHT)
        self.group.append(box(0, 0, WIDTH, BAR_HEIGHT, ground))
        self.group.append(self._place.grid)
        self.group.append(self._battery.grid)

    def set(self, scene: str, place: str, direction: str, battery_percent: "int | None") -> None:
        """Show these; the direction stays readable where the place is cut."""
        if direction:
            direction = " " + direction
        head = scene + " · " + place if scene and place else scene + place
        self._place.set(self._font.fit(head, 178 - self._font.width(direction)) + direction)
        self._battery.set("" if battery_percent is None else "%d%%" % battery_percent)
        ink = self._ink if battery_percent is None or battery_percent >= 15 else self._warning
        palette = self._battery.grid.pixel_shader
        if palette[3] != ink:
            for value in range(1, 4):
                palette[value] = mix(self._ground, ink, value, 3)


class KeyBar:
    """The labels over the three keys, always no, middle, yes; an empty one is a dead key."""

    def __init__(self, fonts: "Fonts", ground: int = PANEL, ink: int = WHITE) -> None:
        self.group = Group(y=KEYS_Y)
        self.group.append(box(0, 0, WIDTH, KEYS_HEIGHT, ground))
        self._fonts = fonts
        self._palette = ramp(ground, ink)
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
                font = large if large.width(label) <= 76 else self._fonts.small
                y = (KEYS_HEIGHT - font.height) // 2
                self.group.append(Label(font, 80 * i + 2, y, 76, self._palette, CENTRE, label).grid)


class Card:
    """A rounded rectangle: a box with its corners drawn over in the ground's colour."""

    _CORNER = (6, 4, 3, 2, 1, 1)

    def __init__(self, x: int, y: int, width: int, height: int, color: int, ground: int) -> None:
        self.group = Group(x=x, y=y)
        self.group.append(box(0, 0, width, height, color))
        side = len(self._CORNER)
        corner = Bitmap(side, side, 2)
        for row, cut in enumerate(self._CORNER):
            for column in range(cut):
                corner[column, row] = 1
        palette = Palette(2)
        palette[1] = ground
        palette.make_transparent(0)
        for right in (False, True):
            for bottom in (False, True):
                grid = TileGrid(corner, pixel_shader=palette)
                grid.x = width - side if right else 0
                grid.y = height - side if bottom else 0
                grid.flip_x = right
                grid.flip_y = bottom
                self.group.append(grid)
