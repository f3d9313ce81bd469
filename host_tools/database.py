"""A database under SQLAlchemy: one private SQLite file, or a PostgreSQL server named by an address.

SQLite is write-ahead logged, durable at commit, one writer at a time. PostgreSQL works at READ COMMITTED: who
decides by what it read locks the row first, or lets one statement do both.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, event, inspect
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy.pool import ConnectionPoolEntry

from host_tools.files import FileTrouble

#: How long a transaction waits for another one.
BUSY_MS = 10_000
#: Connections kept open, and those added when the server's 40 threads are all busy.
POOL_SIZE = 8
POOL_OVERFLOW = 40
#: How long opening a connection to PostgreSQL may take.
CONNECT_S = 5
POSTGRESQL = ("postgresql://", "postgres://", "postgresql+psycopg://")


class Database:
    """Opens (and creates) the tables of `base` in the file or at the address `where`. All methods block.

    Raises FileTrouble for an address that is none of PostgreSQL's.
    """

    def __init__(self, where: Path | str, base: type[DeclarativeBase]) -> None:
        self.engine = _sqlite_engine(where) if isinstance(where, Path) else _postgresql_engine(where)
        self.postgresql = self.engine.dialect.name == "postgresql"
        self._writer = self.engine.execution_options(writes=True)
        try:
            with self._writer.begin() as connection:
                self.prepare(connection, base)
        except BaseException:
            self.engine.dispose()
            raise

    def prepare(self, connection: Connection, base: type[DeclarativeBase]) -> None:
        """Make what tables, columns and indexes are missing; runs in a transaction of its own."""
        base.metadata.create_all(connection)
        _complete(connection, base)

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()

    @contextlib.contextmanager
    def reading(self) -> Iterator[Session]:
        """A session that sees one moment of the database (on PostgreSQL: each statement one)."""
        with Session(self.engine, expire_on_commit=False) as session:
            yield session

    @contextlib.contextmanager
    def writing(self) -> Iterator[Session]:
        """A session committed at the end, undone on exceptions; on SQLite it has the write lock at once."""
        with Session(self._writer, expire_on_commit=False) as session, session.begin():
            yield session


def _sqlite_engine(path: Path) -> Engine:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Created here so that nobody else can read it: it holds secrets and personal data.
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    # An error must not carry a statement's values into a log.
    engine = create_engine(
        f"sqlite:///{path}", hide_parameters=True, pool_size=POOL_SIZE, max_overflow=POOL_OVERFLOW
    )
    event.listen(engine, "connect", _prepare_connection)
    event.listen(engine, "begin", _begin)
    return engine


def _postgresql_engine(url: str) -> Engine:
    scheme = next((scheme for scheme in POSTGRESQL if url.startswith(scheme)), None)
    if scheme is None:
        raise FileTrouble("a database address begins with postgresql://")
    try:
        return create_engine(
            "postgresql+psycopg://" + url[len(scheme) :],
            hide_parameters=True,
            pool_size=POOL_SIZE,
            max_overflow=POOL_OVERFLOW,
            # A connection that PostgreSQL's restart has cut is noticed before it is used.
            pool_pre_ping=True,
            connect_args={"connect_timeout": CONNECT_S, "application_name": "yima"},
        )
    except (ArgumentError, ValueError) as e:
        # The address holds a password: it is not repeated.
        raise FileTrouble("the database's address cannot be read") from e


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
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        # What is deleted is overwritten: retention means it.
        "secure_delete=ON",
        f"busy_timeout={BUSY_MS}",
    ):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin(connection: Connection) -> None:
    """A transaction that will write takes the lock at its start: it never fails half-way for want of it."""
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
