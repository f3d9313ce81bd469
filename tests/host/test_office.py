"""The office's pages: nothing without a session, nothing changed without the token, no script needed."""

from __future__ import annotations

import io
import re
import shutil

import httpx
import pytest
import zxingcpp
from conftest import need
from fastapi import Response
from fleetkit import NOW, AppClient
from officekit import DAY_S, ID_NUMBER, Clock, open_authority, registration
from PIL import Image
from playwright.sync_api import expect, sync_playwright
from served import serving

from host_tools.authority.app import make_app
from host_tools.authority.office_gate import MAX_WRONG, SESSION_S, Gate, LoginNeeded, load_or_create_password
from host_tools.web import BodyError

BASE = "http://127.0.0.1:8701"
PAGES = (
    "/office/",
    "/office/?q=%E5%BC%A0&colour=2&offset=50",
    "/office/register",
    "/office/persons/teacher",
    "/office/persons/mother",
    "/office/parties/labs",
    "/office/parties/units",
    "/office/lists/supervision",
    "/office/lists/arrivals",
    "/office/lists/overdue",
    "/office/lists/overdue.csv",
    "/office/packs",
    "/office/audit",
)


@pytest.fixture
def authority(tmp_path):
    made = open_authority(tmp_path, Clock())
    yield made
    made.people.close()


@pytest.fixture
def client(authority):
    return AppClient(make_app(authority), BASE)


class Clerk:
    """Somebody who is logged in and fills in forms."""

    def __init__(self, client: AppClient, authority) -> None:
        self.client = client
        password = load_or_create_password(authority.folder)
        assert client.post("/office/login", data={"password": password}).status_code == 303
        self.csrf = re.search(r'name="csrf" value="([^"]+)"', client.get("/office/").text)[1]

    def post(self, path: str, **fields) -> httpx.Response:
        return self.client.post("/office/" + path, data={"csrf": self.csrf, **fields})


@pytest.fixture
def clerk(client, authority):
    return Clerk(client, authority)


def snapshot(authority) -> list[object]:
    return [authority.people.audit(1000)[0:1], authority.packs.revocations.all()]


def test_nothing_without_a_session(client, authority, tmp_path):
    for path in PAGES:
        answer = client.get(path)
        assert answer.status_code == 303 and answer.headers["location"] == "/office/login", path
        assert "张" not in answer.text
    for path in (
        "find",
        "register",
        "persons/teacher/colour",
        "persons/teacher/print",
        "parties/labs",
        "logout",
    ):
        answer = client.post("/office/" + path, data={"colour": "3", "name": "x"})
        assert answer.headers["location"] == "/office/login", path
    assert authority.people.get("teacher").colour == 0 and authority.parties.list("lab") == []
    assert (tmp_path / "authority" / "office.password").stat().st_mode & 0o077 == 0


def test_the_way_in_and_out(client, authority):
    assert client.post("/office/login", data={"password": "x"}).status_code == 403
    assert client.get("/office/").status_code == 303
    clerk = Clerk(client, authority)
    assert "张" in client.get("/office/").text
    (cookie,) = client.cookies.jar
    assert cookie.has_nonstandard_attr("HttpOnly") and cookie.get_nonstandard_attr("SameSite") == "strict"
    kept = client.cookies
    assert clerk.post("logout").status_code == 303
    # A cookie that was copied before is as dead as the session.
    client.cookies = kept
    assert client.get("/office/").status_code == 303


def test_guessing_is_slowed_and_sessions_end(tmp_path):
    now = [0.0]
    gate = Gate(tmp_path, lambda: now[0])
    password = load_or_create_password(tmp_path)
    response = Response()
    for _ in range(MAX_WRONG):
        assert not gate.login("wrong", response)
    with pytest.raises(BodyError):
        gate.login(password, response)
    now[0] += 61
    assert gate.login(password, response)
    ticket = re.search(r"=([^;]+);", response.headers["set-cookie"])[1]
    request = type("Request", (), {"cookies": {gate.cookie: ticket}})()
    assert gate.session(request).csrf
    now[0] += SESSION_S
    with pytest.raises(LoginNeeded):
        gate.session(request)


@pytest.mark.parametrize("path", PAGES)
def test_pages_run_nothing(clerk, path):
    answer = clerk.client.get(path)
    assert answer.status_code == 200
    policy = answer.headers.get_list("content-security-policy")
    assert len(policy) == 1 and ("script-src" not in policy[0] or path.endswith(".csv"))
    assert "<script" not in answer.text and "style=" not in answer.text
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("persons/teacher/colour", {"colour": "3"}),
        ("persons/teacher/print", {}),
        ("persons/teacher/remove", {"sure": "yes"}),
        ("register", {"name": "x", "id_number": ID_NUMBER}),
        ("parties/units", {"name": "x"}),
        ("intervals", {"group": "1", "days": "2"}),
        ("logout", {}),
    ],
)
def test_forms_need_the_token(clerk, authority, path, fields):
    before = snapshot(authority)
    for csrf in ("", "x" * 43, clerk.csrf[:-1]):
        assert clerk.client.post("/office/" + path, data={**fields, "csrf": csrf}).status_code == 403
    assert clerk.client.post("/office/" + path, json={"csrf": clerk.csrf}).status_code == 415
    evil = {"origin": "https://evil.example"}
    good = {**fields, "csrf": clerk.csrf}
    assert clerk.client.post("/office/" + path, data=good, headers=evil).status_code == 403
    assert [str(one) for one in snapshot(authority)] == [str(one) for one in before]
    assert clerk.client.get("/office/").status_code == 200


def test_a_person_from_registration_to_card(clerk, authority):
    answer = clerk.post(
        "register",
        name="张三丰",
        id_number=ID_NUMBER,
        village="西陂村",
        region="黑龙江",
        arrived="2020-05-20T08:30",
        withheld="yes",
    )
    where = answer.headers["location"]
    person_id = where.rsplit("/", 1)[1]
    person = authority.people.get(person_id)
    assert (person.village, person.arrival_unix, person.withheld) == ("西陂村", 1_589_934_600, 1)
    page = clerk.client.get(where).text
    assert "张三丰" in page and ID_NUMBER not in page and "待赋码" in page
    act = f"persons/{person_id}/"
    assert clerk.post(act + "grant").status_code == 409
    assert clerk.post(act + "print").status_code == 409
    assert clerk.post(act + "result", kind="0", result="0", taken="2020-05-22T08:30").status_code == 303
    assert clerk.post(act + "grant").status_code == 303
    assert clerk.post(act + "groups", group=["1", "6"], interval="5").status_code == 303
    assert clerk.post(act + "companion", companion="child").status_code == 303
    assert clerk.post(act + "colour", colour="1").status_code == 303
    person = authority.people.get(person_id)
    assert (person.groups, person.interval_days, person.colour, person.withheld) == ("1,6", 5, 1, 0)
    answer = clerk.post(act + "print")
    assert answer.headers["content-type"] == "application/pdf" and answer.content.startswith(b"%PDF")
    (paper,) = authority.papers.of(person_id)
    assert paper.cti.hex() in clerk.client.get(where).text
    assert (
        clerk.post("papers/revoke", number=f" {paper.cti.hex()[:4]}-{paper.cti.hex()[4:]} ").status_code
        == 303
    )
    assert authority.papers.of(person_id)[0].revoked_unix == NOW
    assert clerk.post("find", id_number=ID_NUMBER).headers["location"] == where
    assert clerk.post("find", id_number="123").status_code == 409
    old = person.wallet
    assert clerk.client.get(f"/wallet/{old}").status_code == 200
    assert clerk.post(act + "wallet").status_code == 303
    assert clerk.client.get(f"/wallet/{old}").status_code == 404
    assert clerk.post(act + "remove").status_code == 409
    assert clerk.post(act + "remove", sure="yes").headers["location"] == "/office/"
    assert clerk.client.get(where).status_code == 409
    done = [row.action for row in authority.people.audit() if row.actor == "office"]
    assert done[::-1] == [
        "register", "results", "grant", "groups", "companion", "colour", "print", "paper revoked", "wallet",
        "remove",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("persons/teacher/colour", {"colour": "7"}),
        ("persons/teacher/colour", {"colour": "x"}),
        ("persons/teacher/colour", {}),
        ("persons/nobody/colour", {"colour": "1"}),
        ("persons/teacher/groups", {"group": "9"}),
        ("persons/teacher/arrival", {"region": "x", "arrived": "soon"}),
        ("persons/teacher/result", {"kind": "0", "result": "3"}),
        ("persons/teacher/result", {"kind": "0", "result": "0", "taken": "2030-01-01T00:00"}),
        ("persons/teacher/companion", {"companion": "nobody"}),
        ("persons/teacher/alone", {"companion": "child"}),
        ("persons/teacher/revoke", {"cti": "zz"}),
        ("persons/teacher/nonsense", {}),
        ("register", {"name": "x", "id_number": "110105194912310021"}),
        ("parties/labs", {"name": ""}),
        ("parties/labs/revoke", {"party": "lab-x"}),
        ("intervals", {"group": "1", "days": "0"}),
    ],
)
def test_refused_forms_change_nothing(clerk, authority, path, fields):
    before = snapshot(authority)
    answer = clerk.post(path, **fields)
    assert answer.status_code == 409 and 'role="alert"' in answer.text and "/office/" in answer.text
    assert [str(one) for one in snapshot(authority)] == [str(one) for one in before]


def test_bodies_that_are_no_forms(clerk):
    headers = {"content-type": "application/x-www-form-urlencoded"}
    for status, content in (
        (413, b"a" * 70_000),
        (400, b"a=%ff%fe"),
        (400, b"&".join(b"a=1" for _ in range(200))),
        (400, b"a=\xff"),
        (403, b""),
    ):
        answer = clerk.client.post("/office/register", content=content, headers=headers)
        assert answer.status_code == status == answer.json()["status"]


def test_credentials_show_once(clerk, authority):
    page = clerk.post("parties/labs", name="<b>县疾控</b>").text
    secret = re.search(r'id="credential">([^<]+)<', page)[1]
    (lab,) = authority.parties.list("lab")
    assert authority.parties.is_good("lab", lab.id, secret)
    again = clerk.client.get("/office/parties/labs").text
    assert lab.id in again and secret not in again and "<b>县" not in again
    assert clerk.post("parties/labs/revoke", party=lab.id).status_code == 303
    assert not authority.parties.is_good("lab", lab.id, secret)


@pytest.mark.browser
def test_the_office_in_chromium(tmp_path):
    """Log in, register, add a result, grant, open the wallet, print: with scripts switched off."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    need(chromium is not None, 1, "no chromium on this machine")
    clock = Clock()
    authority = open_authority(tmp_path, clock)
    hostile = "<img src=x onerror=alert(1)>"
    with serving(lambda port: make_app(authority)) as (url,), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        context = browser.new_context(
            viewport={"width": 390, "height": 800}, java_script_enabled=False, accept_downloads=True
        )
        page = context.new_page()
        troubles: list[str] = []
        page.on("console", lambda line: troubles.append(line.text) if line.type == "error" else None)
        page.on("request", lambda r: None if r.url.startswith((url, "data:")) else troubles.append(r.url))
        page.goto(f"{url}/office/persons/teacher")
        assert page.url == f"{url}/office/login"
        page.get_by_label("password").fill(load_or_create_password(authority.folder))
        page.get_by_role("button", name="Log in").click()
        expect(page.locator("h1")).to_contain_text("Persons")
        page.get_by_role("link", name="Register").click()
        page.get_by_label("name").fill("张三丰")
        page.get_by_label("ID number").fill(ID_NUMBER)
        page.get_by_label("village or community").fill(hostile)
        page.get_by_label("came from the key region").fill("黑龙江")
        page.get_by_label("arrived").fill("2020-05-20T08:30")
        page.get_by_label("no code before a negative test").check()
        page.get_by_role("button", name="Register").click()
        expect(page.locator("h1")).to_contain_text("张三丰")
        expect(page.locator(".alert")).to_contain_text("negative test is needed")
        page.get_by_role("button", name="Add").first.click()
        page.get_by_role("button", name="Grant on the negative result").click()
        expect(page.locator(".alert")).to_have_count(0)
        assert (
            page.locator("input[name=village]").input_value() == hostile and page.locator("img").count() == 0
        )
        with page.expect_download() as download:
            page.get_by_role("button", name="Print a paper code").click()
        assert download.value.path().read_bytes().startswith(b"%PDF")
        page.locator("select[name=colour]").select_option("2")
        page.locator("section", has_text="Colour").get_by_role("button", name="Save").first.click()
        expect(page.locator(".state")).to_contain_text("orange")
        page.get_by_role("link", name="wallet page").click()
        expect(page.locator(".banner")).to_contain_text("橙码")
        picture = Image.open(io.BytesIO(page.locator("#code").screenshot()))
        (code,) = zxingcpp.read_barcodes(picture)
        assert code.text.startswith("YM1:")
        page.goto(f"{url}/office/lists/supervision")
        expect(page.locator("tbody")).to_contain_text("张三丰")
        assert hostile in page.locator("tbody").inner_text()
        for path in PAGES[:-1]:
            if not path.endswith(".csv"):
                page.goto(url + path)
                assert page.evaluate("document.documentElement.scrollWidth") <= 390, path
        page.get_by_role("button", name="Log out").click()
        assert page.url == f"{url}/office/login"
        browser.close()
    person = authority.people.of_id_number(ID_NUMBER)
    assert person.colour == 2 and authority.papers.of(person.id)[0].revoked_unix == NOW
    assert troubles == []


def test_two_offices_do_not_share_a_cookie(tmp_path, authority):
    other = open_authority(tmp_path / "other", Clock())
    assert Gate(authority.folder).cookie != Gate(other.folder).cookie


def test_lists_as_files(clerk, authority):
    authority.people.add(registration(), "test", NOW)
    authority.people.set_groups("teacher", [6], 1, "test", NOW + DAY_S)
    answer = clerk.client.get("/office/lists/overdue.csv")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.text.splitlines()[1].startswith("teacher,")
