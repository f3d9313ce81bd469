"""The part of the web face that looks inside: bus traffic, heap, tasks, flash, and recording a session."""

from __future__ import annotations

import time
from typing import Annotated, Any, Literal

from fastapi import FastAPI, Query, Request, Response

from host_tools.web import problem
from simulator.handheld import Handheld
from simulator.inspector import MOST_RECORDS, Inspector, InspectorError
from simulator.recorder import Recorder

MOST_ROWS = 600


def add_routes(app: FastAPI, handheld: Handheld, recorder: Recorder, inspector: Inspector) -> None:
    """Add the routes to an application."""
    _add_flash_routes(app, handheld, inspector)

    @app.get("/api/trace")
    async def trace(
        after: Annotated[int, Query(ge=0)] = 0,
        bus: Annotated[str | None, Query(pattern="^(uart|i2c|spi)$")] = None,
    ) -> dict[str, Any]:
        rows = [row._asdict() for row in handheld.board.trace.since(after) if bus in (None, row.bus)]
        now_ms = time.monotonic_ns() / 1e6
        return {"rows": rows[-MOST_ROWS:], "last": handheld.board.trace.last, "now_ms": now_ms}

    @app.get("/api/heap")
    async def heap(after_ms: Annotated[float, Query(ge=0)] = 0) -> dict[str, Any]:
        now = await handheld.heap_now()
        return {
            "used": now[0] if now else None,
            "free": now[1] if now else None,
            "now_ms": time.monotonic_ns() / 1e6,
            "history": [point for point in handheld.vitals.heap if point[0] > after_ms],
        }

    @app.post("/api/record/{action}")
    async def record(action: Literal["start", "stop"]) -> dict[str, Any]:
        if action == "start":
            recorder.start()
        else:
            recorder.stop()
        handheld.world.note("recording", {"on": recorder.on})
        return {"recording": recorder.on, "lines": len(recorder.lines)}

    @app.get("/api/record.txt")
    async def recorded() -> Response:
        headers = {"content-disposition": "attachment; filename=recorded.txt"}
        return Response(recorder.text(), media_type="text/plain; charset=utf-8", headers=headers)


def _add_flash_routes(app: FastAPI, handheld: Handheld, inspector: Inspector) -> None:
    @app.get("/api/inspect/tasks")
    async def tasks() -> dict[str, Any]:
        return handheld.vitals.tasks()

    @app.get("/api/inspect/flash")
    async def flash() -> dict[str, Any]:
        found = await inspector.flash()
        return {**found, "tasks": handheld.vitals.tasks(found["crashes"])}

    @app.get("/api/inspect/journal")
    async def journal(newest: Annotated[int, Query(ge=1, le=MOST_RECORDS)] = 40) -> dict[str, Any]:
        return await inspector.journal(newest)

    @app.get("/api/inspect/wear")
    async def wear() -> dict[str, Any]:
        return inspector.wear()

    @app.exception_handler(InspectorError)
    async def nothing_there(request: Request, error: InspectorError) -> Response:
        return problem(409, str(error))
