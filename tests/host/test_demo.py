"""The demo is a test: it must see whatever differs from the script."""

from __future__ import annotations

import asyncio

import pytest

from host_tools import demo, demo_stage
from host_tools.authority import town
from host_tools.demo_queue import QUEUE, Passenger


def row(passenger: Passenger, index: int = 0, **changes: object) -> dict[str, object]:
    """The record that a passenger must leave."""
    confirmed = {"yes": ["id_equal"], "no": ["id_differs"], None: []}[passenger.id_key]
    return {
        "id": index + 1,
        "seq": 7 + index,
        "device": "y-1",
        "event": None,
        "time_unix": 100,
        "verdict": passenger.verdict,
        "reasons": list(passenger.reasons),
        "kind": passenger.kind or "unreadable",
        "mask": "worn",
        "body_centi_c": passenger.skin_centi_c + 190,
        "confirmed": confirmed,
        "party": {"first": 7, "index": index, "size": passenger.records} if passenger.records > 1 else None,
        **changes,
    }


def rows(passenger: Passenger) -> list[dict[str, object]]:
    return [row(passenger, index) for index in range(passenger.records)]


@pytest.mark.parametrize("passenger", QUEUE, ids=lambda p: p.person)
def test_as_expected(passenger):
    assert demo.compare(passenger, rows(passenger)) == []
    person = town.build().find(passenger.person)
    assert passenger.records == (1 + len(person.companions) if passenger.verdict else 0)


@pytest.mark.parametrize(
    ("person", "changes"),
    [
        ("teacher", {"verdict": "attention"}),
        ("teacher", {"reasons": ["stale"]}),
        ("teacher", {"body_centi_c": None}),
        ("teacher", {"body_centi_c": 3610}),
        ("teacher", {"mask": "not_asked"}),
        ("teacher", {"kind": "printed"}),
        ("grandfather", {"confirmed": []}),
        ("mother", {"party": None}),
        ("mother", {"party": {"first": 6, "index": 0, "size": 3}}),
        ("orange", {"verdict": "pass"}),
        ("visitor", {"kind": "live"}),
    ],
)
def test_every_difference_counts(person, changes):
    passenger = next(p for p in QUEUE if p.person == person)
    assert len(demo.compare(passenger, [{**rows(passenger)[0], **changes}])) == 1


def test_colours_of_the_light():
    for rgb, verdict in (
        ([0, 255, 0], "pass"),
        ([255, 0, 0], "stop"),
        ([255, 140, 0], "attention"),
        ([0, 0, 0], None),
        ([0, 0, 80], None),
        ([90, 70, 0], None),
        ([255, 0, 90], None),
    ):
        assert demo._light_verdict(rgb) == verdict


class PaperStage:
    """Plays back what a system would answer."""

    def __init__(self, events: list[dict], records: list[dict]) -> None:
        self._events = events
        self._records = records
        self.pressed: list[str] = []

    async def set_world(self, **changes: object) -> None:
        pass

    async def picture(self, person: str, medium: str) -> bytes:
        return b"png"

    async def show(self, png: bytes) -> None:
        pass

    async def last_event(self) -> int:
        return 0

    async def press(self, key: str) -> None:
        self.pressed.append(key)

    async def events(self, after: int, limit_s: float):
        for event in self._events[after:]:
            yield event
        raise demo.StageTrouble("nothing came of it")

    async def more_events(self, after: int) -> list[dict]:
        return self._events[after:]

    async def records(self, after: int) -> list[dict]:
        return [record for record in self._records if record["id"] > after]


def told(*items: object) -> list[dict]:
    """Events: a number is the last byte, a string a line of the flow, a list a colour; 10 ms apart."""
    made = []
    for number, item in enumerate(items, 1):
        kind, data = {
            int: ("uart_last_byte", {"bytes": item}),
            str: ("console", {"line": f"flow: {item}"}),
            list: ("led", {"rgb": item}),
        }[type(item)]
        made.append({"number": number, "t_ms": number * 10, "kind": kind, "data": data})
    return made


def play(passenger: Passenger, events: list[dict], records: list[dict]) -> tuple[demo.Seen, int, PaperStage]:
    stage = PaperStage(events, records)

    async def go() -> tuple[demo.Seen, int]:
        seen = await demo._turn(stage, passenger)
        turns: asyncio.Queue = asyncio.Queue()
        turns.put_nowait(seen)
        turns.put_nowait(None)
        return seen, await demo._report(turns, demo.Ledger(stage, "y-1", 0, 100))

    return (*asyncio.run(go()), stage)


TEACHER, PRINTED = QUEUE[0], QUEUE[1]


def test_a_turn_that_goes_well(capsys):
    events = told(300, [0, 0, 80], "id_check", "measure 1/1", [0, 255, 80], [0, 255, 0], "verdict 0", "idle")
    seen, failed, stage = play(PRINTED, events, rows(PRINTED))
    assert (failed, seen.differences) == (0, [])
    assert (seen.light, seen.verdict_ms - seen.last_byte_ms) == ("pass", 50)
    assert stage.pressed == ["yes", "yes"]
    said = capsys.readouterr().out
    assert said.startswith("ok  1  printed code, ID compared")
    assert "PASS" in said and "36.6" in said and "50 ms" in said and "acknowledged 7" in said


def test_light_and_record_must_agree_with_the_script(capsys):
    events = told(300, "measure 1/1", [255, 0, 0], "verdict 1")
    seen, failed, _ = play(TEACHER, events, rows(TEACHER))
    assert failed == 1
    assert seen.differences == ["the handheld decides stop", "the light says stop"]
    assert capsys.readouterr().out.startswith("!!  1")
    # A light that says something else than the screen.
    _, failed, _ = play(TEACHER, told(300, "measure 1/1", [255, 140, 0], "verdict 0"), rows(TEACHER))
    assert failed == 1


def test_a_handheld_that_does_not_answer(monkeypatch):
    monkeypatch.setattr(demo, "RECORD_LIMIT_S", 0.3)
    seen, failed, _ = play(TEACHER, told(300), [])
    assert failed == 1
    assert seen.differences[0] == "nothing came of it"
    assert "0 of 1 records reach the server" in seen.differences


def test_records_of_others_do_not_count(monkeypatch):
    monkeypatch.setattr(demo, "RECORD_LIMIT_S", 0.3)
    events = told(300, "measure 1/1", [0, 255, 0], "verdict 0")
    for stranger in ({"device": "y-2"}, {"event": "pack"}, {"time_unix": 99}):
        assert play(TEACHER, events, [row(TEACHER, **stranger)])[1] == 1
        assert play(TEACHER, events, [row(TEACHER, **stranger), row(TEACHER, 1)])[1] == 0


def test_lines_of_the_flow():
    assert demo_stage.flow_line({"kind": "console", "data": {"line": "flow: verdict 2"}}) == "verdict 2"
    for other in ({"kind": "console", "data": {"line": "sync: flow: idle"}}, {"kind": "led", "data": {}}):
        assert demo_stage.flow_line(other) is None
