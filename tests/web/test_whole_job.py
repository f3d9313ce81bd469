"""The main job in real Chromium: a picture is dropped on the page, the verdict shows there, the record on the
console page. ``YIMA_PICTURE=FILE`` keeps a picture of the handheld's page (`make picture`).
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import httpx
import pytest
from conftest import micropython, need
from playwright.sync_api import Page, expect, sync_playwright
from ports import free_base
from system import running, started, wait_until

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.xdist_group("system")]
PASS_GREEN = [0, 130, 65]
#: The top left corner below the status bar: a verdict fills it with its colour.
CORNER = [4, 40]
PIXEL = "(p) => [...document.querySelector('#screen').getContext('2d').getImageData(p[0], p[1], 1, 1).data]"
DROP = """(bytes) => {
    const transfer = new DataTransfer();
    transfer.items.add(new File([new Uint8Array(bytes)], "code.png", { type: "image/png" }));
    document.querySelector("#drop").dispatchEvent(
        new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true }));
}"""


def shows(page: Page, colour: list[int]) -> bool:
    """Whether the handheld's screen has this colour; the panel keeps 5, 6 and 5 bits of it."""
    seen = page.evaluate(PIXEL, CORNER)[:3]
    return all(abs(a - b) <= 8 for a, b in zip(seen, colour, strict=True))


def test_a_dropped_picture_becomes_a_verdict_and_a_record(tmp_path: Path) -> None:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    need(chromium is not None and Path(micropython()).exists(), 1, "needs chromium and MicroPython")
    state = tmp_path / "state"
    with started(state, free_base()) as process, sync_playwright() as playwright:
        system = running(state, process)
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.goto(system["handheld"])
        console = page.locator("#console")
        expect(console).to_contain_text("flow: idle", timeout=30_000)
        headers = {"authorization": f"Bearer {system['console_key']}"}

        def summary() -> dict[str, int]:
            answer = httpx.get(f"{system['console']}/api/summary", headers=headers, trust_env=False)
            return dict(answer.json())

        def decisions() -> list[dict[str, object]]:
            """The records of people; a pack that came into force leaves one too."""
            answer = httpx.get(f"{system['console']}/api/records", headers=headers, trust_env=False)
            return [row for row in answer.json() if row["event"] is None]

        def trusting() -> bool:
            answer = httpx.get(f"{system['console']}/api/devices", headers=headers, trust_env=False).json()
            return bool(answer) and answer[0]["pack_version"] == summary()["pack_version"] > 0

        wait_until(trusting, "the handheld gets no pack")
        people = httpx.get(f"{system['authority']}/api/people", trust_env=False).json()
        person = next(p for p in people if p["colour"] == "green" and "live" in p["media"])
        picture = httpx.get(f"{system['authority']}/api/people/{person['id']}/code.png", trust_env=False)
        page.evaluate(DROP, list(picture.content))
        expect(console).to_contain_text("flow: measure", timeout=10_000)
        page.keyboard.press("3")
        expect(console).to_contain_text("flow: verdict 0", timeout=10_000)
        wait_until(lambda: shows(page, PASS_GREEN), "the verdict does not show on the page", 2)
        if os.environ.get("YIMA_PICTURE"):
            page.screenshot(path=os.environ["YIMA_PICTURE"])
        wait_until(lambda: len(decisions()) == 1, "the record does not arrive", 15)
        page.goto(f"{system['console']}/?key={system['console_key']}")
        expect(page.locator("table")).to_contain_text("通行")
        browser.close()
