"""What goes over the display's bus: windows and bytes read from the commands that the real driver sends."""

from __future__ import annotations

from pathlib import Path

import pytest
from drawing import asset_folder

from host_tools.bench import ui

#: A window takes three commands and two corners of four bytes each.
WINDOW_BYTES = 11
Sent = dict[str, tuple[int, list[tuple[int, ...]]]]


@pytest.fixture(scope="module")
def sent() -> Sent:
    return ui.bus_bytes(Path(asset_folder()).parent)


def pixels(windows: list[tuple[int, ...]]) -> int:
    return sum((x2 - x1) * (y2 - y1) for x1, y1, x2, y2 in windows)


def test_bytes_are_pixels_and_windows(sent: Sent) -> None:
    for name, (count, windows) in sent.items():
        assert windows and count == 2 * pixels(windows) + WINDOW_BYTES * len(windows), name


@pytest.mark.parametrize("name", ["full", "verdict", "checking", "measure"])
def test_a_screen_appears_in_one_frame(sent: Sent, name: str) -> None:
    assert sent[name] == (240 * 320 * 2 + WINDOW_BYTES, [(0, 0, 240, 320)])


def test_a_change_in_the_bar_on_top_redraws_only_the_bar(sent: Sent) -> None:
    count, windows = sent["battery_tick"]
    assert all(y2 <= 24 for _, _, _, y2 in windows) and count < 2_000


def test_a_minute_redraws_only_the_clock(sent: Sent) -> None:
    count, windows = sent["clock_tick"]
    assert windows == [(150, 259, 232, 280)] and count < 3_500


def test_a_step_of_the_countdown_is_a_few_columns(sent: Sent) -> None:
    count, windows = sent["countdown"]
    assert all(y1 >= 314 for _, y1, _, _ in windows) and count < 150
