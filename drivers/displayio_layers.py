"""TileGrid and Group of drivers.displayio: what can be shown, where, and what of it has changed."""

import framebuf

from drivers.displayio_pixels import FORMATS, Bitmap, Palette, union

if False:
    from typing import Callable, Iterator

    from drivers.displayio_pixels import Area


class Plan:
    """What one refresh draws, in order: grid, place on the display, scale; and the rectangles that
    changed."""

    def __init__(self) -> None:
        self.grids: "list[tuple[TileGrid, Area, int]]" = []
        self.dirty: "list[Area]" = []


class Layer:
    """What a group can hold."""

    def __init__(self, x: int, y: int) -> None:
        self.x = x
        self.y = y
        self.hidden = False

    def _collect(self, x: int, y: int, scale: int, visible: bool, plan: Plan) -> None:
        """Put what is drawn, and the rectangles that changed, into the plan."""
        raise NotImplementedError

    def _leave(self, gone: "list[Area]") -> None:
        """Forget where this was shown, and tell."""
        raise NotImplementedError


class TileGrid(Layer):
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
        """The index of the tile at (x, y) or at a running index."""
        return self._tiles[self._place(index)]

    def __setitem__(self, index: "int | tuple[int, int]", tile: int) -> None:
        """Put a tile at (x, y) or at a running index."""
        place = self._place(index)
        if not 0 <= tile < min(self._count, 256):
            raise ValueError("tile index out of bounds")
        if self._tiles[place] != tile:
            self._tiles[place] = tile
            x = place % self.width * self.tile_width
            y = place // self.width * self.tile_height
            area = (x, y, x + self.tile_width, y + self.tile_height)
            self._part = union(self._part, area) if self._part else area

    def _size(self) -> "tuple[int, int]":
        """Width and height as shown, before scale."""
        w, h = self.width * self.tile_width, self.height * self.tile_height
        return (h, w) if self._flips[2] else (w, h)

    def _leave(self, gone: "list[Area]") -> None:
        if self._shown:
            gone.append(self._shown)
            self._shown = None

    def _collect(self, x: int, y: int, scale: int, visible: bool, plan: Plan) -> None:
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
            source = framebuf.FrameBuffer(pixels[start:], w, h, FORMATS[bitmap.bits_per_value], stride)
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


class Group(Layer):
    """A list of tile grids and groups, drawn from first to last, moved and enlarged together."""

    def __init__(self, *, scale: int = 1, x: int = 0, y: int = 0) -> None:
        super().__init__(x, y)
        self._items: "list[Layer]" = []
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

    def append(self, layer: Layer) -> None:
        """Put a layer on top of all others."""
        self._items.append(layer)

    def insert(self, index: int, layer: Layer) -> None:
        """Put a layer in at an index."""
        self._items.insert(index, layer)

    def index(self, layer: Layer) -> int:
        """The index of the first copy of a layer; raises ValueError where there is none."""
        return self._items.index(layer)

    def pop(self, i: int = -1) -> Layer:
        """Take out a layer and return it."""
        layer = self._items.pop(i)
        layer._leave(self._gone)
        return layer

    def remove(self, layer: Layer) -> None:
        """Take out the first copy of a layer; raises ValueError where there is none."""
        self.pop(self._items.index(layer))

    def sort(self, key: "Callable[[Layer], int]", reverse: bool = False) -> None:
        """Sort the layers; all of them are drawn anew."""
        self._items.sort(key=key, reverse=reverse)
        for layer in self._items:
            layer._leave(self._gone)

    def __len__(self) -> int:
        """Number of layers."""
        return len(self._items)

    def __bool__(self) -> bool:
        """Whether there is any layer."""
        return len(self._items) > 0

    def __contains__(self, layer: object) -> bool:
        """Whether a layer is directly in this group."""
        return layer in self._items

    def __iter__(self) -> "Iterator[Layer]":
        """The layers, lowest first."""
        return iter(self._items)

    def __getitem__(self, index: int) -> Layer:
        """The layer at an index."""
        return self._items[index]

    def __setitem__(self, index: int, layer: Layer) -> None:
        """Put another layer at an index."""
        self._items[index]._leave(self._gone)
        self._items[index] = layer

    def __delitem__(self, index: int) -> None:
        """Take out the layer at an index."""
        self.pop(index)

    def _leave(self, gone: "list[Area]") -> None:
        gone.extend(self._gone)
        self._gone.clear()
        for layer in self._items:
            layer._leave(gone)

    def _collect(self, x: int, y: int, scale: int, visible: bool, plan: Plan) -> None:
        plan.dirty.extend(self._gone)
        self._gone.clear()
        x += self.x * scale
        y += self.y * scale
        for layer in self._items:
            layer._collect(x, y, scale * self._scale, visible and not self.hidden, plan)
