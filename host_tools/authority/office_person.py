"""One person's page of the office, and the forms on it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Request, Response
from fastapi import Path as PathParameter
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import HTMLResponse, RedirectResponse

from host_tools.authority import schema
from host_tools.authority.fields import PeopleTrouble
from host_tools.authority.lists import taken
from host_tools.authority.office_fields import moment, whole
from host_tools.authority.office_gate import Form
from host_tools.authority.people import OFFICE, latest, numbers

if TYPE_CHECKING:
    from host_tools.authority.office import Desktop

AUDIT_ROWS = 30
PersonId = Annotated[str, PathParameter(pattern="^[a-z0-9-]{1,32}$")]
Action = Callable[[str, Form, int], None]


def router(desktop: Desktop) -> APIRouter:
    """Routes under /office/persons."""
    routes = APIRouter(prefix="/office/persons", include_in_schema=False)
    authority = desktop.authority
    actions = _actions(desktop)

    @routes.get("/{person_id}")
    def page(request: Request, person_id: PersonId) -> HTMLResponse:
        desktop.gate.session(request)
        try:
            person = authority.people.get(person_id)
        except PeopleTrouble as e:
            return desktop.refused(request, e, "/office/")
        now = authority.now_unix()
        results = authority.people.results(person_id)
        return desktop.page(
            request,
            "person.html",
            person=person,
            groups=numbers(person.groups),
            intervals=authority.people.intervals(),
            results=[(row, taken(row, now)) for row in results],
            last=latest(results, schema.NUCLEIC),
            companions=authority.people.companions(person_id),
            papers=authority.papers.of(person_id),
            audit=authority.people.audit(AUDIT_ROWS, person_id),
            now=now,
        )

    @routes.post("/{person_id}/print")
    async def cards(request: Request, person_id: PersonId) -> Response:
        await desktop.gate.form(request)
        try:
            data = await run_in_threadpool(authority.printer.cards, [person_id], OFFICE, authority.now_unix())
        except PeopleTrouble as e:
            return desktop.refused(request, e, f"/office/persons/{person_id}")
        headers = {"content-disposition": f'attachment; filename="yima-{person_id}.pdf"'}
        return Response(data, media_type="application/pdf", headers=headers)

    @routes.post("/{person_id}/{action}")
    async def act(request: Request, person_id: PersonId, action: str) -> Response:
        form = await desktop.gate.form(request)
        back = f"/office/persons/{person_id}"
        work = actions.get(action)
        if work is None:
            return desktop.refused(request, PeopleTrouble("there is no such form"), back)
        try:
            await run_in_threadpool(work, person_id, form, authority.now_unix())
        except PeopleTrouble as e:
            return desktop.refused(request, e, back)
        return RedirectResponse("/office/" if action == "remove" else back, 303)

    return routes


def _actions(desktop: Desktop) -> dict[str, Action]:
    """What the forms of the page do, by their names. They raise PeopleTrouble."""
    authority = desktop.authority
    people = authority.people

    def colour(person_id: str, form: Form, now: int) -> None:
        authority.set_colour(person_id, whole(form.get("colour")), OFFICE)

    def groups(person_id: str, form: Form, now: int) -> None:
        interval = form.get("interval")
        chosen = [whole(number) for number in form.all("group")]
        people.set_groups(person_id, chosen, whole(interval) if interval else None, OFFICE, now)

    def arrival(person_id: str, form: Form, now: int) -> None:
        region, arrived_unix = form.get("region") or None, moment(form.get("arrived"))
        people.set_arrival(person_id, region, arrived_unix, bool(form.get("withheld")), OFFICE, now)

    def contacts(person_id: str, form: Form, now: int) -> None:
        people.set_contacts(person_id, form.get("village"), form.get("employer"), OFFICE, now)

    def result(person_id: str, form: Form, now: int) -> None:
        taken_unix = moment(form.get("taken"))
        kind, outcome = whole(form.get("kind")), whole(form.get("result"))
        authority.intake.enter(
            person_id, kind, outcome, now if taken_unix is None else taken_unix, OFFICE, now
        )

    def grant(person_id: str, form: Form, now: int) -> None:
        authority.grants.give(person_id, None, OFFICE, now)

    def companion(person_id: str, form: Form, now: int) -> None:
        people.add_companion(person_id, form.get("companion"), OFFICE, now)

    def alone(person_id: str, form: Form, now: int) -> None:
        people.remove_companion(person_id, form.get("companion"), OFFICE, now)

    def wallet(person_id: str, form: Form, now: int) -> None:
        people.new_wallet(person_id, OFFICE, now)

    def revoke(person_id: str, form: Form, now: int) -> None:
        try:
            cti = bytes.fromhex(form.get("cti"))
        except ValueError as e:
            raise PeopleTrouble("not the number of a code") from e
        authority.papers.revoke(cti, OFFICE, now)

    def remove(person_id: str, form: Form, now: int) -> None:
        if form.get("sure") != "yes":
            raise PeopleTrouble("tick the box to remove a person")
        authority.remove(person_id, OFFICE)

    return {
        "colour": colour,
        "groups": groups,
        "arrival": arrival,
        "contacts": contacts,
        "result": result,
        "grant": grant,
        "companion": companion,
        "alone": alone,
        "wallet": wallet,
        "revoke": revoke,
        "remove": remove,
    }
