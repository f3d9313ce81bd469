"""Trace queries: where a person was, who was at a place, whom a person met, over one hop and two.

Only what scenes have stored shows: where a scene keeps no identity there is nothing to find. People are
pseudonyms here; names are a matter of `trace_desk`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from firmware.core.record import DIRECTION_IN, DIRECTION_OUT, EVENT_PRESENCE_RESET
from host_tools.server.days import DAY_S, day_of, day_start_unix
from host_tools.server.schema import Record
from host_tools.server.stays import LONGEST_S, Passing, Stay, overlap_s, stays_of
from host_tools.server.store import Store
from host_tools.server.trace_sql import Contact, contacts_of

#: How far back a trace goes at most.
DAYS = 14
#: The closest contacts that a hop follows or lists, by the minutes spent together.
FIRST_HOP, SECOND_HOP = 100, 1_000
#: Rows that one question reads at most; beyond that the answer says that it is not all.
MOST_ROWS = 150_000
#: The same for a second hop on PostgreSQL: the closest contacts' windows are read first.
SECOND_ROWS = 60_000
PASS = 0

_NEAR = text("""
SELECT w.place, r.sub, r.at_unix, r.direction, r.verdict, r.scene
FROM unnest(CAST(:places AS varchar[]), CAST(:days AS integer[]), CAST(:starts AS bigint[]),
            CAST(:ends AS bigint[])) AS w(place, day, a, b)
CROSS JOIN LATERAL (
    SELECT sub, at_unix, direction, verdict, scene FROM record
    WHERE day = w.day AND place = w.place AND at_unix BETWEEN w.a AND w.b AND sub IS NOT NULL
    OFFSET 0
) AS r
LIMIT :most
""")


@dataclass
class Contacts:
    """Everybody met, closest first within a hop; `whole` is False where a limit cut the list."""

    of: bytes
    found: list[Contact]
    whole: bool


class Trace:
    """Asks the records in `store`. All methods are blocking. `scope` is how the names of the places begin
    that the asker may see; "" means all."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def person(self, sub: bytes, start_unix: int, end_unix: int, scope: str = "") -> list[Stay]:
        """The places and times of a person between two moments, oldest first."""
        with self._store.reading() as session:
            return _inside(self._of_people(session, [sub], start_unix, end_unix), scope)

    def place(self, place: str, start_unix: int, end_unix: int) -> tuple[list[Stay], bool]:
        """Who was at a place between two moments; and whether that is all."""
        with self._store.reading() as session:
            rows, whole = self._near(session, _windows([(place, start_unix, end_unix)]))
        stays = [s for s in stays_of(rows) if s.start_unix <= end_unix and s.end_unix >= start_unix]
        return sorted(stays, key=lambda stay: stay.start_unix), whole

    def contacts(
        self, sub: bytes, start_unix: int, end_unix: int, minutes: int, hops: int, scope: str = ""
    ) -> Contacts:
        """Whom a person met for at least so many minutes; with two hops also whom those met afterwards."""
        least_s = minutes * 60
        with self._store.reading() as session:
            own = _inside(self._of_people(session, [sub], start_unix, end_unix), scope)
            first, whole = self._met(session, own, {sub}, 1, least_s)
            if len(first) > FIRST_HOP:
                first, whole = first[:FIRST_HOP], False
            if hops < 2 or not first:
                return Contacts(sub, first, whole)
            met_at = {contact.sub: contact.start_unix for contact in first}
            rank = {contact.sub: number for number, contact in enumerate(first)}
            theirs = [
                stay
                for stay in _inside(self._of_people(session, list(met_at), start_unix, end_unix), scope)
                if stay.end_unix > met_at[stay.sub]
            ]
            # The closest first: what is read is limited.
            theirs.sort(key=lambda stay: (rank[stay.sub], stay.start_unix))
            second, complete = self._met(session, theirs, {sub, *met_at}, 2, least_s)
        if len(second) > SECOND_HOP:
            second, complete = second[:SECOND_HOP], False
        return Contacts(sub, first + second, whole and complete)

    def presence(self, now_unix: int, scope: str = "") -> list[tuple[str, int]]:
        """How many people are at each place now: who went in today less who left, since the last reset."""
        today = day_of(now_unix)
        sums = """
            SELECT r.place,
                   sum(CASE WHEN r.direction = :inwards AND r.verdict = :passed THEN 1
                            WHEN r.direction = :outwards THEN -1 ELSE 0 END)
            FROM record r
            LEFT JOIN (SELECT place, max(at_unix) AS since FROM record
                       WHERE day = :today AND event = :reset GROUP BY place) z ON z.place = r.place
            WHERE r.day = :today AND r.place IS NOT NULL AND (z.since IS NULL OR r.at_unix > z.since)
            GROUP BY r.place ORDER BY r.place
        """
        values = {
            "inwards": DIRECTION_IN,
            "outwards": DIRECTION_OUT,
            "passed": PASS,
            "today": today,
            "reset": EVENT_PRESENCE_RESET,
        }
        with self._store.reading() as session:
            rows = session.execute(text(sums), values).all()
        return [(place, max(0, int(count))) for place, count in rows if place.startswith(scope)]

    def subject_of(self, record_id: int, scope: str = "") -> bytes | None:
        """The pseudonym in a record, None where there is no such record or it keeps none."""
        with self._store.reading() as session:
            query = select(Record.sub, Record.place).where(Record.id == record_id)
            found = session.execute(query).one_or_none()
        return found.sub if found and (found.place or "").startswith(scope) else None

    def _of_people(self, session: Session, subs: list[bytes], start_unix: int, end_unix: int) -> list[Stay]:
        """The stays of people, each told by all of its records."""
        rows = session.execute(
            select(Record.sub, Record.place, Record.at_unix, Record.direction, Record.verdict, Record.scene)
            .where(
                Record.sub.in_(subs),
                Record.day.between(day_of(start_unix), day_of(end_unix)),
                Record.at_unix.between(start_unix, end_unix),
                Record.place.is_not(None),
            )
            .order_by(Record.at_unix)
            .limit(MOST_ROWS)
        )
        return stays_of(Passing(*row) for row in rows)

    def _met(
        self, session: Session, stays: list[Stay], known: set[bytes], hop: int, least_s: int
    ) -> tuple[list[Contact], bool]:
        """Who was there during `stays` for long enough in one meeting, without `known`, closest first."""
        inside = [stay for stay in stays if not stay.refused]
        top = (FIRST_HOP if hop == 1 else SECOND_HOP) + 1
        if self._store.postgresql:
            found, whole = contacts_of(
                session, inside, known, least_s, MOST_ROWS if hop == 1 else SECOND_ROWS, top
            )
        else:
            found, whole = self._contacts_of(session, inside, known, least_s)
        for contact in found:
            contact.hop = hop
        return sorted(found, key=lambda contact: (-contact.seconds, contact.sub))[:top], whole

    def _contacts_of(
        self, session: Session, inside: list[Stay], known: set[bytes], least_s: int
    ) -> tuple[list[Contact], bool]:
        """The same as `trace_sql.contacts_of`, row by row."""
        rows, whole = self._near(session, _windows((s.place, s.start_unix, s.end_unix) for s in inside))
        at_place: dict[str, list[Stay]] = defaultdict(list)
        for stay in stays_of_places(rows):
            if not stay.refused and stay.sub not in known:
                at_place[stay.place].append(stay)
        met: list[tuple[int, bytes, str, int, bytes]] = []
        for stay in inside:
            for other in at_place.get(stay.place, ()):
                if overlap_s(stay, other) >= max(1, least_s):
                    begin = max(stay.start_unix, other.start_unix)
                    end = min(stay.end_unix, other.end_unix)
                    met.append((begin, stay.sub, stay.place, end, other.sub))
        found: dict[bytes, Contact] = {}
        for begin, via, place, end, sub in sorted(met):
            contact = found.setdefault(sub, Contact(sub, 0, 0, via, place, begin, end))
            contact.seconds += end - begin
            contact.times += 1
        return list(found.values()), whole

    def _near(self, session: Session, windows: list[tuple[str, int, int, int]]) -> tuple[list[Passing], bool]:
        """All passings in windows of place, day, start and end, in the order of time; whether that is all."""
        if not windows:
            return [], True
        rows: list[Any] = []
        if self._store.postgresql:
            # Whatever the statistics say: a few windows of the index, never a whole day.
            for setting in ("enable_bitmapscan", "enable_seqscan"):
                session.execute(text(f"SET LOCAL {setting} = off"))
            columns: tuple[Any, ...] = tuple(zip(*windows, strict=True))
            values = dict(zip(("places", "days", "starts", "ends"), map(list, columns), strict=True))
            found = session.execute(_NEAR, {**values, "most": MOST_ROWS})
            rows = [
                Passing(sub, place, at_unix, direction, verdict, scene)
                for place, sub, at_unix, direction, verdict, scene in found
            ]
        else:
            for place, day, start_unix, end_unix in windows:
                query = select(
                    Record.sub, Record.place, Record.at_unix, Record.direction, Record.verdict, Record.scene
                ).where(
                    Record.place == place,
                    Record.day == day,
                    Record.at_unix.between(start_unix, end_unix),
                    Record.sub.is_not(None),
                )
                rows += [Passing(*row) for row in session.execute(query.limit(MOST_ROWS - len(rows)))]
        rows.sort(key=lambda row: row.at_unix)
        return rows, len(rows) < MOST_ROWS


def stays_of_places(rows: Iterable[Passing]) -> list[Stay]:
    """Stays told by the records of each place alone: what the people did elsewhere is not looked at."""
    of_place: dict[str, list[Passing]] = defaultdict(list)
    for row in rows:
        of_place[row.place].append(row)
    return [stay for passings in of_place.values() for stay in stays_of(passings)]


def _inside(stays: list[Stay], scope: str) -> list[Stay]:
    return [stay for stay in stays if stay.place.startswith(scope)]


def _windows(visits: Iterable[tuple[str, int, int]]) -> list[tuple[str, int, int, int]]:
    """What to read so that every stay that overlaps one of `visits` shows with both its ends: for each place
    and day one window, from the longest stay before the first visit to the longest stay after the last.
    """
    spans: dict[tuple[str, int], tuple[int, int]] = {}
    for place, start_unix, end_unix in visits:
        start, end = start_unix - LONGEST_S, end_unix + LONGEST_S
        for day in range(day_of(start), day_of(end) + 1):
            begins = day_start_unix(day)
            one, other = max(start, begins), min(end, begins + DAY_S - 1)
            before = spans.get((place, day))
            spans[place, day] = (min(one, before[0]), max(other, before[1])) if before else (one, other)
    return [(place, day, start, end) for (place, day), (start, end) in sorted(spans.items())]
