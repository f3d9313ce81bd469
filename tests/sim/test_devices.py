"""Several simulated handhelds at once: each its own board, page and identity, and a page that shows all."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from boards import make_image
from PIL import Image
from ports import free_base, free_port
from test_web import FIRMWARE, PIXEL, ROOT, Simulator, browser, until

__all__ = ["browser"]

# One desk for all, which starts slowly.
pytestmark = pytest.mark.xdist_group("devices")


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Simulator]]:
    folder = tmp_path_factory.mktemp("desk")
    profiles = [make_image(folder / name, {"/main.py": FIRMWARE}) for name in ("one", "two", "three")]
    while True:
        first = free_base()
        with contextlib.suppress(AssertionError):
            started = Simulator(profiles[0], "http://127.0.0.1:9", first, profiles[1:])
            break
    seen = [started] + [started.beside(first + at) for at in (1, 2)]
    for one in seen:
        one.line("SCANNING")
    yield seen
    for one in seen[1:]:
        one.http.close()
    started.stop()


def test_each_has_an_identity_of_its_own(desk: list[Simulator]) -> None:
    rows = desk[1].http.get("/api/devices").json()
    assert [row["name"] for row in rows] == ["one", "two", "three"]
    assert len({row["chip"] for row in rows}) == 3 and [row["url"] for row in rows] == [
        one.url + "/" for one in desk
    ]
    states = [one.state() for one in desk]
    assert [state["number"] for state in states] == [1, 2, 3] and {state["devices"] for state in states} == {
        3
    }
    assert len({state["pid"] for state in states}) == 3


def test_what_happens_to_one_does_not_happen_to_the_others(desk: list[Simulator]) -> None:
    marks = [one.mark() for one in desk]
    desk[1].post("/api/camera/text", content=b"for two")
    assert desk[1].line("CODE", marks[1]) == r"b'for two\r'"
    desk[2].post("/api/world", json={"skin_centi_c": 3777})
    desk[0].post("/api/power/kill")
    assert [one.state()["state"] for one in desk] == ["off", "running", "running"]
    assert [one.state()["world"]["skin_centi_c"] for one in desk] == [3420, 3420, 3777]
    others = [
        one.http.get("/api/events", params={"after": mark, "kinds": "console", "wait_s": 0}).json()
        for one, mark in zip(desk, marks, strict=True)
    ]
    assert not others[0]["events"] and not others[2]["events"]
    mark = desk[0].mark()
    desk[0].post("/api/power/on")
    desk[0].line("SCANNING", mark)


def test_screens_of_all(desk: list[Simulator]) -> None:
    for number in (1, 2, 3):
        picture = Image.open(io.BytesIO(desk[0].http.get(f"/api/devices/{number}/screen.png").content))
        assert picture.getpixel((5, 5)) == (255, 0, 0)
    for number in (0, 4, -1):
        assert desk[0].http.get(f"/api/devices/{number}/screen.png").status_code == 404


def test_one_process_and_no_two_on_one_profile(desk: list[Simulator], tmp_path: Path) -> None:
    assert {one.process.pid for one in desk} == {desk[0].process.pid}
    result = subprocess.run(
        [sys.executable, "-m", "simulator", "--profile", str(tmp_path), "--profile", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert result.returncode == 2 and "share a profile" in result.stderr


@pytest.mark.browser
def test_two_pages_at_once_and_the_page_of_all(browser, desk: list[Simulator]) -> None:
    context = browser.new_context(viewport={"width": 1000, "height": 700})
    try:
        pages = [context.new_page() for _ in desk[:2]]
        for page, one in zip(pages, desk, strict=False):
            page.goto(one.url)
            until(page, "document.querySelector('#status').textContent === 'Running'")
            until(page, f"({PIXEL})([5, 5])[0] === 255")
        assert pages[1].locator("header #desk").text_content() == "Handheld 2 of 3"
        mark = desk[0].mark()
        pages[1].keyboard.down("3")
        until(pages[1], f"({PIXEL})([201, 301])[1] === 255")
        pages[1].keyboard.up("3")
        assert pages[0].evaluate(PIXEL, [201, 301]) == [0, 0, 0, 255]
        assert not list(desk[0].http.get(f"/api/events?after={mark}&wait_s=0&kinds=key").json()["events"])
        pages[1].locator("header #desk").click()
        until(pages[1], "document.querySelectorAll('.desk img').length === 3")
        until(pages[1], "[...document.querySelectorAll('.desk img')].every((i) => i.naturalWidth === 240)")
        assert pages[1].locator(".desk a").nth(2).get_attribute("href") == desk[2].url + "/"
        mark = desk[2].mark()
        desk[2].post("/api/power/kill")
        until(pages[1], "document.querySelectorAll('.desk li')[2].textContent.includes('Switched off')")
        desk[2].post("/api/power/on")
        desk[2].line("SCANNING", mark)
    finally:
        context.close()


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_first_screen_is_there_within_three_seconds(tmp_path: Path) -> None:
    profile = make_image(tmp_path, {"/main.py": FIRMWARE})
    port = free_port()
    began = time.monotonic()
    started = Simulator(profile, "http://127.0.0.1:9", port)
    try:
        ends = began + 30
        while time.monotonic() < ends:
            with contextlib.suppress(httpx.TransportError):
                picture = Image.open(io.BytesIO(started.http.get("/api/screen.png").content))
                if picture.getpixel((5, 5)) == (255, 0, 0):
                    break
            time.sleep(0.02)
        took_s = time.monotonic() - began
        # Other tests run beside this one: what is held against the limit is the processor's time.
        work_s = cpu_s(started.process.pid) + cpu_s(int(str(started.state()["pid"])))
        print(f"first screen after {took_s:.2f} s, {work_s:.2f} s of work")
        assert work_s < 3, "the first screen takes too much work"
    finally:
        started.stop()
