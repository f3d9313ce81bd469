"""The part of CircuitPython's ``displayio`` that the screens need, over MicroPython's ``framebuf``.

Names, arguments and semantics are CircuitPython's (https://docs.circuitpython.org, module displayio), so that code
written against this module runs on CircuitPython's own. What is left out: ColorConverter, OnDiskBitmap, bitmaps of
more than 256 values, display rotation, automatic refresh. What is added is marked "not CircuitPython".

A display remembers what it showed: ``refresh()`` sends the rectangles that changed and nothing else. Rectangles are
half-open tuples ``(x1, y1, x2, y2)``. They are drawn in bands, for a whole picture is too large for the heap of an
ESP32. The panel takes RGB565 with the high byte first, framebuf stores the low byte first: all colours in palettes and
bands are kept byte-swapped, so that a band goes to the panel as it is.
"""

import framebuf

if False:
    from typing import Callable, Iterator

    Area = tuple[int, int, int, int]

#: framebuf format by bits per value.
_FORMATS = {1: framebuf.MONO_HLSB, 2: framebuf.GS2_HMSB, 4: framebuf.GS4_HMSB, 8: framebuf.GS8}
#: Two rectangles become one where that costs at most this many pixels more: a window command is not free.
_MERGE_PIXELS = 256
#: More changed rectangles than this are sent as their common rectangle.
_MAX_AREAS = 16


def _swapped_rgb565(color: int) -> int:
    """0xRRGGBB as RGB565 with its two bytes swapped."""
    value = (color >> 8) & 0xF800 | (color >> 5) & 0x07E0 | (color >> 3) & 0x001F
    return (value & 0xFF) << 8 | value >> 8


def _cut(a: "Area", b: "Area") -> "Area":
    """What two rectangles share; empty where x1 >= x2 or y1 >= y2."""
    return max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3])


def _union(a: "Area", b: "Area") -> "Area":
    """The smallest rectangle around two."""
    return min(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3])


def _pixels(a: "Area") -> int:
    return (a[2] - a[0]) * (a[3] - a[1])


class Bitmap:
    """A rectangle of values from 0 to `value_count` - 1, at most 256.

    Takes memory for its pixels only once they differ: a filled rectangle costs a few words.
    """

    def __init__(self, width: int, height: int, value_count: int) -> None:
        if width < 1 or height < 1:
            raise ValueError("width and height must be at least 1")
        if not 1 <= value_count <= 256:
            raise ValueError("value_count must be 1-256")
        bits = 1
        while value_count > 1 << bits:
            bits *= 2
        self.width = width
        self.height = height
        self.bits_per_value = bits
        self._values = value_count
        #: The one value of all pixels while there is no canvas.
        self._plain = 0
        self._canvas: "framebuf.FrameBuffer | None" = None
        self._buffer = bytearray(0)
        self._dirty: "Area | None" = (0, 0, width, height)

    def canvas(self) -> framebuf.FrameBuffer:
        """Not CircuitPython: the pixels as a framebuf, for drawing text fast; call `dirty` afterwards."""
        if self._canvas is None:
            per_byte = 8 // self.bits_per_value
            stride = (self.width + per_byte - 1) // per_byte * per_byte
            self._buffer = bytearray(stride * self.height // per_byte)
            self._canvas = framebuf.FrameBuffer(
                self._buffer, self.width, self.height, _FORMATS[self.bits_per_value], stride
            )
            if self._plain:
                self._canvas.fill(self._plain)
        return self._canvas

    def raw(self) -> bytearray:
        """Not CircuitPython: the bytes of the pixels, rows padded to whole bytes; call `dirty` after writing."""
        self.canvas()
        return self._buffer

    def dirty(self, x1: int = 0, y1: int = 0, x2: int = -1, y2: int = -1) -> None:
        """Say that the pixels of a rectangle have been changed behind the bitmap's back."""
        area = (x1, y1, self.width if x2 < 0 else x2, self.height if y2 < 0 else y2)
        self._dirty = _union(self._dirty, area) if self._dirty else area

    def fill(self, value: int) -> None:
        """Set all pixels to `value`."""
        if not 0 <= value < self._values:
            raise ValueError("value out of range")
        self._plain = value
        if self._canvas:
            self._canvas.fill(value)
        self.dirty()

    def _place(self, index: "int | tuple[int, int]") -> "tuple[int, int]":
        x, y = (index % self.width, index // self.width) if isinstance(index, int) else index
        if not (0 <= x < self.width and 0 <= y < self.height):
            raise IndexError("pixel coordinates out of bounds")
        return x, y

    def __getitem__(self, index: "int | tuple[int, int]") -> int:
        x, y = self._place(index)
        if self._canvas is None:
            return self._plain
        return self._canvas.pixel(x, y)

    def __setitem__(self, index: "int | tuple[int, int]", value: int) -> None:
        x, y = self._place(index)
        if not 0 <= value < self._values:
            raise ValueError("pixel value requires too many bits")
        self.canvas().pixel(x, y, value)
        self.dirty(x, y, x + 1, y + 1)


class Palette:
    """Maps values to colours 0xRRGGBB; single values can be transparent."""

    def __init__(self, color_count: int, *, dither: bool = False) -> None:
        if not 1 <= color_count <= 256:
            raise ValueError("color_count must be 1-256")
        self.dither = dither
        self._colors = [0] * color_count
        self._clear = [False] * color_count
        self._version = 0
        self._cached_bits = 0
        self._cached: "tuple[framebuf.FrameBuffer, int] | None" = None

    def __len__(self) -> int:
        return len(self._colors)

    def __getitem__(self, index: int) -> int:
        return self._colors[index]

    def __setitem__(self, index: int, color: "int | tuple[int, int, int] | bytes") -> None:
        if not isinstance(color, int):
            if len(color) not in (3, 4):
                raise ValueError("color buffer must be 3 bytes (RGB) or 4 bytes (RGB + pad byte)")
            color = color[0] << 16 | color[1] << 8 | color[2]
        if not 0 <= color <= 0xFFFFFF:
            raise ValueError("color must be between 0x000000 and 0xffffff")
        self._colors[index] = color
        self._touch()

    def make_transparent(self, index: int) -> None:
        """Let what lies below show through at this value."""
        self._clear[index] = True
        self._touch()

    def make_opaque(self, index: int) -> None:
        """Undo `make_transparent`."""
        self._clear[index] = False
        self._touch()

    def is_transparent(self, index: int) -> bool:
        """Whether this value lets show through what lies below."""
        return self._clear[index]

    def _touch(self) -> None:
        self._version += 1
        self._cached = None

    def _color(self, value: int) -> int:
        """The byte-swapped colour of a value, -1 where it is transparent or has none."""
        if value >= len(self._colors) or self._clear[value]:
            return -1
        return _swapped_rgb565(self._colors[value])

    def _lookup(self, bits: int) -> "tuple[framebuf.FrameBuffer, int]":
        """A one-row framebuf of 2**bits colours and the key colour in it that stands for transparent, or -1.

        framebuf does not check palette bounds, so there is an entry for every value that can be stored; it compares
        the key after the palette, so the key must be none of the opaque colours.
        """
        if self._cached is None or self._cached_bits != bits:
            count = 1 << bits
            colors = [self._color(value) for value in range(count)]
            key = -1
            if -1 in colors:
                key = 0
                while key in colors:
                    key += 1
            row = framebuf.FrameBuffer(bytearray(2 * count), count, 1, framebuf.RGB565)
            for value, color in enumerate(colors):
                row.pixel(value, 0, key if color < 0 else color)
            self._cached = (row, key)
            self._cached_bits = bits
        return self._cached


class _Node:
    """What a group can hold."""

    def __init__(self, x: int, y: int) -> None:
        self.x = x
        self.y = y
        self.hidden = False

    def _collect(self, x: int, y: int, scale: int, visible: bool, plan: "_Plan") -> None:
        """Put what is drawn, and the rectangles that changed, into the plan."""
        raise NotImplementedError

    def _leave(self, gone: "list[Area]") -> None:
        """Forget where this was shown, and tell."""
        raise NotImplementedError


class TileGrid(_Node):
    """A grid of tiles cut from one bitmap; most often a single tile, the whole bitmap."""

    def __init__(
        self,
        bitmap: Bitmap,
        *,
        pixel_shader: Palette,
        width: int = 1,
        height: int = 1,
        tile_width: "int | None" = None,
        tile_height: "int | None" = None,
        default_tile: int = 0,
        x: int = 0,
        y: int = 0,
    ) -> None:
        super().__init__(x, y)
        self.tile_width = tile_width or bitmap.width
        self.tile_height = tile_height or bitmap.height
        if bitmap.width % self.tile_width:
            raise ValueError("tile width must exactly divide bitmap width")
        if bitmap.height % self.tile_height:
            raise ValueError("tile height must exactly divide bitmap height")
        self.width = width
        self.height = height
        self._bitmap = bitmap
        self._shader = pixel_shader
        self._per_row = bitmap.width // self.tile_width
        self._count = self._per_row * (bitmap.height // self.tile_height)
        if not 0 <= default_tile < min(self._count, 256):
            raise ValueError("tile index out of bounds")
        self._tiles = bytearray(bytes((default_tile,)) * (width * height))
        self._flips = (False, False, False)
        #: Where it stands on the display, None while it does not.
        self._shown: "Area | None" = None
        self._full = True
        self._part: "Area | None" = None
        self._version = -1

    @property
    def bitmap(self) -> Bitmap:
        """The bitmap; another one must have the same size."""
        return self._bitmap

    @bitmap.setter
    def bitmap(self, bitmap: Bitmap) -> None:
        if (bitmap.width, bitmap.height) != (self._bitmap.width, self._bitmap.height):
            raise ValueError("new bitmap must be same size as old bitmap")
        self._bitmap = bitmap
        self._full = True

    @property
    def pixel_shader(self) -> Palette:
        """The palette."""
        return self._shader

    @pixel_shader.setter
    def pixel_shader(self, palette: Palette) -> None:
        self._shader = palette
        self._full = True

    def _flip(self, which: int, value: bool) -> None:
        flips = list(self._flips)
        flips[which] = value
        self._flips = (flips[0], flips[1], flips[2])
        self._full = True

    @property
    def flip_x(self) -> bool:
        """Left and right swapped."""
        return self._flips[0]

    @flip_x.setter
    def flip_x(self, value: bool) -> None:
        self._flip(0, value)

    @property
    def flip_y(self) -> bool:
        """Top and bottom swapped."""
        return self._flips[1]

    @flip_y.setter
    def flip_y(self, value: bool) -> None:
        self._flip(1, value)

    @property
    def transpose_xy(self) -> bool:
        """Rows and columns swapped, after the flips; with one flip, a quarter turn."""
        return self._flips[2]

    @transpose_xy.setter
    def transpose_xy(self, value: bool) -> None:
        self._flip(2, value)

    def contains(self, touch_tuple: "tuple[int, ...]") -> bool:
        """Whether a point, in the coordinates of the group it is in, lies on the grid."""
        w, h = self._size()
        return self.x <= touch_tuple[0] < self.x + w and self.y <= touch_tuple[1] < self.y + h

    def _place(self, index: "int | tuple[int, int]") -> int:
        if isinstance(index, int):
            x, y = index % self.width, index // self.width
        else:
            x, y = index
        if not (0 <= x < self.width and 0 <= y < self.height):
            raise IndexError("tile index out of bounds")
        return y * self.width + x

    def __getitem__(self, index: "int | tuple[int, int]") -> int:
        return self._tiles[self._place(index)]

    def __setitem__(self, index: "int | tuple[int, int]", tile: int) -> None:
        place = self._place(index)
        if not 0 <= tile < min(self._count, 256):
            raise ValueError("tile index out of bounds")
        if self._tiles[place] != tile:
            self._tiles[place] = tile
            x = place % self.width * self.tile_width
            y = place // self.width * self.tile_height
            area = (x, y, x + self.tile_width, y + self.tile_height)
            self._part = _union(self._part, area) if self._part else area

    def _size(self) -> "tuple[int, int]":
        """Width and height as shown, before scale."""
        w, h = self.width * self.tile_width, self.height * self.tile_height
        return (h, w) if self._flips[2] else (w, h)

    def _leave(self, gone: "list[Area]") -> None:
        if self._shown:
            gone.append(self._shown)
            self._shown = None

    def _collect(self, x: int, y: int, scale: int, visible: bool, plan: "_Plan") -> None:
        if self.hidden or not visible:
            if self._shown:
                plan.dirty.append(self._shown)
                self._shown = None
            return
        w, h = self._size()
        x += self.x * scale
        y += self.y * scale
        area = (x, y, x + w * scale, y + h * scale)
        bitmap = self._bitmap
        if self._shown != area:
            if self._shown:
                plan.dirty.append(self._shown)
            plan.dirty.append(area)
            self._shown = area
        elif self._full or self._version != self._shader._version:
            plan.dirty.append(area)
        elif bitmap._dirty or self._part:
            if self._flips != (False, False, False) or (bitmap._dirty and self._count > 1):
                plan.dirty.append(area)
            else:
                for part in (bitmap._dirty, self._part):
                    if part:
                        x1, y1, x2, y2 = part
                        plan.dirty.append((x + x1 * scale, y + y1 * scale, x + x2 * scale, y + y2 * scale))
        self._full = False
        self._part = None
        self._version = self._shader._version
        plan.grids.append((self, area, scale))

    def _draw(self, band: framebuf.FrameBuffer, area: "Area", clip: "Area", scale: int) -> None:
        """Draw the part inside `clip`; pixel (0, 0) of the band is the upper left corner of `clip`."""
        bitmap = self._bitmap
        x, y = area[0] - clip[0], area[1] - clip[1]
        if bitmap._canvas is None:
            color = self._shader._color(bitmap._plain)
            if color >= 0:
                band.fill_rect(x, y, area[2] - area[0], area[3] - area[1], color)
            return
        row, key = self._shader._lookup(bitmap.bits_per_value)
        if scale > 1 or self._flips != (False, False, False):
            self._draw_pixels(band, row, key, (x, y), clip, scale)
        elif self._count == 1 and len(self._tiles) == 1:
            band.blit(bitmap._canvas, x, y, key, row)
        else:
            self._draw_tiles(band, row, key, (x, y), clip)

    def _draw_tiles(
        self,
        band: framebuf.FrameBuffer,
        row: framebuf.FrameBuffer,
        key: int,
        at: "tuple[int, int]",
        clip: "Area",
    ) -> None:
        """Draw tile by tile, each as a framebuf that looks into the bitmap."""
        bitmap = self._bitmap
        w, h = self.tile_width, self.tile_height
        per_byte = 8 // bitmap.bits_per_value
        stride = (bitmap.width + per_byte - 1) // per_byte * per_byte
        if self._per_row > 1 and w % per_byte:
            self._draw_pixels(band, row, key, at, clip, 1)
            return
        pixels = memoryview(bitmap._buffer)
        for place, tile in enumerate(self._tiles):
            x = at[0] + place % self.width * w
            y = at[1] + place // self.width * h
            if x + w <= 0 or y + h <= 0 or x >= clip[2] - clip[0] or y >= clip[3] - clip[1]:
                continue
            start = (tile // self._per_row * h * stride + tile % self._per_row * w) // per_byte
            source = framebuf.FrameBuffer(pixels[start:], w, h, _FORMATS[bitmap.bits_per_value], stride)
            band.blit(source, x, y, key, row)

    def _draw_pixels(
        self,
        band: framebuf.FrameBuffer,
        row: framebuf.FrameBuffer,
        key: int,
        at: "tuple[int, int]",
        clip: "Area",
        scale: int,
    ) -> None:
        """Draw with scale and flips, as runs of equal pixels; only as fast as a loop can be."""
        width, height = self._size()
        first = max(0, -at[0] // scale)
        last = min(width, (clip[2] - clip[0] - at[0] + scale - 1) // scale)
        for y in range(
            max(0, -at[1] // scale), min(height, (clip[3] - clip[1] - at[1] + scale - 1) // scale)
        ):
            start = first
            run = -1
            for x in range(first, last + 1):
                value = self._value(x, y) if x < last else -2
                if value != run:
                    color = row.pixel(run, 0) if run >= 0 else key
                    if run >= 0 and color != key:
                        band.fill_rect(
                            at[0] + start * scale, at[1] + y * scale, (x - start) * scale, scale, color
                        )
                    start = x
                    run = value

    def _value(self, x: int, y: int) -> int:
        """The value at a point as shown, before scale."""
        if self._flips[2]:
            x, y = y, x
        if self._flips[0]:
            x = self.width * self.tile_width - 1 - x
        if self._flips[1]:
            y = self.height * self.tile_height - 1 - y
        w, h = self.tile_width, self.tile_height
        tile = self._tiles[y // h * self.width + x // w]
        return self._bitmap[tile % self._per_row * w + x % w, tile // self._per_row * h + y % h]


class Group(_Node):
    """A list of tile grids and groups, drawn from first to last, moved and enlarged together."""

    def __init__(self, *, scale: int = 1, x: int = 0, y: int = 0) -> None:
        super().__init__(x, y)
        self._items: "list[_Node]" = []
        self._gone: "list[Area]" = []
        # Private with a property on top: subclasses such as adafruit_display_text's labels override `scale`.
        self._scale = 1
        self._set_scale(scale)

    def _set_scale(self, scale: int) -> None:
        if scale < 1:
            raise ValueError("scale must be >= 1")
        self._scale = scale

    @property
    def scale(self) -> int:
        """Every pixel is shown as a square of this many pixels."""
        return self._scale

    @scale.setter
    def scale(self, value: int) -> None:
        self._set_scale(value)

    def append(self, layer: _Node) -> None:
        """Put a layer on top of all others."""
        self._items.append(layer)

    def insert(self, index: int, layer: _Node) -> None:
        """Put a layer in at an index."""
        self._items.insert(index, layer)

    def index(self, layer: _Node) -> int:
        """The index of the first copy of a layer; raises ValueError where there is none."""
        return self._items.index(layer)

    def pop(self, i: int = -1) -> _Node:
        """Take out a layer and return it."""
        layer = self._items.pop(i)
        layer._leave(self._gone)
        return layer

    def remove(self, layer: _Node) -> None:
        """Take out the first copy of a layer; raises ValueError where there is none."""
        self.pop(self._items.index(layer))

    def sort(self, key: "Callable[[_Node], int]", reverse: bool = False) -> None:
        """Sort the layers; all of them are drawn anew."""
        self._items.sort(key=key, reverse=reverse)
        for layer in self._items:
            layer._leave(self._gone)

    def __len__(self) -> int:
        return len(self._items)

    def __bool__(self) -> bool:
        return len(self._items) > 0

    def __contains__(self, layer: object) -> bool:
        return layer in self._items

    def __iter__(self) -> "Iterator[_Node]":
        return iter(self._items)

    def __getitem__(self, index: int) -> _Node:
        return self._items[index]

    def __setitem__(self, index: int, layer: _Node) -> None:
        self._items[index]._leave(self._gone)
        self._items[index] = layer

    def __delitem__(self, index: int) -> None:
        self.pop(index)

    def _leave(self, gone: "list[Area]") -> None:
        gone.extend(self._gone)
        self._gone.clear()
        for layer in self._items:
            layer._leave(gone)

    def _collect(self, x: int, y: int, scale: int, visible: bool, plan: "_Plan") -> None:
        plan.dirty.extend(self._gone)
        self._gone.clear()
        x += self.x * scale
        y += self.y * scale
        for layer in self._items:
            layer._collect(x, y, scale * self._scale, visible and not self.hidden, plan)


class _Plan:
    """What one refresh draws, in order, and the rectangles that changed."""

    def __init__(self) -> None:
        self.grids: "list[tuple[TileGrid, Area, int]]" = []
        self.dirty: "list[Area]" = []

    def areas(self, screen: "Area") -> "list[Area]":
        """The changed rectangles cut to the screen, near ones put together, none overlapping another much."""
        areas: "list[Area]" = []
        for area in self.dirty:
            area = _cut(area, screen)
            if area[0] >= area[2] or area[1] >= area[3]:
                continue
            i = 0
            while i < len(areas):
                both = _union(area, areas[i])
                if _pixels(both) <= _pixels(area) + _pixels(areas[i]) + _MERGE_PIXELS:
                    area = both
                    areas.pop(i)
                    i = 0
                else:
                    i += 1
            areas.append(area)
        if len(areas) > _MAX_AREAS:
            area = areas[0]
            for other in areas:
                area = _union(area, other)
            areas = [area]
        return areas


class Display:
    """Shows `root_group` on a panel.

    The panel needs one method, ``write_window(x, y, width, height, buffer)``, with RGB565 pixels, high byte first.
    One band of `band_rows` full rows is kept; it is the only large buffer.
    """

    def __init__(self, panel: "Panel", width: int = 240, height: int = 320, band_rows: int = 40) -> None:
        self.width = width
        self.height = height
        self._panel = panel
        self._band = bytearray(width * band_rows * 2)
        self._root: "Group | None" = None
        self._full = True

    @property
    def root_group(self) -> "Group | None":
        """What is shown; None is black."""
        return self._root

    @root_group.setter
    def root_group(self, group: "Group | None") -> None:
        if self._root is not None and group is not self._root:
            self._root._leave([])
        self._root = group
        self._full = True

    def refresh(self) -> bool:
        """Send what has changed since the last refresh; always True, for no frame is ever late."""
        plan = _Plan()
        screen = (0, 0, self.width, self.height)
        if self._root is not None:
            self._root._collect(0, 0, 1, True, plan)
        areas = [screen] if self._full else plan.areas(screen)
        for area in areas:
            self._send(area, plan)
        self._full = False
        for grid, _, _ in plan.grids:
            grid._bitmap._dirty = None
        return True

    def _send(self, area: "Area", plan: _Plan) -> None:
        """Draw and send one rectangle, in as many bands as it takes."""
        x1, y1, x2, y2 = area
        width = x2 - x1
        rows = len(self._band) // (2 * width)
        band = memoryview(self._band)
        while y1 < y2:
            clip = (x1, y1, x2, min(y2, y1 + rows))
            canvas = framebuf.FrameBuffer(self._band, width, clip[3] - y1, framebuf.RGB565)
            canvas.fill(0)
            for grid, where, scale in plan.grids:
                seen = _cut(where, clip)
                if seen[0] < seen[2] and seen[1] < seen[3]:
                    grid._draw(canvas, where, clip, scale)
            self._panel.write_window(x1, y1, width, clip[3] - y1, band[: 2 * width * (clip[3] - y1)])
            y1 = clip[3]


if False:
    from typing import Protocol

    class Panel(Protocol):
        """What a display draws on."""

        def write_window(self, x: int, y: int, width: int, height: int, buffer: memoryview) -> None:
            """Write RGB565 pixels, high byte first, into a window."""
