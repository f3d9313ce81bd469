"""The fleet server's database: a SQLite file or PostgreSQL, durable at commit."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import Connection, func, select, update
from sqlalchemy.orm import DeclarativeBase, Session

from firmware.core.record import GENESIS
from host_tools.database import Database
from host_tools.server import migrate
from host_tools.server.days import Days
from host_tools.server.schema import Base, Device, Record, Token

TOKEN_BYTES = 16
SECRET_BYTES = 32
#: Device ids use letters and digits that nobody mixes up.
ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"
ID_LETTERS = 8
#: Days for which records are kept, unless the server is told otherwise.
KEEP_DAYS = 30


class TokenRefused(Exception):
    """The token is unknown, used or expired; which of them is not told."""


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
        self, place: str, scene: str, now_unix: int, life_s: int, root_kid: bytes | None = None
    ) -> bytes:
        """A new one-time token for a handheld that will stand at `place` with `scene` and pin that root."""
        token = secrets.token_bytes(TOKEN_BYTES)
        with self.writing() as session:
            session.add(
                Token(
                    token_hash=_hash(token),
                    place=place,
                    scene=scene,
                    created_unix=now_unix,
                    expires_unix=now_unix + life_s,
                    root_kid=root_kid,
                )
            )
        return token

    def enrol(self, token: bytes, chip_id: bytes, firmware: str, now_unix: int) -> Device:
        """Trade a token for a device. Raises TokenRefused; after success the token is dead."""
        with self.writing() as session:
            taken = session.execute(
                update(Token)
                .where(
                    Token.token_hash == _hash(token), Token.used_unix.is_(None), Token.expires_unix > now_unix
                )
                .values(used_unix=now_unix)
                .returning(Token.place, Token.scene, Token.root_kid)
            ).one_or_none()
            if taken is None:
                raise TokenRefused("token refused")
            device = Device(
                id=self._free_id(session),
                secret=secrets.token_bytes(SECRET_BYTES),
                chip_id=chip_id,
                # PostgreSQL has no place for the character of number zero.
                firmware=firmware.replace("\0", "\ufffd"),
                place=taken.place,
                scene=taken.scene,
                enrolled_unix=now_unix,
                root_kid=taken.root_kid,
                pack_version=0,
                held_seq=0,
                held_chain=GENESIS,
            )
            session.add(device)
            session.execute(update(Token).where(Token.token_hash == _hash(token)).values(device_id=device.id))
            session.flush()
            session.expunge(device)
        return device

    def token_state(self, token: bytes, now_unix: int) -> tuple[str, str | None]:
        """("open", None), ("used", device id) or ("dead", None) for an unknown or expired token."""
        with self.reading() as session:
            row = session.get(Token, _hash(token))
            if row is None:
                return "dead", None
            if row.used_unix is not None:
                return "used", row.device_id
            return ("open", None) if row.expires_unix > now_unix else ("dead", None)

    def revoke(self, device_id: str, now_unix: int) -> bool:
        """Refuse a device from now on; False where there is no such device or it is revoked already."""
        with self.writing() as session:
            device = session.get(Device, device_id)
            if device is None or device.revoked_unix is not None:
                return False
            device.revoked_unix = now_unix
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

    @staticmethod
    def _free_id(session: Session) -> str:
        while True:
            device_id = "y-" + "".join(secrets.choice(ALPHABET) for _ in range(ID_LETTERS))
            if session.get(Device, device_id) is None:
                return device_id


def _hash(token: bytes) -> bytes:
    return hashlib.sha256(token).digest()
