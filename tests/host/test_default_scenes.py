"""The notice's eight scenes as data: what each keeps, asks and counts."""

from __future__ import annotations

from firmware.core import scene
from host_tools.authority.default_scenes import default_scenes, scene_ids

BY_ID = {one.id: one for one in default_scenes()}


def test_all_eight_survive_the_pack() -> None:
    assert scene_ids() == [
        "office",
        "enterprise",
        "public_place",
        "transit",
        "school_bus",
        "registered_venue",
        "event",
        "checkpoint",
    ]
    assert [one.rank for one in default_scenes()] == list(range(1, 9))
    for one in default_scenes():
        again = scene.parse_scene(scene.encode_scene(one))
        for name in scene.Scene.__slots__:
            assert getattr(again, name) == getattr(one, name), (one.id, name)
    assert len({one.name_zh for one in default_scenes()} | {one.name_en for one in default_scenes()}) == 16


def test_identity_is_kept_only_where_the_notice_asks() -> None:
    kept = {id: one.identity for id, one in BY_ID.items()}
    assert [id for id, identity in kept.items() if identity == scene.IDENTITY_NONE] == [
        "public_place",
        "transit",
        "school_bus",
    ]
    assert [id for id, identity in kept.items() if identity == scene.IDENTITY_ROSTER] == ["office"]


def test_who_goes_in_and_out() -> None:
    assert {id for id, one in BY_ID.items() if one.directions == scene.ENTRIES_AND_EXITS} == {
        "registered_venue",
        "event",
    }
    for one in BY_ID.values():
        assert one.counts_presence == (one.directions == scene.ENTRIES_AND_EXITS)
        # Only who is known can be checked out by himself.
        assert not one.counts_presence or one.identity == scene.IDENTITY_ALL
    assert BY_ID["event"].capacity > 0


def test_every_scene_asks_for_mask_and_temperature() -> None:
    for one in BY_ID.values():
        assert one.has(scene.STEP_MASK) and one.measures_temperature and one.fever_centi_c == 3730
    assert [id for id, one in BY_ID.items() if not one.needs_code] == ["school_bus"]
    assert not BY_ID["transit"].asks_mask


def test_rosters() -> None:
    assert [id for id, one in BY_ID.items() if one.uses_roster] == ["office", "enterprise"]
