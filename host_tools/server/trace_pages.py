"""The console's pages for traces, presence and the audit log, and the same as JSON and CSV."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import Depends, FastAPI, HTTPException, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import BaseModel, ConfigDict, Field

from host_tools.authority.office_gate import Form
from host_tools.server.accounts import Principal
from host_tools.server.days import DAY_S
from host_tools.server.gate import Gate
from host_tools.server.pictures import graph, timeline
from host_tools.server.report_pages import csv_answer
from host_tools.server.reports import day_start, day_text, time_text
from host_tools.server.store import Store
from host_tools.server.trace import DAYS
from host_tools.server.trace_desk import MOST_MINUTES, MOST_REASON, CaseTrouble, Desk, Question, Result
from host_tools.web import POLICY, Pages

AUDIT_ROWS = 500
MAX_ID = 2**63 - 1
STAY_COLUMNS = ("person", "place", "scene", "start_unix", "end_unix", "left_seen", "refused")
CONTACT_COLUMNS = ("person", "hop", "via", "minutes", "meetings", "first_place", "first_unix")
Number = Annotated[int, Query(ge=1, le=MAX_ID)]


class Asked(BaseModel):
    """A question as JSON; days like 2020-05-22, the last one counted as a whole."""

    model_config = ConfigDict(extra="forbid")

    kind: str = Field(max_length=16)
    reason: str = Field(max_length=MOST_REASON)
    first_day: str | None = Field(None, pattern=r"^\d{4}-\d{2}-\d{2}$")
    last_day: str | None = Field(None, pattern=r"^\d{4}-\d{2}-\d{2}$")
    sub: str | None = Field(None, pattern=r"^[0-9a-f]{32}$")
    record: int | None = Field(None, ge=1, le=MAX_ID)
    place: str | None = Field(None, max_length=96)
    minutes: int = Field(15, ge=1, le=MOST_MINUTES)
    hops: int = Field(1, ge=1, le=2)


def with_forms(page: HTMLResponse, status: int = 200) -> HTMLResponse:
    """A page that may send forms to this very server."""
    page.headers["content-security-policy"] = POLICY.replace("form-action 'none'", "form-action 'self'")
    page.status_code = status
    return page


def add_traces(
    app: FastAPI,
    store: Store,
    pages: Pages,
    gate: Gate,
    clock: Callable[[], float],
) -> None:
    """Add the pages to the console's application."""
    desk = Desk(store)
    tracer, auditor, member = (Depends(gate.needs(what)) for what in ("trace", "audit", "records"))

    def now() -> int:
        return int(clock())

    def question(asked: Asked) -> Question:
        try:
            last = day_start(asked.last_day or day_text(now()))
            first = day_start(asked.first_day) if asked.first_day else last - (DAYS - 1) * DAY_S
        except ValueError as e:
            raise CaseTrouble("no such day") from e
        return Question(
            asked.kind,
            max(0, first),
            last + DAY_S - 1,
            asked.reason,
            bytes.fromhex(asked.sub) if asked.sub else None,
            asked.record,
            asked.place,
            asked.minutes,
            asked.hops,
        )

    def ask(who: Principal, asked: Asked) -> int:
        number = desk.ask(who, question(asked), now())
        gate.note(who, "trace", f"case {number}: {asked.kind}, {asked.reason}")
        return number

    def find(who: Principal, number: int) -> Result:
        try:
            result = desk.result(desk.case(number, who))
        except CaseTrouble as e:
            raise HTTPException(404, str(e)) from e
        named = ", with names" if result.case.approved_unix else ""
        gate.note(who, "read trace", f"case {number}{named}")
        return result

    def list_page(
        who: Principal, trouble: str = "", status: int = 200, record: int | None = None
    ) -> HTMLResponse:
        page = pages.page(
            "trace.html",
            cases=desk.cases(who),
            presence=desk.presence(now(), who),
            who=who,
            stamp=time_text,
            trouble=trouble,
            record=record,
            today=day_text(now()),
            first=day_text(now() - (DAYS - 1) * DAY_S),
        )
        return with_forms(page, status)

    @app.get("/trace", response_class=HTMLResponse, include_in_schema=False)
    def trace_list(
        who: Principal = tracer, record: Annotated[int | None, Query(ge=1, le=MAX_ID)] = None
    ) -> HTMLResponse:
        return list_page(who, record=record)

    @app.post("/trace", response_class=HTMLResponse, include_in_schema=False)
    async def trace_ask(request: Request, who: Principal = tracer) -> Response:
        form = await gate.form(request, who)
        try:
            number = await run_in_threadpool(ask, who, _asked(form))
        except (CaseTrouble, ValueError) as e:
            text = str(e) if isinstance(e, CaseTrouble) else "the form is not filled in as it should be"
            return await run_in_threadpool(list_page, who, text, 422)
        return RedirectResponse(f"/trace/{number}", 303)

    @app.get("/trace/{number}", response_class=HTMLResponse, include_in_schema=False)
    def trace_page(number: int, who: Principal = tracer) -> HTMLResponse:
        result = find(who, _number(number))
        by_person = result.case.kind == "place"
        drawn = graph(result.case.sub, result.contacts, result.people) if result.case.sub else None
        page = pages.page(
            "trace_case.html",
            result=result,
            line=timeline(result.stays[:200], result.people, by_person),
            graph=drawn if result.case.kind == "contacts" else None,
            who=who,
            stamp=time_text,
        )
        return with_forms(page)

    @app.post("/trace/{number}/names", include_in_schema=False)
    async def trace_names(number: int, request: Request, who: Principal = tracer) -> Response:
        await gate.form(request, who)
        return await decide(who, "ask names", desk.ask_names, number)

    @app.post("/trace/{number}/approve", include_in_schema=False)
    async def trace_approve(number: int, request: Request, who: Principal = tracer) -> Response:
        await gate.form(request, who)
        return await decide(who, "approve names", desk.approve, number)

    async def decide(
        who: Principal, action: str, step: Callable[[int, Principal, int], None], number: int
    ) -> Response:
        try:
            await run_in_threadpool(step, _number(number), who, now())
        except CaseTrouble as e:
            raise HTTPException(403, str(e)) from e
        await run_in_threadpool(gate.note, who, action, f"case {number}")
        return RedirectResponse(f"/trace/{number}", 303)

    @app.post("/api/traces", status_code=201)
    def trace_api(asked: Asked, request: Request, who: Principal = tracer) -> dict[str, int]:
        gate.check_csrf(request, who)
        try:
            return {"case": ask(who, asked)}
        except CaseTrouble as e:
            raise HTTPException(422, str(e)) from e

    @app.get("/api/traces/{number}")
    def trace_json(number: int, who: Principal = tracer) -> dict[str, object]:
        result = find(who, _number(number))
        return {
            "case": result.case.id,
            "kind": result.case.kind,
            "reason": result.case.reason,
            "names": result.case.approved_unix is not None,
            "whole": result.whole,
            "stays": stay_rows(result),
            "contacts": contact_rows(result),
        }

    @app.get("/api/traces/{number}/stays.csv")
    def stays_csv(number: int, who: Principal = tracer) -> Response:
        return csv_answer(f"stays-{number}.csv", STAY_COLUMNS, stay_rows(find(who, _number(number))))

    @app.get("/api/traces/{number}/contacts.csv")
    def contacts_csv(number: int, who: Principal = tracer) -> Response:
        return csv_answer(f"contacts-{number}.csv", CONTACT_COLUMNS, contact_rows(find(who, _number(number))))

    @app.get("/api/presence")
    def presence(who: Principal = member) -> list[dict[str, Any]]:
        return [{"place": place, "present": count} for place, count in desk.presence(now(), who)]

    @app.get("/audit", response_class=HTMLResponse, include_in_schema=False)
    def audit_page(who: Principal = auditor, before: Number = MAX_ID) -> HTMLResponse:
        rows = gate.accounts.log(before, AUDIT_ROWS)
        return pages.page("audit.html", rows=rows, who=who, stamp=time_text, full=len(rows) == AUDIT_ROWS)

    @app.get("/api/audit")
    def audit_json(who: Principal = auditor, before: Number = MAX_ID) -> list[dict[str, object]]:
        names = ("id", "at_unix", "name", "role", "action", "detail")
        return [{name: getattr(row, name) for name in names} for row in gate.accounts.log(before, AUDIT_ROWS)]


def stay_rows(result: Result) -> list[dict[str, object]]:
    """The stays of a case as rows of STAY_COLUMNS."""
    return [
        {
            "person": result.people[stay.sub],
            "place": stay.place,
            "scene": stay.scene,
            "start_unix": stay.start_unix,
            "end_unix": stay.end_unix,
            "left_seen": stay.closed,
            "refused": stay.refused,
        }
        for stay in result.stays
    ]


def contact_rows(result: Result) -> list[dict[str, object]]:
    """The contacts of a case as rows of CONTACT_COLUMNS."""
    return [
        {
            "person": result.people[contact.sub],
            "hop": contact.hop,
            "via": result.people.get(contact.via, ""),
            "minutes": contact.seconds // 60,
            "meetings": contact.times,
            "first_place": contact.place,
            "first_unix": contact.start_unix,
        }
        for contact in result.contacts
    ]


def _number(number: int) -> int:
    """A case's number as far as a database can hold it. Raises 404."""
    if not 1 <= number <= MAX_ID:
        raise HTTPException(404, "no such case")
    return number


def _asked(form: Form) -> Asked:
    """A question from the page's form. Raises ValueError."""
    names = ("kind", "reason", "first_day", "last_day", "sub", "record", "place", "minutes", "hops")
    given = {name: form.get(name) for name in names}
    return Asked(**{name: value for name, value in given.items() if value})  # type: ignore[arg-type]
