"""The eight scenes of the notice, as the authority's first pack carries them. A pack may say otherwise.

Identity is kept only where the notice asks for it: of the own staff in offices (section 2.1), of everybody
whom an enterprise must know (2.2), who enters and leaves an indoor venue, a school or an exhibition (2.4,
1.1), and of whom a checkpoint sends to the free test (5). Public places and transport count people (2.3).
"""

from __future__ import annotations

from firmware.core import scene
from firmware.core.scene import Scene

#: Everybody who is still inside is checked out then.
CLOSING_MINUTE = 22 * 60
#: Time in which a code that has just opened does not open again.
PASS_BACK_S = 300
EVENT_CAPACITY = 2_000


def default_scenes() -> list[Scene]:
    """The scenes in the order of the menu; each call makes new ones."""
    scenes = [
        _office(),
        _enterprise(),
        _public_place(),
        _transit(),
        _school_bus(),
        _registered_venue(),
        _event(),
        _checkpoint(),
    ]
    for rank, one in enumerate(scenes, 1):
        one.rank = rank
    return scenes


def scene_ids() -> list[str]:
    """The ids of the scenes, in the order of the menu."""
    return [one.id for one in default_scenes()]


def _named(id: str, identity: int, name_zh: str, name_en: str, directions: int) -> Scene:
    made = Scene(id, identity)
    made.name_zh, made.name_en = name_zh, name_en
    made.directions = directions
    made.pass_back_s = PASS_BACK_S
    return made


def _office() -> Scene:
    """Government offices: the health of the own staff is managed; visitors are only checked."""
    made = _named("office", scene.IDENTITY_ROSTER, "机关", "Office", scene.ENTRIES)
    made.uses_roster = True
    return made


def _enterprise() -> Scene:
    """Companies, hospitals, schools: staff, visitors, and those who are new or return to work."""
    made = _named("enterprise", scene.IDENTITY_ALL, "单位", "Company", scene.ENTRIES)
    made.uses_roster = True
    return made


def _public_place() -> Scene:
    """A look at the code by somebody at the door; people are counted, nobody is stored."""
    return _named("public_place", scene.IDENTITY_NONE, "公共", "Public", scene.PASSAGES)


def _transit() -> Scene:
    """As a public place, faster: the conductor scans whom he sees with a mask, so no key is asked for."""
    made = _named("transit", scene.IDENTITY_NONE, "公交", "Bus", scene.PASSAGES)
    made.mask_implied = True
    return made


def _school_bus() -> Scene:
    """Charter buses of schools need no code: a key press counts a boarding."""
    made = _named("school_bus", scene.IDENTITY_NONE, "校车", "School bus", scene.PASSAGES)
    made.needs_code = False
    made.pass_back_s = 0
    return made


def _registered_venue() -> Scene:
    """Indoor venues and schools: entries and exits of everybody, traceable."""
    made = _named("registered_venue", scene.IDENTITY_ALL, "场馆", "Venue", scene.ENTRIES_AND_EXITS)
    made.counts_presence = True
    made.closing_minute = CLOSING_MINUTE
    return made


def _event() -> Scene:
    """Conferences and exhibitions: registered in and out, and not more people than the hall takes."""
    made = _named("event", scene.IDENTITY_ALL, "会展", "Event", scene.ENTRIES_AND_EXITS)
    made.counts_presence = True
    made.capacity = EVENT_CAPACITY
    made.closing_minute = CLOSING_MINUTE
    return made


def _checkpoint() -> Scene:
    """Where arrivals are looked at: who needs the free test is listed for the district by the pseudonym."""
    made = _named("checkpoint", scene.IDENTITY_ALL, "卡口", "Checkpoint", scene.ENTRIES)
    made.pass_back_s = 0
    return made
