"""A session at the page of a whole system, in real Chromium: recorded, looked into, played from its file.

``YIMA_PICTURES=FOLDER`` keeps pictures of the page for the documentation (`make picture`).
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from axe import findings
from conftest import micropython, need
from playwright.sync_api import Locator, Page, expect, sync_playwright
from ports import free_base
from system import running, started, wait_until

from host_tools.demo_stage import Stage
from host_tools.run import Running
from host_tools.state import State
from simulator.player import Differs, Player
from simulator.scenario import load

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.xdist_group("system")]
SESSION_S = 30_000


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[State, dict[str, Any]]]:
    need(Path(micropython()).exists(), 2, "needs MicroPython")
    state = State(tmp_path_factory.mktemp("run") / "state")
    with started(state.root, free_base(), "--devices", "2") as process:
        told = running(state.root, process)

        def trusting() -> bool:
            rows = get(told, "/api/devices")
            return len(rows) == 2 and all(row["pack_version"] for row in rows)

        wait_until(trusting, "the handhelds get no pack", 60)
        yield state, told


@pytest.fixture
def page(system: tuple[State, dict[str, Any]]) -> Iterator[Page]:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    need(chromium is not None, 2, "needs chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        opened = browser.new_page(viewport={"width": 1280, "height": 900})
        opened.goto(system[1]["handheld"])
        expect(opened.locator("#console")).to_contain_text("flow: idle", timeout=SESSION_S)
        yield opened
        browser.close()


def get(told: dict[str, Any], path: str) -> Any:
    headers = {"authorization": f"Bearer {told['console_key']}"}
    return httpx.get(told["console"] + path, headers=headers, trust_env=False).json()


def keep(what: Page | Locator, name: str) -> None:
    """A picture for the documentation, where one is wanted."""
    if folder := os.environ.get("YIMA_PICTURES"):
        what.screenshot(path=str(Path(folder) / name))


def decisions(told: dict[str, Any]) -> list[dict[str, Any]]:
    return [row for row in get(told, "/api/records") if row["event"] is None]


def turn(page: Page, button: str, verdict: str) -> None:
    """Somebody of the town, from the list to the verdict and back to idle."""
    lines = "[...document.querySelector('#console').childNodes].map((n) => n.textContent)"
    before = page.evaluate(f"{lines}.length")
    said = f"{lines}.slice({before}).join('')"
    page.locator("#town li", has_text=button).get_by_role("button").first.click()
    if verdict == "0":  # who is stopped is not measured
        wait_until(lambda: "flow: measure" in page.evaluate(said), f"no question for {button}", 15)
        page.keyboard.press("3")
    wait_until(lambda: f"flow: verdict {verdict}" in page.evaluate(said), f"no verdict on {button}", 15)
    wait_until(lambda: "flow: idle" in page.evaluate(said).split("flow: verdict")[1], "not idle again", 30)


def test_a_recorded_session_plays_as_it_was(
    system: tuple[State, dict[str, Any]], page: Page, tmp_path: Path
) -> None:
    _, told = system
    people = httpx.get(told["authority"] + "/api/people", trust_env=False).json()
    green = next(p for p in people if p["colour"] == "green" and not p["companions"] and "live" in p["media"])
    red = next(p for p in people if p["colour"] == "red" and "live" in p["media"])
    page.locator("#record").click()
    expect(page.locator("#record")).to_have_attribute("aria-pressed", "true")
    for person, verdict in ((green, "0"), (red, "1")):
        turn(page, person["note_en"], verdict)
    page.locator("#server").uncheck()
    turn(page, green["note_en"], "0")
    page.locator("#server").check()
    page.locator("#record").click()
    expect(page.locator("#recorded")).to_be_visible()
    with page.expect_download() as download:
        page.locator("#recorded").click()
    file = tmp_path / "recorded.txt"
    download.value.save_as(file)
    text = file.read_text("utf-8")
    assert text.count("verdict pass") == 2 and text.count("verdict stop") == 1
    assert "world server off" in text and text.count("comes ") == 3
    wait_until(lambda: len(decisions(told)) == 3, "the records do not arrive", 60)

    played(system, file)
    wait_until(lambda: len(decisions(told)) == 6, "the replay leaves no records", 60)
    first, second = decisions(told)[3:], decisions(told)[:3]
    assert [r["verdict"] for r in first] == [r["verdict"] for r in second]
    assert [r["sub"] for r in first] == [r["sub"] for r in second]
    # And a scenario that says otherwise differs.
    wrong = tmp_path / "wrong.txt"
    wrong.write_text(text.replace("verdict stop", "verdict pass"), "utf-8")
    with pytest.raises(AssertionError, match="differs"):
        played(system, wrong)


def played(system: tuple[State, dict[str, Any]], file: Path) -> None:
    """Play a file in a thread of its own: Playwright's loop runs in this one."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(lambda: asyncio.run(replayed(system, file))).result()


async def replayed(system: tuple[State, dict[str, Any]], file: Path) -> None:
    """Play a file; AssertionError where it differs."""
    state, told = system
    stage = Stage(Running(**{**told, "handhelds": tuple(told["handhelds"])}))
    try:
        await Player(stage, state, decisions(told)[0]["device"]).play(load(file))
    except Differs as e:
        raise AssertionError(f"differs: {e}") from e
    finally:
        await stage.close()


def test_the_page_shows_tasks_records_packs_and_settings(
    system: tuple[State, dict[str, Any]], page: Page
) -> None:
    _, told = system
    wait_until(lambda: decisions(told), "there is a record", 5)
    for name in ("tasks", "journal", "packs", "settings", "wear", "traffic"):
        page.locator(f"#{name} > summary").click()
    expect(page.locator("#task-rows")).to_contain_text("housekeeping", timeout=SESSION_S)
    expect(page.locator("#journal-told")).to_contain_text("Opened with the server's sealing keys")
    newest = page.locator("#journal-rows li").first
    rows = {row["seq"]: row for row in get(told, "/api/records")}
    number = int(str(newest.locator("b").text_content()).lstrip("#"))
    expect(newest).to_contain_text(str(rows[number]["verdict"] or rows[number]["event"]).replace("_", " "))
    expect(page.locator("#pack-list h3").first).to_contain_text("in force: valid")
    expect(page.locator("#pack-list")).to_contain_text("whole")
    expect(page.locator("#setting-rows")).to_contain_text("set, not shown")
    expect(page.locator("#wear-files-told")).to_contain_text("1536 sectors")
    expect(page.locator("#wear-journal-told")).to_contain_text("448 sectors")
    assert findings(page) == []
    page.locator("#traffic > summary").click()
    page.locator("#settings > summary").click()
    keep(page.locator("section[aria-labelledby=flash-title]"), "flash.png")
    page.set_viewport_size({"width": 360, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "scrolls sideways"
    assert findings(page) == []
    page.set_viewport_size({"width": 1280, "height": 900})
    picture = page.locator("#phone > summary")
    picture.click()
    page.locator("#town button").first.click()
    expect(page.locator("#found")).to_contain_text("1 code")
    page.locator("#tilt").fill("35")
    page.locator("#turn").fill("20")
    page.locator("#phone-show").click()
    expect(page.locator("#phone-result")).to_have_text("It reads.")
    shown = "document.querySelector('#preview').naturalWidth"
    wait_until(lambda: page.evaluate(shown) == 640, "the camera's frame shows", 10)
    page.locator("#phone-sweep").click()
    expect(page.locator("#phone-result")).to_contain_text("of 135 ways read", timeout=SESSION_S)
    keep(page.locator("section[aria-labelledby=camera-title]"), "phone.png")
    page.goto(told["handheld"] + "/devices")
    expect(page.locator(".desk img")).to_have_count(2)
    drawn = "[...document.querySelectorAll('.desk img')].every((i) => i.naturalWidth === 240)"
    wait_until(lambda: page.evaluate(drawn), "both screens are drawn", 15)
    page.set_viewport_size({"width": 680, "height": 480})
    keep(page, "devices.png")
