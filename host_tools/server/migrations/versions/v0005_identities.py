"""Whose answer a token may repeat, secrets that roll, and handhelds that took another one's place."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Six columns more, empty for what was enrolled before."""
    op.add_column("token", sa.Column("key_hash", sa.LargeBinary(32)))
    op.add_column("token", sa.Column("for_device", sa.String(32)))
    op.add_column("device", sa.Column("roll", sa.LargeBinary(32)))
    op.add_column("device", sa.Column("secret_unix", sa.BigInteger))
    op.add_column("device", sa.Column("former_id", sa.String(32)))
    op.add_column("device", sa.Column("replaced_by", sa.String(32)))
