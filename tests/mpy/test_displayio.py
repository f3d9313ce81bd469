# heap: 2M
"""displayio against a painter that asks every pixel of every layer, on random scenes and changes."""

from drivers.displayio import Bitmap, Display, Group, Palette, TileGrid

WIDTH = 40
HEIGHT = 30


class Panel:
    """Keeps the picture and what was sent; fails on a window outside of the panel."""

    def __init__(self) -> None:
        self.pixels = [0] * (WIDTH * HEIGHT)
        self.windows = []
        self.writes = []
        self.open = False

    def open_window(self, x, y, width, height):
        assert not self.open
        self.open = True
        assert x >= 0 and y >= 0 and width > 0 and height > 0 and x + width <= WIDTH and y + height <= HEIGHT
        self.windows.append((x, y, width, height))
        self.at = 0

    def write(self, buffer):
        self.writes.append(len(buffer))
        x, y, width, height = self.windows[-1]
        for i in range(len(buffer) // 2):
            row, column = divmod(self.at, width)
            assert row < height
            self.pixels[(y + row) * WIDTH + x + column] = buffer[2 * i] << 8 | buffer[2 * i + 1]
            self.at += 1

    def close_window(self):
        _, _, width, height = self.windows[-1]
        assert self.at == width * height, "a window is filled to its end"
        self.open = False

    def sent(self):
        assert not self.open
        count = sum([w * h * 2 for _, _, w, h in self.windows])
        self.windows.clear()
        return count


class Random:
    """Numbers that are the same on every run."""

    def __init__(self, seed):
        self.state = seed

    def below(self, n):
        self.state = (self.state * 1103515245 + 12345) & 0x7FFFFFFF
        return (self.state >> 8) % n


def rgb565(color):
    r, g, b = color >> 16, color >> 8 & 255, color & 255
    return r // 8 * 2048 + g // 4 * 32 + b // 8


def value_at(grid, x, y):
    """The value a tile grid shows at a point, before scale; straight from CircuitPython's description."""
    if grid.transpose_xy:
        x, y = y, x
    if grid.flip_x:
        x = grid.width * grid.tile_width - 1 - x
    if grid.flip_y:
        y = grid.height * grid.tile_height - 1 - y
    tile = grid[x // grid.tile_width, y // grid.tile_height]
    columns = grid.bitmap.width // grid.tile_width
    return grid.bitmap[
        tile % columns * grid.tile_width + x % grid.tile_width,
        tile // columns * grid.tile_height + y % grid.tile_height,
    ]


def paint(layer, pixels, x, y, scale):
    """Paint a layer and all below it into a list of pixels, one at a time."""
    if layer.hidden:
        return
    left, top = x + layer.x * scale, y + layer.y * scale
    if isinstance(layer, Group):
        for inner in layer:
            paint(inner, pixels, left, top, scale * layer.scale)
        return
    width, height = layer.width * layer.tile_width, layer.height * layer.tile_height
    if layer.transpose_xy:
        width, height = height, width
    for row in range(height * scale):
        for column in range(width * scale):
            at_x, at_y = left + column, top + row
            if 0 <= at_x < WIDTH and 0 <= at_y < HEIGHT:
                value = value_at(layer, column // scale, row // scale)
                palette = layer.pixel_shader
                if value < len(palette) and not palette.is_transparent(value):
                    pixels[at_y * WIDTH + at_x] = rgb565(palette[value])


def painted(root):
    pixels = [0] * (WIDTH * HEIGHT)
    paint(root, pixels, 0, 0, 1)
    return pixels


def some_palette(random, values):
    palette = Palette(1 + random.below(values))
    for i in range(len(palette)):
        palette[i] = random.below(0x1000000)
        if random.below(3) == 0:
            palette.make_transparent(i)
    return palette


def some_grid(random):
    values = (2, 4, 16, 256)[random.below(4)]
    tile_width, tile_height = 1 + random.below(9), 1 + random.below(7)
    columns, rows = 1 + random.below(3), 1 + random.below(2)
    bitmap = Bitmap(tile_width * columns, tile_height * rows, values)
    if random.below(4):
        for i in range(bitmap.width * bitmap.height):
            bitmap[i] = random.below(values)
    else:
        bitmap.fill(random.below(values))
    grid = TileGrid(
        bitmap,
        pixel_shader=some_palette(random, values),
        width=1 + random.below(3),
        height=1 + random.below(2),
        tile_width=tile_width,
        tile_height=tile_height,
        default_tile=random.below(columns * rows),
        x=random.below(40) - 8,
        y=random.below(30) - 8,
    )
    for i in range(grid.width * grid.height):
        grid[i] = random.below(columns * rows)
    if random.below(3) == 0:
        grid.flip_x = bool(random.below(2))
        grid.flip_y = bool(random.below(2))
        grid.transpose_xy = bool(random.below(2))
    return grid


def some_group(random, depth):
    group = Group(scale=1 + random.below(3), x=random.below(20) - 6, y=random.below(20) - 6)
    for _ in range(1 + random.below(3)):
        group.append(some_group(random, depth - 1) if depth and random.below(3) == 0 else some_grid(random))
    return group


def change(random, layer):
    """Change something small in a layer or below it."""
    if isinstance(layer, Group):
        what = random.below(9)
        if what == 0:
            layer.append(some_grid(random))
        elif what == 1 and len(layer):
            layer.pop(random.below(len(layer)))
        elif what == 2:
            layer.x += random.below(5) - 2
        elif what == 3:
            layer.hidden = not layer.hidden
        elif what == 4:
            layer.scale = 1 + random.below(3)
        elif what == 5 and len(layer):
            layer[random.below(len(layer))] = some_grid(random)
        elif what == 6:
            layer.insert(0, some_group(random, 0))
        elif len(layer):
            change(random, layer[random.below(len(layer))])
        return
    what = random.below(10)
    bitmap = layer.bitmap
    if what == 0:
        bitmap[random.below(bitmap.width), random.below(bitmap.height)] = 1
    elif what == 1:
        bitmap.fill(random.below(2))
    elif what == 2:
        layer.pixel_shader[0] = random.below(0x1000000)
    elif what == 3:
        layer.pixel_shader.make_opaque(0)
    elif what == 4:
        layer.y += 1
    elif what == 5:
        layer.hidden = not layer.hidden
    elif what == 6:
        layer.flip_x = not layer.flip_x
    elif what == 7:
        layer.transpose_xy = not layer.transpose_xy
    elif what == 8:
        layer[random.below(layer.width * layer.height)] = 0
    else:
        layer.pixel_shader = some_palette(random, 4)


def test_random_scenes_look_as_painted_pixel_by_pixel():
    for seed in range(150):
        random = Random(seed)
        panel = Panel()
        display = Display(panel, WIDTH, HEIGHT, band_rows=7)
        root = some_group(random, 2)
        root.scale = 1
        display.root_group = root
        display.refresh()
        assert panel.pixels == painted(root), "scene %d" % seed
        for step in range(12):
            for _ in range(1 + random.below(3)):
                change(random, root)
            display.refresh()
            assert panel.pixels == painted(root), "scene %d, change %d" % (seed, step)
            panel.sent()
            display.refresh()
            assert panel.sent() == 0, "scene %d, change %d: sent again" % (seed, step)


def scene():
    """A red ground, on it a white square of 10x10 at (5, 5) in a group at (3, 2)."""
    panel = Panel()
    display = Display(panel, WIDTH, HEIGHT, band_rows=8)
    root = Group()
    red = Palette(1)
    red[0] = 0xFF0000
    white = Palette(2)
    white[0] = 0xFFFFFF
    root.append(TileGrid(Bitmap(WIDTH, HEIGHT, 1), pixel_shader=red))
    inner = Group(x=3, y=2)
    square = TileGrid(Bitmap(10, 10, 2), pixel_shader=white, x=5, y=5)
    inner.append(square)
    root.append(inner)
    display.root_group = root
    display.refresh()
    return panel, display, root, inner, square


def test_first_refresh_sends_the_whole_picture_as_one_window_in_bands():
    panel = scene()[0]
    assert panel.windows == [(0, 0, 40, 30)] and panel.writes == [640, 640, 640, 480]
    assert panel.pixels[7 * WIDTH + 8] == 0xFFFF and panel.pixels[7 * WIDTH + 7] == 0xF800


def test_only_what_changed_is_sent():
    panel, display, _, _, square = scene()
    panel.sent()
    display.refresh()
    assert panel.sent() == 0
    square.bitmap[4, 6] = 1
    display.refresh()
    assert panel.windows == [(12, 13, 1, 1)]
    panel.sent()
    square.bitmap[0, 0] = 1
    square.bitmap[3, 1] = 1
    display.refresh()
    assert panel.windows == [(8, 7, 4, 2)]
    panel.sent()
    square.bitmap.fill(0)
    display.refresh()
    assert panel.sent() == 10 * 10 * 2
    square.pixel_shader[1] = 0x00FF00
    display.refresh()
    assert panel.sent() == 10 * 10 * 2


def test_a_move_redraws_the_old_place_and_the_new():
    panel, display, root, inner, square = scene()
    panel.sent()
    inner.x += 1
    display.refresh()
    assert panel.windows == [(8, 7, 11, 10)]
    panel.sent()
    square.x, square.y = 26, 17
    display.refresh()
    assert sorted(panel.windows) == [(9, 7, 10, 10), (30, 19, 10, 10)]
    assert panel.pixels == painted(root)


def test_removing_and_hiding_redraw_what_was_there():
    panel, display, root, inner, square = scene()
    panel.sent()
    inner.remove(square)
    display.refresh()
    assert panel.windows == [(8, 7, 10, 10)]
    assert panel.pixels == painted(root)
    inner.append(square)
    display.refresh()
    panel.sent()
    root.hidden = True
    display.refresh()
    assert panel.pixels == [0] * (WIDTH * HEIGHT)
    root.hidden = False
    display.refresh()
    panel.sent()
    assert panel.pixels == painted(root)
    square.hidden = True
    square.bitmap[0, 0] = 1
    display.refresh()
    assert panel.sent() == 10 * 10 * 2
    square.bitmap[1, 1] = 1
    display.refresh()
    assert panel.sent() == 0


def test_another_root_group_redraws_everything_and_none_is_black():
    panel, display, root, _, _ = scene()
    panel.sent()
    display.root_group = None
    display.refresh()
    assert panel.sent() == WIDTH * HEIGHT * 2 and panel.pixels == [0] * (WIDTH * HEIGHT)
    display.root_group = root
    display.refresh()
    assert panel.sent() == WIDTH * HEIGHT * 2 and panel.pixels == painted(root)


def test_a_changed_tile_redraws_that_tile():
    panel = Panel()
    display = Display(panel, WIDTH, HEIGHT)
    bitmap = Bitmap(8, 4, 2)
    for i in range(4):
        bitmap[4 + i, i] = 1
    palette = Palette(2)
    palette[1] = 0xFFFFFF
    grid = TileGrid(bitmap, pixel_shader=palette, width=5, height=3, tile_width=4, x=10, y=10)
    display.root_group = Group(scale=1)
    display.root_group.append(grid)
    display.refresh()
    panel.sent()
    grid[2, 1] = 1
    display.refresh()
    assert panel.windows == [(18, 14, 4, 4)]
    assert panel.pixels == painted(display.root_group)
    panel.sent()
    grid[7] = 1
    display.refresh()
    assert panel.sent() == 0


def test_scale_enlarges_places_and_changes():
    panel = Panel()
    display = Display(panel, WIDTH, HEIGHT)
    palette = Palette(2)
    palette[1] = 0x00FF00
    outer = Group(scale=2, x=1, y=1)
    inner = Group(scale=3, x=2, y=1)
    bitmap = Bitmap(3, 3, 2)
    inner.append(TileGrid(bitmap, pixel_shader=palette, x=1))
    outer.append(inner)
    display.root_group = outer
    display.refresh()
    panel.sent()
    bitmap[1, 2] = 1
    display.refresh()
    assert panel.windows == [(1 + 2 * 2 + 6 + 6, 1 + 2 + 12, 6, 6)]
    assert panel.pixels == painted(outer)


def test_near_changes_share_a_window_far_ones_do_not():
    panel, display, root, _, square = scene()
    panel.sent()
    square.bitmap[0, 0] = 1
    other = TileGrid(Bitmap(1, 1, 1), pixel_shader=root[0].pixel_shader, x=9, y=7)
    root.append(other)
    display.refresh()
    assert panel.windows == [(8, 7, 2, 1)]


def test_band_buffer_stays_in_its_limit():
    display = Display(Panel(), 240, 320)
    assert len(display._band) <= 19_200


def raises(error, call, *arguments, **keywords):
    try:
        call(*arguments, **keywords)
    except error:
        return True
    return False


def test_bitmap_values_and_bounds():
    for values, bits in ((1, 1), (2, 1), (3, 2), (4, 2), (5, 4), (16, 4), (17, 8), (256, 8)):
        bitmap = Bitmap(5, 3, values)
        assert bitmap.bits_per_value == bits
        assert (bitmap.width, bitmap.height) == (5, 3)
        bitmap[4, 2] = values - 1
        assert bitmap[14] == values - 1 and bitmap[0] == 0
        assert raises(ValueError, bitmap.__setitem__, 0, values)
        assert raises(ValueError, bitmap.fill, values)
    assert raises(IndexError, bitmap.__getitem__, (5, 0))
    assert raises(IndexError, bitmap.__getitem__, 15)
    assert raises(IndexError, bitmap.__setitem__, (0, -1), 1)
    assert raises(ValueError, Bitmap, 0, 3, 2)
    assert raises(ValueError, Bitmap, 3, 3, 0)
    assert raises(ValueError, Bitmap, 3, 3, 257)


def test_palette_colours():
    palette = Palette(3)
    palette[0] = (1, 2, 3)
    palette[1] = b"\x10\x20\x30"
    assert palette[0] == 0x010203 and palette[1] == 0x102030 and len(palette) == 3
    palette.make_transparent(1)
    assert palette.is_transparent(1) and not palette.is_transparent(0)
    palette.make_opaque(1)
    assert not palette.is_transparent(1)
    assert raises(ValueError, palette.__setitem__, 0, 0x1000000)
    assert raises(ValueError, palette.__setitem__, 0, b"\x10")
    assert raises(IndexError, palette.__setitem__, 3, 0)


def test_tile_grid_arguments():
    palette = Palette(2)
    bitmap = Bitmap(8, 6, 2)
    assert raises(ValueError, TileGrid, bitmap, pixel_shader=palette, tile_width=3)
    assert raises(ValueError, TileGrid, bitmap, pixel_shader=palette, tile_height=4)
    assert raises(ValueError, TileGrid, bitmap, pixel_shader=palette, tile_width=4, default_tile=2)
    grid = TileGrid(bitmap, pixel_shader=palette, tile_width=4, tile_height=3, width=2, x=7, y=9)
    assert raises(ValueError, grid.__setitem__, 0, 4)
    assert raises(IndexError, grid.__setitem__, 2, 1)
    assert raises(IndexError, grid.__getitem__, (2, 0))
    assert grid.contains((7, 9)) and grid.contains((14, 11)) and not grid.contains((15, 11))


def test_group_is_a_list():
    palette = Palette(1)
    a, b, c = [TileGrid(Bitmap(1, 1, 1), pixel_shader=palette) for _ in range(3)]
    group = Group()
    assert not group
    group.append(a)
    group.append(c)
    group.insert(1, b)
    assert len(group) == 3 and list(group) == [a, b, c] and b in group
    assert group.index(c) == 2
    group.remove(b)
    assert group.pop() is c and group[0] is a
    group[0] = b
    del group[0]
    assert len(group) == 0
    assert raises(ValueError, group.remove, a)
    assert raises(ValueError, Group, scale=0)
