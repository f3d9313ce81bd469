"""Rows of records into the table: by COPY on PostgreSQL, by an insert of many on SQLite.

COPY's text form (PostgreSQL's manual, "COPY", "Text Format"): columns apart by tabs, rows by line feeds, a
word for nothing, and a backslash before the characters that would mean one of these.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import psycopg
from sqlalchemy import insert
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from host_tools.server.schema import Record

#: The columns of a row in the order in which `ingest` gives their values.
COLUMNS = (
    "device_id",
    "seq",
    "received_unix",
    "at_unix",
    "day",
    "raw",
    "chain",
    "sealed",
    "head",
    "time_unix",
    "clock",
    "place",
    "scene",
    "direction",
    "sub",
    "kind",
    "cti",
    "colour",
    "verdict",
    "mask",
    "checker",
    "role",
    "manual",
    "event",
    "detail",
    "party_first",
    "party_index",
    "party_size",
    "object_centi_c",
    "ambient_centi_c",
    "body_centi_c",
    "reasons",
    "confirmed",
)
#: `None` is how Python writes what is not there; a text that says so is escaped.
COPY = f"COPY record ({', '.join(COLUMNS)}) FROM STDIN WITH (NULL 'None')"
_LINE = "\t".join(["%s"] * len(COLUMNS)) + "\n"


class CopyError(SQLAlchemyError):
    """PostgreSQL has refused the rows; `sqlstate` says why, None where the connection is gone."""

    def __init__(self, sqlstate: str | None) -> None:
        super().__init__("COPY failed")
        self.sqlstate = sqlstate


_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


def _text(value: str | None) -> str | None:
    """A text cell; few have anything to escape."""
    if value is None:
        return None
    return "\\None" if value == "None" else value if value.isalnum() else value.translate(_ESCAPES)


def _octets(value: bytes | None) -> str | None:
    return None if value is None else "\\\\x" + value.hex()


def copy_line(row: Sequence[Any]) -> str:
    """A row in COPY's text form; numbers, lists of numbers and ids of handhelds go in as they are."""
    (device, seq, received, at, day, raw, chain, sealed, head, time, clock) = row[:11]
    (place, scene, direction, sub, kind, cti) = row[11:17]
    colour, verdict, mask, checker, role, manual, event, detail = row[17:25]
    kept = (_octets(raw), _octets(chain), _octets(sealed), _octets(head))
    before = (device, seq, received, at, day, *kept, time, clock)
    where = (_text(place), _text(scene), direction, _octets(sub), kind, _octets(cti))
    what = (colour, verdict, mask, _text(checker), role, manual, event, _text(detail))
    return _LINE % (*before, *where, *what, *row[25:])


def copy_text(rows: Iterable[Sequence[object]]) -> bytes:
    """Rows in COPY's text form."""
    return "".join(map(copy_line, rows)).encode()


def add_rows(session: Session, rows: list[tuple[Any, ...]]) -> None:
    """Put rows, each with a value for every one of COLUMNS, into the table of records.

    Raises SQLAlchemyError.
    """
    if not rows:
        return
    driver = session.connection().connection.driver_connection
    if isinstance(driver, psycopg.Connection):
        try:
            with driver.cursor() as cursor, cursor.copy(COPY) as copy:
                copy.write(copy_text(rows))
        except psycopg.Error as e:
            # Its text quotes the row.
            raise CopyError(e.sqlstate) from None
        return
    session.execute(insert(Record), [dict(zip(COLUMNS, row, strict=True)) for row in rows])
