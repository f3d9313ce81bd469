"""Counts for Prometheus: what the server takes, refuses and answers; no place, handheld or person."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
#: The kinds of refusal that `ingest` tells of, as its texts begin.
REFUSALS = ("gap", "fork", "rolled back", "order", "record")


class Metrics:
    """The counts of one server process."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self.records = Counter("yima_records_taken", "Records stored", registry=self._registry)
        self.refusals = Counter(
            "yima_sync_refusals", "Uploads that did not continue", ["kind"], registry=self._registry
        )
        self.answers = Counter(
            "yima_answers", "Answers of the device port", ["path", "status"], registry=self._registry
        )
        self.sync_seconds = Histogram(
            "yima_sync_seconds",
            "From a sync request read to its records safe",
            registry=self._registry,
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
        )

    def refused(self, refusal: str) -> None:
        """Count a refusal by its kind."""
        kind = next((kind for kind in REFUSALS if refusal.startswith(kind)), "other")
        self.refusals.labels(kind).inc()

    @contextmanager
    def syncing(self) -> Iterator[None]:
        """Time an exchange."""
        start_s = time.perf_counter()
        try:
            yield
        finally:
            self.sync_seconds.observe(time.perf_counter() - start_s)

    def text(self) -> bytes:
        """All of it in Prometheus's text form."""
        return generate_latest(self._registry)


class CountAnswers:
    """ASGI middleware that counts answers by path, if it is one of `paths`, and status."""

    def __init__(self, app: ASGIApp, counts: Counter, paths: tuple[str, ...]) -> None:
        self._app = app
        self._counts = counts
        self._paths = paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; count as the answer starts."""

        async def counting(message: Message) -> None:
            if message["type"] == "http.response.start":
                path = scope["path"] if scope["path"] in self._paths else "other"
                self._counts.labels(path, str(message["status"])).inc()
            await send(message)

        await self._app(scope, receive, counting if scope["type"] == "http" else send)
