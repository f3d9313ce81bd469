"""Lists for those who must act: home observation (M3 of the notice's rows), free tests, overdue tests."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from host_tools.authority import schema
from host_tools.authority.people import People, latest, numbers

DAY_S = 86_400
BEFORE_ARRIVAL_S = 7 * DAY_S
ORANGE = 2
NEGATIVE, POSITIVE = 0, 1
NAMES = ("supervision", "arrivals", "overdue")
COLUMNS = ("person", "name", "id_tail", "village", "employer", "detail")


@dataclass(frozen=True)
class Line:
    """Somebody on a list, and why: `detail` is a region, or key groups with the days since the last test."""

    person: str
    name: str
    id_tail: str
    village: str
    employer: str
    detail: str


class Lists:
    """Reads the lists from the register."""

    def __init__(self, people: People) -> None:
        self._people = people

    def get(self, name: str, now_unix: int) -> list[Line]:
        """The list called `name`, one of NAMES, by village and employer."""
        lines = {"supervision": self.supervision, "arrivals": self.arrivals, "overdue": self.overdue}[name](
            now_unix
        )
        return sorted(lines, key=lambda line: (line.village, line.employer, line.name, line.person))

    def supervision(self, now_unix: int) -> list[Line]:
        """Orange codes: their village and employer see to the observation at home."""
        query = select(schema.Person).where(schema.Person.colour == ORANGE)
        with self._people.database.reading() as session:
            return [_line(person, "") for person in session.scalars(query)]

    def arrivals(self, now_unix: int) -> list[Line]:
        """Came from a key region without a negative test of the seven days before or a positive IgG, and not
        tested since: they get a free test."""
        query = select(schema.Person).where(schema.Person.arrival_region.is_not(None))
        found = []
        with self._people.database.reading() as session:
            persons = session.scalars(query).all()
            results = _results(session, query)
            for person in persons:
                own = results[person.id]
                arrived = _unix(person.arrival_unix, person.arrival_age_s, now_unix)
                tested = any(
                    row.kind == schema.NUCLEIC
                    and row.result == NEGATIVE
                    and taken(row, now_unix) >= arrived - BEFORE_ARRIVAL_S
                    for row in own
                )
                immune = any(row.kind == schema.IGG and row.result == POSITIVE for row in own)
                since = any(row.kind == schema.NUCLEIC and taken(row, now_unix) >= arrived for row in own)
                if not (tested or immune or since):
                    found.append(_line(person, person.arrival_region or ""))
        return found

    def overdue(self, now_unix: int) -> list[Line]:
        """In a key group and not tested within its interval (the shortest, for several groups)."""
        intervals = self._people.intervals()
        query = select(schema.Person).where(schema.Person.groups != "")
        found = []
        with self._people.database.reading() as session:
            persons = session.scalars(query).all()
            results = _results(session, query)
            for person in persons:
                groups = numbers(person.groups)
                days = person.interval_days or min(intervals[group - 1] for group in groups)
                last = latest(results[person.id], schema.NUCLEIC)
                age_s = None if last is None else now_unix - taken(last, now_unix)
                if age_s is None or age_s > days * DAY_S:
                    since = "never tested" if age_s is None else f"{age_s // DAY_S} d"
                    found.append(_line(person, f"groups {person.groups}: {since} (every {days} d)"))
        return found


def taken(row: schema.Result, now_unix: int) -> int:
    """When the sample was taken."""
    return _unix(row.taken_unix, row.age_s, now_unix)


def to_csv(lines: Sequence[Line]) -> str:
    """A list as CSV for a spreadsheet, UTF-8 with its mark; no cell begins like a formula."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    for line in lines:
        cells = [str(getattr(line, column)) for column in COLUMNS]
        writer.writerow(["'" + cell if cell[:1] in "=+-@\t\r" and cell else cell for cell in cells])
    return "\ufeff" + out.getvalue()


def _unix(unix: int | None, age_s: int | None, now_unix: int) -> int:
    return now_unix - (age_s or 0) if unix is None else unix


def _results(session: Session, persons: Select[tuple[schema.Person]]) -> dict[str, list[schema.Result]]:
    """The results of the persons of a query, by their ids."""
    found: dict[str, list[schema.Result]] = defaultdict(list)
    wanted = select(schema.Result).where(
        schema.Result.person_id.in_(persons.with_only_columns(schema.Person.id))
    )
    for row in session.scalars(wanted):
        if row.person_id is not None:
            found[row.person_id].append(row)
    return found


def _line(person: schema.Person, detail: str) -> Line:
    return Line(person.id, person.name, person.id_tail, person.village, person.employer, detail)
