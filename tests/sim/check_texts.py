"""Run by test_screens.py under MicroPython: prints a line for every text that does not fit its place.

Arguments: folder of the assets, texts.txt. The kind of a text stands before the first underscore of its id.
"""

import sys

from firmware.core import reasons
from firmware.ui.fonts import Fonts, code_points
from firmware.ui.texts import advice_text, reason_text

#: Kind -> (font, room in pixels, lines). What a line may have added (a number, a temperature) is in EXTRA.
PLACES = {
    "advice": ("small", 228, 2),
    "age": ("small", 140, 1),
    "ask": ("large", 228, 1),
    "chip": ("large", 156, 1),
    "dir": ("small", 44, 1),
    "fail": ("small", 220, 1),
    "headline": ("large", 228, 1),
    "hint": ("small", 228, 1),
    "key": ("small", 76, 1),
    "label": ("small", 200, 1),
    "manual": ("large", 200, 1),
    "menu": ("large", 200, 1),
    "notice": ("large", 228, 2),
    "reason": ("large", 228, 1),
    "role": ("large", 100, 1),
    "state": ("large", 80, 1),
    "test": ("large", 228, 1),
    "title": ("large", 228, 1),
    "warn": ("small", 228, 1),
    "word": ("large", 172, 1),
}
#: Said, not shown.
SPOKEN = "say"
#: Longest values that the placeholders of a text get.
VALUES = {
    "age_trust_minutes": (119,),
    "age_trust_hours": (47,),
    "age_trust_days": (365,),
    "headline_party": (6, 6),
    "label_version": (99_999,),
    "notice_pin_locked": (3_600,),
    "reason_of_rule": (2_999,),
    "test_days": (99,),
    "title_party": (6,),
}


def check(fonts, text_id, text, language):
    """What is wrong with one text."""
    kind = text_id.split("_")[0]
    if kind not in PLACES:
        return "no place for texts of this kind"
    name, room, lines = PLACES[kind]
    font = getattr(fonts, name)
    values = VALUES.get(text_id, ())
    if text.count("{}") != len(values):
        return "%d placeholders, %d values" % (text.count("{}"), len(values))
    text = text.format(*values)
    for code in code_points(text.replace("\n", "")):
        for size in (fonts.small, fonts.large):
            if size._glyph(code) == size._start:
                return "U+%04X is not in the %d px font" % (code, size.size)
    for line in text.split("\n"):
        if lines == 1 or kind == "notice":
            width = font.width(line) + font.width(EXTRA.get(kind, ""))
            if text_id == reason_text(reasons.FEVER):
                width += font.width(" 37.9℃")
            if width > room:
                return "%d pixels wide, there is room for %d" % (width, room)
    wrapped = font.wrap(text, room, 9)
    if len(wrapped) > lines:
        return "takes %d lines, there is room for %d: %r" % (len(wrapped), lines, wrapped)
    return ""


def main(assets, table):
    fonts = Fonts(assets)
    with open(table) as file:
        rows = [line.rstrip("\n").split("|") for line in file if "|" in line and line[0] != "#"]
    ids = [row[0] for row in rows]
    for name in ids:
        if ids.count(name) > 1:
            print("%s: twice" % name)
    for row in rows:
        for language, text in (("zh", row[1]), ("en", row[2])):
            text = text.replace("↵", "\n")
            fonts.texts.language = language
            problem = check(fonts, row[0], text, language)
            if fonts.texts.get(row[0]) != text:
                problem = "comes out of the text file as %r" % fonts.texts.get(row[0])
            if not text and row[0] not in (advice_text(reasons.OK), advice_text(reasons.CODE_NOT_NEEDED)):
                problem = "missing"
            if problem:
                print("%s (%s): %s" % (row[0], language, problem))
    for reason in reasons.built_in():
        for name in (reason_text(reason), advice_text(reason)):
            if name not in ids:
                print("%s: reason %d has no such text" % (name, reason))
    states = ("state_running", "state_ok", "state_failed")
    for language in ("zh", "en"):
        fonts.texts.language = language
        widest = max([fonts.large.width(fonts.texts.get(name)) for name in states])
        for name in ids:
            if name[:5] == "chip_" and fonts.large.width(fonts.texts.get(name)) + widest > 214:
                print("%s (%s): touches the word for its state" % (name, language))
            if name[:5] == "chip_" and "fail_" + name[5:] not in ids:
                print("%s: nothing is said when it fails" % name)


main(sys.argv[1], sys.argv[2])
