"""Printed codes and their end: a card keeps the colour that it was printed with, so it is revoked when the
person's health changes for the worse, or when it is lost."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import select, update

from host_tools.authority import schema
from host_tools.authority.fields import PeopleTrouble
from host_tools.authority.people import People, note
from host_tools.authority.revocations import Revocations, Revoked


class Papers:
    """The printed codes of the register; revocations go into the next pack."""

    def __init__(self, people: People, revocations: Revocations) -> None:
        self._people = people
        self._revocations = revocations

    def of(self, person_id: str) -> Sequence[schema.Paper]:
        """A person's printed codes, newest first."""
        query = select(schema.Paper).where(schema.Paper.person_id == person_id)
        with self._people.database.reading() as session:
            return session.scalars(query.order_by(schema.Paper.issued_unix.desc())).all()

    def keep(self, person_id: str, cti: bytes, issued_unix: int, expires_unix: int, actor: str) -> None:
        """Remember a code that was printed, by the number on it."""
        with self._people.database.writing() as session:
            session.add(
                schema.Paper(cti=cti, person_id=person_id, issued_unix=issued_unix, expires_unix=expires_unix)
            )
            note(session, issued_unix, actor, "print", person_id, cti.hex())

    def revoke(self, cti: bytes, actor: str, now_unix: int) -> None:
        """End one printed code. Raises PeopleTrouble where there is none of this number, or it has ended."""
        query = select(schema.Paper.cti).where(schema.Paper.cti == cti, schema.Paper.revoked_unix.is_(None))
        with self._people.database.reading() as session:
            if session.scalar(query) is None:
                raise PeopleTrouble("no printed code has this number, or it is revoked already")
        self._end([cti], actor, now_unix)

    def withdraw(self, person_ids: Iterable[str], actor: str, now_unix: int) -> int:
        """End all printed codes on which one of these persons is, as holder or companion; how many."""
        wanted = list(person_ids)
        ended = 0
        for start in range(0, len(wanted), 500):
            some = wanted[start : start + 500]
            holders = select(schema.Companion.holder_id).where(schema.Companion.companion_id.in_(some))
            query = select(schema.Paper.cti).where(
                schema.Paper.person_id.in_(some) | schema.Paper.person_id.in_(holders),
                schema.Paper.revoked_unix.is_(None),
                schema.Paper.expires_unix > now_unix,
            )
            with self._people.database.reading() as session:
                numbers = list(session.scalars(query))
            self._end(numbers, actor, now_unix)
            ended += len(numbers)
        return ended

    def _end(self, numbers: list[bytes], actor: str, now_unix: int) -> None:
        if not numbers:
            return
        # The pack first: if this breaks off in between, the code is dead and only looks alive here.
        self._revocations.add([Revoked("code", cti) for cti in numbers], now_unix)
        with self._people.database.writing() as session:
            for cti in numbers:
                changed = update(schema.Paper).where(schema.Paper.cti == cti).values(revoked_unix=now_unix)
                person_id = session.scalar(changed.returning(schema.Paper.person_id))
                note(session, now_unix, actor, "paper revoked", person_id, cti.hex())
