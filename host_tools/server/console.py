"""The console: records as they arrive, devices, and the same as JSON. Everything needs the console key."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import HTMLResponse, RedirectResponse, StreamingResponse
from sqlalchemy import text

from host_tools import clockpage
from host_tools.authority.office_gate import read_form
from host_tools.files import create_private
from host_tools.server import views
from host_tools.server.accounts import Accounts, Principal
from host_tools.server.devices import Bell
from host_tools.server.gate import Gate
from host_tools.server.metrics import CONTENT_TYPE, Metrics
from host_tools.server.packs import Packs
from host_tools.server.report_pages import add_reports
from host_tools.server.reports import Reports
from host_tools.server.schema import Record
from host_tools.server.store import Store
from host_tools.server.trace_pages import add_traces, with_forms
from host_tools.web import Pages, answer_when_storage_fails, create_app

PAGES = Path(__file__).resolve().parents[1] / "pages"
#: Rows on the page; older ones are in the API.
PAGE_ROWS = 200
MAX_ROWS = 1_000
BATCH_ROWS = 100
#: A sign of life on a stream without records.
PING_S = 10.0
#: On PostgreSQL another server process may have taken records: look at least so often.
LOOK_S = 1.0
#: Records of transactions that end out of order: a stream waits so long before it moves on.
SETTLE_S = 2
MAX_STREAMS = 32
MAX_ID = 2**63 - 1

AfterId = Annotated[int, Query(ge=0, le=MAX_ID)]


def load_or_create_key(folder: Path) -> str:
    """The console key of a server folder, made on first use."""
    return create_private(folder / "console.key", secrets.token_urlsafe(24).encode()).decode().strip()


def make_app(
    store: Store,
    bell: Bell,
    key: str,
    port: int,
    clock: Callable[[], float] = clockpage.now,
    metrics: Metrics | None = None,
) -> FastAPI:
    """The application; `port` is where it listens, for the cookie's name."""
    app = create_app("Yima console", static=PAGES / "static")
    answer_when_storage_fails(app)
    pages = Pages(PAGES)
    packs = Packs(store)
    gate = Gate(Accounts(store), key, port, clock)
    packs = Packs(store)
    streams: set[object] = set()

    def rows_html(rows: list[Record]) -> str:
        texts = packs.rule_texts()
        return pages.text("rows.html", rows=[views.record_row(row, texts) for row in rows], stamp=_stamp)

    def settled(after_id: int, who: Principal) -> list[Record]:
        before_unix = int(clock()) - SETTLE_S if store.postgresql else None
        return list(store.records_after(after_id, BATCH_ROWS, None, who.scope, before_unix))

    def devices_html(who: Principal) -> str:
        return pages.text(
            "devices.html",
            devices=[views.device_json(row) for row in store.devices() if who.sees(row.place)],
            now_unix=int(clock()),
            newest_pack=packs.version(),
            stamp=_stamp,
        )

    @app.get("/", response_class=HTMLResponse, include_in_schema=False)
    def page(request: Request, key: Annotated[str | None, Query(max_length=200)] = None) -> Response:
        if key is not None:
            if not gate.is_key(key):
                return with_forms(pages.page("login.html", wrong=False), 401)
            # The key leaves the address bar at once; the cookie stays.
            answer = RedirectResponse("/", 303)
            gate.admit_key(answer)
            return answer
        try:
            who = gate.who(request)
        except HTTPException as e:
            return with_forms(pages.page("login.html", wrong=False), e.status_code)
        if not who.may("records"):
            return RedirectResponse("/audit", 303)
        gate.note(who, "read", "/")
        rows = list(store.newest_records(PAGE_ROWS, who.scope))
        return with_forms(
            pages.page(
                "console.html",
                rows_html=rows_html(rows),
                devices_html=devices_html(who),
                last_id=rows[0].id if rows else 0,
                total=store.count_records(),
                page_rows=PAGE_ROWS,
                who=who,
            )
        )

    @app.post("/login", response_class=HTMLResponse, include_in_schema=False)
    async def login(request: Request) -> Response:
        form = await read_form(request)
        host = request.client.host if request.client else ""
        answer = RedirectResponse("/", 303)
        name = form.get("name")
        if await run_in_threadpool(gate.login, name, form.get("password"), host, answer):
            return answer
        return with_forms(pages.page("login.html", wrong=True), 401)

    @app.post("/logout", include_in_schema=False)
    async def logout(request: Request) -> Response:
        await gate.form(request, await run_in_threadpool(gate.who, request))
        answer = RedirectResponse("/", 303)
        await run_in_threadpool(gate.logout, request, answer)
        return answer

    reader = Depends(gate.reads("records"))
    member = Depends(gate.needs("records"))

    @app.get("/parts/devices", include_in_schema=False)
    def devices_part(who: Principal = member) -> HTMLResponse:
        return HTMLResponse(devices_html(who))

    @app.get("/api/records")
    def records(
        who: Principal = reader,
        after: AfterId = 0,
        device: Annotated[str | None, Query(max_length=32)] = None,
        limit: Annotated[int, Query(ge=1, le=MAX_ROWS)] = 200,
    ) -> list[dict[str, object]]:
        found = store.records_after(after, limit, device, who.scope)
        return [views.record_json(row) for row in found]

    @app.get("/api/devices")
    def devices(who: Principal = member) -> list[dict[str, object]]:
        return [views.device_json(row) for row in store.devices() if who.sees(row.place)]

    counts = metrics or Metrics()

    @app.get("/metrics", include_in_schema=False)
    def prometheus() -> Response:
        return Response(counts.text(), media_type=CONTENT_TYPE)

    @app.get("/readyz", include_in_schema=False)
    def readyz() -> dict[str, str]:
        with store.reading() as session:
            session.execute(text("SELECT 1"))
        return {"status": "ready"}

    @app.get("/api/summary")
    def summary(who: Principal = member) -> dict[str, object]:
        newest = store.newest_records(1)
        return {
            "records": store.count_records(),
            "last_id": newest[0].id if newest else 0,
            "pack_version": packs.version(),
        }

    add_reports(app, Reports(store), packs, pages, gate.reads("people"), clock, _stamp)
    add_traces(app, store, pages, gate, clock)

    @app.get("/api/stream", include_in_schema=False)
    async def stream(request: Request, who: Principal = reader, after: AfterId = 0) -> Response:
        if len(streams) >= MAX_STREAMS:
            raise HTTPException(503, "too many open streams")
        last = request.headers.get("last-event-id", "")
        if last.isascii() and last.isdigit() and len(last) < 19:
            after = max(after, int(last))

        async def events() -> AsyncIterator[str]:
            ticket = object()
            streams.add(ticket)
            seen, told = after, time.monotonic()
            try:
                yield "retry: 2000\n\n"
                while not bell.closed:
                    rows = list(await run_in_threadpool(settled, seen, who))
                    if rows:
                        seen = rows[-1].id
                        # One event per batch, newest first, as the table shows them.
                        html = await run_in_threadpool(rows_html, rows[::-1])
                        yield f"id: {seen}\nevent: rows\ndata: {json.dumps({'html': html})}\n\n"
                    elif (
                        not await bell.wait(LOOK_S if store.postgresql else PING_S)
                        and time.monotonic() - told >= PING_S
                    ):
                        told = time.monotonic()
                        yield ": still here\n\n"
            finally:
                streams.discard(ticket)

        return StreamingResponse(events(), media_type="text/event-stream")

    return app


def _stamp(unix: object) -> str:
    """A time for people, in the server's zone."""
    if not isinstance(unix, int):
        return "–"
    try:
        return time.strftime("%m-%d %H:%M:%S", time.localtime(unix))
    except (OverflowError, ValueError, OSError):
        return str(unix)
