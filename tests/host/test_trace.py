"""Traces against a plain reading of the same records: places of a person, people of a place, contacts."""

from __future__ import annotations

import random

import pytest
from fleetkit import NOW, AppClient, PaperHandheld

from firmware.core import record
from host_tools.server import devices, trace
from host_tools.server.stays import OPEN_S, RIDE_S, Passing, Stay, stays_of
from host_tools.server.store import Store
from host_tools.server.trace import Trace

ANN, BEN, CEM, DAN, EVE = (bytes([n]) * 16 for n in range(1, 6))
HOUR = 3_600
LATER = NOW + 100 * HOUR


@pytest.fixture
def pass_door(store):
    """Writes and uploads a record: who, where, when (seconds after NOW), which way."""
    handhelds: dict[str, PaperHandheld] = {}
    app = AppClient(devices.make_app(store, devices.Bell(), clock=lambda: LATER))

    def passing(sub, place, at, direction=0, **fields):
        handheld = handhelds.setdefault(place, PaperHandheld.enrolled(store, place=place))
        handheld.write(1, sub=sub, place=place, time=NOW + at, direction=direction, **fields)
        assert app.post("/v1/sync", content=handheld.request(len(handheld.records))).status_code == 200

    passing.handhelds, passing.app = handhelds, app
    return passing


def ways(*events: tuple[int, str, int]) -> list[Passing]:
    return [Passing(ANN, place, at, direction, 0, "office") for at, place, direction in events]


def spans(stays: list[Stay]) -> list[tuple[str, int, int, bool]]:
    return [(stay.place, stay.start_unix, stay.end_unix, stay.closed) for stay in stays]


def test_stays():
    assert spans(stays_of(ways((0, "A", 0), (600, "A", 1)))) == [("A", 0, 600, True)]
    assert spans(stays_of(ways((0, "A", 0)))) == [("A", 0, OPEN_S, False)]
    assert spans(stays_of(ways((0, "A", 0), (900, "B", 2)))) == [
        ("A", 0, 900, False),
        ("B", 900, 900 + OPEN_S, False),
    ]
    assert spans(stays_of(ways((0, "A", 0), (90_000, "A", 1)))) == [("A", 0, OPEN_S, False)]
    assert stays_of(ways((5, "A", 1))) == []
    ride = [Passing(ANN, "Bus", 0, 2, 0, "transit")]
    assert spans(stays_of(ride)) == [("Bus", 0, RIDE_S, False)]
    (refused,) = stays_of([Passing(ANN, "A", 7, 0, 1, "office")])
    assert refused.refused and (refused.start_unix, refused.end_unix) == (7, 7)
    forced = [*ways((0, "A", 0)), Passing(ANN, "A", 700, 1, None, "office")]
    assert spans(stays_of(forced)) == [("A", 0, 700, True)]


def test_person_and_place(store, pass_door):
    pass_door(ANN, "Museum", 0)
    pass_door(BEN, "Museum", 600)
    pass_door(ANN, "Museum", 1800, 1)
    pass_door(ANN, "Library", 2 * HOUR)
    pass_door(None, "Library", 2 * HOUR)
    pass_door(CEM, "Museum", 700, verdict=1, reasons=[50])
    found = Trace(store).person(ANN, NOW, LATER)
    assert spans(found) == [
        ("Museum", NOW, NOW + 1800, True),
        ("Library", NOW + 2 * HOUR, NOW + 3 * HOUR, False),
    ]
    assert [stay.place for stay in Trace(store).person(ANN, NOW, LATER, "Lib")] == ["Library"]
    assert Trace(store).person(ANN, NOW + 3 * HOUR, LATER) == []
    people, whole = Trace(store).place("Museum", NOW + 900, NOW + 1000)
    assert ([stay.sub for stay in people], whole) == ([ANN, BEN], True)
    people, _ = Trace(store).place("Museum", NOW, NOW + 900)
    assert [(stay.sub, stay.refused) for stay in people] == [(ANN, False), (BEN, False), (CEM, True)]


def test_contacts_over_two_hops(store, pass_door):
    for sub, place, start, end in (
        (ANN, "Museum", 0, 2 * HOUR),
        (BEN, "Museum", HOUR, 3 * HOUR),
        (CEM, "Museum", 2 * HOUR - 300, 3 * HOUR),
        (BEN, "Cinema", 5 * HOUR, 7 * HOUR),
        (DAN, "Cinema", 6 * HOUR, 8 * HOUR),
        (EVE, "Cinema", -9 * HOUR, -8 * HOUR),
    ):
        pass_door(sub, place, start)
        pass_door(sub, place, end, 1)
    # Ben met Eve before he met Ann.
    pass_door(BEN, "Cinema", -9 * HOUR)
    pass_door(BEN, "Cinema", -8 * HOUR, 1)
    asked = Trace(store)
    one = asked.contacts(ANN, NOW - 24 * HOUR, LATER, 15, 1)
    assert [(c.sub, c.seconds, c.times, c.via, c.place) for c in one.found] == [(BEN, HOUR, 1, ANN, "Museum")]
    assert [c.sub for c in asked.contacts(ANN, NOW, LATER, 5, 1).found] == [BEN, CEM]
    two = asked.contacts(ANN, NOW - 24 * HOUR, LATER, 15, 2)
    assert [(c.sub, c.hop, c.via, c.seconds) for c in two.found] == [
        (BEN, 1, ANN, HOUR),
        (CEM, 2, BEN, HOUR + 300),
        (DAN, 2, BEN, HOUR),
    ]
    assert two.whole and asked.contacts(DAN, NOW, NOW + HOUR, 15, 2).found == []
    assert asked.contacts(ANN, NOW, LATER, 15, 2, "Cinema").found == []


def test_a_vehicle_by_ride(store, pass_door):
    pass_door(ANN, "Bus 7", 0, 2, scene="transit")
    pass_door(BEN, "Bus 7", 1200, 2, scene="transit")
    pass_door(CEM, "Bus 7", RIDE_S + 60, 2, scene="transit")
    found = Trace(store).contacts(ANN, NOW, LATER, 10, 1).found
    assert [(c.sub, c.seconds) for c in found] == [(BEN, RIDE_S - 1200)]


def test_presence(store, pass_door):
    for at, direction in ((0, 0), (10, 0), (20, 0), (30, 1)):
        pass_door(None, "Museum", at, direction)
    pass_door(None, "Museum", 40, 0, verdict=1, reasons=[50])
    pass_door(ANN, "Office", 0, 1)
    asked = Trace(store)
    assert asked.presence(NOW + 60) == [("Museum", 2), ("Office", 0)]
    assert asked.presence(NOW + 60, "Mus") == [("Museum", 2)]
    handheld = pass_door.handhelds["Museum"]
    event = {record.SEQ: 6, record.TIME: NOW + 50, record.CLOCK: 0, record.DEVICE: handheld.id}
    event |= {record.PLACE: "Museum", record.SCENE: "event", record.EVENT: record.EVENT_PRESENCE_RESET}
    handheld.append(record.encode(event))
    assert pass_door.app.post("/v1/sync", content=handheld.request(6)).status_code == 200
    pass_door(None, "Museum", 55, 0)
    assert asked.presence(NOW + 60) == [("Museum", 1), ("Office", 0)]


def test_a_limit_shows(store, pass_door, monkeypatch):
    for sub in (ANN, BEN, CEM):
        pass_door(sub, "Museum", 0)
    monkeypatch.setattr(trace, "FIRST_HOP", 1)
    answer = Trace(store).contacts(ANN, NOW, LATER, 15, 1)
    assert len(answer.found) == 1 and not answer.whole
    monkeypatch.setattr(trace, "FIRST_HOP", 100)
    monkeypatch.setattr(trace, "MOST_ROWS", 3)
    assert not Trace(store).contacts(ANN, NOW, LATER, 15, 1).whole


def test_sql_and_rows_agree(tmp_path, postgres, fleet_template):
    """The query inside PostgreSQL and the plain reading on SQLite, on random days of forty people."""
    dice = random.Random(5)
    stores = [Store(tmp_path / "fleet.db"), Store(postgres.create(fleet_template))]
    subs = [bytes([n]) * 16 for n in range(40)]
    events = []
    for sub in subs:
        at = dice.randrange(6 * HOUR)
        for _ in range(12):
            place, scene = dice.choice((("A", "office"), ("B", "office"), ("Bus", "transit"), ("C", "event")))
            verdict = dice.choice((0, 0, 0, 1, 2))
            events.append((at, sub, place, scene, 2 if scene == "transit" else 0, verdict))
            at += dice.randrange(300, 9000)
            if scene != "transit" and dice.random() < 0.7:
                events.append((at, sub, place, scene, 1, 0))
            at += dice.randrange(60, 20_000)
    events.sort()
    for store in stores:
        handheld = PaperHandheld.enrolled(store)
        for at, sub, place, scene, direction, verdict in events:
            handheld.write(
                1, sub=sub, place=place, scene=scene, direction=direction, verdict=verdict, time=NOW + at
            )
        app = AppClient(devices.make_app(store, devices.Bell(), clock=lambda: LATER))
        for first in range(1, len(events) + 1, 100):
            assert app.post("/v1/sync", content=handheld.request(first, first + 99)).status_code == 200
    compared = 0
    for sub in subs:
        for minutes, hops in ((5, 1), (20, 2)):
            answers = [Trace(store).contacts(sub, NOW, LATER, minutes, hops) for store in stores]
            assert answers[0] == answers[1]
            compared += len(answers[0].found)
    assert compared > 400
    for store in stores:
        store.close()
