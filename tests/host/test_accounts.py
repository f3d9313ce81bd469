"""Roles, sessions, forms, the audit log, and names that need a second person."""

from __future__ import annotations

import csv
import io
import re

import pytest
from argon2 import PasswordHasher
from fleetkit import NOW, AppClient, PaperHandheld

from host_tools import cli
from host_tools.files import FileTrouble
from host_tools.server import console, devices
from host_tools.server.accounts import KEY_NAME, MAY, Accounts
from host_tools.server.limits import Limiter
from host_tools.server.reports import Reports
from host_tools.server.store import Store

KEY = "the-console-key"
WORD = "a long enough word"
ANN, BEN = b"A" * 16, b"B" * 16
HOSTILE = "<script>alert(1)</script>'\" OR 1=1 --"
BEARER = {"authorization": f"Bearer {KEY}"}


@pytest.fixture
def app(store):
    return console.make_app(store, devices.Bell(), KEY, 8703, clock=lambda: NOW + 7200)


@pytest.fixture
def accounts(store):
    return Accounts(store, PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))


@pytest.fixture
def records(store):
    """Ann and Ben in a museum, Ann in a hospital of another district."""
    handheld = PaperHandheld.enrolled(store)
    for sub, place, at, direction in (
        (ANN, "东区博物馆", 0, 0),
        (BEN, "东区博物馆", 60, 0),
        (ANN, "东区博物馆", 3600, 1),
        (ANN, "西区医院", 5000, 0),
    ):
        handheld.write(1, sub=sub, place=place, time=NOW + at, direction=direction, checker=HOSTILE)
    sender = AppClient(devices.make_app(store, devices.Bell(), clock=lambda: NOW + 7200))
    assert sender.post("/v1/sync", content=handheld.request()).status_code == 200
    Reports(store).add_staff({ANN: (1, "安*"), BEN: (1, "本*")}, "")


def logged_in(app, accounts, name: str, role: str, scope: str = "") -> AppClient:
    accounts.add(name, role, scope, WORD, NOW)
    client = AppClient(app, "http://127.0.0.1:8703")
    answer = client.post("/login", data={"name": name, "password": WORD})
    assert answer.status_code == 303, answer.text
    return client


def csrf(client: AppClient, path: str = "/trace") -> str:
    return re.search(r'name="csrf" value="([^"]+)"', client.get(path).text).group(1)


def ask(client: AppClient, **fields: object) -> int:
    form = {"csrf": csrf(client), "reason": "contact of a patient", "first_day": "2020-05-20", **fields}
    form.setdefault("last_day", "2020-05-22")
    answer = client.post("/trace", data=form)
    assert answer.status_code == 303, answer.text
    return int(answer.headers["location"].rpartition("/")[2])


@pytest.mark.parametrize("role", list(MAY))
def test_each_role_sees_its_pages_only(app, accounts, records, role):
    client = logged_in(app, accounts, "li", role)
    pages = {
        "records": ("/api/records", "/api/devices", "/api/summary", "/parts/devices", "/api/presence"),
        "people": ("/staff", "/alerts", "/api/staff", "/api/staff.csv", "/api/alerts", "/api/alerts.csv"),
        "trace": ("/trace",),
        "audit": ("/audit", "/api/audit"),
    }
    for what, paths in pages.items():
        for path in paths:
            assert client.get(path).status_code == (200 if what in MAY[role] else 403), path
    assert AppClient(app).get("/trace").status_code == 401


def test_a_scope_shows_its_places_only(app, accounts, records):
    east = logged_in(app, accounts, "east", "district", "东区")
    assert {row["place"] for row in east.get("/api/records").json()} == {"东区博物馆"}
    assert "西区医院" not in east.get("/").text + east.get("/staff?day=2020-05-22").text
    assert {row["place"] for row in east.get("/api/presence").json()} <= {"东区博物馆"}
    case = ask(east, kind="person", sub=ANN.hex())
    page = east.get(f"/trace/{case}").text
    assert "东区博物馆" in page and "西区医院" not in page
    form = {"csrf": csrf(east), "kind": "place", "place": "西区医院", "reason": "just curious"}
    assert east.post("/trace", data=form).status_code == 422
    other = logged_in(app, accounts, "west", "district", "西区")
    assert other.get(f"/trace/{case}").status_code == 404


def test_wrong_passwords_and_locked_accounts(app, accounts):
    accounts.add("li", "city", "", WORD, NOW)
    client = AppClient(app)
    for name, word in (("li", "wrong word here"), ("nobody", WORD), ("li\0", WORD), ("", ""), (HOSTILE, "x")):
        answer = client.post("/login", data={"name": name, "password": word})
        assert answer.status_code == 401 and not client.cookies and "<script>alert" not in answer.text
    assert client.post("/login", data={"name": "li", "password": WORD}).status_code == 303
    assert client.get("/api/summary").status_code == 200
    assert accounts.disable("li", NOW) and not accounts.disable("nobody", NOW)
    assert client.get("/api/summary").status_code == 401
    answers = [client.post("/login", data={"name": "li", "password": WORD}).status_code for _ in range(4)]
    assert answers == [401, 401, 429, 429]


def test_a_session_ends(store, accounts):
    now = [NOW]
    app = console.make_app(store, devices.Bell(), KEY, 8703, clock=lambda: now[0])
    client = logged_in(app, accounts, "li", "city")
    form = {"csrf": csrf(client)}
    assert client.post("/logout", data={"csrf": "x"}).status_code == 403
    assert client.post("/logout", data=form).status_code == 303
    assert client.get("/api/summary").status_code == 401
    assert client.post("/login", data={"name": "li", "password": WORD}).status_code == 303
    now[0] += 12 * 3600 + 1
    assert client.get("/api/summary").status_code == 401


def test_what_the_database_keeps_lets_nobody_in(store, accounts, app):
    client = logged_in(app, accounts, "li", "city")
    ticket = client.cookies["yima_session_8703"]
    with store.engine.connect() as connection:
        kept = str(connection.exec_driver_sql("SELECT * FROM account").all())
        kept += str([bytes(row[0]) for row in connection.exec_driver_sql("SELECT ticket_hash FROM login")])
    assert "$argon2id$" in kept and WORD not in kept and ticket not in kept


def test_accounts_are_checked(accounts):
    for name, role, word in (
        ("li", "king", WORD),
        ("li", "city", "short"),
        ("", "city", WORD),
        (KEY_NAME, "city", WORD),
        ("a\nb", "city", WORD),
        ("x" * 49, "city", WORD),
    ):
        with pytest.raises(FileTrouble):
            accounts.add(name, role, "", word, NOW)


def test_forms_of_others_are_refused(app, accounts, records):
    client, other = logged_in(app, accounts, "li", "city"), logged_in(app, accounts, "wu", "city")
    form = {"kind": "person", "sub": ANN.hex(), "reason": "contact of a patient"}
    for token in ("", "x", csrf(other)):
        assert client.post("/trace", data={**form, "csrf": token}).status_code == 403
    good = {**form, "csrf": csrf(client)}
    evil = {"origin": "http://evil.example"}
    assert client.post("/trace", data=good, headers=evil).status_code == 403
    body = {"kind": "person", "sub": ANN.hex(), "reason": "contact of a patient"}
    assert client.post("/api/traces", json=body).status_code == 403
    token = {"x-csrf-token": csrf(client)}
    assert client.post("/api/traces", json=body, headers=token).status_code == 201
    assert client.post("/api/traces", json=body, headers=BEARER).status_code == 201
    policy = client.get("/trace").headers["content-security-policy"]
    assert "form-action 'self'" in policy and "unsafe" not in policy


def test_names_need_a_second_person(app, accounts, records):
    asker = logged_in(app, accounts, "li", "unit")
    boss, inspector = logged_in(app, accounts, "wu", "district"), logged_in(app, accounts, "xu", "inspector")
    case = ask(asker, kind="contacts", sub=ANN.hex(), minutes="15")
    url = f"/trace/{case}"
    before = asker.get(url).text + asker.get(f"/api/traces/{case}/contacts.csv").text
    assert BEN.hex()[:6] in before and BEN.hex() not in before and "本*" not in before
    # Nobody has asked for names; the asker may not approve; an inspector does not even see it.
    assert boss.post(f"{url}/approve", data={"csrf": csrf(boss)}).status_code == 403
    assert asker.post(f"{url}/names", data={"csrf": csrf(asker)}).status_code == 303
    assert asker.post(f"{url}/approve", data={"csrf": csrf(asker)}).status_code == 403
    assert inspector.get(url).status_code == 403
    assert "本*" not in boss.get(url).text
    assert boss.post(f"{url}/approve", data={"csrf": csrf(boss)}).status_code == 303
    after = asker.get(url).text
    assert "本*" in after and BEN.hex() in after and "wu" in after
    rows = list(csv.reader(io.StringIO(asker.get(f"/api/traces/{case}/contacts.csv").text)))
    assert rows[1][:2] == [f"本* {BEN.hex()}", "1"] and rows[1][3] == "59"
    found = asker.get(f"/api/traces/{case}").json()
    assert found["names"] and [row["minutes"] for row in found["contacts"]] == [59]
    assert [row["place"] for row in found["stays"]] == ["东区博物馆", "西区医院"]


def test_the_key_holder_cannot_approve_alone(app, accounts, records):
    client = AppClient(app)
    client.get(f"/?key={KEY}")
    case = ask(client, kind="person", sub=ANN.hex())
    form = {"csrf": csrf(client)}
    assert client.post(f"/trace/{case}/names", data=form).status_code == 303
    assert client.post(f"/trace/{case}/approve", data=form).status_code == 403


def test_pictures_and_hostile_words(app, accounts, records, store):
    client = logged_in(app, accounts, "li", "city")
    handheld = PaperHandheld.enrolled(store)
    handheld.write(1, sub=ANN, place=HOSTILE[:90], time=NOW + 6000)
    sender = AppClient(devices.make_app(store, devices.Bell(), clock=lambda: NOW + 7200))
    sender.post("/v1/sync", content=handheld.request())
    assert 'href="/trace?record=1"' in client.get("/").text
    assert 'name="record" inputmode="numeric" maxlength="19" value="1"' in client.get("/trace?record=1").text
    for fields in (
        {"kind": "contacts", "record": "1", "hops": "2"},
        {"kind": "place", "place": "东区博物馆"},
        {"kind": "place", "place": HOSTILE[:90]},
        {"kind": "person", "sub": ANN.hex()},
    ):
        case = ask(client, reason=HOSTILE, **fields)
        page = client.get(f"/trace/{case}").text
        assert "<svg" in page and "<rect" in page and "<script>alert" not in page
        assert ("<circle" in page) == (fields["kind"] == "contacts")
    assert "<script>alert" not in client.get("/trace").text + client.get("/audit").text
    assert "&lt;script&gt;alert" in client.get("/audit").text


def test_questions_that_are_none(app, accounts, records):
    client = logged_in(app, accounts, "li", "city")
    good = {"kind": "person", "sub": ANN.hex(), "reason": "contact of a patient"}
    for wrong in (
        {"reason": ""},
        {"reason": "why"},
        {"reason": "x" * 201},
        {"sub": "12"},
        {"sub": "", "record": "999999"},
        {"sub": "", "record": "9" * 30},
        {"kind": "name"},
        {"kind": "place", "place": ""},
        {"minutes": "0"},
        {"hops": "3"},
        {"first_day": "2020-02-30"},
        {"first_day": "1990-01-01"},
        {"last_day": "2030-01-01"},
    ):
        answer = client.post("/trace", data={**good, **wrong, "csrf": csrf(client)})
        assert answer.status_code == 422, wrong
    assert client.get("/trace/99").status_code == 404
    assert client.get("/trace/" + "9" * 30).status_code == 404


def test_the_audit_log_tells_who_read_what(app, accounts, records):
    client = logged_in(app, accounts, "li", "city")
    client.get("/api/records?device=y-abc")
    client.get("/staff?day=2020-05-22")
    case = ask(client, kind="person", sub=ANN.hex())
    client.get(f"/trace/{case}")
    client.get(f"/api/traces/{case}/stays.csv")
    auditor = logged_in(app, accounts, "auditor", "auditor")
    lines = [(row["name"], row["action"], row["detail"]) for row in auditor.get("/api/audit").json()]
    assert lines[::-1] == [
        ("li", "read", "/api/records device=y-abc"),
        ("li", "read", "/staff day=2020-05-22"),
        ("li", "trace", f"case {case}: person, contact of a patient"),
        ("li", "read trace", f"case {case}"),
        ("li", "read trace", f"case {case}"),
    ]
    # The log names no person.
    assert ANN.hex()[:6] not in auditor.get("/audit").text


def test_a_limit_lets_so_many_through():
    now = [0.0]
    limiter = Limiter(2.0, 3, lambda: now[0])
    assert [limiter.allows("a") for _ in range(5)] == [True, True, True, False, False]
    assert limiter.allows("b")
    now[0] = 1.0
    assert [limiter.allows("a") for _ in range(3)] == [True, True, False]


def test_the_command(tmp_path, capsys):
    (tmp_path / "word").write_text(WORD + "\n")
    state = ["--state", str(tmp_path / "yima")]
    words = ["--role", "unit", "--scope", "东区", "--password-file", str(tmp_path / "word")]
    assert cli.main(["server", "user", "add", "li", *words, *state]) == 0
    assert cli.main(["server", "user", "list", *state]) == 0
    assert "li  unit  东区" in capsys.readouterr().out
    assert cli.main(["server", "user", "disable", "li", *state]) == 0
    assert cli.main(["server", "user", "disable", "wu", *state]) == 2
    assert cli.main(["server", "user", "list", *state]) == 0
    assert "disabled" in capsys.readouterr().out
    store = Store(tmp_path / "yima" / "server" / "fleet.db")
    assert Accounts(store).login("li", WORD, NOW) is None
    store.close()
