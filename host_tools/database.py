"""One SQLite file under SQLAlchemy: private, write-ahead logged, durable at commit, one writer at a time."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import Connection, create_engine, event, inspect
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy.pool import ConnectionPoolEntry

#: How long a transaction waits for another one.
BUSY_MS = 10_000
#: Connections kept open, and those added when the server's 40 threads are all busy.
POOL_SIZE = 8
POOL_OVERFLOW = 40


class Database:
    """Opens (and creates) the file at `path` with the tables of `base`. All methods are blocking."""

    def __init__(self, path: Path, base: type[DeclarativeBase]) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Created here so that nobody else can read it: it holds secrets and personal data.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        # An error must not carry a statement's values into a log.
        self.engine = create_engine(
            f"sqlite:///{path}", hide_parameters=True, pool_size=POOL_SIZE, max_overflow=POOL_OVERFLOW
        )
        event.listen(self.engine, "connect", _prepare_connection)
        event.listen(self.engine, "begin", _begin)
        self._writer = self.engine.execution_options(writes=True)
        with self._writer.begin() as connection:
            base.metadata.create_all(connection)
            _complete(connection, base)

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()

    @contextlib.contextmanager
    def reading(self) -> Iterator[Session]:
        """A session that sees one moment of the database."""
        with Session(self.engine, expire_on_commit=False) as session:
            yield session

    @contextlib.contextmanager
    def writing(self) -> Iterator[Session]:
        """A session that holds the write lock from its start; committed at the end, undone on exceptions."""
        with Session(self._writer, expire_on_commit=False) as session, session.begin():
            yield session


def _complete(connection: Connection, base: type[DeclarativeBase]) -> None:
    """Give a file of an earlier release the columns and indexes that came later.

    Such columns are nullable: the rows that are there have nothing to say in them.
    """
    found = inspect(connection)
    for table in base.metadata.sorted_tables:
        have = {column["name"] for column in found.get_columns(table.name)}
        for column in table.columns:
            if column.name not in have:
                kind = column.type.compile(connection.dialect)
                connection.exec_driver_sql(f'ALTER TABLE "{table.name}" ADD COLUMN "{column.name}" {kind}')
        for index in table.indexes:
            index.create(connection, checkfirst=True)


def _prepare_connection(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
    """Write-ahead log, durable at commit; transactions are begun by `_begin`, not by the driver."""
    assert isinstance(connection, sqlite3.Connection)  # noqa: S101 - for the type checker
    connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", f"busy_timeout={BUSY_MS}"):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin(connection: Connection) -> None:
    """A transaction that will write takes the lock at its start: it never fails half-way for want of it."""
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
