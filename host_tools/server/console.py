"""The console: records as they arrive, devices, and the same as JSON. Everything needs the console key."""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import HTMLResponse, RedirectResponse, StreamingResponse

from host_tools.files import create_private
from host_tools.server import views
from host_tools.server.devices import Bell
from host_tools.server.packs import Packs
from host_tools.server.report_pages import add_reports
from host_tools.server.reports import Reports
from host_tools.server.schema import Record
from host_tools.server.store import Store
from host_tools.web import Pages, answer_when_storage_fails, create_app

PAGES = Path(__file__).resolve().parents[1] / "pages"
#: Rows on the page; older ones are in the API.
PAGE_ROWS = 200
MAX_ROWS = 1_000
BATCH_ROWS = 100
#: A sign of life on a stream without records.
PING_S = 10.0
MAX_STREAMS = 32
COOKIE_DAYS = 30
MAX_ID = 2**63 - 1

AfterId = Annotated[int, Query(ge=0, le=MAX_ID)]


def load_or_create_key(folder: Path) -> str:
    """The console key of a server folder, made on first use."""
    return create_private(folder / "console.key", secrets.token_urlsafe(24).encode()).decode().strip()


class Gate:
    """Lets in who has the console key, as ``Authorization: Bearer`` or as the cookie of the printed URL."""

    def __init__(self, key: str, port: int) -> None:
        self._key = key.encode()
        # Browsers keep cookies per host name, not per port: two servers on one machine must not share one.
        self.cookie = f"yima_console_{port}"
        self._ticket = hmac.new(self._key, b"yima console cookie", hashlib.sha256).hexdigest()

    def is_key(self, given: str) -> bool:
        """Whether this is the console key."""
        return hmac.compare_digest(given.encode(), self._key)

    def check(self, request: Request) -> None:
        """Raises 401 unless the request carries key or cookie."""
        scheme, _, value = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and self.is_key(value.strip()):
            return
        if hmac.compare_digest(request.cookies.get(self.cookie, "").encode(), self._ticket.encode()):
            return
        raise HTTPException(401, "the console key is needed: open the address that `yima run` printed")

    def admit(self, response: Response) -> None:
        """Give the browser its cookie."""
        response.set_cookie(
            self.cookie,
            self._ticket,
            max_age=COOKIE_DAYS * 86_400,
            httponly=True,
            samesite="strict",
            path="/",
        )


def make_app(
    store: Store, bell: Bell, key: str, port: int, clock: Callable[[], float] = time.time
) -> FastAPI:
    """The application; `port` is where it listens, for the cookie's name."""
    app = create_app("Yima console", static=PAGES / "static")
    answer_when_storage_fails(app)
    pages = Pages(PAGES)
    packs = Packs(store)
    gate = Gate(key, port)
    packs = Packs(store)
    streams: set[object] = set()

    def rows_html(rows: list[Record]) -> str:
        texts = packs.rule_texts()
        return pages.text("rows.html", rows=[views.record_row(row, texts) for row in rows], stamp=_stamp)

    def devices_html() -> str:
        return pages.text(
            "devices.html",
            devices=[views.device_json(row) for row in store.devices()],
            now_unix=int(clock()),
            newest_pack=packs.version(),
            stamp=_stamp,
        )

    @app.get("/", response_class=HTMLResponse, include_in_schema=False)
    def page(request: Request, key: Annotated[str | None, Query(max_length=200)] = None) -> Response:
        if key is not None:
            if not gate.is_key(key):
                return HTMLResponse(pages.text("login.html"), 401)
            # The key leaves the address bar at once; the cookie stays.
            answer = RedirectResponse("/", 303)
            gate.admit(answer)
            return answer
        try:
            gate.check(request)
        except HTTPException:
            return HTMLResponse(pages.text("login.html"), 401)
        rows = list(store.newest_records(PAGE_ROWS))
        return pages.page(
            "console.html",
            rows_html=rows_html(rows),
            devices_html=devices_html(),
            last_id=rows[0].id if rows else 0,
            total=store.count_records(),
            page_rows=PAGE_ROWS,
        )

    protected = [Depends(gate.check)]

    @app.get("/parts/devices", dependencies=protected, include_in_schema=False)
    def devices_part() -> HTMLResponse:
        return HTMLResponse(devices_html())

    @app.get("/api/records", dependencies=protected)
    def records(
        after: AfterId = 0,
        device: Annotated[str | None, Query(max_length=32)] = None,
        limit: Annotated[int, Query(ge=1, le=MAX_ROWS)] = 200,
    ) -> list[dict[str, object]]:
        return [views.record_json(row) for row in store.records_after(after, limit, device)]

    @app.get("/api/devices", dependencies=protected)
    def devices() -> list[dict[str, object]]:
        return [views.device_json(row) for row in store.devices()]

    @app.get("/api/summary", dependencies=protected)
    def summary() -> dict[str, object]:
        newest = store.newest_records(1)
        return {
            "records": store.count_records(),
            "last_id": newest[0].id if newest else 0,
            "pack_version": packs.version(),
        }

    add_reports(app, Reports(store), packs, pages, gate.check, clock, _stamp)

    @app.get("/api/stream", dependencies=protected, include_in_schema=False)
    async def stream(request: Request, after: AfterId = 0) -> Response:
        if len(streams) >= MAX_STREAMS:
            raise HTTPException(503, "too many open streams")
        last = request.headers.get("last-event-id", "")
        if last.isascii() and last.isdigit() and len(last) < 19:
            after = max(after, int(last))

        async def events() -> AsyncIterator[str]:
            ticket = object()
            streams.add(ticket)
            seen = after
            try:
                yield "retry: 2000\n\n"
                while not bell.closed:
                    rows = list(await run_in_threadpool(store.records_after, seen, BATCH_ROWS))
                    if rows:
                        seen = rows[-1].id
                        # One event per batch, newest first, as the table shows them.
                        html = await run_in_threadpool(rows_html, rows[::-1])
                        yield f"id: {seen}\nevent: rows\ndata: {json.dumps({'html': html})}\n\n"
                    elif not await bell.wait(PING_S):
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
