"""The wallet and the console in real Chromium: scripts run under the strict policy, and nothing else does."""

from __future__ import annotations

import io
import shutil

import httpx
import pytest
import zxingcpp
from conftest import need
from fleetkit import PaperHandheld, open_store
from PIL import Image
from playwright.sync_api import expect, sync_playwright
from served import serving

from host_tools.authority.app import Authority, make_app
from host_tools.server import console, devices
from host_tools.state import State

pytestmark = [pytest.mark.browser, pytest.mark.real_time]
KEY = "the-key"


@pytest.fixture(scope="module")
def browser():
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    need(chromium is not None, 2, "no chromium on this machine")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def page(browser):
    """A page at a phone's width; any script error, refused content or outside request fails the test."""
    opened = browser.new_page(viewport={"width": 390, "height": 800})
    troubles: list[str] = []
    opened.on("pageerror", lambda error: troubles.append(str(error)))
    opened.on("console", lambda line: troubles.append(line.text) if line.type == "error" else None)
    opened.on(
        "request",
        lambda r: None if r.url.startswith(("http://127.0.0.1", "data:")) else troubles.append(r.url),
    )
    yield opened
    opened.close()
    # A server that the test has ended is no trouble of the page's.
    assert [trouble for trouble in troubles if "net::ERR_" not in trouble] == []


def read_code(page) -> str:
    """What a scanner reads off the page as it is drawn."""
    picture = Image.open(io.BytesIO(page.locator("#code").screenshot()))
    codes = zxingcpp.read_barcodes(picture)
    assert len(codes) == 1
    return codes[0].text


def wide_enough(page) -> bool:
    return page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_the_wallet_renews_its_code_each_minute(page, tmp_path):
    authority = Authority(State(tmp_path))
    with serving(lambda port: make_app(authority)) as (url,):
        page.clock.install()
        page.goto(f"{url}/")
        assert wide_enough(page)
        page.get_by_text("mother with grandmother").click()
        assert page.url == f"{url}/wallet/mother" and wide_enough(page)
        first = read_code(page)
        assert first.startswith("YM1:")
        source = page.locator("#code").get_attribute("src")
        with page.expect_response("**/api/people/mother/code"):
            page.clock.run_for(61_000)
        expect(page.locator("#code")).not_to_have_attribute("src", source)
        assert read_code(page) not in (first, "")
    # The authority is gone: the old code stays, greyed, and says so.
    page.clock.run_for(61_000)
    expect(page.locator("#code")).to_have_class("code old")


def upload(url: str, handheld: PaperHandheld, first: int) -> None:
    answer = httpx.post(f"{url}/v1/sync", content=handheld.request(first), trust_env=False)
    assert answer.status_code == 200


def test_records_slide_in_live_and_hostile_text_stays_text(page, tmp_path):
    store = open_store(tmp_path)
    hostile = "<img src=x onerror=alert(1)><script>alert(2)</script>"
    handheld = PaperHandheld.enrolled(store, place=hostile)
    bell = devices.Bell()
    handheld.write(1)
    apps = (lambda port: console.make_app(store, bell, KEY, port), lambda port: devices.make_app(store, bell))
    with serving(*apps, on_stop=bell.close) as (url, device_url):
        upload(device_url, handheld, 1)
        page.goto(f"{url}/?key={KEY}")
        assert page.url == f"{url}/" and KEY not in page.content()
        assert page.locator("#rows tr").count() == 1
        expect(page.locator("#link")).to_contain_text("live")
        for number in (2, 3):
            handheld.write(1, place=hostile, verdict=1, reasons=[50])
            upload(device_url, handheld, number)
        expect(page.locator("#rows tr")).to_have_count(3, timeout=15_000)
        newest = page.locator("#rows tr").first
        assert f"{handheld.id} #3" in newest.inner_text() and "STOP" in newest.inner_text()
        assert hostile in newest.inner_text()
        assert page.locator("#rows img, #rows script, #devices img").count() == 0
        assert page.locator("#total").inner_text() == "3"
        assert wide_enough(page)
    store.close()
