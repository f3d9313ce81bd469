"""Trace queries over a fortnight of a city's records, made inside PostgreSQL.

Everybody has five checks a day: three that keep no identity, and one visit, in and out, to a place that does.
Each has three such places; some places are far busier than others.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from hashlib import md5

import psycopg

from host_tools.bench.figures import Figures, figure
from host_tools.bench.postgres import Postgres
from host_tools.server.days import DAY_S, day_of, day_start_unix
from host_tools.server.store import Store
from host_tools.server.trace import DAYS, Trace

RECORDS = int(os.environ.get("YIMA_TRACE_RECORDS", "20000000"))
CHECKS_A_DAY = 5
#: Visitors of an average place in a day; the busiest has some sixty times as many.
VISITORS = 70
MINUTES = 15
QUESTIONS = 300
NAMES = ("trace_person_p99_ms", "trace_contacts_p99_ms", "trace_place_p99_ms", "trace_records")

#: A day's rows. Hashes stand for chance, so that a person can be asked for again.
_DAY = """
CREATE TABLE record_d{day} (LIKE record INCLUDING DEFAULTS);
INSERT INTO record_d{day} (day, at_unix, device_id, seq, received_unix, raw, chain, time_unix, clock, place,
                           scene, direction, sub, kind, cti, colour, verdict, reasons, mask)
SELECT {day}, v.at, 'y-' || (v.place % 2000), (v.p * 5 + v.k), v.at + 60, v.h || v.h || v.h, v.h, v.at, 0,
       '龙岩市' || CASE WHEN v.k < 2 THEN '第' || v.place || '号场所' ELSE '公交' || (v.p % 500) END,
       CASE WHEN v.k < 2 THEN 'registered_venue' ELSE 'transit' END,
       CASE WHEN v.k = 1 THEN 1 ELSE 0 END,
       CASE WHEN v.k < 2 THEN decode(md5(v.p::text), 'hex') END,
       1, CASE WHEN v.k < 2 THEN substr(v.h, 1, 8) END, 0, 0, '', 1
FROM (
    SELECT p, k,
           floor({places} * power((abs(hashint8(p * 3 + ({day} + p) % 3)::bigint) % 1000000) / 1e6, 2))::int
               AS place,
           {start} + 28800 + abs(hashint8(p * 16 + {day})::bigint) % 36000
           + CASE WHEN k = 1 THEN 900 + abs(hashint8(p * 32 + {day})::bigint) % 7200 ELSE k * 1800 END AS at,
           sha256((p || ' ' || k || ' {day}')::bytea) AS h
    FROM generate_series(0, {people} - 1) AS p, generate_series(0, 4) AS k
) AS v;
ALTER TABLE record_d{day} ADD PRIMARY KEY (id, day);
ALTER TABLE record_d{day} ADD UNIQUE (device_id, seq, day);
CREATE INDEX ON record_d{day} (place, at_unix) INCLUDE (sub, direction, verdict, scene, day);
CREATE INDEX ON record_d{day} (sub, at_unix) INCLUDE (place, direction, verdict, scene, day)
    WHERE sub IS NOT NULL
"""
#: It finds the indexes that it wants there, and makes none while others wait.
_ATTACH = "ALTER TABLE record ATTACH PARTITION record_d{day} FOR VALUES FROM ({day}) TO ({next})"


def fill(url: str, today: int, people: int) -> None:
    """Make a fortnight of records, two days at a time."""
    places = max(1, people // VISITORS)

    def make(day: int) -> None:
        values = {
            "day": day,
            "next": day + 1,
            "start": day_start_unix(day),
            "people": people,
            "places": places,
        }
        with psycopg.connect(url, autocommit=True) as connection:
            # The table is made in the transaction that fills it: its rows then need no log.
            with connection.transaction():
                for statement in _DAY.format(**values).split(";\n"):
                    connection.execute(statement.encode())
            connection.execute(_ATTACH.format(**values).encode())
            connection.execute(f"VACUUM (ANALYZE) record_d{day}".encode())

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(make, range(today - DAYS + 1, today + 1)))


def p99_ms(ask: Callable[[int], object], questions: int, people: int) -> float:
    """The time that 99 of 100 questions about people chosen by lot stay within."""
    dice = random.Random(20)  # noqa: S311 - the same people in every run
    took = []
    for _ in range(questions):
        person = dice.randrange(people)
        start_s = time.perf_counter()
        ask(person)
        took.append((time.perf_counter() - start_s) * 1e3)
    return sorted(took)[int(len(took) * 0.99) - 1]


#: For loading alone: nothing of it has to outlive a crash. Reading is the same with and without.
LOADING = """
wal_level = minimal
max_wal_senders = 0
fsync = off
synchronous_commit = off
max_wal_size = 16GB
checkpoint_timeout = 1h
maintenance_work_mem = 256MB
autovacuum = off
shared_buffers = 1GB
"""


def bench_trace(postgres: Postgres, records: int = RECORDS) -> Figures:
    """Traces of people, of places, and of contacts over two hops."""
    url = postgres.create()
    store = Store(url)
    people = max(200, records // CHECKS_A_DAY // DAYS)
    today = day_of(int(time.time()))
    start_unix, end_unix = day_start_unix(today - DAYS + 1), day_start_unix(today) + DAY_S
    start_s = time.perf_counter()
    fill(url, today, people)
    filled_s = time.perf_counter() - start_s
    trace = Trace(store)

    def sub(person: int) -> bytes:
        return md5(str(person).encode()).digest()  # noqa: S324 - as the rows were made

    met: list[int] = []

    def contacts(person: int) -> None:
        met.append(len(trace.contacts(sub(person), start_unix, end_unix, MINUTES, 2).found))

    def place(person: int) -> None:
        stay = trace.person(sub(person), start_unix, end_unix)[0]
        trace.place(stay.place, stay.start_unix, stay.start_unix + 7_200)

    try:
        total = store.count_records()
        note = f"{total:,} records of {people:,} people, {DAYS} days, made in {filled_s:.0f} s"
        return {
            "trace_person_p99_ms": figure(
                p99_ms(lambda p: trace.person(sub(p), start_unix, end_unix), QUESTIONS, people), "ms", note
            ),
            "trace_place_p99_ms": figure(p99_ms(place, QUESTIONS // 3, people), "ms", "two hours at a place"),
            "trace_contacts_p99_ms": figure(
                p99_ms(contacts, QUESTIONS // 3, people),
                "ms",
                f"two hops, {MINUTES} minutes; {sum(met) / len(met):.0f} contacts on average",
            ),
            "trace_records": figure(total, "", note),
        }
    finally:
        store.close()


def plans(url: str, sub: bytes) -> str:
    """How PostgreSQL reads a person's fortnight, for the docs."""
    today = day_of(int(time.time()))
    query = (
        "EXPLAIN (ANALYZE, BUFFERS, COSTS OFF, TIMING OFF) "
        "SELECT place, at_unix, direction, verdict, scene FROM record "
        "WHERE sub = %s AND day BETWEEN %s AND %s AND at_unix > 0 ORDER BY at_unix"
    )
    with psycopg.connect(url) as connection:
        rows = connection.execute(query, (sub, today - DAYS + 1, today)).fetchall()
    return "\n".join(row[0] for row in rows)
