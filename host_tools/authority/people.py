"""The authority's register of persons, in SQLite: who has a code, and every change with who made it.

The invented town is loaded on first use as seed data. Methods take `actor`, the one on whose behalf a change
is made, and write it into the audit log in the same transaction.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import ColumnElement, func, or_, select, update
from sqlalchemy.orm import Session

from host_tools.authority import schema, seed, town, words
from host_tools.authority.fields import (
    MAX_NAME,
    MAX_TEXT,
    PeopleTrouble,
    interval,
    masked,
    past,
    plain,
    region_name,
)
from host_tools.authority.idnumber import TAIL, IdHash, IdNumberError, normal
from host_tools.database import Database

#: Letters and digits that nobody mixes up.
ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"
ID_LETTERS = 8
MAX_COMPANIONS = 5
PAGE_ROWS = 50
COMMAND_LINE, OFFICE = "command line", "office"


@dataclass(frozen=True)
class Registration:
    """What is asked of somebody who applies for a code."""

    name: str
    id_number: str
    village: str = ""
    employer: str = ""
    region: str | None = None
    arrived_unix: int | None = None
    withheld: bool = False


class People:
    """The register in `folder`. All methods are blocking."""

    def __init__(self, folder: Path, now_unix: int) -> None:
        self.database = Database(folder / "authority.sqlite", schema.Base)
        self.id_hash = IdHash(folder / "id-hash.key")
        with self.database.writing() as session:
            seed.load(session, town.build(), now_unix)

    def close(self) -> None:
        """Close the database."""
        self.database.close()

    # Reading ---------------------------------------------------------------------------------------------

    def get(self, person_id: str) -> schema.Person:
        """A person by id. Raises PeopleTrouble."""
        with self.database.reading() as session:
            return _person(session, person_id)

    def of_wallet(self, wallet: str) -> schema.Person | None:
        """The person whose wallet page this is."""
        with self.database.reading() as session:
            return session.scalar(select(schema.Person).where(schema.Person.wallet == wallet))

    def of_id_number(self, id_number: str) -> schema.Person | None:
        """The person with this ID number. Raises PeopleTrouble for what is no ID number."""
        try:
            id_hash = self.id_hash(id_number)
        except IdNumberError as e:
            raise PeopleTrouble(str(e)) from e
        with self.database.reading() as session:
            return session.scalar(select(schema.Person).where(schema.Person.id_hash == id_hash))

    def search(
        self, text: str = "", colour: int | None = None, offset: int = 0, limit: int = PAGE_ROWS
    ) -> tuple[Sequence[schema.Person], int]:
        """Persons whose name, id or last ID characters hold `text`, newest first; and how many there are."""
        matches: list[ColumnElement[bool]] = []
        if text:
            columns = (schema.Person.name, schema.Person.masked_name, schema.Person.id, schema.Person.id_tail)
            matches.append(or_(*(column.contains(text, autoescape=True) for column in columns)))
        if colour is not None:
            matches.append(schema.Person.colour == colour)
        query = select(schema.Person).where(*matches)
        order = (schema.Person.registered_unix.desc(), schema.Person.town_order, schema.Person.id)
        with self.database.reading() as session:
            total = session.scalar(select(func.count()).select_from(query.subquery())) or 0
            return session.scalars(query.order_by(*order).offset(offset).limit(limit)).all(), total

    def companions(self, person_id: str) -> Sequence[schema.Person]:
        """Those who travel on a person's code."""
        with self.database.reading() as session:
            return _companions(session, person_id)

    def results(self, person_id: str) -> Sequence[schema.Result]:
        """A person's results, last received first."""
        query = select(schema.Result).where(schema.Result.person_id == person_id)
        with self.database.reading() as session:
            return session.scalars(query.order_by(schema.Result.id.desc())).all()

    def audit(self, limit: int = 200, person_id: str | None = None) -> Sequence[schema.Audit]:
        """The last changes, newest first."""
        query = select(schema.Audit).order_by(schema.Audit.id.desc()).limit(limit)
        if person_id is not None:
            query = query.where(schema.Audit.person_id == person_id)
        with self.database.reading() as session:
            return session.scalars(query).all()

    def intervals(self) -> list[int]:
        """Days between tests for each key group; the first is group 1's."""
        with self.database.reading() as session:
            changed = {row.key_group: row.days for row in session.scalars(select(schema.Interval))}
        return [changed.get(number + 1, days) for number, days in enumerate(words.INTERVAL_DAYS)]

    def holder(self, person_id: str) -> town.Person:
        """What goes into a person's code. Raises PeopleTrouble where there is nobody, or no code yet."""
        with self.database.reading() as session:
            row = _person(session, person_id)
            if row.withheld:
                raise PeopleTrouble("no code yet: it is granted on a negative test result")
            return _holder(session, row)

    def townspeople(self) -> list[town.Person]:
        """The invented town's people, in its order, as they stand now."""
        query = (
            select(schema.Person)
            .where(schema.Person.town_order.is_not(None), schema.Person.id.in_([p.id for p in town.CAST]))
            .order_by(schema.Person.town_order)
        )
        with self.database.reading() as session:
            return [_holder(session, row) for row in session.scalars(query) if not row.withheld]

    def staff(self, employer: str) -> Sequence[schema.Person]:
        """The persons with this employer, by name."""
        query = select(schema.Person).where(schema.Person.employer == employer)
        with self.database.reading() as session:
            return session.scalars(query.order_by(schema.Person.name, schema.Person.id)).all()

    def town_ids(self) -> Sequence[str]:
        """The ids of the invented town's people."""
        query = select(schema.Person.id).where(schema.Person.town_order.is_not(None))
        with self.database.reading() as session:
            return session.scalars(query.order_by(schema.Person.town_order)).all()

    # Changing --------------------------------------------------------------------------------------------

    def add(self, registration: Registration, actor: str, now_unix: int) -> schema.Person:
        """Register somebody; results that came for the ID number before now belong to them.

        Raises PeopleTrouble for wrong fields or an ID number that is registered already.
        """
        name = plain(registration.name, "name", MAX_NAME)
        if not name:
            raise PeopleTrouble("the name is empty")
        if (registration.region is None) != (registration.arrived_unix is None):
            raise PeopleTrouble("an arrival needs a region and a time")
        try:
            number = normal(registration.id_number)
        except IdNumberError as e:
            raise PeopleTrouble(str(e)) from e
        id_hash = self.id_hash(number)
        with self.database.writing() as session:
            if session.scalar(select(schema.Person.id).where(schema.Person.id_hash == id_hash)):
                raise PeopleTrouble("this ID number is registered already")
            person = schema.Person(
                id=_free_id(session),
                sub=secrets.token_bytes(16),
                wallet=secrets.token_urlsafe(16),
                name=name,
                masked_name=masked(name),
                id_hash=id_hash,
                id_tail=number[-TAIL:],
                village=plain(registration.village, "village", MAX_TEXT),
                employer=plain(registration.employer, "employer", MAX_TEXT),
                arrival_region=region_name(registration.region),
                arrival_unix=past(registration.arrived_unix, now_unix),
                withheld=int(registration.withheld),
                registered_unix=now_unix,
                changed_unix=now_unix,
            )
            session.add(person)
            session.flush()
            session.execute(
                update(schema.Result)
                .where(schema.Result.id_hash == id_hash, schema.Result.person_id.is_(None))
                .values(person_id=person.id, id_hash=None)
            )
            note(session, now_unix, actor, "register", person.id, "waits for a grant" * person.withheld)
            return person

    def remove(self, person_id: str, actor: str, now_unix: int) -> None:
        """Forget a person, their results and grants; the audit log keeps that it was done."""
        with self.database.writing() as session:
            session.delete(_person(session, person_id))
            note(session, now_unix, actor, "remove", person_id, "")

    def set_colour(self, person_id: str, colour: int, actor: str, now_unix: int) -> None:
        """Give a person another colour."""
        if not 0 <= colour < len(words.COLOURS):
            raise PeopleTrouble("there is no such colour")
        with self.database.writing() as session:
            person = _changed(session, person_id, now_unix)
            detail = f"{words.COLOURS[person.colour][1]} → {words.COLOURS[colour][1]}"
            person.colour = colour
            note(session, now_unix, actor, "colour", person_id, detail)

    def set_groups(
        self, person_id: str, groups: Iterable[int], interval_days: int | None, actor: str, now_unix: int
    ) -> None:
        """Put a person into key groups; `interval_days` overrides the groups' own intervals."""
        numbers = sorted(set(groups))
        if any(not 1 <= number <= len(words.GROUPS) for number in numbers):
            raise PeopleTrouble(f"key groups are numbers from 1 to {len(words.GROUPS)}")
        if interval_days is not None:
            interval(interval_days)
        with self.database.writing() as session:
            person = _changed(session, person_id, now_unix)
            person.groups = ",".join(map(str, numbers))
            person.interval_days = interval_days
            days = "" if interval_days is None else f", every {interval_days} d"
            note(session, now_unix, actor, "groups", person_id, f"{person.groups or 'none'}{days}")

    def set_interval(self, group: int, days: int, actor: str, now_unix: int) -> None:
        """Set the days between tests of a key group."""
        if not 1 <= group <= len(words.GROUPS):
            raise PeopleTrouble(f"key groups are numbers from 1 to {len(words.GROUPS)}")
        with self.database.writing() as session:
            session.merge(schema.Interval(key_group=group, days=interval(days)))
            note(session, now_unix, actor, "interval", None, f"group {group}: {days} d")

    def set_arrival(
        self,
        person_id: str,
        region: str | None,
        arrived_unix: int | None,
        withhold: bool,
        actor: str,
        now_unix: int,
    ) -> None:
        """Note that a person came from a key region, or (None) that they did not. `withhold`: no code until
        it is granted on a negative result."""
        if (region is None) != (arrived_unix is None):
            raise PeopleTrouble("an arrival needs a region and a time")
        with self.database.writing() as session:
            person = _changed(session, person_id, now_unix)
            person.arrival_region, person.arrival_unix = region_name(region), past(arrived_unix, now_unix)
            person.arrival_age_s = None
            if withhold:
                person.withheld = 1
            detail = f"{region or 'none'}{', code withheld' * withhold}"
            note(session, now_unix, actor, "arrival", person_id, detail)

    def set_contacts(self, person_id: str, village: str, employer: str, actor: str, now_unix: int) -> None:
        """Say which village or community, and which employer, looks after a person."""
        with self.database.writing() as session:
            person = _changed(session, person_id, now_unix)
            person.village = plain(village, "village", MAX_TEXT)
            person.employer = plain(employer, "employer", MAX_TEXT)
            note(session, now_unix, actor, "contacts", person_id, "")

    def add_companion(self, person_id: str, companion_id: str, actor: str, now_unix: int) -> None:
        """Let somebody travel on a person's code."""
        if person_id == companion_id:
            raise PeopleTrouble("nobody travels on their own code")
        with self.database.writing() as session:
            _changed(session, person_id, now_unix)
            _person(session, companion_id)
            present = _companions(session, person_id)
            if any(row.id == companion_id for row in present):
                raise PeopleTrouble("travels on this code already")
            if len(present) >= MAX_COMPANIONS:
                raise PeopleTrouble(f"a code carries {MAX_COMPANIONS} companions at most")
            position = 1 + max(
                session.scalars(
                    select(schema.Companion.position).where(schema.Companion.holder_id == person_id)
                ),
                default=0,
            )
            session.add(schema.Companion(holder_id=person_id, companion_id=companion_id, position=position))
            note(session, now_unix, actor, "companion", person_id, f"with {companion_id}")

    def remove_companion(self, person_id: str, companion_id: str, actor: str, now_unix: int) -> None:
        """Let them no longer travel on that code."""
        with self.database.writing() as session:
            row = session.get(schema.Companion, (person_id, companion_id))
            if row is None:
                raise PeopleTrouble("does not travel on this code")
            session.delete(row)
            _changed(session, person_id, now_unix)
            note(session, now_unix, actor, "companion", person_id, f"without {companion_id}")

    def new_wallet(self, person_id: str, actor: str, now_unix: int) -> str:
        """A new address for a person's wallet page; the old one is dead."""
        with self.database.writing() as session:
            person = _person(session, person_id)
            if person.town_order is not None:
                raise PeopleTrouble("the town's wallets are open to everybody")
            person.wallet = secrets.token_urlsafe(16)
            note(session, now_unix, actor, "wallet", person_id, "new address")
            return person.wallet


class Townspeople:
    """The invented town as the register has it now; the same questions as `town.Town` answers."""

    def __init__(self, people: People) -> None:
        self._people = people

    @property
    def people(self) -> tuple[town.Person, ...]:
        """All of them, in the order of the page."""
        return tuple(self._people.townspeople())

    @property
    def by_id(self) -> Mapping[str, town.Person]:
        """The same by their ids."""
        return {person.id: person for person in self.people}

    def find(self, person_id: str) -> town.Person | None:
        """The person with this id, None where there is none."""
        return self.by_id.get(person_id)


def latest(results: Iterable[schema.Result], kind: int) -> schema.Result | None:
    """The result that goes into a code: the last sample taken; the town's seed results count last."""
    own = [row for row in results if row.kind == kind]
    return max(own, key=lambda row: (row.taken_unix or 0, row.id), default=None)


def numbers(groups: str) -> tuple[int, ...]:
    """The key groups of the column `groups`."""
    return tuple(int(number) for number in groups.split(",") if number)


def note(
    session: Session, time_unix: int, actor: str, action: str, person_id: str | None, detail: str
) -> None:
    """Add a line to the audit log."""
    session.add(
        schema.Audit(time_unix=time_unix, actor=actor, action=action, person_id=person_id, detail=detail)
    )


def _person(session: Session, person_id: str) -> schema.Person:
    person = session.get(schema.Person, person_id)
    if person is None:
        raise PeopleTrouble("nobody is registered under this id")
    return person


def _changed(session: Session, person_id: str, now_unix: int) -> schema.Person:
    person = _person(session, person_id)
    person.changed_unix = now_unix
    return person


def _companions(session: Session, person_id: str) -> Sequence[schema.Person]:
    query = (
        select(schema.Person)
        .join(schema.Companion, schema.Companion.companion_id == schema.Person.id)
        .where(schema.Companion.holder_id == person_id)
        .order_by(schema.Companion.position)
    )
    return session.scalars(query).all()


def _holder(session: Session, row: schema.Person, alone: bool = False) -> town.Person:
    """The person as the desk wants them; `alone` for a companion."""
    results = session.scalars(select(schema.Result).where(schema.Result.person_id == row.id)).all()
    arrival: tuple[str, int] | None = None
    if row.arrival_region is not None:
        arrival = (row.arrival_region, row.arrival_age_s or 0)
    # The papers of the town are old from the start; once anything is changed they are printed anew.
    untouched = row.town_order is not None and row.changed_unix is None
    travelling: Iterator[schema.Person] = iter(() if alone else _companions(session, row.id))
    return town.Person(
        id=row.id,
        note_zh=row.note_zh,
        note_en=row.note_en,
        colour=row.colour,
        test=_test(latest(results, schema.NUCLEIC)),
        igg=_test(latest(results, schema.IGG)),
        groups=numbers(row.groups),
        arrival=arrival,
        arrival_unix=row.arrival_unix,
        media=tuple(town.Medium(int(medium)) for medium in row.media.split(",")),
        trick=town.Trick(row.trick),
        companions=tuple(_holder(session, other, True) for other in travelling if not other.withheld),
        name=row.masked_name,
        sub=row.sub,
        id_tail=row.id_tail,
        paper_age_s=town.PRINTED_AGE_S if untouched else 0,
    )


def _test(row: schema.Result | None) -> town.Test | None:
    return None if row is None else town.Test(row.result, row.age_s or 0, row.taken_unix)


def _free_id(session: Session) -> str:
    while True:
        person_id = "p-" + "".join(secrets.choice(ALPHABET) for _ in range(ID_LETTERS))
        if session.get(schema.Person, person_id) is None:
            return person_id
