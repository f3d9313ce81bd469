"""TileGrid and Group of drivers.displayio: what can be shown, where, and what of it has changed."""

import framebuf

from drivers.displayio_pixels import Bitmap, Palette, union

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

    hidden = False

    def __init__(self, x: int, y: int) -> None:
        self.x = x
        self.y = y

    def _collect(self, x: int, y: int, scale: int, visible: bool, plan: Plan) -> None:
        """Put what is drawn, and the rectangles that changed, into the plan."""
        raise NotImplementedError

    def _leave(self, gone: "list[Area]") -> None:
        """Forget where this was shown, and tell."""
        raise NotImplementedError


class TileGrid(Layer):
    """A grid of tiles cut from one bitmap; most often a single tile, the whole bitmap.

    `transpose_xy` swaps rows and columns after the flips; with one flip it makes a quarter turn. All
    attributes may be set at any time, another bitmap must have the size of the one before.
    """

    # What most grids have in common costs each of them nothing.
    width = 1
    height = 1
    _tile_width = 0
    _tile_height = 0
    flip_x = False
    flip_y = False
    transpose_xy = False
    #: The tile numbers; a grid whose tiles are all the first has none.
    _tiles: "bytearray | None" = None
    #: The part in which tiles have changed.
    _part: "Area | None" = None
    #: Where it stands on the display (four numbers) and what it looked like there, None while it is not
    #: shown.
    _shown: "tuple[int, int, int, int, Bitmap, Palette, int] | None" = None

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
        if bitmap.width % (tile_width or 1):
            raise ValueError("tile width must exactly divide bitmap width")
        if bitmap.height % (tile_height or 1):
            raise ValueError("tile height must exactly divide bitmap height")
        if (width, height) != (1, 1):
            self.width = width
            self.height = height
        if tile_width or tile_height:
            self._tile_width = tile_width or 0
            self._tile_height = tile_height or 0
        self.bitmap = bitmap
        self.pixel_shader = pixel_shader
        if default_tile:
            self._check(default_tile)
            self._tiles = bytearray(bytes((default_tile,)) * (width * height))

    @property
    def tile_width(self) -> int:
        """Width of a tile in pixels."""
        return self._tile_width or self.bitmap.width

    @property
    def tile_height(self) -> int:
        """Height of a tile in pixels."""
        return self._tile_height or self.bitmap.height

    def _check(self, tile: int) -> None:
        tiles = self.bitmap.width // self.tile_width * (self.bitmap.height // self.tile_height)
        if not 0 <= tile < min(tiles, 256):
            raise ValueError("tile index out of bounds")

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
        place = self._place(index)
        return self._tiles[place] if self._tiles else 0

    def __setitem__(self, index: "int | tuple[int, int]", tile: int) -> None:
        """Put a tile at (x, y) or at a running index."""
        place = self._place(index)
        self._check(tile)
        if self._tiles is None:
            self._tiles = bytearray(self.width * self.height)
        if self._tiles[place] != tile:
            self._tiles[place] = tile
            x = place % self.width * self.tile_width
            y = place // self.width * self.tile_height
            area = (x, y, x + self.tile_width, y + self.tile_height)
            self._part = union(self._part, area) if self._part else area

    def _single(self) -> bool:
        """Whether this shows a whole bitmap once."""
        if self.width != 1 or self.height != 1:
            return False
        if not self._tile_width and not self._tile_height:
            return True
        return self.tile_width == self.bitmap.width and self.tile_height == self.bitmap.height

    def _size(self) -> "tuple[int, int]":
        """Width and height as shown, before scale."""
        w, h = self.width * self.tile_width, self.height * self.tile_height
        return (h, w) if self.transpose_xy else (w, h)

    def _leave(self, gone: "list[Area]") -> None:
        if self._shown:
            gone.append(self._shown[:4])
            self._shown = None

    def _collect(self, x: int, y: int, scale: int, visible: bool, plan: Plan) -> None:
        if self.hidden or not visible:
            self._leave(plan.dirty)
            return
        bitmap, shader = self.bitmap, self.pixel_shader
        flips = self.flip_x | self.flip_y << 1 | self.transpose_xy << 2
        one = not flips and self._single()
        # Most grids are a whole bitmap: they are asked for no more than that.
        w, h = (bitmap.width, bitmap.height) if one else self._size()
        x += self.x * scale
        y += self.y * scale
        area = (x, y, x + w * scale, y + h * scale)
        shown = area + (bitmap, shader, shader._version << 3 | flips)
        if self._shown != shown:
            if self._shown and self._shown[:4] != area:
                plan.dirty.append(self._shown[:4])
            plan.dirty.append(area)
            self._shown = shown
        else:
            for part in (bitmap._dirty, self._part):
                if part:
                    # What changed in a bitmap of many tiles can show anywhere.
                    if one or (part is self._part and not flips):
                        x1, y1, x2, y2 = part
                        part = (x + x1 * scale, y + y1 * scale, x + x2 * scale, y + y2 * scale)
                    else:
                        part = area
                    plan.dirty.append(part)
        self._part = None
        plan.grids.append((self, area, scale))

    def _draw(self, band: framebuf.FrameBuffer, area: "Area", clip: "Area", scale: int) -> None:
        """Draw the part inside `clip`; pixel (0, 0) of the band is the upper left corner of `clip`."""
        bitmap = self.bitmap
        x, y = area[0] - clip[0], area[1] - clip[1]
        if bitmap._is_plain():
            color = self.pixel_shader._color(bitmap._plain)
            if color >= 0:
                band.fill_rect(x, y, area[2] - area[0], area[3] - area[1], color)
            return
        row, key = self.pixel_shader._lookup(bitmap.bits_per_value)
        if scale > 1 or self.flip_x or self.flip_y or self.transpose_xy:
            self._draw_pixels(band, row, key, (x, y), clip, scale)
        elif self._single():
            bitmap._blit(band, x, y, row, key)
        else:
            self._draw_tiles(band, bitmap._pixels(), row, key, (x, y), clip)

    def _hides(self, area: "Area", clip: "Area") -> bool:
        """Whether this fills all of `clip` with one colour."""
        return (
            self.bitmap._is_plain()
            and area[0] <= clip[0]
            and area[1] <= clip[1]
            and area[2] >= clip[2]
            and area[3] >= clip[3]
            and self.pixel_shader._color(self.bitmap._plain) >= 0
        )

    def _draw_tiles(
        self,
        band: framebuf.FrameBuffer,
        pixels: "tuple[memoryview, int, int, int, int]",
        row: framebuf.FrameBuffer,
        key: int,
        at: "tuple[int, int]",
        clip: "Area",
    ) -> None:
        """Draw tile by tile, each as a picture that begins inside the bitmap."""
        memory, width, _, form, stride = pixels
        w, h = self.tile_width, self.tile_height
        per_byte = 8 // self.bitmap.bits_per_value
        per_row = width // w
        if per_row > 1 and w % per_byte:
            self._draw_pixels(band, row, key, at, clip, 1)
            return
        for place in range(self.width * self.height):
            tile = self._tiles[place] if self._tiles else 0
            x = at[0] + place % self.width * w
            y = at[1] + place // self.width * h
            if x + w <= 0 or y + h <= 0 or x >= clip[2] - clip[0] or y >= clip[3] - clip[1]:
                continue
            start = (tile // per_row * h * stride + tile % per_row * w) // per_byte
            tile_source = (memory[start:], w, h, form, stride)
            band.blit(tile_source, x, y, key, row)  # type: ignore[arg-type]

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
        if self.transpose_xy:
            x, y = y, x
        if self.flip_x:
            x = self.width * self.tile_width - 1 - x
        if self.flip_y:
            y = self.height * self.tile_height - 1 - y
        w, h = self.tile_width, self.tile_height
        tile = self._tiles[y // h * self.width + x // w] if self._tiles else 0
        per_row = self.bitmap.width // w
        return self.bitmap[tile % per_row * w + x % w, tile // per_row * h + y % h]


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
