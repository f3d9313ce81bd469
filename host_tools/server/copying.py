"""Rows of records into the table: by COPY on PostgreSQL, by an insert of many on SQLite.

COPY's binary form (PostgreSQL's manual, "COPY", "Binary Format"): a signature, then for each row the number
of its columns (i16) and for each column the length of its value (i32, -1 for nothing) and the value,
big-endian; -1 (i16) ends it. A `bigint` has 8 bytes, an `integer` 4, texts are UTF-8.
"""

from __future__ import annotations

import struct
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
COPY = f"COPY record ({', '.join(COLUMNS)}) FROM STDIN (FORMAT binary)"
_SIGNATURE = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_END = b"\xff\xff"
_COUNT = struct.pack(">h", len(COLUMNS))
_NOTHING = b"\xff\xff\xff\xff"
_NO_THREE = 3 * _NOTHING
_LENGTHS = [struct.pack(">i", length) for length in range(1_024)]
_NUMBERS = struct.Struct(">iqiqiqii").pack
_THREE = struct.Struct(">iqiqiq").pack
_LONG = struct.Struct(">iq").pack
_SHORT = struct.Struct(">ii").pack
#: Most numbers in `integer` columns are choices of a few.
_SMALL: dict[int | None, bytes] = {None: _NOTHING, **{n: _SHORT(4, n) for n in range(256)}}


class CopyError(SQLAlchemyError):
    """PostgreSQL has refused the rows; `sqlstate` says why, None where the connection is gone."""

    def __init__(self, sqlstate: str | None) -> None:
        super().__init__("COPY failed")
        self.sqlstate = sqlstate


class _Texts(dict["str | None", bytes]):
    """The cells of texts: few of them are different."""

    def __missing__(self, text: str | None) -> bytes:
        octets = b"" if text is None else text.encode()
        cell = self[text] = (_NOTHING if text is None else struct.pack(">i", len(octets))) + octets
        return cell


def _octets(value: bytes | None) -> bytes:
    return _NOTHING if value is None else _LENGTHS[len(value)] + value


def _row(row: Sequence[Any], texts: _Texts) -> bytes:
    # One line for each step of `ingest`.
    # fmt: off
    (device, seq, received, at, day, raw, chain, sealed, head,
     time, clock, place, scene, direction, sub, kind, cti, colour, verdict, mask,
     checker, role, manual, event, detail, first, index, size, one, two, three, reasons, confirmed) = row
    # fmt: on
    small = _SMALL
    return b"".join(
        (
            _COUNT,
            texts[device],
            _NUMBERS(8, seq, 8, received, 8, at, 4, day),
            _LENGTHS[len(raw)],
            raw,
            _LENGTHS[len(chain)],
            chain,
            _octets(sealed),
            _octets(head),
            _NOTHING if time is None else _LONG(8, time),
            small[clock],
            texts[place],
            texts[scene],
            small[direction],
            _octets(sub),
            small[kind],
            _octets(cti),
            small[colour],
            small[verdict],
            small[mask],
            texts[checker],
            small[role],
            small[manual],
            small[event],
            texts[detail],
            _NO_THREE if first is None else _THREE(8, first, 8, index, 8, size),
            _NO_THREE if one is None else _THREE(8, one, 8, two, 8, three),
            texts[reasons],
            texts[confirmed],
        )
    )


def copy_bytes(rows: Iterable[Sequence[Any]]) -> bytes:
    """Rows in COPY's binary form."""
    texts = _Texts()
    return b"".join((_SIGNATURE, *(_row(row, texts) for row in rows), _END))


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
                copy.write(copy_bytes(rows))
        except psycopg.Error as e:
            # Its text quotes the row.
            raise CopyError(e.sqlstate) from None
        return
    session.execute(insert(Record), [dict(zip(COLUMNS, row, strict=True)) for row in rows])
