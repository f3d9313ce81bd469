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
    #: The root that the handheld is given to pin.
    root_kid: Mapped[bytes | None] = mapped_column(LargeBinary(8))
    #: SHA-256 of the key that the handheld used it with, which alone gets the same answer again.
    key_hash: Mapped[bytes | None] = mapped_column(LargeBinary(32))
    #: The handheld that this token is for, if it is for one that was enrolled before.
    for_device: Mapped[str | None] = mapped_column(String(32))


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
    pack_version: Mapped[int] = mapped_column("trust_version", BigInteger, default=0)
    #: The root that it pins, as far as we know: that of its token, or of the pack that it says it holds.
    root_kid: Mapped[bytes | None] = mapped_column(LargeBinary(8))
    #: Where its last record says that it stands: the checker may have chosen another place and scene.
    at_place: Mapped[str | None] = mapped_column(String(96))
    at_scene: Mapped[str | None] = mapped_column(String(32))
    held_seq: Mapped[int] = mapped_column(BigInteger, default=0)
    held_chain: Mapped[bytes] = mapped_column(LargeBinary(32))
    #: The head of the segment that its last record was sealed in, None before the first sealed one.
    held_head: Mapped[bytes | None] = mapped_column(LargeBinary(192))
    #: The last thing that was wrong with its uploads, and when.
    alert: Mapped[str | None] = mapped_column(String(256))
    alert_unix: Mapped[int | None] = mapped_column(BigInteger)
    #: What makes its next secret of this one, while it has not used that yet; and since when this one holds.
    roll: Mapped[bytes | None] = mapped_column(LargeBinary(32))
    secret_unix: Mapped[int | None] = mapped_column(BigInteger)
    #: The id that this handheld had before, whose records may still be in its journal.
    former_id: Mapped[str | None] = mapped_column(String(32))
    #: The handheld that took this one's place; it is revoked since.
    replaced_by: Mapped[str | None] = mapped_column(String(32))


class Record(Base):
    """One record (`raw`), as it was sealed, its chain value, and its fields in columns.

    The record of a person decided has a `verdict`, that of an event on the handheld an `event`. A record of a
    form this server does not know has neither; it is kept all the same. On PostgreSQL the table is
    partitioned by `day`, and keys hold within a day; across days it is the lock on the handheld's row that
    keeps a record from being taken twice.
    """

    __tablename__ = "record"
    __table_args__ = (
        UniqueConstraint("device_id", "seq"),
        Index("record_place_at", "place", "at_unix"),
        Index("record_sub_at", "sub", "at_unix"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(Id, primary_key=True, autoincrement=True)
    device_id: Mapped[str] = mapped_column(ForeignKey("device.id"))
    seq: Mapped[int] = mapped_column(BigInteger)
    received_unix: Mapped[int] = mapped_column(BigInteger)
    #: The handheld's time where its clock was trusted and not ahead, else `received_unix`.
    at_unix: Mapped[int] = mapped_column(BigInteger)
    #: The day of China's zone of `at_unix`, counted from 1970-01-01; no older than retention allows.
    day: Mapped[int]
    raw: Mapped[bytes] = mapped_column(LargeBinary(512))
    chain: Mapped[bytes] = mapped_column(LargeBinary(32))
    #: As it lay in the handheld, which the chain is over; None for one that came in plain.
    sealed: Mapped[bytes | None] = mapped_column(LargeBinary(535))
    #: The head of its segment, with the first record of it alone.
    head: Mapped[bytes | None] = mapped_column(LargeBinary(192))
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
    role: Mapped[int | None]
    #: Why a person was entered by hand.
    manual: Mapped[int | None]
    event: Mapped[int | None]
    detail: Mapped[str | None] = mapped_column(String(96))


class RecordCount(Base):
    """How many records of a kind a day had, once its records are deleted; "" and -1 stand for nothing."""

    __tablename__ = "record_count"

    day: Mapped[int] = mapped_column(primary_key=True)
    place: Mapped[str] = mapped_column(String(96), primary_key=True)
    scene: Mapped[str] = mapped_column(String(32), primary_key=True)
    direction: Mapped[int] = mapped_column(primary_key=True)
    verdict: Mapped[int] = mapped_column(primary_key=True)
    colour: Mapped[int] = mapped_column(primary_key=True)
    count: Mapped[int] = mapped_column(BigInteger)


class Trust(Base):
    """What servers of earlier releases handed out; nothing reads or writes it any more."""

    __tablename__ = "trust"

    version: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    data: Mapped[bytes] = mapped_column(LargeBinary(65_536))
    expires_unix: Mapped[int] = mapped_column(BigInteger)
    received_unix: Mapped[int] = mapped_column(BigInteger)


class Root(Base):
    """A root key of the authority that this server believes or believed; the newest signs what comes next."""

    __tablename__ = "root"

    number: Mapped[int] = mapped_column(Id, primary_key=True, autoincrement=True)
    kid: Mapped[bytes] = mapped_column(LargeBinary(8), unique=True)
    public: Mapped[bytes] = mapped_column(LargeBinary(64))


class Pack(Base):
    """Manifests whose signature by the root `root_kid` was good, and whose parts are all here."""

    __tablename__ = "pack"

    version: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    manifest: Mapped[bytes] = mapped_column(LargeBinary(4_096))
    root_kid: Mapped[bytes] = mapped_column(LargeBinary(8))
    expires_unix: Mapped[int] = mapped_column(BigInteger)
    received_unix: Mapped[int] = mapped_column(BigInteger)


class Wrapped(Base):
    """A manifest wrapped in an earlier root's word for the root in force, for handhelds that pin that one."""

    __tablename__ = "pack_wrapped"

    version: Mapped[int] = mapped_column(ForeignKey("pack.version", ondelete="CASCADE"), primary_key=True)
    root_kid: Mapped[bytes] = mapped_column(LargeBinary(8), primary_key=True)
    manifest: Mapped[bytes] = mapped_column(LargeBinary(4_096))


class Part(Base):
    """The bytes of a part by their SHA-256."""

    __tablename__ = "part"

    digest: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    data: Mapped[bytes] = mapped_column(LargeBinary(1_048_576))


class PackPart(Base):
    """Which parts a manifest names."""

    __tablename__ = "pack_part"

    version: Mapped[int] = mapped_column(ForeignKey("pack.version", ondelete="CASCADE"), primary_key=True)
    digest: Mapped[bytes] = mapped_column(ForeignKey("part.digest"), primary_key=True)


class Staff(Base):
    """Somebody of a unit's roster; `place` is "" for a roster that counts at every place of the unit."""

    __tablename__ = "staff"

    place: Mapped[str] = mapped_column(String(96), primary_key=True)
    sub: Mapped[bytes] = mapped_column(LargeBinary(16), primary_key=True)
    role: Mapped[int]
    name: Mapped[str] = mapped_column(String(48))


class Account(Base):
    """Somebody who may use the console: `scope` is how the names of the places begin that they may see."""

    __tablename__ = "account"

    name: Mapped[str] = mapped_column(String(48), primary_key=True)
    #: Argon2id, with its parameters and salt.
    password: Mapped[str] = mapped_column(String(256))
    role: Mapped[str] = mapped_column(String(16))
    scope: Mapped[str] = mapped_column(String(96))
    created_unix: Mapped[int] = mapped_column(BigInteger)
    disabled_unix: Mapped[int | None] = mapped_column(BigInteger)


class Login(Base):
    """A session. Only the ticket's SHA-256 is kept: who reads the database cannot step into it."""

    __tablename__ = "login"

    ticket_hash: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    name: Mapped[str] = mapped_column(ForeignKey("account.name"))
    csrf: Mapped[str] = mapped_column(String(64))
    ends_unix: Mapped[int] = mapped_column(BigInteger)


class Audit(Base):
    """A line of the audit log: who read or changed what. It names pages and questions, never people."""

    __tablename__ = "audit"

    id: Mapped[int] = mapped_column(Id, primary_key=True, autoincrement=True)
    at_unix: Mapped[int] = mapped_column(BigInteger)
    name: Mapped[str] = mapped_column(String(48))
    role: Mapped[str] = mapped_column(String(16))
    action: Mapped[str] = mapped_column(String(32))
    detail: Mapped[str] = mapped_column(String(400))


class TraceCase(Base):
    """A trace that somebody asked for, and who allowed that it shows names."""

    __tablename__ = "trace_case"

    id: Mapped[int] = mapped_column(Id, primary_key=True, autoincrement=True)
    asked_unix: Mapped[int] = mapped_column(BigInteger)
    asked_by: Mapped[str] = mapped_column(String(48))
    scope: Mapped[str] = mapped_column(String(96))
    kind: Mapped[str] = mapped_column(String(16))
    sub: Mapped[bytes | None] = mapped_column(LargeBinary(16))
    place: Mapped[str | None] = mapped_column(String(96))
    start_unix: Mapped[int] = mapped_column(BigInteger)
    end_unix: Mapped[int] = mapped_column(BigInteger)
    minutes: Mapped[int]
    hops: Mapped[int]
    reason: Mapped[str] = mapped_column(String(200))
    names_asked_unix: Mapped[int | None] = mapped_column(BigInteger)
    approved_by: Mapped[str | None] = mapped_column(String(48))
    approved_unix: Mapped[int | None] = mapped_column(BigInteger)
