"""Who may use the console, what they looked at, and the traces that they asked for."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Four tables."""
    op.create_table(
        "account",
        sa.Column("name", sa.String(48), primary_key=True),
        sa.Column("password", sa.String(256), nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("scope", sa.String(96), nullable=False),
        sa.Column("created_unix", sa.BigInteger, nullable=False),
        sa.Column("disabled_unix", sa.BigInteger),
    )
    op.create_table(
        "login",
        sa.Column("ticket_hash", sa.LargeBinary, primary_key=True),
        sa.Column("name", sa.String(48), sa.ForeignKey("account.name"), nullable=False),
        sa.Column("csrf", sa.String(64), nullable=False),
        sa.Column("ends_unix", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "audit",
        sa.Column("id", _ID, primary_key=True, autoincrement=True),
        sa.Column("at_unix", sa.BigInteger, nullable=False),
        sa.Column("name", sa.String(48), nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("action", sa.String(32), nullable=False),
        sa.Column("detail", sa.String(400), nullable=False),
    )
    op.create_table(
        "trace_case",
        sa.Column("id", _ID, primary_key=True, autoincrement=True),
        sa.Column("asked_unix", sa.BigInteger, nullable=False),
        sa.Column("asked_by", sa.String(48), nullable=False),
        sa.Column("scope", sa.String(96), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("sub", sa.LargeBinary),
        sa.Column("place", sa.String(96)),
        sa.Column("start_unix", sa.BigInteger, nullable=False),
        sa.Column("end_unix", sa.BigInteger, nullable=False),
        sa.Column("minutes", sa.Integer, nullable=False),
        sa.Column("hops", sa.Integer, nullable=False),
        sa.Column("reason", sa.String(200), nullable=False),
        sa.Column("names_asked_unix", sa.BigInteger),
        sa.Column("approved_by", sa.String(48)),
        sa.Column("approved_unix", sa.BigInteger),
    )
