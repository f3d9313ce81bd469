"""Records as they were sealed, with the heads of their segments; and which head a handheld seals under."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Three columns more, empty for what came in plain."""
    op.add_column("record", sa.Column("sealed", sa.LargeBinary(535)))
    op.add_column("record", sa.Column("head", sa.LargeBinary(192)))
    op.add_column("device", sa.Column("held_head", sa.LargeBinary(192)))
