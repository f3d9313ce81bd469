"""On PostgreSQL the indexes that traces read know the day: all that is asked stands in them."""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision = "0005"

_INDEXES = """
DROP INDEX record_place_at;
DROP INDEX record_sub_at;
CREATE INDEX record_place_at ON record (place, at_unix) INCLUDE (sub, direction, verdict, scene, day);
CREATE INDEX record_sub_at ON record (sub, at_unix) INCLUDE (place, direction, verdict, scene, day)
    WHERE sub IS NOT NULL
"""


def upgrade() -> None:
    """The same two indexes with one column more; SQLite has no such ones."""
    if op.get_bind().dialect.name == "postgresql":
        for statement in _INDEXES.split(";\n"):
            op.execute(statement)
