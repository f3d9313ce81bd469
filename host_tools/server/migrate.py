"""Brings a database to the newest revision, from an empty one or from that of any earlier release."""

from __future__ import annotations

import threading
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, inspect, text

FOLDER = Path(__file__).resolve().parent / "migrations"
#: The newest revision; a database that is there already costs one look.
HEAD = "0006"
#: Server processes that start together do this one after the other (a number that nobody else locks).
LOCK = 7_301_946_001

_ONE_AT_A_TIME = threading.Lock()


def configuration(connection: Connection) -> Config:
    """What Alembic needs to know."""
    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    config.attributes["connection"] = connection
    return config


def upgrade(connection: Connection) -> None:
    """Upgrade within the transaction of `connection`, which commits it or undoes it as a whole."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
    if inspect(connection).has_table("alembic_version"):
        found = connection.execute(text("SELECT version_num FROM alembic_version")).scalars().all()
        if found == [HEAD]:
            return
    # Alembic keeps the migration in progress in a global of its own: one thread at a time.
    with _ONE_AT_A_TIME:
        command.upgrade(configuration(connection), "head")
