"""Tables of the authority: persons, what laboratories reported, who may do what, and who did it."""

from __future__ import annotations

from sqlalchemy import BigInteger, ForeignKey, Index, Integer, LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

#: SQLite counts by itself only in a column of type INTEGER.
Id = BigInteger().with_variant(Integer, "sqlite")

NUCLEIC, IGG = 0, 1
LABORATORY, UNIT = "lab", "unit"


class Base(DeclarativeBase):
    """Common base of the tables."""


class Meta(Base):
    """Facts about the database itself."""

    __tablename__ = "meta"

    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    value: Mapped[str] = mapped_column(String(64))


class Person(Base):
    """Somebody who has, or waits for, a code.

    The ID number itself is nowhere: `id_hash` is keyed (idnumber.py), `id_tail` its last four characters.
    """

    __tablename__ = "person"

    #: What people and commands call the person by; says nothing about them.
    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    #: Pseudonym in codes, 16 random bytes.
    sub: Mapped[bytes] = mapped_column(LargeBinary(16), unique=True)
    #: The secret part of the wallet page's address.
    wallet: Mapped[str] = mapped_column(String(32), unique=True)
    name: Mapped[str] = mapped_column(String(48))
    masked_name: Mapped[str] = mapped_column(String(48))
    id_hash: Mapped[bytes | None] = mapped_column(LargeBinary(32), unique=True)
    id_tail: Mapped[str] = mapped_column(String(4), default="")
    #: Who looks after a person in home observation.
    village: Mapped[str] = mapped_column(String(48), default="")
    employer: Mapped[str] = mapped_column(String(48), default="")
    colour: Mapped[int] = mapped_column(default=0)
    #: Key groups of the notice, 1 to 8, comma between them.
    groups: Mapped[str] = mapped_column(String(16), default="")
    #: Days between tests where it is not the group's own interval.
    interval_days: Mapped[int | None]
    arrival_region: Mapped[str | None] = mapped_column(String(48))
    arrival_unix: Mapped[int | None] = mapped_column(BigInteger)
    #: 1: no code until a unit has granted it on a negative result.
    withheld: Mapped[int] = mapped_column(default=0)
    registered_unix: Mapped[int] = mapped_column(BigInteger)
    #: The first change since then; NULL for a person as seeded or registered.
    changed_unix: Mapped[int | None] = mapped_column(BigInteger)
    # Only for the invented town: its times count back from now, and some of its people play tricks.
    town_order: Mapped[int | None]
    note_zh: Mapped[str] = mapped_column(String(64), default="")
    note_en: Mapped[str] = mapped_column(String(64), default="")
    trick: Mapped[str] = mapped_column(String(16), default="none")
    media: Mapped[str] = mapped_column(String(8), default="0,1")
    arrival_age_s: Mapped[int | None] = mapped_column(BigInteger)


class Companion(Base):
    """`companion_id` travels on the code of `holder_id`."""

    __tablename__ = "companion"

    holder_id: Mapped[str] = mapped_column(ForeignKey("person.id", ondelete="CASCADE"), primary_key=True)
    companion_id: Mapped[str] = mapped_column(ForeignKey("person.id", ondelete="CASCADE"), primary_key=True)
    position: Mapped[int]


class Party(Base):
    """A laboratory or an authorised unit. Only the SHA-256 of its credential is kept."""

    __tablename__ = "party"

    id: Mapped[str] = mapped_column(String(16), primary_key=True)
    kind: Mapped[str] = mapped_column(String(8))
    name: Mapped[str] = mapped_column(String(64))
    secret_hash: Mapped[bytes] = mapped_column(LargeBinary(32))
    created_unix: Mapped[int] = mapped_column(BigInteger)
    revoked_unix: Mapped[int | None] = mapped_column(BigInteger)


class Result(Base):
    """One sample's result. `person_id` is NULL while nobody with that `id_hash` is registered.

    A seed result of the invented town has no `taken_unix` but `age_s`: it is always as old as that, and
    counts only until a real one comes.
    """

    __tablename__ = "result"
    __table_args__ = (UniqueConstraint("lab_id", "sample"), Index("result_person", "person_id", "kind"))

    id: Mapped[int] = mapped_column(Id, primary_key=True, autoincrement=True)
    #: NULL: entered at the office.
    lab_id: Mapped[str | None] = mapped_column(ForeignKey("party.id"))
    sample: Mapped[str] = mapped_column(String(32))
    person_id: Mapped[str | None] = mapped_column(ForeignKey("person.id", ondelete="CASCADE"))
    id_hash: Mapped[bytes | None] = mapped_column(LargeBinary(32), index=True)
    kind: Mapped[int]
    result: Mapped[int]
    taken_unix: Mapped[int | None] = mapped_column(BigInteger)
    received_unix: Mapped[int] = mapped_column(BigInteger)
    age_s: Mapped[int | None] = mapped_column(BigInteger)


class Grant(Base):
    """A unit gave a person their code on the strength of a negative result."""

    __tablename__ = "grant"

    id: Mapped[int] = mapped_column(Id, primary_key=True, autoincrement=True)
    person_id: Mapped[str] = mapped_column(ForeignKey("person.id", ondelete="CASCADE"))
    #: NULL: granted at the office.
    unit_id: Mapped[str | None] = mapped_column(ForeignKey("party.id"))
    result_id: Mapped[int] = mapped_column(ForeignKey("result.id", ondelete="CASCADE"))
    time_unix: Mapped[int] = mapped_column(BigInteger)


class Paper(Base):
    """A printed code: `cti` is the number on the card, by which it can be revoked when it is lost."""

    __tablename__ = "paper"

    cti: Mapped[bytes] = mapped_column(LargeBinary(8), primary_key=True)
    person_id: Mapped[str] = mapped_column(ForeignKey("person.id", ondelete="CASCADE"))
    issued_unix: Mapped[int] = mapped_column(BigInteger)
    expires_unix: Mapped[int] = mapped_column(BigInteger)
    revoked_unix: Mapped[int | None] = mapped_column(BigInteger)


class Interval(Base):
    """Days between the tests of a key group."""

    __tablename__ = "interval"

    key_group: Mapped[int] = mapped_column(primary_key=True)
    days: Mapped[int]


class Audit(Base):
    """Who changed what. `detail` holds old and new values of the kind shown on a code, never an ID number."""

    __tablename__ = "audit"

    id: Mapped[int] = mapped_column(Id, primary_key=True, autoincrement=True)
    time_unix: Mapped[int] = mapped_column(BigInteger)
    #: "office", "command line", or the id of a laboratory or unit.
    actor: Mapped[str] = mapped_column(String(32))
    action: Mapped[str] = mapped_column(String(24))
    person_id: Mapped[str | None] = mapped_column(String(32))
    detail: Mapped[str] = mapped_column(String(160))
