"""Loads the invented town into an empty register, once."""

from __future__ import annotations

from sqlalchemy.orm import Session

from host_tools.authority import schema, town

MARK = "town"


def load(session: Session, people: town.Town, now_unix: int) -> None:
    """Add the town unless it was added before, even where some of it was removed since."""
    if session.get(schema.Meta, MARK) is not None:
        return
    session.add(schema.Meta(name=MARK, value=str(town.SEED)))
    order = 0
    for person in people.people:
        session.add(_row(person, order, now_unix))
        order += 1
        for position, companion in enumerate(person.companions):
            session.add(_row(companion, order, now_unix))
            order += 1
            session.flush()
            session.add(schema.Companion(holder_id=person.id, companion_id=companion.id, position=position))
    session.flush()
    for person in people.people:
        for who in (person, *person.companions):
            session.add_all(_results(who, now_unix))


def _row(person: town.Person, order: int, now_unix: int) -> schema.Person:
    return schema.Person(
        id=person.id,
        sub=person.sub,
        # Anybody may open the town's wallets.
        wallet=person.id,
        name=person.name,
        masked_name=person.name,
        id_tail=person.id_tail,
        colour=person.colour,
        groups=",".join(map(str, person.groups)),
        arrival_region=person.arrival[0] if person.arrival else None,
        arrival_age_s=person.arrival[1] if person.arrival else None,
        withheld=0,
        registered_unix=now_unix,
        town_order=order,
        note_zh=person.note_zh,
        note_en=person.note_en,
        trick=person.trick.value,
        media=",".join(str(int(medium)) for medium in person.media),
    )


def _results(person: town.Person, now_unix: int) -> list[schema.Result]:
    return [
        schema.Result(
            sample=f"town-{person.id}-{kind}",
            person_id=person.id,
            kind=kind,
            result=test.result,
            received_unix=now_unix,
            age_s=test.age_s,
        )
        for kind, test in ((schema.NUCLEIC, person.test), (schema.IGG, person.igg))
        if test is not None
    ]
