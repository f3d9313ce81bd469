"""The tables as they were before there was PostgreSQL.

A SQLite file of an earlier release may have any part of them: what is missing is added. Columns that came
later are nullable, for the rows that are there have nothing to say in them.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_BYTES, _BIG, _INT, _TEXT = sa.LargeBinary, sa.BigInteger, sa.Integer, sa.String


def _must(name: str, kind: Any, *more: sa.ForeignKey, key: bool = False) -> sa.Column[Any]:
    return sa.Column(name, kind, *more, primary_key=key, nullable=False)


def _may(name: str, kind: Any) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=True)


def _tables() -> sa.MetaData:
    """All but the table of records, which PostgreSQL has in another form."""
    meta = sa.MetaData()
    sa.Table(
        "token",
        meta,
        _must("token_hash", _BYTES, key=True),
        _must("place", _TEXT(96)),
        _must("scene", _TEXT(32)),
        _must("created_unix", _BIG),
        _must("expires_unix", _BIG),
        _may("used_unix", _BIG),
        _may("device_id", _TEXT(32)),
        _may("root_kid", _BYTES),
    )
    sa.Table(
        "device",
        meta,
        _must("id", _TEXT(32), key=True),
        _must("secret", _BYTES),
        _must("chip_id", _BYTES),
        _must("firmware", _TEXT(64)),
        _must("place", _TEXT(96)),
        _must("scene", _TEXT(32)),
        _must("enrolled_unix", _BIG),
        _may("revoked_unix", _BIG),
        _may("last_seen_unix", _BIG),
        _may("clock_offset_s", _BIG),
        _must("trust_version", _BIG),
        _may("root_kid", _BYTES),
        _may("at_place", _TEXT(96)),
        _may("at_scene", _TEXT(32)),
        _must("held_seq", _BIG),
        _must("held_chain", _BYTES),
        _may("alert", _TEXT(256)),
        _may("alert_unix", _BIG),
    )
    sa.Table(
        "trust",
        meta,
        _must("version", _BIG, key=True),
        _must("data", _BYTES),
        _must("expires_unix", _BIG),
        _must("received_unix", _BIG),
    )
    sa.Table(
        "root",
        meta,
        sa.Column("number", _ID, primary_key=True, autoincrement=True),
        sa.Column("kid", _BYTES, unique=True, nullable=False),
        _must("public", _BYTES),
    )
    sa.Table(
        "pack",
        meta,
        _must("version", _BIG, key=True),
        _must("manifest", _BYTES),
        _must("root_kid", _BYTES),
        _must("expires_unix", _BIG),
        _must("received_unix", _BIG),
    )
    sa.Table(
        "pack_wrapped",
        meta,
        _must("version", _BIG, sa.ForeignKey("pack.version", ondelete="CASCADE"), key=True),
        _must("root_kid", _BYTES, key=True),
        _must("manifest", _BYTES),
    )
    sa.Table("part", meta, _must("digest", _BYTES, key=True), _must("data", _BYTES))
    sa.Table(
        "pack_part",
        meta,
        _must("version", _BIG, sa.ForeignKey("pack.version", ondelete="CASCADE"), key=True),
        _must("digest", _BYTES, sa.ForeignKey("part.digest"), key=True),
    )
    sa.Table(
        "staff",
        meta,
        _must("place", _TEXT(96), key=True),
        _must("sub", _BYTES, key=True),
        _must("role", _INT),
        _must("name", _TEXT(48)),
    )
    return meta


def _sqlite_records(meta: sa.MetaData) -> None:
    sa.Table(
        "record",
        meta,
        sa.Column("id", _ID, primary_key=True, autoincrement=True),
        _must("device_id", _TEXT(32), sa.ForeignKey("device.id")),
        _must("seq", _BIG),
        _must("received_unix", _BIG),
        _must("raw", _BYTES),
        _must("chain", _BYTES),
        *(_may(name, _BIG) for name in ("time_unix", "party_first", "party_index", "party_size")),
        *(_may(name, _INT) for name in ("clock", "direction", "kind", "colour", "verdict", "mask")),
        *(_may(name, _INT) for name in ("role", "manual", "event")),
        *(_may(name, _BIG) for name in ("object_centi_c", "ambient_centi_c", "body_centi_c")),
        *(_may(name, _BYTES) for name in ("sub", "cti")),
        *(_may(name, sa.Text) for name in ("reasons", "confirmed")),
        _may("place", _TEXT(96)),
        _may("scene", _TEXT(32)),
        _may("checker", _TEXT(48)),
        _may("detail", _TEXT(96)),
        sa.UniqueConstraint("device_id", "seq"),
        sqlite_autoincrement=True,
    )


def upgrade() -> None:
    """Make the tables that are missing, and the columns that are missing in those that are there."""
    connection = op.get_bind()
    meta = _tables()
    if connection.dialect.name == "sqlite":
        _sqlite_records(meta)
    found = sa.inspect(connection)
    here = set(found.get_table_names())
    for table in meta.sorted_tables:
        if table.name not in here:
            table.create(connection)
            continue
        have = {column["name"] for column in found.get_columns(table.name)}
        for column in table.columns:
            if column.name not in have:
                kind = column.type.compile(connection.dialect)
                op.execute(f'ALTER TABLE "{table.name}" ADD COLUMN "{column.name}" {kind}')
