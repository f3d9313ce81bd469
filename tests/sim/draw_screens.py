"""Run under MicroPython, and on Blinka by on_blinka.py: draws every screen and dumps the pixels.

Arguments: folder of the assets, folder for the dumps (one NAME.raw each, RGB565, high byte first), languages.
"""

import sys

from drivers.displayio import Display
from firmware.core import reasons
from firmware.ui.fonts import Fonts
from firmware.ui.screens import Bar, Screens


class Frame:
    """A panel that keeps what is written to it."""

    def __init__(self) -> None:
        self.pixels = bytearray(240 * 320 * 2)
        self.sent = 0

    def open_window(self, x: int, y: int, width: int, height: int) -> None:
        assert x >= 0 and y >= 0 and x + width <= 240 and y + height <= 320
        self.window = (x, y, width, height)
        self.row = 0

    def write(self, pixels: memoryview) -> None:
        x, y, width, height = self.window
        rows = len(pixels) // (2 * width)
        assert len(pixels) == 2 * width * rows and self.row + rows <= height
        for row in range(rows):
            at = 2 * ((y + self.row) * 240 + x)
            self.pixels[at : at + 2 * width] = pixels[2 * row * width : 2 * (row + 1) * width]
            self.row += 1
        self.sent += len(pixels)

    def close_window(self) -> None:
        assert self.row == self.window[3]


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


BUS = Bar("101路 闽F12345", "公交", 2, 86)
LIBRARY = Bar("图书馆 南门", "场馆", 0, 64)
#: Where people come in and go out.
IN = Bar("第三小区 东门", "卡口", 0, 64, True)
OUT = Bar("第三小区 东门", "卡口", 1, 64, True)
LOW = Bar("龙岩市第一中学体育馆东侧入口", "场馆", 1, 9)
HALL = Bar("会展中心", "会展", 3, 71)
PLAIN = ("", "key_menu", "")
SCREENS = {
    "self_test": lambda s: s.self_test(
        [
            ("chip_scanner", 0),
            ("chip_thermometer", 1),
            ("chip_clock", 1),
            ("chip_battery", 1),
            ("chip_keys", 1),
            ("chip_flash", 1),
        ]
    ),
    "self_test_failed": lambda s: s.self_test(
        [
            ("chip_scanner", 2),
            ("chip_thermometer", 2),
            ("chip_clock", 1),
            ("chip_battery", 1),
            ("chip_keys", 1),
            ("chip_flash", 1),
        ]
    ),
    "idle": lambda s: s.idle(BUS, 128, State(0, True, 10_900, "14:07", []), PLAIN),
    "idle_offline": lambda s: s.idle(
        LOW, 40_312, State(1_204, False, 777_600, "06:59", ["warn_clock", "warn_journal"]), PLAIN
    ),
    "idle_first": lambda s: s.idle(BUS, 0, State(0, False, None, "--:--", ["warn_no_trust"]), PLAIN),
    "idle_inside": lambda s: s.idle(
        LIBRARY, 311, State(2, True, 900, "10:30", [], 57), ("key_direction", "key_menu", "")
    ),
    "idle_full": lambda s: s.idle(
        HALL,
        2_044,
        State(0, True, 4_000, "10:31", [], 2_000, 2_000),
        ("key_direction", "key_menu", ""),
    ),
    "idle_due": lambda s: s.idle(
        HALL,
        2_044,
        State(0, True, 4_000, "10:31", ["warn_trust_expired"], 57, 2_000, True),
        ("key_direction", "key_menu", "key_confirm"),
    ),
    "idle_school_bus": lambda s: s.idle(
        Bar("一中 3号校车", "校车", 2, 77),
        31,
        State(4, False, 9_000, "06:52", []),
        ("", "key_menu", "key_board"),
    ),
    "checking": lambda s: s.checking(BUS),
    "id_check": lambda s: s.id_check(LIBRARY, "欧阳*娜", "341X"),
    "measure": lambda s: s.measure(
        BUS, "headline_code_valid", "张*三", "3418", None, None, 0, "hint_forehead", 0, True
    ),
    "measure_value": lambda s: s.measure(
        LIBRARY, "headline_code_valid", "张*三", "3418", (1, 3), 3642, 60, "hint_hold", 1, True
    ),
    "measure_mask_off": lambda s: s.measure(
        LIBRARY, "headline_code_valid", "J. M.-P.", None, (2, 3), 3785, 100, "hint_again", 2, True
    ),
    "measure_no_mask": lambda s: s.measure(
        BUS, "headline_certificate_valid", "张*三", None, None, 3660, 100, "hint_done", 0, False
    ),
    "pass": lambda s: s.verdict(LIBRARY, 0, [], "张*三", "3418", 3642, 2),
    "pass_plain": lambda s: s.verdict(BUS, 0, [0], None, None, 3651, None),
    "pass_staff": lambda s: s.verdict(
        Bar("市行政服务中心", "机关", 0, 58), 0, [], "欧阳*娜", "341X", 3642, 1, 1
    ),
    "attention_returning": lambda s: s.verdict(
        Bar("第二医院", "单位", 0, 58), 2, [reasons.RETURNING_UNTESTED, 3001], "李*芳", "3418", None, None, 3
    ),
    "attention_rule": lambda s: s.verdict(BUS, 2, [2001], "张*三", None, None, None),
    "menu": lambda s: s.menu(
        LIBRARY,
        "title_menu",
        [s.text(name) for name in ("menu_manual", "menu_language", "menu_pack", "menu_test", "menu_scene")],
        1,
    ),
    "menu_scenes": lambda s: s.menu(
        BUS, "title_scene", ["机关", "单位", "公共", "公交", "校车", "场馆", "会展", "卡口"], 7
    ),
    "pin": lambda s: s.question(LIBRARY, "title_pin", ["●●●○○○"], ("key_1", "key_2", "key_3")),
    "place": lambda s: s.question(
        BUS, "title_place", ["102路 闽F54321", "公交"], ("key_cancel", "", "key_confirm")
    ),
    "pack": lambda s: s.question(
        BUS, "title_pack", ["版本 12", s.trust_age(10_900), "纸质包 3 / 12"], ("key_back", "", "")
    ),
    "sheet": lambda s: s.progress(BUS, "title_sheet", 3, 12, "hint_sheet"),
    "sheet_more": lambda s: s.progress(BUS, "title_sheet", 11, 12, "hint_sheet"),
    "mask": lambda s: s.question(LIBRARY, "ask_mask", ["张*三"], ("key_no_mask", "", "key_mask_on")),
    "fault": lambda s: s.fault("F3A7C"),
    "pass_in": lambda s: s.verdict(IN, 0, [], "张*三", "3418", 3642, 2),
    "pass_out": lambda s: s.verdict(OUT, 0, [], "张*三", "3418", None, None),
    "stop_in": lambda s: s.verdict(
        IN, 1, [reasons.COLOUR_RED, reasons.FEVER, reasons.MASK_OFF], "王*", None, 3850, None
    ),
    "stop_out": lambda s: s.verdict(OUT, 1, [reasons.CODE_REVOKED], "王*", None, None, None),
    "attention_in": lambda s: s.verdict(IN, 2, [reasons.REPLAYED], "古丽·*木", "0021", None, None),
    "attention_out": lambda s: s.verdict(
        OUT, 2, [reasons.REPLAYED_ELSEWHERE, reasons.STALE], "李*芳", None, None, None
    ),
    "party_in": lambda s: s.party(IN, [("张*三", 0, 3642, 0), ("张*明", 1, 3810, reasons.FEVER)], 1),
    "party_out": lambda s: s.party(OUT, [("张*三", 0, None, 0), ("张*明", 0, None, 0)], 0),
    "manual": lambda s: s.menu(
        LIBRARY,
        "title_manual",
        [s.text(name) for name in ("manual_no_phone", "manual_unreadable", "manual_other")],
        0,
    ),
    "notice_pin_locked": lambda s: s.notice(LIBRARY, "notice_pin_locked", 3_600),
    "stop_orange": lambda s: s.verdict(BUS, 1, [reasons.COLOUR_ORANGE], "王*", None, None, None),
    "stop_fever": lambda s: s.verdict(
        LIBRARY, 1, [reasons.FEVER, reasons.MASK_UNANSWERED], "古丽·*木", "0021", 3791, 0
    ),
    "stop_signature": lambda s: s.verdict(BUS, 1, [reasons.BAD_SIGNATURE], None, None, None, None),
    "attention_id": lambda s: s.verdict(LIBRARY, 2, [reasons.ID_UNCHECKED], "李*芳", "341X", None, 9),
    "attention_stale": lambda s: s.verdict(LOW, 2, [reasons.STALE], "张*三", None, 3655, 1),
    "attention_sensor": lambda s: s.verdict(BUS, 2, [reasons.TEMP_SENSOR], "\u0e01*三", None, None, None),
    "party_attention": lambda s: s.party(
        LIBRARY,
        [("张*三", 0, 3642, 0), ("张*明", 0, 3660, 0), ("李*芳", 2, None, reasons.ARRIVAL_UNTESTED)],
        2,
    ),
    "party_pass": lambda s: s.party(BUS, [("张*三", 0, 3642, 0), ("张*明", 0, 3660, 0)], 0),
    "party_six": lambda s: s.party(
        LOW,
        [("欧阳*娜", i % 3, 3600 + 40 * i, (0, reasons.FEVER, reasons.STALE)[i % 3]) for i in range(6)],
        1,
    ),
    "notice_not_a_code": lambda s: s.notice(BUS, "notice_not_a_code"),
    "notice_starting": lambda s: s.notice(BUS, "notice_starting"),
}


def main(assets: str, out: str, languages: str = "zh,en") -> None:
    frame = Frame()
    screens = Screens(Display(frame), Fonts(assets), "zh")
    for language in languages.split(","):
        screens.language = language
        for name in SCREENS:
            SCREENS[name](screens)
            if name in ("pass", "notice_not_a_code"):
                screens.countdown(1000)
                screens.countdown(620)
            with open("%s/%s_%s.raw" % (out, name, language), "wb") as f:
                f.write(frame.pixels)


if __name__ == "__main__":
    main(*sys.argv[1:])
