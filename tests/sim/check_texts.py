"""Run by test_screens.py under MicroPython: prints a line for every text that does not fit one of its places.

Arguments: folder of the assets, texts.txt. The kind of a text stands before the first underscore of its id.
First every text is held against the rooms of its kind, then every reason is shown, with all that can stand
beside it, and whatever is cut with an ellipsis on the way is told.
"""

import sys

from draw_screens import Frame

from drivers.displayio import Display
from firmware.core import reasons
from firmware.ui.fonts import Font, Fonts, code_points
from firmware.ui.screens import Bar, Screens
from firmware.ui.texts import advice_text, reason_text

#: Kind or id -> its places: font, room in pixels, lines, and the longest that can follow on the line.
PLACES = {
    "advice": (("small", 228, 2, ""),),
    "age": (("small", 140, 1, ""), ("large", 228, 1, "")),
    "ask": (("large", 228, 1, ""),),
    "chip": (("large", 156, 1, ""),),
    "dir": (("small", 32, 1, ""),),
    "dir_both": (("small", 44, 1, ""),),
    "fail": (("small", 220, 1, ""),),
    "headline": (("large", 228, 1, ""),),
    "headline_party": (("small", 228, 1, ""),),
    "hint": (("small", 228, 1, ""),),
    "key": (("small", 76, 1, ""),),
    "label_checked": (("small", 228, 1, ""),),
    "label_offline": (("small", 82, 1, ""),),
    "label_online": (("small", 82, 1, ""),),
    "label_pending": (("small", 140, 1, " 99999"),),
    "label_present": (("small", 228, 1, " 99999 / 99999"),),
    "label_scene_due": (("small", 228, 1, ""),),
    "label_sheet": (("large", 228, 1, " 99 / 99"),),
    "label_version": (("large", 228, 1, ""),),
    "label": (("small", 200, 1, ""),),
    "manual": (("large", 200, 1, ""),),
    "menu": (("large", 200, 1, ""),),
    "notice": (("large", 228, 2, ""),),
    "reason": (("large", 228, 1, " +3"), ("small", 172, 1, "")),
    "role": (("large", 100, 1, ""),),
    "state": (("large", 80, 1, ""),),
    "test": (("large", 228, 1, "36.4℃  "),),
    "title": (("large", 228, 1, ""),),
    "title_party": (("small", 98, 1, ""),),
    "warn": (("small", 228, 1, " +9"),),
    "word": (("large", 98, 1, ""),),
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
EMPTY = (advice_text(reasons.OK), advice_text(reasons.CODE_NOT_NEEDED))


def check(fonts, text_id, text):
    """What is wrong with one text."""
    kind = text_id.split("_")[0]
    values = VALUES.get(text_id, ())
    if text.count("{}") != len(values):
        return "%d placeholders, %d values" % (text.count("{}"), len(values))
    if not text and text_id not in EMPTY:
        return "missing"
    if kind == SPOKEN:
        return ""
    places = PLACES.get(text_id) or PLACES.get(kind)
    if not places:
        return "no place for texts of this kind"
    text = text.format(*values)
    for code in code_points(text.replace("\n", "")):
        for size in (fonts.small, fonts.large):
            if size._glyph(code) == size._start:
                return "U+%04X is not in the %d px font" % (code, size.size)
    for name, room, lines, extra in places:
        font = getattr(fonts, name)
        if kind == "reason" and name == "large" and text_id == reason_text(reasons.FEVER):
            extra = " 37.9℃ +3"
        for line in text.split("\n"):
            if lines == 1 or kind == "notice":
                width = font.width(line) + font.width(extra)
                if width > room:
                    return "%d pixels wide, there is room for %d" % (width, room)
        wrapped = font.wrap(text, room, 9)
        if len(wrapped) > lines:
            return "takes %d lines, there is room for %d: %r" % (len(wrapped), lines, wrapped)
    return ""


def check_table(fonts, rows):
    """Every text by itself, in both languages."""
    ids = [row[0] for row in rows]
    for name in ids:
        if ids.count(name) > 1:
            print("%s: twice" % name)
    for row in rows:
        for language, text in (("zh", row[1]), ("en", row[2])):
            text = text.replace("↵", "\n")
            fonts.texts.language = language
            problem = check(fonts, row[0], text)
            if fonts.texts.get(row[0]) != text:
                problem = "comes out of the text file as %r" % fonts.texts.get(row[0])
            if problem:
                print("%s (%s): %s" % (row[0], language, problem))
    for reason in reasons.built_in():
        for name in (reason_text(reason), advice_text(reason)):
            if name not in ids:
                print("%s: reason %d has no such text" % (name, reason))
    for language in ("zh", "en"):
        fonts.texts.language = language
        states = [fonts.texts.get(name) for name in ("state_running", "state_ok")]
        states.append("E11")
        widest = max([fonts.large.width(state) for state in states])
        for name in ids:
            if name[:5] == "chip_" and fonts.large.width(fonts.texts.get(name)) + widest > 218:
                print("%s (%s): touches the word for its state" % (name, language))
    for name in ids:
        if name[:5] == "chip_" and "fail_" + name[5:] not in ids:
            print("%s: nothing is said when it fails" % name)


def check_pictures(fonts):
    """The large words against their places."""
    for language in ("zh", "en"):
        for name, room in (
            ("pass", 236),
            ("stop", 236),
            ("attention", 236),
            ("show", 236),
            ("in", 88),
            ("out", 88),
        ):
            width = fonts.pictures.size("%s_%s" % (name, language))[0]
            if width > room:
                print("picture %s_%s: %d pixels wide, there is room for %d" % (name, language, width, room))


def check_reasons(fonts):
    """Every reason on the screens, with a direction, a temperature and three more reasons."""
    cut = []
    fit, wrap = Font.fit, Font.wrap

    def told_fit(font, text, width):
        fitted = fit(font, text, width)
        if fitted != text:
            cut.append(text)
        return fitted

    def told_wrap(font, text, width, lines):
        if len(wrap(font, text, width, 9)) > lines:
            cut.append(text)
        return wrap(font, text, width, lines)

    screens = Screens(Display(Frame()), fonts, "zh")
    Font.fit, Font.wrap = told_fit, told_wrap
    bar = Bar("东门", "卡口", 1, 100, True)
    beside = [reasons.OK, reasons.REPLAYED, reasons.MASK_OFF, reasons.TEMP_SENSOR]
    numbers = list(reasons.built_in())
    numbers.append(2_999)
    for language in ("zh", "en"):
        screens.language = language
        for reason in numbers:
            verdict = reasons.verdict_of(reason)
            beside[0] = reason
            screens.verdict(bar, verdict, beside, "欧阳*娜", "341X", 3790, 99)
            for members in (2, 6):
                screens.party(bar, [("欧阳*娜", verdict, 3790, reason)] * members, verdict)
            for text in cut:
                print("reason %d (%s): cut on the screen: %r" % (reason, language, text))
            cut.clear()


def main(assets, table):
    fonts = Fonts(assets)
    with open(table) as file:
        rows = [line.rstrip("\n").split("|") for line in file if "|" in line and line[0] != "#"]
    check_table(fonts, rows)
    check_pictures(fonts)
    check_reasons(fonts)


main(sys.argv[1], sys.argv[2])
