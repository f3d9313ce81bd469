"""The fleet server's database: a SQLite file or PostgreSQL, durable at commit."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import Connection, func, select
from sqlalchemy.orm import DeclarativeBase

from firmware.core.message import EnrolRequest
from host_tools.database import Database
from host_tools.server import identity, migrate
from host_tools.server.days import Days
from host_tools.server.identity import hash_of
from host_tools.server.schema import Base, Device, Record, Token

TOKEN_BYTES = 16
#: Days for which records are kept, unless the server is told otherwise.
KEEP_DAYS = 30


class Store(Database):
    """The database file or server. All methods are blocking: call them in a thread."""

    def __init__(self, where: Path | str, keep_days: int = KEEP_DAYS) -> None:
        super().__init__(where, Base)
        self.days = Days(self, keep_days)

    def prepare(self, connection: Connection, base: type[DeclarativeBase]) -> None:
        """Bring the tables to the newest revision."""
        migrate.upgrade(connection)

    # Enrolment -------------------------------------------------------------------------------------------

    def create_token(
        self,
        place: str,
        scene: str,
        now_unix: int,
        life_s: int,
        root_kid: bytes | None = None,
        for_device: str | None = None,
    ) -> bytes:
        """A new one-time token for a handheld that will stand at `place` with `scene` and pin that root.

        `for_device` is the id of one that was enrolled before: it gets its place back where it shows that it
        is the same, else the new one takes its place.
        """
        token = secrets.token_bytes(TOKEN_BYTES)
        with self.writing() as session:
            session.add(
                Token(
                    token_hash=hash_of(token),
                    place=place,
                    scene=scene,
                    created_unix=now_unix,
                    expires_unix=now_unix + life_s,
                    root_kid=root_kid,
                    for_device=for_device,
                )
            )
        return token

    def enrol(self, token: bytes, chip_id: bytes, firmware: str, now_unix: int) -> Device:
        """Trade a token for a device, without a key to ask again with. Raises TokenRefused."""
        return self.enrol_by(EnrolRequest(token, chip_id, firmware), now_unix)[0]

    def enrol_by(self, request: EnrolRequest, now_unix: int) -> tuple[Device, bytes]:
        """The device that a token is traded for, and the secret that it is to use. Raises TokenRefused."""
        with self.writing() as session:
            device, secret = identity.enrol(session, request, now_unix)
            session.flush()
            session.expunge(device)
        return device, secret

    def token_state(self, token: bytes, now_unix: int) -> tuple[str, str | None]:
        """("open", None), ("used", device id) or ("dead", None) for an unknown or expired token."""
        with self.reading() as session:
            row = session.get(Token, hash_of(token))
            if row is None:
                return "dead", None
            if row.used_unix is not None:
                return "used", row.device_id
            return ("open", None) if row.expires_unix > now_unix else ("dead", None)

    def revoke(self, device_id: str, now_unix: int) -> bool:
        """Refuse a device from now on; False where there is no such device or it is revoked already."""
        with self.writing() as session:
            device = session.scalar(select(Device).where(Device.id == device_id).with_for_update())
            if device is None or device.revoked_unix is not None:
                return False
            device.revoked_unix = now_unix
            return True

    def roll(self, device_id: str) -> bool:
        """Have a device change its secret at its next contact; False where there is none to do so."""
        with self.writing() as session:
            device = session.scalar(select(Device).where(Device.id == device_id).with_for_update())
            if device is None or device.revoked_unix is not None:
                return False
            identity.roll(device)
            return True

    def device(self, device_id: str) -> Device | None:
        """A device by its id."""
        with self.reading() as session:
            return session.get(Device, device_id)

    # Console ---------------------------------------------------------------------------------------------

    def devices(self) -> Sequence[Device]:
        """All devices, newest first."""
        with self.reading() as session:
            return session.scalars(select(Device).order_by(Device.enrolled_unix.desc(), Device.id)).all()

    def records_after(
        self,
        after_id: int,
        limit: int,
        device_id: str | None = None,
        scope: str = "",
        before_unix: int | None = None,
    ) -> Sequence[Record]:
        """At most `limit` records in the order in which they came, those after `after_id`.

        `scope` is how the names of their places begin. With `before_unix` only those that came until then:
        transactions of several servers end out of order, and a number that was passed by would be missed.
        """
        query = select(Record).where(Record.id > after_id).order_by(Record.id).limit(limit)
        if device_id is not None:
            query = query.where(Record.device_id == device_id)
        if scope:
            query = query.where(Record.place.startswith(scope, autoescape=True))
        if before_unix is not None:
            query = query.where(Record.received_unix <= before_unix)
        with self.reading() as session:
            return session.scalars(query).all()

    def newest_records(self, limit: int, scope: str = "") -> Sequence[Record]:
        """At most `limit` records of places whose names begin with `scope`, newest first."""
        query = select(Record).order_by(Record.id.desc()).limit(limit)
        if scope:
            query = query.where(Record.place.startswith(scope, autoescape=True))
        with self.reading() as session:
            return session.scalars(query).all()

    def count_records(self) -> int:
        """How many records there are."""
        with self.reading() as session:
            return session.scalar(select(func.count()).select_from(Record)) or 0
