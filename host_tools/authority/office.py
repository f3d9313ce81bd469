"""The office: the authority's pages for its own people, under /office. They need no scripts.

This module has the way in, the register's list and what is shared; a person's page is office_person.py, the
others are office_desk.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, FastAPI, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import HTMLResponse, RedirectResponse

from host_tools.authority import office_desk, office_person, words
from host_tools.authority.fields import PeopleTrouble
from host_tools.authority.office_fields import moment, stamp
from host_tools.authority.office_gate import Gate, LoginNeeded, read_form
from host_tools.authority.people import OFFICE, PAGE_ROWS, Registration
from host_tools.web import Pages

if TYPE_CHECKING:
    from host_tools.authority.app import Authority

#: Forms may go to this very site, and nothing runs at all.
POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)
MAX_OFFSET = 10_000_000


class Desktop:
    """What every page of the office needs: the gate, the templates, the authority behind them."""

    def __init__(self, authority: Authority, gate: Gate, pages: Pages) -> None:
        self.authority = authority
        self.gate = gate
        self._pages = pages

    def page(self, request: Request, name: str, status: int = 200, /, **values: object) -> HTMLResponse:
        """The template `name` of the office for the request's session. Raises LoginNeeded."""
        session = self.gate.session(request)
        return self.bare(name, status, csrf=session.csrf, **values)

    def bare(self, name: str, status: int = 200, /, **values: object) -> HTMLResponse:
        """The same without a session."""
        text = self._pages.text(f"office/{name}", words=words, stamp=stamp, **values)
        return HTMLResponse(text, status, {"content-security-policy": POLICY})

    def refused(self, request: Request, trouble: Exception, back: str) -> HTMLResponse:
        """What was asked cannot be done; `back` is the page where it was asked."""
        return self.page(request, "refused.html", 409, message=str(trouble), back=back)


def install(app: FastAPI, authority: Authority, pages: Pages) -> None:
    """Add the office to the authority's application."""
    desktop = Desktop(authority, Gate(authority.folder), pages)

    @app.exception_handler(LoginNeeded)
    async def to_login(request: Request, error: LoginNeeded) -> Response:
        return RedirectResponse("/office/login", 303)

    app.include_router(_entrance(desktop))
    app.include_router(_register(desktop))
    app.include_router(office_person.router(desktop))
    app.include_router(office_desk.router(desktop))


def _entrance(desktop: Desktop) -> APIRouter:
    routes = APIRouter(prefix="/office", include_in_schema=False)
    gate = desktop.gate

    @routes.get("/login")
    def login_page() -> HTMLResponse:
        return desktop.bare("login.html", wrong=False)

    @routes.post("/login")
    async def login(request: Request) -> Response:
        form = await read_form(request)
        answer = RedirectResponse("/office/", 303)
        if gate.login(form.get("password"), answer):
            return answer
        return desktop.bare("login.html", 403, wrong=True)

    @routes.post("/logout")
    async def logout(request: Request) -> Response:
        await gate.form(request)
        answer = RedirectResponse("/office/login", 303)
        gate.logout(request, answer)
        return answer

    return routes


def _register(desktop: Desktop) -> APIRouter:
    routes = APIRouter(prefix="/office", include_in_schema=False)
    people = desktop.authority.people

    @routes.get("/")
    def persons(
        request: Request,
        q: Annotated[str, Query(max_length=48)] = "",
        colour: Annotated[str, Query(pattern="^[0-3]?$")] = "",
        offset: Annotated[int, Query(ge=0, le=MAX_OFFSET)] = 0,
    ) -> HTMLResponse:
        desktop.gate.session(request)
        rows, total = people.search(q.strip(), int(colour) if colour else None, offset)
        return desktop.page(
            request,
            "persons.html",
            rows=rows,
            total=total,
            q=q,
            colour=colour,
            offset=offset,
            step=PAGE_ROWS,
        )

    @routes.post("/find")
    async def find(request: Request) -> Response:
        """By ID number: posted, so that it stands in no address."""
        form = await desktop.gate.form(request)
        try:
            person = await run_in_threadpool(people.of_id_number, form.get("id_number"))
        except PeopleTrouble as e:
            return desktop.refused(request, e, "/office/")
        if person is None:
            return desktop.refused(
                request, PeopleTrouble("nobody is registered under this ID number"), "/office/"
            )
        return RedirectResponse(f"/office/persons/{person.id}", 303)

    @routes.get("/register")
    def register_page(request: Request) -> HTMLResponse:
        return desktop.page(request, "register.html")

    @routes.post("/register")
    async def register(request: Request) -> Response:
        form = await desktop.gate.form(request)
        now = desktop.authority.now_unix()
        try:
            registration = Registration(
                name=form.get("name"),
                id_number=form.get("id_number"),
                village=form.get("village"),
                employer=form.get("employer"),
                region=form.get("region") or None,
                arrived_unix=moment(form.get("arrived")),
                withheld=bool(form.get("withheld")),
            )
            person = await run_in_threadpool(people.add, registration, OFFICE, now)
        except PeopleTrouble as e:
            return desktop.refused(request, e, "/office/register")
        return RedirectResponse(f"/office/persons/{person.id}", 303)

    return routes
