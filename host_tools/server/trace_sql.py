"""Who was there meanwhile, worked out inside PostgreSQL: the same as `Trace` finds row by row, but faster."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from firmware.core.record import DIRECTION_OUT
from host_tools.server.days import DAY_S, ZONE_S, day_of
from host_tools.server.stays import LONGEST_S, OPEN_S, REFUSED, RIDE_S, VEHICLES, Stay


@dataclass
class Contact:
    """Somebody who was met: seconds and meetings in all; through whom, where and when at first."""

    sub: bytes
    seconds: int
    times: int
    via: bytes
    place: str
    start_unix: int
    end_unix: int
    hop: int = 1


#: Whatever the statistics say: few windows of an index, never a whole day; and no time spent on compiling.
_SETTINGS = (
    "enable_seqscan = off",
    "enable_bitmapscan = off",
    "jit = off",
    "work_mem = '64MB'",
    "max_parallel_workers_per_gather = 0",
)
#: A window is a place around the visits that began on one day, up to the end of the last of them. `near`
#: reads it, `stay` pairs each way in with what the same person did next there, and `met` joins stays with the
#: visits of the same window. Who was still there at the window's end, for longer than counts without a
#: check-out, is looked up by person: they are fewer than all who came or left afterwards.
_MEETINGS = text("""
WITH win AS (
    SELECT * FROM unnest(CAST(:windows AS integer[]), CAST(:places AS varchar[]), CAST(:starts AS bigint[]),
                         CAST(:ends AS bigint[]), CAST(:first AS integer[]), CAST(:last AS integer[]))
                  AS w(n, place, a, b, day_a, day_b)
), visit AS (
    SELECT * FROM unnest(CAST(:numbers AS integer[]), CAST(:subs AS bytea[]), CAST(:a AS bigint[]),
                         CAST(:b AS bigint[])) WITH ORDINALITY AS v(n, sub, a, b, i)
), near AS MATERIALIZED (
    SELECT win.n, win.b AS until, r.sub, r.at_unix, r.direction,
           CASE WHEN r.scene = ANY(CAST(:vehicles AS varchar[])) THEN :ride ELSE :open END AS most
    FROM win CROSS JOIN LATERAL (
        SELECT sub, at_unix, direction, scene FROM record
        WHERE day BETWEEN win.day_a AND win.day_b AND place = win.place AND at_unix BETWEEN win.a AND win.b
        AND sub IS NOT NULL AND (direction = :out OR verdict <> :refused)
        OFFSET 0 -- keeps this a look-up for each window: joined freely, it would read whole days
    ) AS r
    LIMIT :most
), passing AS (
    SELECT n, until, sub, at_unix, direction, most, lead(at_unix) OVER next AS next_at,
           lead(direction) OVER next AS next_direction
    FROM near WINDOW next AS (PARTITION BY n, sub ORDER BY at_unix)
), stay AS MATERIALIZED (
    SELECT n, sub, at_unix AS a,
           CASE WHEN next_direction = :out AND next_at - at_unix <= :longest THEN next_at
                WHEN next_direction <> :out THEN least(next_at, at_unix + most)
                WHEN next_at IS NOT NULL OR at_unix + most >= until THEN at_unix + most
                ELSE coalesce((
                    SELECT CASE WHEN r.direction = :out THEN r.at_unix END FROM record AS r
                    WHERE r.sub = p.sub AND r.place = (CAST(:places AS varchar[]))[p.n]
                    AND r.day BETWEEN (p.until + :zone) / :day_s AND (p.at_unix + :longest + :zone) / :day_s
                    AND r.at_unix > p.until AND r.at_unix <= p.at_unix + :longest
                    AND (r.direction = :out OR r.verdict <> :refused)
                    ORDER BY r.at_unix LIMIT 1
                ), at_unix + most) END AS b
    FROM passing AS p
    WHERE direction <> :out
), met AS MATERIALIZED (
    SELECT stay.sub, visit.i, greatest(stay.a, visit.a) AS a, least(stay.b, visit.b) AS b
    FROM visit JOIN stay ON stay.n = visit.n
    WHERE least(stay.b, visit.b) - greatest(stay.a, visit.a) >= :least
), closest AS (
    SELECT sub, sum(b - a) AS seconds, count(*) AS times, min(a) AS first_a FROM met
    WHERE NOT EXISTS (SELECT FROM unnest(CAST(:known AS bytea[])) AS k(sub) WHERE k.sub = met.sub)
    GROUP BY sub ORDER BY 2 DESC, 1 LIMIT :top
)
SELECT DISTINCT ON (met.sub) met.sub, closest.seconds, closest.times, visit.sub, win.place, met.a, met.b,
       (SELECT count(*) FROM near) < :most
FROM closest JOIN met ON met.sub = closest.sub AND met.a = closest.first_a
JOIN visit ON visit.i = met.i JOIN win ON win.n = visit.n
ORDER BY met.sub, visit.sub, win.place
""")


def contacts_of(
    session: Session, visits: Iterable[Stay], known: set[bytes], least_s: int, most: int, top: int
) -> tuple[list[Contact], bool]:
    """Who, other than `known`, was at a visit's place for at least so long meanwhile; whether that is all.

    At most `top` contacts, the closest; at most `most` rows are read.
    """
    windows: dict[tuple[str, int], list[Stay]] = {}
    for visit in visits:
        windows.setdefault((visit.place, day_of(visit.start_unix)), []).append(visit)
    if not windows:
        return [], True
    for setting in _SETTINGS:
        session.execute(text(f"SET LOCAL {setting}"))
    listed = [(n, visit) for n, (_, group) in enumerate(windows.items(), 1) for visit in group]
    starts = [min(visit.start_unix for visit in group) - LONGEST_S for group in windows.values()]
    ends = [max(visit.end_unix for visit in group) for group in windows.values()]
    values: dict[str, Any] = {
        "numbers": [n for n, _ in listed],
        "subs": [visit.sub for _, visit in listed],
        "a": [visit.start_unix for _, visit in listed],
        "b": [visit.end_unix for _, visit in listed],
        "windows": list(range(1, 1 + len(windows))),
        "places": [place for place, _ in windows],
        "starts": starts,
        "ends": ends,
        "first": [day_of(start) for start in starts],
        "last": [day_of(end) for end in ends],
        "known": list(known),
        "least": max(1, least_s),
        "most": most,
        "top": top,
        "out": DIRECTION_OUT,
        "refused": REFUSED,
        "longest": LONGEST_S,
        "open": OPEN_S,
        "ride": RIDE_S,
        "vehicles": list(VEHICLES),
        "zone": ZONE_S,
        "day_s": DAY_S,
    }
    rows = session.execute(_MEETINGS, values).all()
    found = [Contact(row[0], int(row[1]), *row[2:7]) for row in rows]
    return found, all(row[7] for row in rows[:1])
