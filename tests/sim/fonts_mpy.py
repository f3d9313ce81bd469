"""Run by test_screens.py under MicroPython: fonts, pictures, texts and the bytes that calls of Screens send.

`YIMA_ASSETS` is the folder of the assets.
"""

import os
import sys

import framebuf

from drivers.displayio import Bitmap, Display
from firmware.ui.fonts import AssetError, Fonts, Line, Pictures, code_points
from firmware.ui.screens import Bar, Screens
from firmware.ui.texts import Texts

ASSETS = os.getenv("YIMA_ASSETS")


class Panel:
    def __init__(self):
        self.sent = 0
        self.windows = []

    def open_window(self, x, y, width, height):
        self.windows.append((x, y, width, height))

    def write(self, pixels):
        self.sent += len(pixels)

    def close_window(self):
        pass


def screens():
    panel = Panel()
    return panel, Screens(Display(panel), Fonts(ASSETS), "zh")


def sent(panel, call, *arguments):
    panel.sent = 0
    panel.windows = []
    call(*arguments)
    return panel.sent


def pixels(font, text, width=24):
    line = Line(font, width)
    line.set(text)
    canvas = framebuf.FrameBuffer(bytearray(2 * width * font.height), width, font.height, framebuf.RGB565)
    row = framebuf.FrameBuffer(bytearray(8), 4, 1, framebuf.RGB565)
    for value in range(4):
        row.pixel(value, 0, value)
    line._blit(canvas, 0, 0, row, 0)
    return [canvas.pixel(i % width, i // width) for i in range(width * font.height)]


def test_code_points_are_those_of_the_text():
    for text in ("", "az", "张*三", "é", "€", "𠮷a", "a\n…"):
        assert code_points(text) == [ord(text[i]) for i in range(len(text))]


def test_a_chinese_character_is_a_square_and_latin_is_narrower():
    fonts = Fonts(ASSETS)
    assert (fonts.small.width("通行"), fonts.large.width("通行")) == (32, 48)
    assert fonts.large.width("il") < fonts.large.width("WM") < 48
    assert fonts.small.width("") == 0


def test_what_the_font_lacks_is_a_box():
    font = Fonts(ASSETS).large
    box = pixels(font, "\u0e01")
    assert box == pixels(font, "𠮷") == pixels(font, "\ue000") == pixels(font, "\x07")
    # Its outline is drawn, its inside is not.
    drawn = [i for i, value in enumerate(box) if value]
    rows = [i // 24 for i in drawn]
    assert 60 < len(drawn) < 100 and max(rows) - min(rows) > 15
    assert box[(min(rows) + 9) * 24 + 12] == 0


def test_every_gb2312_hanzi_has_a_glyph_of_its_own():
    fonts = Fonts(ASSETS)
    for text in ("一丁七万丈三上下", "鼻齐龄龟龙", "闽赣黟骉"[:3], "骨直过复", "ＡＺ（）：；", "ěłőşž"):
        for code in code_points(text):
            assert fonts.small._glyph(code) != fonts.small._start, hex(code)
            assert fonts.large._glyph(code) != fonts.large._start, hex(code)


def test_descenders_are_not_cut():
    for font in (Fonts(ASSETS).small, Fonts(ASSETS).large):
        rows, base = [
            [y for y in range(font.height) if max(values[40 * y : 40 * y + 40])]
            for values in (pixels(font, "gjpqy", 40), pixels(font, "nmxz", 40))
        ]
        lowest = max(base)
        assert max(rows) - lowest >= font.size // 6, (font.size, max(rows), lowest)


def test_fit_cuts_with_an_ellipsis_and_no_sooner_than_it_must():
    font = Fonts(ASSETS).small
    assert font.fit("公共场所", 64) == "公共场所"
    cut = font.fit("公共场所", 63)
    assert cut == "公共…" and font.width(cut) <= 63
    assert font.fit("a b c d e f g", 40)[-1:] == "…"
    assert font.fit("", 0) == ""
    assert font.fit("公", 3) == "…"


def test_wrap_breaks_where_it_may():
    font = Fonts(ASSETS).small
    lines = font.wrap("Wipe and brighten the phone, then scan again", 228, 3)
    assert " ".join(lines) == "Wipe and brighten the phone, then scan again" and len(lines) == 2
    assert font.wrap("请当面刷新后再扫，谨防截图", 8 * 16, 3) == ["请当面刷新后再", "扫，谨防截图"]
    assert font.wrap("一二三四五六", 48, 1) == ["一二…"]
    assert font.wrap("不是\n健康码", 228, 2) == ["不是", "健康码"]
    assert font.wrap("", 228, 2) == []
    assert font.wrap("W" * 40, 60, 9)[0] == "W" * (60 // font.width("W"))


def test_the_cache_gives_what_the_file_has():
    fonts = Fonts(ASSETS)
    small = fonts.small
    text = "".join([chr(code) for code in range(0x4E00, 0x4E80)])
    first = [pixels(small, text[i : i + 1]) for i in range(0, 128, 9)]
    again = [pixels(Fonts(ASSETS).small, text[i : i + 1]) for i in range(0, 128, 9)]
    assert first == again
    assert pixels(small, text[:1]) == first[0]


def raises(error, call, *arguments):
    try:
        call(*arguments)
    except error:
        return True
    return False


def test_broken_asset_files_are_refused():
    assert raises(AssetError, Fonts, "/nonexistent")
    assert raises(AssetError, Pictures, ASSETS + "/text16.bin")
    pictures = Fonts(ASSETS).pictures
    assert raises(AssetError, pictures.load, "nothing")
    assert raises(AssetError, pictures.load_into, Bitmap(3, 3, 4), "pass_zh")


def test_texts_by_language():
    fonts = Fonts(ASSETS)
    assert fonts.texts.get("word_pass") == "通行"
    fonts.texts.language = "en"
    assert fonts.texts.get("word_pass") == "PASS"
    assert fonts.texts.get("no_such_text") == "no_such_text"
    assert "\n" in fonts.texts.get("notice_not_a_code")
    empty = Texts(memoryview(b"YT1\0\0\0"))
    assert empty.get("word_pass") == "word_pass"


def test_trust_age_in_words():
    texts = Fonts(ASSETS).texts
    texts.language = "en"
    for age_s, words in (
        (None, "No trust data"),
        (-5, "Trust 0 min ago"),
        (7199, "Trust 119 min ago"),
        (7200, "Trust 2 h ago"),
        (172_799, "Trust 47 h ago"),
        (172_800, "Trust 2 d ago"),
    ):
        assert texts.trust_age(age_s) == words, age_s
    assert texts.test_age(0) == "PCR today" and texts.test_age(3) == "PCR 3 d ago"


BUS = Bar("101路", "公交", 2, 86)


class State:
    """What the idle screen shows, as firmware.services.status has it."""

    def __init__(
        self, pending, online, trust_age_s, clock_text, warnings, present=None, capacity=0, due=False
    ):
        self.pending = pending
        self.online = online
        self.trust_age_s = trust_age_s
        self.clock_text = clock_text
        self.warnings = warnings
        self.present = present
        self.capacity = capacity
        self.due = due


def test_idle_sends_what_changed():
    panel, s = screens()
    state = State(3, True, 600, "14:07", [], 56)
    idle = [BUS, 12, state, ("", "key_menu", "")]
    assert sent(panel, s.idle, *idle) == 153_600
    assert sent(panel, s.idle, *idle) == 0
    state.clock_text = "14:08"
    assert sent(panel, s.idle, *idle) == 82 * 21 * 2
    idle[1] = 13
    assert sent(panel, s.idle, *idle) == 40 * 56 * 2
    idle[0] = Bar("101路", "公交", 2, 85)
    assert sent(panel, s.idle, *idle) == 46 * 21 * 2
    assert all(y < 24 for _, y, _, _ in panel.windows)
    state.present = 57
    assert sent(panel, s.idle, *idle) == 228 * 21 * 2


def test_a_menu_sends_what_changed():
    panel, s = screens()
    rows = ["%d" % n for n in range(9)]
    assert sent(panel, s.menu, BUS, "title_menu", rows, 0) == 153_600
    assert sent(panel, s.menu, BUS, "title_menu", rows, 0) == 0
    assert 0 < sent(panel, s.menu, BUS, "title_menu", rows, 1) <= 24 * 66 * 2
    for at in range(9):
        s.menu(BUS, "title_menu", rows, at)
    s.menu(BUS, "title_menu", [], 0)


def test_reasons_of_rules_have_the_packs_words():
    panel, s = screens()
    texts = s._fonts.texts
    assert texts.reason(2001) == "规则 2001" and texts.advice(2001)
    texts.of_rules = lambda number, language: ("为何", "怎办") if (number, language) == (2001, "zh") else None
    assert (texts.reason(2001), texts.advice(2001)) == ("为何", "怎办")
    assert texts.reason(2002) == "规则 2002" and texts.reason(50) == "体温偏高"
    s.verdict(BUS, 2, [2001], None, None, None, None)
    assert panel.sent


def test_measure_is_cheap_to_call():
    panel, s = screens()

    def measure(body, progress, mask=0):
        s.measure(
            BUS, "headline_code_valid", "张*三", "3418", None, body, progress, "hint_forehead", mask, True
        )

    assert sent(panel, measure, None, 0) == 153_600
    assert sent(panel, measure, None, 0) == 0
    assert sent(panel, measure, None, 10) == 19 * 10 * 2
    assert sent(panel, measure, 3640, 10) <= 4 * 40 * 56 * 2
    assert sent(panel, measure, 3651, 10) == 40 * 56 * 2
    assert 0 < sent(panel, measure, 3651, 10, 1) <= 228 * 31 * 2


def test_a_verdict_is_one_frame_and_its_countdown_a_few_columns():
    panel, s = screens()
    s.checking(BUS)
    assert sent(panel, s.verdict, BUS, 0, [], "张*三", None, 3640, 2) == 153_600
    assert sent(panel, s.countdown, 1000) == 240 * 6 * 2
    assert sent(panel, s.countdown, 950) == 12 * 6 * 2
    assert sent(panel, s.countdown, 950) == 0
    assert sent(panel, s.countdown, 0) == 240 * 6 * 2


def test_a_change_of_language_holds_from_the_next_call():
    panel, s = screens()
    s.checking(BUS)
    s.language = "en"
    assert s.language == "en" and sent(panel, s.checking, BUS) == 153_600
    s.language = "xx"
    assert s.language == "zh"


def test_odd_arguments_do_not_raise():
    panel, s = screens()
    s.id_check(BUS, "", "")
    s.id_check(BUS, "名" * 40, "é€𠮷")
    s.verdict(BUS, 1, [], None, None, None, None)
    s.verdict(BUS, 2, [19, 45, 60], "x" * 200, "y" * 50, -400, 100_000)
    s.party(BUS, [("", 0, None, 0)], 0)
    s.notice(BUS, "no_such_notice")
    s.idle(
        Bar("", "", 2, 0),
        10**9,
        State(10**9, False, 10**9, "", ["no_such_warning"] * 9, 10**9, 1),
        ("", "", ""),
    )
    s.question(BUS, "no_such_title", ["x" * 90] * 5, ("", "", ""))
    s.countdown(5000)
    s.countdown(-3)
    s.self_test([])
    s.self_test([("chip_nothing", 2)] * 20)
    assert panel.sent


if __name__ == "__main__":
    sys.exit("run by mpy_runner.py")
