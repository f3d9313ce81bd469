"""The day's staff table and the lists of people to supervise or test, from records as handhelds send them."""

from __future__ import annotations

import csv
import io

import pytest
from fleetkit import AppClient, PaperHandheld

from firmware.core import pack, reasons, record
from host_tools import cli
from host_tools.authority.app import Authority
from host_tools.packfile import open_manifest
from host_tools.server import console, devices
from host_tools.server.reports import Reports, day_start, day_text
from host_tools.state import State

DAY = "2020-05-22"
#: Midnight in China.
START = 1_590_076_800
KEY = "the-console-key"
BEARER = {"authorization": f"Bearer {KEY}"}
ANN, BEN, CEM = (bytes([n]) * 16 for n in (1, 2, 3))


@pytest.fixture
def reports(store):
    return Reports(store)


@pytest.fixture
def client(store):
    app = console.make_app(store, devices.Bell(), KEY, 8703, clock=lambda: START + 3600)
    return AppClient(app, "http://127.0.0.1:8703")


@pytest.fixture
def door(store):
    """Writes records and uploads them; `time` counts from the day's midnight."""
    handheld = PaperHandheld.enrolled(store)
    app = AppClient(devices.make_app(store, devices.Bell(), clock=lambda: START + 86_400))

    def passing(sub: bytes | None, time: int, **fields: object) -> None:
        handheld.write(1, sub=sub, time=START + time, **fields)
        assert app.post("/v1/sync", content=handheld.request(len(handheld.records))).status_code == 200

    passing.handheld, passing.app = handheld, app
    return passing


def test_days_are_those_of_china():
    assert day_start(DAY) == START and day_text(START) == DAY == day_text(START + 86_399)
    assert day_text(START - 1) == "2020-05-21"
    for wrong in ("2020-02-30", "x", ""):
        with pytest.raises(ValueError, match=r"."):
            day_start(wrong)


def test_the_staff_table(reports, client, door):
    reports.add_staff({ANN: (1, "安*"), BEN: (2, "本*"), CEM: (3, "")}, "")
    door(ANN, 8 * 3600, place="Office", temperature=[3470, 2400, 3660])
    door(ANN, 9 * 3600, place="Office", verdict=2, reasons=[51], temperature=[3470, 2400, 3710])
    door(ANN, 10 * 3600, place="Lab", verdict=1, reasons=[50])
    door(BEN, -1, place="Office")
    door(b"\x09" * 16, 3600, place="Office")
    door(None, 3600, place="Office")
    answer = client.get(f"/api/staff?day={DAY}", headers=BEARER).json()
    assert (answer["day"], answer["seen"], answer["not_seen"]) == (DAY, 2, 2)
    rows = {(row["sub"], row["place"]): row for row in answer["rows"]}
    office = rows["010101", "Office"]
    assert (office["name"], office["role"], office["seen"], office["checks"]) == ("安*", "staff", True, 2)
    assert (office["first_unix"], office["last_unix"]) == (START + 8 * 3600, START + 9 * 3600)
    assert (office["worst"], office["highest_centi_c"]) == ("attention", 3710)
    assert rows["010101", "Lab"]["worst"] == "stop"
    assert not rows["020202", ""]["seen"] and rows["030303", ""]["role"] == "returning"
    assert set(rows) == {("010101", "Office"), ("010101", "Lab"), ("020202", ""), ("030303", "")}
    door(CEM, 86_399, place="Office")
    door(BEN, 86_400, place="Office")
    rows = client.get(f"/api/staff?day={DAY}", headers=BEARER).json()["rows"]
    assert {(row["sub"][:2], row["seen"]) for row in rows} == {("01", True), ("02", False), ("03", True)}
    before = client.get("/api/staff?day=2020-05-21", headers=BEARER).json()
    assert [row["sub"] for row in before["rows"] if row["seen"]] == ["020202"]
    # The clock of the fixture is on that day.
    assert client.get("/api/staff", headers=BEARER).json()["rows"] == rows
    lab = client.get(f"/api/staff?day={DAY}&place=Lab", headers=BEARER).json()
    assert {row["place"] for row in lab["rows"]} == {"Lab", ""}


def test_rosters_of_one_place(reports, client, door):
    assert reports.add_staff({ANN: (1, "安*")}, "Office") == 1
    assert reports.add_staff({ANN: (1, "安*"), BEN: (1, "本*")}, "") == 2
    door(ANN, 60, place="Office")
    door(ANN, 60, place="Lab")
    rows = client.get(f"/api/staff?day={DAY}", headers=BEARER).json()["rows"]
    assert [(r["sub"][:2], r["place"], r["checks"]) for r in rows] == [
        ("01", "Lab", 1),
        ("01", "Office", 1),
        ("02", "", 0),
        ("01", "Office", 1),
    ]
    assert reports.remove_staff([ANN, CEM], "") == 1 and len(reports.roster()) == 2


def test_events_are_not_people(reports, client, door):
    reports.add_staff({ANN: (1, "")}, "")
    fields = door.handheld.fields()
    event = {key: fields[key] for key in (1, 3, 4, 5, 6)}
    event |= {record.TIME: START + 5, record.EVENT: 2, record.SUB: ANN, record.DIRECTION: 1}
    door.handheld.append(record.encode(event))
    assert door.app.post("/v1/sync", content=door.handheld.request()).status_code == 200
    assert client.get(f"/api/staff?day={DAY}", headers=BEARER).json()["seen"] == 0


def test_alerts(reports, client, door):
    reports.add_staff({ANN: (1, "安*")}, "")
    door(ANN, 10, verdict=1, colour=2, reasons=[reasons.COLOUR_ORANGE])
    door(None, 20, verdict=1, colour=3, reasons=[reasons.COLOUR_RED, reasons.MASK_OFF])
    door(BEN, 30, verdict=2, reasons=[reasons.ARRIVAL_UNTESTED])
    door(BEN, 40, verdict=2, reasons=[reasons.TEST_OVERDUE, reasons.RETURNING_UNTESTED])
    door(CEM, 50, verdict=1, colour=1, reasons=[reasons.COLOUR_YELLOW])
    # 44 is a reason, 1440 and 144 are others.
    door(CEM, 60, verdict=2, reasons=[144, 1440, 2044])
    door(ANN, -5, verdict=1, colour=2, reasons=[reasons.COLOUR_ORANGE])
    found = client.get(f"/api/alerts?day={DAY}", headers=BEARER).json()
    assert [(a["kind"], a["for"], a["sub"], a["name"]) for a in found] == [
        ("overdue_test", ["unit", "district"], "020202", None),
        ("returning_test", ["unit"], "020202", None),
        ("arrival_test", ["district"], "020202", None),
        ("supervision", ["unit", "district"], None, None),
        ("supervision", ["unit", "district"], "010101", "安*"),
    ]
    assert found[-1]["colour"] == "orange" and found[-1]["reasons"] == ["colour_orange"]
    one = client.get(f"/api/alerts?day={DAY}&kind=arrival_test", headers=BEARER).json()
    assert [a["kind"] for a in one] == ["arrival_test"]
    assert client.get(f"/api/alerts?day={DAY}&kind=no_such", headers=BEARER).json() == []


def test_as_csv(reports, client, door):
    reports.add_staff({ANN: (1, '=1+2"')}, "")
    door(ANN, 10, place="@Office", verdict=1, colour=2, reasons=[reasons.COLOUR_ORANGE])
    answer = client.get(f"/api/staff.csv?day={DAY}", headers=BEARER)
    assert answer.headers["content-type"].startswith("text/csv")
    assert f"staff-{DAY}.csv" in answer.headers["content-disposition"]
    rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
    # Nothing that a spreadsheet would calculate.
    assert rows[0]["name"] == "'=1+2\"" and rows[0]["place"] == "'@Office" and rows[0]["seen"] == "True"
    text = client.get(f"/api/alerts.csv?day={DAY}", headers=BEARER).content.decode("utf-8-sig")
    assert next(csv.DictReader(io.StringIO(text)))["kind"] == "supervision"


def test_pages_are_escaped_and_closed_to_strangers(reports, client, door):
    hostile = "<script>alert(1)</script>"
    reports.add_staff({ANN: (1, hostile), BEN: (2, "本*")}, "")
    door(ANN, 10, place=hostile, verdict=1, colour=2, reasons=[reasons.COLOUR_ORANGE, 1234])
    door(None, 20, verdict=2, reasons=[reasons.ARRIVAL_UNTESTED])
    for path in ("/staff", "/alerts", "/api/staff", "/api/staff.csv", "/api/alerts", "/api/alerts.csv"):
        assert client.get(f"{path}?day={DAY}").status_code == 401
        answer = client.get(f"{path}?day={DAY}", headers=BEARER)
        assert answer.status_code == 200
        for wrong in ("2020-02-30", "yesterday", "2020-05-22' OR 1=1"):
            assert client.get(path, params={"day": wrong}, headers=BEARER).status_code == 422
    staff = client.get(f"/staff?day={DAY}", headers=BEARER).text
    alerts = client.get(f"/alerts?day={DAY}", headers=BEARER).text
    for page in (staff, alerts):
        assert "<script>alert" not in page and "&lt;script&gt;" in page
        assert ANN.hex()[:8] not in page
    for text in ("未查验", "not seen", "新上岗人员", "禁止通行", "2020-05-21", "2020-05-23"):
        assert text in staff
    for text in ("居家观察督促", "arrival to be tested", "橙码", "不记录", "reason_1234"):
        assert text in alerts


def test_the_roster_on_the_command_line(tmp_path, capsys):
    state = State(tmp_path / "yima")

    def yima(*arguments: object) -> tuple[int, str]:
        status = cli.main(["server", "roster", *map(str, arguments), "--state", str(state.root)])
        return status, capsys.readouterr().out

    file = tmp_path / "roster.csv"
    file.write_text(f"sub,role,name\n{ANN.hex()},staff,安*\n{BEN.hex()},new,本*\n", encoding="utf-8")
    status, out = yima("add", file)
    assert status == 0 and "2 people now" in out and "yima pack roster" in out
    part = Authority(state)
    file.write_text(f"sub,role\n{CEM.hex()},returning\n")
    assert yima("add", file, "--place", "Lab") == (0, "1 people now\npack version 1\n")
    opened = open_manifest(part.packs.current(part.now_unix()).data, part.keys.root_public)
    length, digest = opened.manifest.part(pack.ROSTER)
    assert len(part.packs.part(digest)) == length == 12 + 3 * 9
    assert yima("show") == (0, "     2 all places\n     1 Lab\n")
    assert yima("remove", file, "--place", "Lab")[1] == "1 taken out\npack version 2\n"
    file.write_text("who\n")
    assert yima("add", file)[0] == 2
