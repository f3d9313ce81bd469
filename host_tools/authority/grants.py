"""Granting a code on a negative result, by an authorised unit (section 2, item 5 of the notice)."""

from __future__ import annotations

import json

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from sqlalchemy import select

from host_tools.authority import schema
from host_tools.authority.fields import PeopleTrouble
from host_tools.authority.parties import Parties
from host_tools.authority.people import People, latest, note
from host_tools.authority.results import Clock
from host_tools.web import BodyError, read_body

DAY_S = 86_400
#: The notice counts tests of the last seven days.
TEST_LIFE_S = 7 * DAY_S
MAX_REQUEST_BYTES = 2_048
NEGATIVE = 0


class GrantRefused(PeopleTrouble):
    """The person may not be given a code yet."""


class Grants:
    """Gives people their codes."""

    def __init__(self, people: People) -> None:
        self._people = people

    def give(self, person_id: str, unit_id: str | None, actor: str, now_unix: int) -> schema.Grant:
        """Let a person have a code from now on; their colour stays what it is.

        The last nucleic acid test must be negative, and its sample at most seven days old. Raises
        GrantRefused otherwise, PeopleTrouble where there is nobody of this id.
        """
        with self._people.database.writing() as session:
            person = session.get(schema.Person, person_id)
            if person is None:
                raise PeopleTrouble("nobody is registered under this id")
            results = session.scalars(select(schema.Result).where(schema.Result.person_id == person_id))
            last = latest(results, schema.NUCLEIC)
            if last is None:
                raise GrantRefused("there is no nucleic acid result")
            if last.result != NEGATIVE:
                raise GrantRefused("the last nucleic acid result is not negative")
            age_s = last.age_s if last.taken_unix is None else now_unix - last.taken_unix
            if age_s is None or age_s > TEST_LIFE_S:
                raise GrantRefused("the last nucleic acid test is more than seven days old")
            if not person.withheld:
                raise GrantRefused("this person has a code already")
            person.withheld, person.changed_unix = 0, now_unix
            grant = schema.Grant(person_id=person_id, unit_id=unit_id, result_id=last.id, time_unix=now_unix)
            session.add(grant)
            note(session, now_unix, actor, "grant", person_id, f"on result {last.id}")
            session.flush()
            return grant

    def give_by_id_number(self, id_number: str, unit_id: str | None, actor: str, now_unix: int) -> str:
        """The same for who has this ID number; their id. Raises PeopleTrouble and GrantRefused."""
        person = self._people.of_id_number(id_number)
        if person is None:
            raise PeopleTrouble("nobody is registered under this ID number")
        self.give(person.id, unit_id, actor, now_unix)
        return person.id


def router(grants: Grants, parties: Parties, now_unix: Clock) -> APIRouter:
    """``POST /api/units/{unit}/grants``: ``{"person": id}`` or ``{"id_number": number}``."""
    routes = APIRouter()

    @routes.post("/api/units/{unit}/grants", status_code=201)
    async def give(unit: str, request: Request) -> dict[str, object]:
        await run_in_threadpool(parties.check, schema.UNIT, unit, request)
        data = await read_body(request, MAX_REQUEST_BYTES)

        def work() -> dict[str, object]:
            field, value = _request(data)
            now = now_unix()
            try:
                if field == "id_number":
                    value = grants.give_by_id_number(value, unit, unit, now)
                else:
                    grants.give(value, unit, unit, now)
            except GrantRefused as e:
                raise BodyError(409, str(e)) from e
            except PeopleTrouble as e:
                raise BodyError(404, str(e)) from e
            return {"person": value, "granted_unix": now}

        return await run_in_threadpool(work)

    return routes


def _request(data: bytes) -> tuple[str, str]:
    """Which field the request names the person by, and its value. Raises BodyError."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as e:
        raise BodyError(422, "not JSON") from e
    if isinstance(value, dict) and len(value) == 1:
        ((field, text),) = value.items()
        if field in ("person", "id_number") and isinstance(text, str) and text.isascii() and len(text) <= 64:
            return field, text
    raise BodyError(422, "an object with either person or id_number is needed")
