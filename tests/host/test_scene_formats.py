"""Scenes, place codes and events, against the CDDL in docs/formats.md and the handheld's readers."""

from __future__ import annotations

import cbor2
import pytest
from issuing import ISSUER, NAME, NOW
from test_formats import accepted, changed, valid, valid_cose

from firmware.core import base45, record, scene
from firmware.core.place import PlaceCode, encode_place
from host_tools.authority.default_scenes import default_scenes

EVENT = cbor2.loads(scene.encode_scene(next(one for one in default_scenes() if one.id == "event")))


@pytest.mark.parametrize("one", default_scenes(), ids=lambda one: one.id)
def test_scenes(one: scene.Scene) -> None:
    assert valid("scene", "scene", scene.encode_scene(one))


@pytest.mark.parametrize(
    "changes",
    [
        {1: ""},
        {1: b"event"},
        {2: "名" * 11},
        {4: 256},
        {5: []},
        {5: [1, 2, 3, 4, 2]},
        {5: [5]},
        {6: 3},
        {7: None},
        {8: 2},
        {9: -1},
        {10: 1440},
        {11: 86_401},
        {13: "5"},
        {14: [3730, 190, 3000, 4300, 1000]},
        {14: ["3730", 190, 3000, 4300, 1000, 4000]},
        {16: [1, 1000, 1000, 1000]},
        {18: 2},
        {19: 0},
    ],
    ids=str,
)
def test_wrong_scenes(changes: dict) -> None:
    data = changed(EVENT, changes)
    assert not valid("scene", "scene", data)
    assert not accepted(scene.parse_scene, data)


EVENT_RECORD = {1: 5, 2: 1_590_134_400, 3: 0, 4: "ym-1", 5: "图书馆", 6: "event", 21: 2}


@pytest.mark.parametrize("more", [{}, {7: 1, 8: bytes(16), 22: "23:30"}])
def test_event_records(more: dict) -> None:
    data = record.encode({**EVENT_RECORD, **more})
    assert valid("record", "event-record", data)
    assert not valid("record", "record", data)


@pytest.mark.parametrize(
    "changes",
    [{1: None}, {6: None}, {7: 3}, {8: b"x"}, {13: 0}, {21: 0}, {22: "x" * 97}, {22: b"x"}],
    ids=str,
)
def test_wrong_event_records(changes: dict) -> None:
    data = changed(EVENT_RECORD, changes)
    assert not valid("record", "event-record", data)
    assert not accepted(record.decode, data)


def test_place_codes() -> None:
    place = PlaceCode(NAME, "图书馆 南门", "registered_venue", NOW, NOW + 86_400, bytes(8))
    data = base45.decode(encode_place(place, ISSUER.kid, ISSUER.sign)[4:])
    assert valid_cose("place", "place-code", "place-header", "place-claims", data)
    assert valid("place", "place-sign1", data[1:])
