"""As much of CircuitPython's bitmaptools as bitmap labels call, pixel by pixel."""


def blit(
    dest_bitmap,
    source_bitmap,
    x,
    y,
    *,
    x1=0,
    y1=0,
    x2=None,
    y2=None,
    skip_source_index=None,
    skip_dest_index=None,
):
    """Copy a part of a bitmap to (x, y) of another, without some values on either side."""
    x2 = source_bitmap.width if x2 is None else min(x2, source_bitmap.width)
    y2 = source_bitmap.height if y2 is None else min(y2, source_bitmap.height)
    for row in range(y1, y2):
        for column in range(x1, x2):
            to_x, to_y = x + column - x1, y + row - y1
            if not (0 <= to_x < dest_bitmap.width and 0 <= to_y < dest_bitmap.height):
                continue
            value = source_bitmap[column, row]
            if value != skip_source_index and dest_bitmap[to_x, to_y] != skip_dest_index:
                dest_bitmap[to_x, to_y] = value
