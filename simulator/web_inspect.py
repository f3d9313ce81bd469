"""The part of the web face that looks inside: bus traffic, heap, and recording a session."""

from __future__ import annotations

import time
from typing import Annotated, Any, Literal

from fastapi import FastAPI, Query, Response

from simulator.handheld import Handheld
from simulator.recorder import Recorder

MOST_ROWS = 600


def add_routes(app: FastAPI, handheld: Handheld, recorder: Recorder) -> None:
    """Add the routes to an application."""

    @app.get("/api/trace")
    async def trace(
        after: Annotated[int, Query(ge=0)] = 0,
        bus: Annotated[str | None, Query(pattern="^(uart|i2c|spi)$")] = None,
    ) -> dict[str, Any]:
        rows = [row._asdict() for row in handheld.board.trace.since(after) if bus in (None, row.bus)]
        now_ms = time.monotonic_ns() / 1e6
        return {"rows": rows[-MOST_ROWS:], "last": handheld.board.trace.last, "now_ms": now_ms}

    @app.get("/api/heap")
    async def heap() -> dict[str, int | None]:
        now = await handheld.heap_now()
        return {"used": now[0] if now else None, "free": now[1] if now else None}

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
