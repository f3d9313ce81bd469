"""Tables of the fleet server."""

from __future__ import annotations

from sqlalchemy import BigInteger, ForeignKey, Index, Integer, LargeBinary, String, Text, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

#: SQLite counts by itself only in a column of type INTEGER.
Id = BigInteger().with_variant(Integer, "sqlite")


class Base(DeclarativeBase):
    """Common base of the tables."""


class Token(Base):
    """A one-time token for enrolment. Only its SHA-256 is kept: who reads the database cannot enrol."""

    __tablename__ = "token"

    token_hash: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    place: Mapped[str] = mapped_column(String(96))
    scene: Mapped[str] = mapped_column(String(32))
    created_unix: Mapped[int] = mapped_column(BigInteger)
    expires_unix: Mapped[int] = mapped_column(BigInteger)
    used_unix: Mapped[int | None] = mapped_column(BigInteger)
    device_id: Mapped[str | None] = mapped_column(String(32))


class Device(Base):
    """A handheld. `held_seq` and `held_chain` say up to where its records are here without a gap."""

    __tablename__ = "device"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    secret: Mapped[bytes] = mapped_column(LargeBinary(32))
    chip_id: Mapped[bytes] = mapped_column(LargeBinary(32))
    firmware: Mapped[str] = mapped_column(String(64))
    place: Mapped[str] = mapped_column(String(96))
    scene: Mapped[str] = mapped_column(String(32))
    enrolled_unix: Mapped[int] = mapped_column(BigInteger)
    revoked_unix: Mapped[int | None] = mapped_column(BigInteger)
    last_seen_unix: Mapped[int | None] = mapped_column(BigInteger)
    #: The handheld's clock minus the server's at the last contact.
    clock_offset_s: Mapped[int | None] = mapped_column(BigInteger)
    trust_version: Mapped[int] = mapped_column(BigInteger, default=0)
    held_seq: Mapped[int] = mapped_column(BigInteger, default=0)
    held_chain: Mapped[bytes] = mapped_column(LargeBinary(32))
    #: The last thing that was wrong with its uploads, and when.
    alert: Mapped[str | None] = mapped_column(String(256))
    alert_unix: Mapped[int | None] = mapped_column(BigInteger)


class Record(Base):
    """One record as it lay in the handheld's journal (`raw`), its chain value, and its fields in columns.

    A record of a form this server does not know has `verdict` NULL; it is kept all the same.
    """

    __tablename__ = "record"
    __table_args__ = (
        UniqueConstraint("device_id", "seq"),
        Index("record_sub_time", "sub", "time_unix"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True, autoincrement=True)
    device_id: Mapped[str] = mapped_column(ForeignKey("device.id"))
    seq: Mapped[int] = mapped_column(BigInteger)
    received_unix: Mapped[int] = mapped_column(BigInteger)
    raw: Mapped[bytes] = mapped_column(LargeBinary(512))
    chain: Mapped[bytes] = mapped_column(LargeBinary(32))
    time_unix: Mapped[int | None] = mapped_column(BigInteger)
    clock: Mapped[int | None]
    place: Mapped[str | None] = mapped_column(String(96))
    scene: Mapped[str | None] = mapped_column(String(32))
    direction: Mapped[int | None]
    sub: Mapped[bytes | None] = mapped_column(LargeBinary(16))
    party_first: Mapped[int | None] = mapped_column(BigInteger)
    party_index: Mapped[int | None] = mapped_column(BigInteger)
    party_size: Mapped[int | None] = mapped_column(BigInteger)
    kind: Mapped[int | None]
    cti: Mapped[bytes | None] = mapped_column(LargeBinary(32))
    colour: Mapped[int | None]
    verdict: Mapped[int | None]
    #: Numbers, comma between them.
    reasons: Mapped[str | None] = mapped_column(Text)
    object_centi_c: Mapped[int | None] = mapped_column(BigInteger)
    ambient_centi_c: Mapped[int | None] = mapped_column(BigInteger)
    body_centi_c: Mapped[int | None] = mapped_column(BigInteger)
    mask: Mapped[int | None]
    checker: Mapped[str | None] = mapped_column(String(48))
    #: Numbers, comma between them.
    confirmed: Mapped[str | None] = mapped_column(Text)


class Trust(Base):
    """Trust lists whose signature was good, newest version last."""

    __tablename__ = "trust"

    version: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    data: Mapped[bytes] = mapped_column(LargeBinary(65_536))
    expires_unix: Mapped[int] = mapped_column(BigInteger)
    received_unix: Mapped[int] = mapped_column(BigInteger)
