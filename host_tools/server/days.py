"""Days of records: one partition each on PostgreSQL, made ahead; counted and deleted once retention ends."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Iterable
from typing import Protocol

from fastapi.concurrency import run_in_threadpool
from sqlalchemy import Connection, delete, func, insert, select, text
from sqlalchemy.exc import SQLAlchemyError

from host_tools import clockpage
from host_tools.database import Database
from host_tools.server.schema import Record, RecordCount

log = logging.getLogger("yima.server")
ZONE_S = 28_800
DAY_S = 86_400
#: Partitions made before their day comes.
AHEAD_DAYS = 3
#: How often the days are looked after.
INTERVAL_S = 1_800.0
#: Advisory locks: of those who make partitions, and of the one who sweeps.
MAKING, SWEEPING = 7_301_946_002, 7_301_946_003

_MAKE = """
CREATE TABLE IF NOT EXISTS record_d{day} (LIKE record INCLUDING DEFAULTS);
ALTER TABLE record ATTACH PARTITION record_d{day} FOR VALUES FROM ({day}) TO ({next})
"""
#: Partitions with what they are: attached, being detached, or detached already.
_PARTITIONS = """
SELECT c.relname, i.inhparent IS NOT NULL, coalesce(i.inhdetachpending, false)
FROM pg_class c LEFT JOIN pg_inherits i ON i.inhrelid = c.oid
WHERE c.relkind = 'r' AND c.relname ~ '^record_d[0-9]+$'
AND c.relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = 'record'::regclass)
"""
_COUNT = """
INSERT INTO record_count (day, place, scene, direction, verdict, colour, count)
SELECT day, coalesce(place, ''), coalesce(scene, ''), coalesce(direction, -1), coalesce(verdict, -1),
       coalesce(colour, -1), count(*)
FROM record_d{day} GROUP BY 1, 2, 3, 4, 5, 6
ON CONFLICT (day, place, scene, direction, verdict, colour)
DO UPDATE SET count = record_count.count + excluded.count
"""


def day_of(unix: int) -> int:
    """The day of China's zone on which a moment lies, counted from 1970-01-01."""
    return (unix + ZONE_S) // DAY_S


def day_start_unix(day: int) -> int:
    """The first second of a day."""
    return day * DAY_S - ZONE_S


class Days:
    """Makes and deletes the days of `database`, whose records are kept `keep_days` days. Methods block."""

    def __init__(self, database: Database, keep_days: int) -> None:
        self._database = database
        self.keep_days = keep_days
        self._made: set[int] = set()
        self._lock = threading.Lock()

    def oldest(self, now_unix: int) -> int:
        """The oldest day whose records are kept."""
        return day_of(now_unix) - self.keep_days

    def ensure(self, days: Iterable[int]) -> None:
        """Have partitions for these days. Uses a connection of its own and waits for no reader or writer."""
        missing = set(days) - self._made
        if not missing or not self._database.postgresql:
            return
        with self._lock, self._database.engine.begin() as connection:
            connection.execute(text(f"SELECT pg_advisory_xact_lock({MAKING})"))
            here = {name for name, attached, _ in connection.execute(text(_PARTITIONS)) if attached}
            for day in sorted(missing):
                if f"record_d{day}" not in here:
                    for statement in _MAKE.format(day=day, next=day + 1).split(";\n"):
                        connection.execute(text(statement))
        self._made |= missing

    def forget_made(self) -> None:
        """Look again which partitions there are: another process may have dropped some."""
        self._made = set()

    def ahead(self, now_unix: int) -> None:
        """Make the partitions of today and of the next days."""
        today = day_of(now_unix)
        self.ensure(range(today, today + AHEAD_DAYS + 1))

    def sweep(self, now_unix: int) -> int:
        """Count and delete every day that is older than retention allows; how many there were."""
        oldest = self.oldest(now_unix)
        return self._sweep_partitions(oldest) if self._database.postgresql else self._sweep_rows(oldest)

    def _sweep_rows(self, oldest: int) -> int:
        with self._database.writing() as session:
            kinds = (
                Record.day,
                func.coalesce(Record.place, ""),
                func.coalesce(Record.scene, ""),
                *(func.coalesce(c, -1) for c in (Record.direction, Record.verdict, Record.colour)),
            )
            rows = session.execute(
                select(*kinds, func.count()).where(Record.day < oldest).group_by(*kinds)
            ).all()
            names = ("day", "place", "scene", "direction", "verdict", "colour")
            for *kind, count in rows:
                key = dict(zip(names, kind, strict=True))
                known = session.get(RecordCount, key)
                if known is None:
                    session.execute(insert(RecordCount).values(**key, count=count))
                else:
                    known.count += count
            session.execute(delete(Record).where(Record.day < oldest))
        if rows:
            # What the log still holds goes as well.
            with self._database.engine.connect() as connection:
                connection.exec_driver_sql("COMMIT")
                connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
                connection.exec_driver_sql("BEGIN")
        return len({row[0] for row in rows})

    def _sweep_partitions(self, oldest: int) -> int:
        swept = 0
        engine = self._database.engine.execution_options(isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            if not connection.execute(text(f"SELECT pg_try_advisory_lock({SWEEPING})")).scalar():
                return 0
            try:
                for name, attached, pending in connection.execute(text(_PARTITIONS)).all():
                    day = int(name.removeprefix("record_d"))
                    if day < oldest:
                        self._drop(connection, name, attached, pending)
                        self._made.discard(day)
                        swept += 1
            finally:
                connection.execute(text(f"SELECT pg_advisory_unlock({SWEEPING})"))
        return swept

    def _drop(self, connection: Connection, name: str, attached: bool, pending: bool) -> None:
        """Take a partition out (no query waits for that), then count and drop it in one transaction."""
        if attached:
            way = "FINALIZE" if pending else "CONCURRENTLY"
            connection.execute(text(f"ALTER TABLE record DETACH PARTITION {name} {way}"))
        with self._database.engine.begin() as inner:
            inner.execute(text(_COUNT.format(day=name.removeprefix("record_d"))))
            inner.execute(text(f"DROP TABLE {name}"))


class Forgetful(Protocol):
    """What else ends with the records."""

    def forget(self, before_unix: int) -> None:
        """Delete what is older."""


class Keeper:
    """A task beside the server that looks after the days."""

    def __init__(self, days: Days, cases: Forgetful, clock: Callable[[], float] = clockpage.now) -> None:
        self._days = days
        self._cases = cases
        self._clock = clock

    async def run(self) -> None:
        """Look after them for ever."""
        while True:
            try:
                await run_in_threadpool(self._days.ahead, int(self._clock()))
                swept = await run_in_threadpool(self._days.sweep, int(self._clock()))
                oldest = day_start_unix(self._days.oldest(int(self._clock())))
                await run_in_threadpool(self._cases.forget, oldest)
                if swept:
                    log.warning("retention: %d days counted and deleted", swept)
            except SQLAlchemyError as e:
                log.error("retention: %s", type(e).__name__)
            await asyncio.sleep(INTERVAL_S)
