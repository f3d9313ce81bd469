"""Where the parts of a trace's pictures go: a line of days for stays, a graph of rings for contacts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from host_tools.server.days import DAY_S, day_of, day_start_unix
from host_tools.server.reports import day_text
from host_tools.server.stays import Stay
from host_tools.server.trace_sql import Contact

HOUR_PX, ROW_PX, LEFT_PX = 30, 26, 90
SIZE_PX, RINGS_PX = 640, (0, 150, 285)
#: Contacts drawn at most; the table has all.
MOST_DRAWN = (24, 60)


@dataclass(frozen=True)
class Bar:
    """A stay, or its part on one day."""

    x: int
    y: int
    width: int
    label: str
    refused: bool
    closed: bool


@dataclass(frozen=True)
class Timeline:
    """Rows of days with bars; hours to the right."""

    width: int
    height: int
    days: list[tuple[int, str]]
    hours: list[tuple[int, str]]
    bars: list[Bar]


@dataclass(frozen=True)
class Dot:
    """A person of the graph."""

    x: int
    y: int
    label: str
    hop: int


@dataclass(frozen=True)
class Graph:
    """People as dots, meetings as lines; a thicker line for more time together."""

    size: int
    dots: list[Dot]
    lines: list[tuple[int, int, int, int, int]]


def timeline(stays: Sequence[Stay], people: dict[bytes, str], by_person: bool) -> Timeline:
    """Where somebody was day by day; with `by_person` who was there, a row for each person."""
    rows: dict[object, int] = {}
    names: list[tuple[int, str]] = []
    bars: list[Bar] = []
    for stay in stays:
        end = max(stay.end_unix, stay.start_unix + 60)
        for day in range(day_of(stay.start_unix), day_of(end - 1) + 1):
            key: object = stay.sub if by_person else day
            if key not in rows:
                rows[key] = len(rows)
                text = people.get(stay.sub, "") if by_person else day_text(day_start_unix(day))
                names.append((rows[key] * ROW_PX + ROW_PX + 16, text))
            begins = day_start_unix(day)
            first = max(0, stay.start_unix - begins)
            last = min(DAY_S, end - begins)
            bars.append(
                Bar(
                    LEFT_PX + first * HOUR_PX // 3_600,
                    rows[key] * ROW_PX + ROW_PX,
                    max(3, (last - first) * HOUR_PX // 3_600),
                    stay.place if not by_person else people.get(stay.sub, ""),
                    stay.refused,
                    stay.closed,
                )
            )
    hours = [(LEFT_PX + hour * HOUR_PX, f"{hour:02}") for hour in range(0, 25, 3)]
    return Timeline(LEFT_PX + 24 * HOUR_PX + 20, (len(rows) + 1) * ROW_PX + 10, names, hours, bars)


def graph(of: bytes, contacts: Sequence[Contact], people: dict[bytes, str]) -> Graph:
    """The person in the middle, first contacts around, theirs outside, near those whom they met."""
    middle = SIZE_PX // 2
    spots = {of: (middle, middle)}
    dots = [Dot(middle, middle, people.get(of, ""), 0)]
    lines: list[tuple[int, int, int, int, int]] = []
    angles: dict[bytes, float] = {}
    for hop in (1, 2):
        drawn = [contact for contact in contacts if contact.hop == hop][: MOST_DRAWN[hop - 1]]
        if hop == 2:
            drawn = sorted(
                (contact for contact in drawn if contact.via in angles), key=lambda c: angles[c.via]
            )
        for number, contact in enumerate(drawn):
            angle = 2 * math.pi * number / len(drawn)
            x = middle + round(RINGS_PX[hop] * math.sin(angle))
            y = middle - round(RINGS_PX[hop] * math.cos(angle))
            angles.setdefault(contact.sub, angle)
            spots[contact.sub] = (x, y)
            if contact.via in spots:
                lines.append((*spots[contact.via], x, y, 1 + min(4, contact.seconds // 3_600)))
            dots.append(Dot(x, y, people.get(contact.sub, ""), hop))
    return Graph(SIZE_PX, dots, lines)
