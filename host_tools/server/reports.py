"""What a unit and its district must look after: the day's staff table, and people to supervise or to test.

Identity shows only where a scene has stored it, and then as the first digits of the pseudonym, with the
masked name where the unit's roster has one. Days are those of China.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, case, delete, func, or_, select

from firmware.core import reasons
from host_tools.server import words
from host_tools.server.days import DAY_S, day_of
from host_tools.server.schema import Record, Staff
from host_tools.server.store import Store
from host_tools.server.views import SUB_DIGITS, numbers
from host_tools.server.words import Word

ZONE = datetime.timezone(datetime.timedelta(hours=8))
ORANGE, RED = 2, 3
STOP, ATTENTION = 1, 2
MAX_ALERTS = 1_000


@dataclass(frozen=True)
class Alert:
    """A kind of alert: who is to look after it, and the reasons that a record gives for it."""

    word: Word
    recipients: tuple[str, ...]
    reasons: tuple[int, ...]


#: The notice, section 1.2: village and employer see to home observation. Section 5: free tests of arrivals,
#: and the tests of key groups, are the county's and the employer's business.
ALERTS = (
    Alert(
        Word("supervision", "居家观察督促", "home observation"),
        ("unit", "district"),
        (reasons.COLOUR_ORANGE, reasons.COLOUR_RED, reasons.TEST_POSITIVE),
    ),
    Alert(
        Word("arrival_test", "来岩人员免费检测", "arrival to be tested"),
        ("district",),
        (reasons.ARRIVAL_UNTESTED,),
    ),
    Alert(
        Word("overdue_test", "重点人群应检未检", "test overdue"),
        ("unit", "district"),
        (reasons.TEST_OVERDUE,),
    ),
    Alert(
        Word("returning_test", "返岗未检测", "returned without a test"),
        ("unit",),
        (reasons.RETURNING_UNTESTED,),
    ),
)


def day_start(text: str) -> int:
    """The first second of a day written 2020-05-22. Raises ValueError."""
    return int(datetime.datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=ZONE).timestamp())


def day_text(unix: int) -> str:
    """The day on which a moment lies."""
    return datetime.datetime.fromtimestamp(unix, ZONE).strftime("%Y-%m-%d")


def time_text(unix: object) -> str:
    """A moment for people, in China's time."""
    if not isinstance(unix, int) or not 0 <= unix < 2**32:
        return "–"
    return datetime.datetime.fromtimestamp(unix, ZONE).strftime("%m-%d %H:%M:%S")


class Reports:
    """Lists made of the records in `store`. All methods are blocking."""

    def __init__(self, store: Store) -> None:
        self._store = store

    # Roster ----------------------------------------------------------------------------------------------

    def add_staff(self, people: Mapping[bytes, tuple[int, str]], place: str) -> int:
        """Take people (role and name by pseudonym) into the roster of a place; how many it has then."""
        with self._store.writing() as session:
            for sub, (role, name) in people.items():
                session.merge(Staff(place=place, sub=sub, role=role, name=name))
        with self._store.reading() as session:
            return session.scalar(select(func.count()).where(Staff.place == place)) or 0

    def remove_staff(self, subs: list[bytes], place: str) -> int:
        """Take people out of the roster of a place; how many were in it."""
        count = 0
        with self._store.writing() as session:
            for sub in subs:
                found = session.execute(delete(Staff).where(Staff.place == place, Staff.sub == sub))
                count += int(getattr(found, "rowcount", 0))
        return count

    def roster(self) -> list[Staff]:
        """Everybody in a roster."""
        with self._store.reading() as session:
            return list(session.scalars(select(Staff).order_by(Staff.place, Staff.role, Staff.sub)))

    # Daily staff table -----------------------------------------------------------------------------------

    def staff(self, day_unix: int, place: str | None = None) -> list[dict[str, object]]:
        """Who of the rosters was seen on the day that begins at `day_unix`, where and how; who was not."""
        worst = case((Record.verdict == STOP, 2), (Record.verdict == ATTENTION, 1), else_=0)
        seen = (
            select(
                Record.sub,
                Record.place,
                func.min(Record.at_unix),
                func.max(Record.at_unix),
                func.count(),
                func.max(worst),
                func.max(Record.body_centi_c),
            )
            .where(
                _on_day(day_unix), Record.verdict.is_not(None), Record.sub.in_(select(Staff.sub).distinct())
            )
            .group_by(Record.sub, Record.place)
        )
        found: dict[tuple[bytes, str], tuple[int, int, int, int, int | None]] = {}
        with self._store.reading() as session:
            for sub, at, *rest in session.execute(seen):
                found[sub, at] = tuple(rest)
            people = list(session.scalars(select(Staff).order_by(Staff.place, Staff.role, Staff.sub)))
        rows: list[dict[str, object]] = []
        for person in people:
            places = [at for sub, at in found if sub == person.sub and person.place in ("", at)]
            for at in sorted(set(places)) or [person.place]:
                if place is None or at in ("", place):
                    rows.append(_staff_row(person, at, found.get((person.sub, at))))
        return rows

    # Alerts ----------------------------------------------------------------------------------------------

    def alerts(self, day_unix: int, kind: str | None = None) -> list[dict[str, object]]:
        """Who was seen that day and needs looking after, newest first; at most MAX_ALERTS."""
        chosen = [alert for alert in ALERTS if kind in (None, alert.word.name)]
        if not chosen:
            return []
        name = select(func.max(Staff.name)).where(Staff.sub == Record.sub).scalar_subquery()
        query = (
            select(Record, name)
            .where(_on_day(day_unix), or_(*(_gives(r) for alert in chosen for r in alert.reasons)))
            .order_by(Record.id.desc())
            .limit(MAX_ALERTS)
        )
        with self._store.reading() as session:
            rows = list(session.execute(query))
        return [
            _alert_row(record, name, alert)
            for record, name in rows
            for alert in chosen
            if set(alert.reasons) & set(numbers(record.reasons))
        ]


def _on_day(day_unix: int) -> ColumnElement[bool]:
    return and_(
        Record.at_unix.between(day_unix, day_unix + DAY_S - 1),
        Record.day == day_of(day_unix),
    )


def _gives(reason: int) -> ColumnElement[bool]:
    """Whether a record names this reason."""
    return ("," + Record.reasons + ",").like(f"%,{reason},%")


def _staff_row(
    person: Staff, place: str, seen: tuple[int, int, int, int, int | None] | None
) -> dict[str, object]:
    first, last, count, worst, body = seen or (None, None, 0, None, None)
    return {
        "place": place,
        "sub": person.sub.hex()[:SUB_DIGITS],
        "name": person.name,
        "role": words.ROLES[person.role].name if 0 <= person.role < len(words.ROLES) else "unknown",
        "seen": seen is not None,
        "first_unix": first,
        "last_unix": last,
        "checks": count,
        "worst": None if worst is None else ("pass", "attention", "stop")[worst],
        "highest_centi_c": body,
    }


def _alert_row(row: Record, name: str | None, alert: Alert) -> dict[str, object]:
    return {
        "id": row.id,
        "kind": alert.word.name,
        "for": list(alert.recipients),
        "time_unix": row.time_unix,
        "place": row.place,
        "scene": row.scene,
        "device": row.device_id,
        "seq": row.seq,
        "sub": None if row.sub is None else row.sub.hex()[:SUB_DIGITS],
        "name": name if row.sub is not None else None,
        "colour": None if row.colour is None else words.COLOURS[row.colour].name,
        "reasons": [words.reason(number).name for number in numbers(row.reasons)],
    }
