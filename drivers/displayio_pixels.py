"""Bitmap and Palette of drivers.displayio, and sums with rectangles.

Rectangles are half-open tuples ``(x1, y1, x2, y2)``. Colours are kept byte-swapped: see drivers.displayio.
"""

import framebuf

if False:
    Area = tuple[int, int, int, int]

#: framebuf format by bits per value.
FORMATS = {1: framebuf.MONO_HLSB, 2: framebuf.GS2_HMSB, 4: framebuf.GS4_HMSB, 8: framebuf.GS8}


def _swapped_rgb565(color: int) -> int:
    """0xRRGGBB as RGB565 with its two bytes swapped."""
    value = (color >> 8) & 0xF800 | (color >> 5) & 0x07E0 | (color >> 3) & 0x001F
    return (value & 0xFF) << 8 | value >> 8


def cut(a: "Area", b: "Area") -> "Area":
    """What two rectangles share; empty where x1 >= x2 or y1 >= y2."""
    return max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3])


def union(a: "Area", b: "Area") -> "Area":
    """The smallest rectangle around two."""
    return min(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3])


def pixels(a: "Area") -> int:
    """How many pixels a rectangle has."""
    return (a[2] - a[0]) * (a[3] - a[1])


class Bitmap:
    """A rectangle of values from 0 to `value_count` - 1, at most 256.

    Takes memory for its pixels only once they differ: a filled rectangle costs a few words, and so does a
    picture in flash.
    """

    #: The one value of all pixels while there is neither canvas nor lent memory.
    _plain = 0
    _lent: "memoryview | None" = None
    _canvas: "framebuf.FrameBuffer | None" = None
    _buffer: bytearray

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
        self._dirty: "Area | None" = (0, 0, width, height)

    def canvas(self) -> framebuf.FrameBuffer:
        """Not CircuitPython: the pixels as a framebuf, for drawing text fast; call `dirty` afterwards."""
        if self._canvas is None:
            stride = self._stride()
            size = stride * self.height * self.bits_per_value // 8
            self._buffer = bytearray(self._lent or size)
            self._lent = None
            self._canvas = framebuf.FrameBuffer(
                self._buffer, self.width, self.height, FORMATS[self.bits_per_value], stride
            )
            if self._plain:
                self._canvas.fill(self._plain)
        return self._canvas

    def _stride(self) -> int:
        """Pixels from one row to the next: rows begin with a byte."""
        per_byte = 8 // self.bits_per_value
        return (self.width + per_byte - 1) // per_byte * per_byte

    def lend(self, memory: memoryview) -> None:
        """Not CircuitPython: show the pixels in some memory, rows padded to whole bytes, without a copy.

        The memory is not written to: it is copied when single pixels are asked for or set. Raises ValueError
        where it has another size than the pixels.
        """
        if len(memory) != self._stride() * self.height * self.bits_per_value // 8:
            raise ValueError("another size")
        self._plain = 0
        self._canvas = None
        self._lent = memory
        self.dirty()

    def _is_plain(self) -> bool:
        """Whether all pixels are alike, and only their value is kept."""
        return self._lent is None and self._canvas is None

    def _pixels(self) -> "tuple[memoryview, int, int, int, int]":
        """All pixels as framebuf's `blit` takes them, where they are not plain."""
        pixels = memoryview(self._buffer) if self._lent is None else self._lent
        return pixels, self.width, self.height, FORMATS[self.bits_per_value], self._stride()

    def _blit(
        self, canvas: framebuf.FrameBuffer, x: int, y: int, row: framebuf.FrameBuffer, key: int
    ) -> None:
        """Draw it with its corner at (x, y), in the colours of `row`, and nothing where that is `key`."""
        canvas.blit(self._pixels(), x, y, key, row)  # type: ignore[arg-type]

    def dirty(self, x1: int = 0, y1: int = 0, x2: int = -1, y2: int = -1) -> None:
        """Say that the pixels of a rectangle have been changed behind the bitmap's back."""
        area = (x1, y1, self.width if x2 < 0 else x2, self.height if y2 < 0 else y2)
        self._dirty = union(self._dirty, area) if self._dirty else area

    def fill(self, value: int) -> None:
        """Set all pixels to `value`."""
        if not 0 <= value < self._values:
            raise ValueError("value out of range")
        self._plain = value
        self._lent = None
        if self._canvas:
            self._canvas.fill(value)
        self.dirty()

    def _place(self, index: "int | tuple[int, int]") -> "tuple[int, int]":
        x, y = (index % self.width, index // self.width) if isinstance(index, int) else index
        if not (0 <= x < self.width and 0 <= y < self.height):
            raise IndexError("pixel coordinates out of bounds")
        return x, y

    def __getitem__(self, index: "int | tuple[int, int]") -> int:
        """The value at (x, y) or at a running index."""
        x, y = self._place(index)
        if self._canvas is None and self._lent is None:
            return self._plain
        return self.canvas().pixel(x, y)

    def __setitem__(self, index: "int | tuple[int, int]", value: int) -> None:
        """Set the value at (x, y) or at a running index."""
        x, y = self._place(index)
        if not 0 <= value < self._values:
            raise ValueError("pixel value requires too many bits")
        self.canvas().pixel(x, y, value)
        self.dirty(x, y, x + 1, y + 1)


class Palette:
    """Maps values to colours 0xRRGGBB; single values can be transparent."""

    #: Bit n is set where value n is transparent.
    _clear = 0
    _version = 0
    _cached_bits = 0
    _cached: "tuple[framebuf.FrameBuffer, int] | None" = None

    def __init__(self, color_count: int, *, dither: bool = False) -> None:
        if not 1 <= color_count <= 256:
            raise ValueError("color_count must be 1-256")
        self.dither = dither
        self._colors = [0] * color_count

    def __len__(self) -> int:
        """Number of colours."""
        return len(self._colors)

    def __getitem__(self, index: int) -> int:
        """The colour 0xRRGGBB of a value."""
        return self._colors[index]

    def __setitem__(self, index: int, color: "int | tuple[int, int, int] | bytes") -> None:
        """Set the colour of a value, as 0xRRGGBB or as its three bytes."""
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
        self._clear |= 1 << index
        self._touch()

    def make_opaque(self, index: int) -> None:
        """Undo `make_transparent`."""
        self._clear &= ~(1 << index)
        self._touch()

    def is_transparent(self, index: int) -> bool:
        """Whether this value lets show through what lies below."""
        return bool(self._clear >> index & 1)

    def _touch(self) -> None:
        self._version += 1
        self._cached = None

    def _color(self, value: int) -> int:
        """The byte-swapped colour of a value, -1 where it is transparent or has none."""
        if value >= len(self._colors) or self._clear >> value & 1:
            return -1
        return _swapped_rgb565(self._colors[value])

    def _lookup(self, bits: int) -> "tuple[framebuf.FrameBuffer, int]":
        """A one-row framebuf of 2**bits colours and the key colour in it that stands for transparent, or -1.

        framebuf does not check palette bounds, so there is an entry for every value that can be stored; it
        compares the key after the palette, so the key must be none of the opaque colours.
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
