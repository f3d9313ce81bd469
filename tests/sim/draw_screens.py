"""Run by test_screens.py under MicroPython: draws every screen in both languages and dumps the pixels.

Arguments: folder of the assets, folder for the dumps (one NAME.raw each, RGB565, high byte first).
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

    def write_window(self, x: int, y: int, width: int, height: int, buffer: memoryview) -> None:
        assert (
            len(buffer) == 2 * width * height and x >= 0 and y >= 0 and x + width <= 240 and y + height <= 320
        )
        for row in range(height):
            at = 2 * ((y + row) * 240 + x)
            self.pixels[at : at + 2 * width] = buffer[2 * row * width : 2 * (row + 1) * width]
        self.sent += len(buffer)


BUS = Bar("101路 闽F12345", "transit", 2, 86)
LIBRARY = Bar("图书馆 南门", "registered_venue", 0, 64)
LOW = Bar("龙岩市第一中学体育馆东侧入口", "registered_venue", 1, 9)
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
    "idle": lambda s: s.idle(BUS, 128, 0, True, 10_900, "14:07", [], ("", "English", "")),
    "idle_offline": lambda s: s.idle(
        LOW, 40_312, 1_204, False, 777_600, "06:59", ["warn_clock", "warn_journal"], ("", "中文", "")
    ),
    "idle_first": lambda s: s.idle(BUS, 0, 0, False, None, "--:--", ["warn_no_trust"], ("", "中文", "")),
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


def main(assets: str, out: str) -> None:
    frame = Frame()
    screens = Screens(Display(frame), Fonts(assets), "zh")
    for language in ("zh", "en"):
        screens.language = language
        for name in SCREENS:
            SCREENS[name](screens)
            if name in ("pass", "notice_not_a_code"):
                screens.countdown(1000)
                screens.countdown(620)
            with open("%s/%s_%s.raw" % (out, name, language), "wb") as f:
                f.write(frame.pixels)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
