"""Nobody answers: what the checker or the person does not do in time is attention, never a pass."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from door import HEALTHY_CENTI_C, Door, Turn, opened

from host_tools.authority.town import Medium

pytestmark = [pytest.mark.xdist_group("door-silence"), pytest.mark.slow]


def no_answer_on_the_mask(door: Door) -> tuple[Turn, str]:
    return door.turn(door.text("teacher"), mask=None, timeout_s=20), "mask_unanswered"


def nobody_before_the_thermometer(door: Door) -> tuple[Turn, str]:
    door.world.skin_centi_c = None
    turn = door.turn(door.text("teacher"), timeout_s=25)
    door.world.skin_centi_c = HEALTHY_CENTI_C
    return turn, "temp_missing"


def id_not_compared(door: Door) -> tuple[Turn, str]:
    return door.turn(door.text("grandfather", Medium.PAPER), id_key=None, timeout_s=30), "id_unchecked"


CASES = (no_answer_on_the_mask, nobody_before_the_thermometer, id_not_compared)


def test_nobody_answers(tmp_path: Path) -> None:
    """Three doors at once: each of them waits for its full time."""

    def wait(case: object) -> None:
        assert callable(case)
        with opened(tmp_path / case.__name__) as door:
            turn, reason = case(door)
            assert turn.verdict == "attention"
            door.says(f"reason_{reason}")
            assert door.reasons(turn) == [[reason]]
            assert door.turn(door.text("shopper")).verdict == "pass"
            door.settled()

    with ThreadPoolExecutor(len(CASES)) as pool:
        for outcome in [pool.submit(wait, case) for case in CASES]:
            outcome.result(90)
