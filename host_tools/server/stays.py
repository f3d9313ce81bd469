"""From records to stays: who was at a place, or on a vehicle, from when until when."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from firmware.core.record import DIRECTION_OUT

REFUSED = 1
#: Somebody who never checks out counts as there for so long; on a vehicle, for one ride.
OPEN_S = 3_600
RIDE_S = 2_700
#: A check-out after more than this belongs to another visit.
LONGEST_S = 43_200
VEHICLES = ("transit", "school_bus")


class Passing(NamedTuple):
    """What a record tells of a person's way; `verdict` is None for a check-out at closing time."""

    sub: bytes
    place: str
    at_unix: int
    direction: int | None
    verdict: int | None
    scene: str | None


@dataclass(frozen=True)
class Stay:
    """A person at a place. `refused` was sent away at the door and met nobody inside."""

    sub: bytes
    place: str
    scene: str
    start_unix: int
    end_unix: int
    #: Whether the end was seen, and not only assumed.
    closed: bool
    refused: bool = False


def stays_of(passings: Iterable[Passing]) -> list[Stay]:
    """The stays that passings, in the order of their time, tell of.

    A stay ends with the check-out at the same place; without one with the next sign of the person elsewhere,
    but after `OPEN_S` or `RIDE_S` at the latest.
    """
    of_person: dict[bytes, list[Passing]] = defaultdict(list)
    for passing in passings:
        of_person[passing.sub].append(passing)
    found: list[Stay] = []
    for way in of_person.values():
        found += _stays_of_one(way)
    return found


def _stays_of_one(way: list[Passing]) -> list[Stay]:
    found: list[Stay] = []
    entered: Passing | None = None
    for passing in way:
        if entered is not None and passing.place == entered.place and passing.direction == DIRECTION_OUT:
            if passing.at_unix - entered.at_unix <= LONGEST_S:
                found.append(_stay(entered, passing.at_unix, True))
            else:
                found.append(_stay(entered, entered.at_unix + _most(entered), False))
            entered = None
            continue
        if passing.direction == DIRECTION_OUT or passing.verdict is None:
            continue
        if passing.verdict == REFUSED:
            at = passing.at_unix
            found.append(Stay(passing.sub, passing.place, passing.scene or "", at, at, True, True))
            continue
        if entered is not None:
            end = min(passing.at_unix, entered.at_unix + _most(entered))
            found.append(_stay(entered, end, False))
        entered = passing
    if entered is not None:
        found.append(_stay(entered, entered.at_unix + _most(entered), False))
    return found


def _most(entered: Passing) -> int:
    """How long somebody who entered so counts as there without a check-out."""
    return RIDE_S if entered.scene in VEHICLES else OPEN_S


def _stay(entered: Passing, end_unix: int, closed: bool) -> Stay:
    return Stay(entered.sub, entered.place, entered.scene or "", entered.at_unix, end_unix, closed)


def overlap_s(one: Stay, other: Stay) -> int:
    """For how long both were there, 0 where they were not."""
    if one.refused or other.refused:
        return 0
    return max(0, min(one.end_unix, other.end_unix) - max(one.start_unix, other.start_unix))
