"""The console's lists: the day's staff, and people to supervise or to test; as pages, JSON and CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException, Query, Response
from fastapi.responses import HTMLResponse

from host_tools.server import words
from host_tools.server.accounts import Principal
from host_tools.server.days import DAY_S
from host_tools.server.packs import Packs
from host_tools.server.reports import ALERTS, Reports, day_start, day_text
from host_tools.web import Pages

Day = Annotated[str | None, Query(pattern=r"^\d{4}-\d{2}-\d{2}$")]
Place = Annotated[str | None, Query(max_length=96)]
STAFF_COLUMNS = (
    "place",
    "sub",
    "name",
    "role",
    "seen",
    "first_unix",
    "last_unix",
    "checks",
    "worst",
    "highest_centi_c",
)
ALERT_COLUMNS = (
    "id",
    "kind",
    "for",
    "time_unix",
    "place",
    "scene",
    "device",
    "seq",
    "sub",
    "name",
    "colour",
    "reasons",
)
#: Spreadsheets take a cell that begins so for a formula.
FORMULA = ("=", "+", "-", "@", "\t", "\r")


def add_reports(
    app: FastAPI,
    reports: Reports,
    packs: Packs,
    pages: Pages,
    protect: Callable[..., Principal],
    clock: Callable[[], float],
    stamp: Callable[[object], str],
) -> None:
    """Add the lists to the console's application; `protect` tells who asks, or raises 401."""
    reader = Depends(protect)

    def begin(day: str | None) -> int:
        try:
            return day_start(day or day_text(int(clock())))
        except ValueError as e:
            raise HTTPException(422, "no such day") from e

    @app.get("/api/staff")
    def staff(who: Principal = reader, day: Day = None, place: Place = None) -> dict[str, object]:
        start = begin(day)
        rows = _seen(who, reports.staff(start, place))
        seen = sum(bool(row["seen"]) for row in rows)
        return {"day": day_text(start), "seen": seen, "not_seen": len(rows) - seen, "rows": rows}

    @app.get("/api/staff.csv")
    def staff_csv(who: Principal = reader, day: Day = None, place: Place = None) -> Response:
        start = begin(day)
        return csv_answer(
            f"staff-{day_text(start)}.csv", STAFF_COLUMNS, _seen(who, reports.staff(start, place))
        )

    @app.get("/api/alerts")
    def alerts(
        who: Principal = reader, day: Day = None, kind: Annotated[str | None, Query(max_length=32)] = None
    ) -> list[dict[str, object]]:
        return _seen(who, reports.alerts(begin(day), kind))

    @app.get("/api/alerts.csv")
    def alerts_csv(
        who: Principal = reader, day: Day = None, kind: Annotated[str | None, Query(max_length=32)] = None
    ) -> Response:
        start = begin(day)
        return csv_answer(f"alerts-{day_text(start)}.csv", ALERT_COLUMNS, reports.alerts(start, kind))

    @app.get("/staff", response_class=HTMLResponse, include_in_schema=False)
    def staff_page(who: Principal = reader, day: Day = None, place: Place = None) -> HTMLResponse:
        start = begin(day)
        roles = {word.name: word for word in words.ROLES}
        verdicts = {word.name: word for word in words.VERDICTS}
        rows = _seen(who, reports.staff(start, place))
        return pages.page(
            "staff.html", rows=rows, roles=roles, verdicts=verdicts, stamp=stamp, **_days(start)
        )

    @app.get("/alerts", response_class=HTMLResponse, include_in_schema=False)
    def alerts_page(who: Principal = reader, day: Day = None) -> HTMLResponse:
        start = begin(day)
        kinds = {alert.word.name: alert.word for alert in ALERTS}
        texts = packs.rule_texts()
        known = [words.reason(number, texts) for number in (*words.known_reasons(), *texts)]
        named = {word.name: word for word in known}
        rows = _seen(who, reports.alerts(start))
        return pages.page("alerts.html", rows=rows, kinds=kinds, named=named, stamp=stamp, **_days(start))


def _seen(who: Principal, rows: list[dict[str, object]]) -> list[dict[str, object]]:
    """The rows of the places that somebody may see."""
    return [row for row in rows if who.sees(str(row["place"] or ""))]


def _days(start_unix: int) -> dict[str, str]:
    return {
        "day": day_text(start_unix),
        "before": day_text(start_unix - DAY_S),
        "after": day_text(start_unix + DAY_S),
    }


def csv_answer(name: str, columns: tuple[str, ...], rows: list[dict[str, object]]) -> Response:
    """Rows as a file for spreadsheets; no cell of it is a formula."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_cell(row[column]) for column in columns])
    headers = {"content-disposition": f'attachment; filename="{name}"'}
    # The mark at the start tells spreadsheets that this is UTF-8.
    return Response("\ufeff" + out.getvalue(), media_type="text/csv; charset=utf-8", headers=headers)


def _cell(value: object) -> str:
    text = "" if value is None else " ".join(value) if isinstance(value, list) else str(value)
    return "'" + text if text.startswith(FORMULA) else text
