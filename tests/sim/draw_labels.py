"""Run by test_blinka.py: labels of unmodified adafruit_display_text, drawn and changed step by step.

Under MicroPython they are on our displayio, under CPython on Blinka's; both dump the same panel.
Arguments: a BDF font, folder for the dumps.
"""

import sys

from adafruit_bitmap_font import bitmap_font
from adafruit_display_text import bitmap_label, label, wrap_text_to_pixels
from draw_screens import Frame

from drivers.displayio import Bitmap, Display, Group, Palette, TileGrid

KINDS = (label.Label, bitmap_label.Label)
DIRECTIONS = ("LTR", "RTL", "UPR", "DWR", "UPD")


def ground():
    palette = Palette(1)
    palette[0] = 0x203040
    return TileGrid(Bitmap(240, 320, 1), pixel_shader=palette)


def main(font_path, out):
    frame = Frame()
    display = Display(frame)
    font = bitmap_font.load_font(font_path)
    root = Group()
    display.root_group = root
    root.append(ground())
    number = [0]

    def dump():
        display.refresh()
        with open("%s/%02d.raw" % (out, number[0]), "wb") as file:
            file.write(frame.pixels)
        number[0] += 1

    dump()
    for kind in KINDS:
        one = kind(font, text="Temperature 36.4", color=0xFFFFFF, x=10, y=20)
        root.append(one)
        dump()
        box = kind(
            font,
            text="two lines,\n\ttabbed",
            color=0x102030,
            background_color=0xFFBE00,
            padding_top=3,
            padding_left=5,
            padding_right=2,
            padding_bottom=1,
            line_spacing=1.5,
            x=20,
            y=60,
        )
        large = kind(font, text="Qgjy", scale=3, anchor_point=(0.5, 0.5), anchored_position=(150, 120))
        tight = kind(font, text="base", background_color=0x800000, background_tight=True, base_alignment=True)
        tight.x, tight.y = 180, 30
        for layer in (box, large, tight):
            root.append(layer)
        dump()
        for i, direction in enumerate(DIRECTIONS):
            root.append(
                kind(font, text="Way %d" % i, label_direction=direction, color=0x80FF80, x=20 + 40 * i, y=250)
            )
        dump()
        one.text = "Temperature 37.1, too high"
        one.color = 0xFF8080
        dump()
        one.text = ""
        box.hidden = True
        large.scale = 2
        dump()
        box.hidden = False
        box.background_color = None
        tight.x = 120
        large.anchored_position = (90, 180)
        dump()
        one.text = "\n".join(wrap_text_to_pixels("Wipe and brighten the phone, then scan again", 100, font))
        one.label_direction = "DWR"
        dump()
        root.remove(large)
        root[1].hidden = True
        dump()
        while len(root) > 1:
            root.pop()
        dump()
    outlined = bitmap_label.Label(
        font, text="outline", color=0xFFFFFF, outline_color=0xFF0000, outline_size=2, scale=2, x=20, y=40
    )
    root.append(outlined)
    dump()
    outlined.text = "scrolls"
    outlined.outline_size = 1
    dump()
    print(number[0])


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
