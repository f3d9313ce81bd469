"""Records know when they count from (`at_unix`) and on which day; on PostgreSQL each day is a partition.

The day is that of China, counted from 1970-01-01. Counts outlive the records: `record_count`.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

#: PostgreSQL refuses nothing here that a handheld may send: sizes were checked before. No foreign key to the
#: handheld, which would cost a look-up a row: handhelds are never deleted.
_RECORDS = """
CREATE SEQUENCE record_id_seq;
CREATE TABLE record (
    id bigint NOT NULL DEFAULT nextval('record_id_seq'),
    day integer NOT NULL,
    at_unix bigint NOT NULL,
    device_id varchar(32) NOT NULL,
    seq bigint NOT NULL,
    received_unix bigint NOT NULL,
    raw bytea NOT NULL,
    chain bytea NOT NULL,
    time_unix bigint,
    clock integer,
    place varchar(96),
    scene varchar(32),
    direction integer,
    sub bytea,
    party_first bigint,
    party_index bigint,
    party_size bigint,
    kind integer,
    cti bytea,
    colour integer,
    verdict integer,
    reasons text,
    object_centi_c bigint,
    ambient_centi_c bigint,
    body_centi_c bigint,
    mask integer,
    checker varchar(48),
    confirmed text,
    role integer,
    manual integer,
    event integer,
    detail varchar(96),
    PRIMARY KEY (id, day),
    UNIQUE (device_id, seq, day)
) PARTITION BY RANGE (day);
ALTER SEQUENCE record_id_seq OWNED BY record.id;
CREATE INDEX record_place_at ON record (place, at_unix) INCLUDE (sub, direction, verdict, scene);
CREATE INDEX record_sub_at ON record (sub, at_unix) INCLUDE (place, direction, verdict, scene)
    WHERE sub IS NOT NULL
"""
#: Old rows: where the handheld's clock was trusted its time counts, else the time at which the record came.
_SQLITE = """
DROP INDEX IF EXISTS record_sub_time;
DROP INDEX IF EXISTS record_place_received;
DROP INDEX IF EXISTS record_time;
ALTER TABLE record ADD COLUMN at_unix BIGINT NOT NULL DEFAULT 0;
ALTER TABLE record ADD COLUMN day INTEGER NOT NULL DEFAULT 0;
UPDATE record SET at_unix =
    CASE WHEN clock = 0 AND time_unix <= received_unix THEN time_unix ELSE received_unix END;
UPDATE record SET day = (at_unix + 28800) / 86400;
CREATE INDEX record_place_at ON record (place, at_unix);
CREATE INDEX record_sub_at ON record (sub, at_unix) WHERE sub IS NOT NULL;
CREATE INDEX record_day ON record (day)
"""


def upgrade() -> None:
    """Two columns more, other indexes, and the table of counts."""
    sqlite = op.get_bind().dialect.name == "sqlite"
    for statement in (_SQLITE if sqlite else _RECORDS).split(";\n"):
        op.execute(statement)
    op.create_table(
        "record_count",
        sa.Column("day", sa.Integer, primary_key=True),
        sa.Column("place", sa.String(96), primary_key=True),
        sa.Column("scene", sa.String(32), primary_key=True),
        sa.Column("direction", sa.Integer, primary_key=True),
        sa.Column("verdict", sa.Integer, primary_key=True),
        sa.Column("colour", sa.Integer, primary_key=True),
        sa.Column("count", sa.BigInteger, nullable=False),
    )
