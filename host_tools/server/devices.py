"""What handhelds talk to, over TLS: enrolment and sync."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable

from fastapi import FastAPI, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse
from sqlalchemy import text

from firmware.core import message
from host_tools import clockpage
from host_tools.server import quick
from host_tools.server.identity import TokenRefused, speaks
from host_tools.server.intake import Intake, Item
from host_tools.server.limits import Limiter
from host_tools.server.metrics import CountAnswers, Metrics
from host_tools.server.packs import Packs
from host_tools.server.sealing_keys import SealingKeys
from host_tools.server.store import Store
from host_tools.web import LOCAL_HOSTS, answer_when_storage_fails, create_app, problem, read_body

log = logging.getLogger("yima.server")
CBOR = "application/cbor"
COSE_MAC0 = 'application/cose; cose-type="cose-mac0"'
OCTETS = "application/octet-stream"
CERTIFICATE = "application/pkix-cert"
PIECE_BYTES = 16_384
PATHS = ("/v1/ca", "/v1/enrol", "/v1/part", "/v1/sync", "/healthz", "/readyz")
#: Sync requests of one handheld, and enrolments from one address: so many at once, and so many a second.
SYNC_BURST, SYNC_PER_S = 600, 20.0
ENROL_BURST, ENROL_PER_S = 100, 1.0
#: One answer for an unknown device, a revoked one and a wrong MAC: an outsider learns nothing.
REFUSED = "device or signature refused"


class Bell:
    """Wakes everyone who waits for new records."""

    def __init__(self) -> None:
        self._event = asyncio.Event()
        #: The server ends: nobody should wait any more.
        self.closed = False

    def ring(self) -> None:
        """Wake all who wait now."""
        self._event.set()
        self._event = asyncio.Event()

    def close(self) -> None:
        """Wake all for good."""
        self.closed = True
        self.ring()

    async def wait(self, timeout_s: float) -> bool:
        """Wait for the next ring; False after `timeout_s`."""
        try:
            await asyncio.wait_for(self._event.wait(), timeout_s)
        except asyncio.TimeoutError:
            return False
        return True


def make_app(
    store: Store,
    bell: Bell,
    hosts: Iterable[str] = LOCAL_HOSTS,
    clock: Callable[[], float] = clockpage.now,
    keys: SealingKeys | None = None,
    metrics: Metrics | None = None,
    ca_der: bytes = b"",
) -> FastAPI:
    """The application; `hosts` are the names it answers to, `keys` open what handhelds sealed.

    `ca_der` is the certificate that handhelds check the server against, told to those that hold its SHA-256.
    """
    app = create_app("Yima fleet server", hosts)
    counts = metrics or Metrics()
    app.add_middleware(CountAnswers, counts=counts.answers, paths=PATHS)
    syncs, enrolments = Limiter(SYNC_PER_S, SYNC_BURST), Limiter(ENROL_PER_S, ENROL_BURST)
    answer_when_storage_fails(app)
    packs = Packs(store)
    intake = Intake(store, keys)

    def enrol(body: bytes) -> Response:
        try:
            request = message.parse_enrol_request(body)
        except message.MessageError:
            return problem(400, "not an enrolment request")
        now_unix = int(clock())
        try:
            device, secret = store.enrol_by(request, now_unix)
        except TokenRefused:
            return problem(403, "token refused")
        log.info("enrolled %s", device.id)
        reply = message.encode_enrol_reply(device.id, secret, device.place, device.scene, int(clock()))
        return Response(reply, media_type=CBOR)

    async def sync(item: Item) -> tuple[Response, bool]:
        with counts.syncing():
            answer = await intake.finished(item)
        if answer is None:
            return problem(401, REFUSED), False
        outcome = answer.outcome
        if outcome.refusal is not None:
            log.warning("%s: %s", item.device_id, outcome.refusal)
            counts.refused(outcome.refusal)
        counts.records.inc(outcome.taken)
        reply = message.encode_sync_reply(
            outcome.acknowledged,
            int(clock()),
            item.request.nonce,
            answer.manifest,
            outcome.refusal,
            answer.seen,
            answer.roll,
        )
        media_type = CBOR
        if item.request.wants_mac:
            reply = quick.authenticated(reply, item.device_id, answer.secret)
            media_type = COSE_MAC0
        return Response(reply, media_type=media_type), bool(outcome.taken or outcome.refusal)

    def part(body: bytes) -> Response:
        try:
            device_id, request = message.parse_part_request(body)
        except message.MessageError:
            return problem(400, "not a part request")
        known = store.device(device_id) if "\0" not in device_id else None
        if known is None or speaks(known, request) is None:
            return problem(401, REFUSED)
        data = packs.part(request.digest, request.offset)
        if data is None:
            return problem(404, "no such part")
        # In pieces, so that a slow handheld holds no copy of its own of the whole part.
        return StreamingResponse(
            (data[at : at + PIECE_BYTES] for at in range(0, len(data), PIECE_BYTES)),
            headers={"content-length": str(len(data))},
            media_type=OCTETS,
        )

    @app.get("/readyz", include_in_schema=False)
    def readyz() -> dict[str, str]:
        with store.reading() as session:
            session.execute(text("SELECT 1"))
        return {"status": "ready"}

    @app.post("/v1/enrol")
    async def enrol_endpoint(request: Request) -> Response:
        if not enrolments.allows(_host(request)):
            return problem(429, "too many requests")
        body = await read_body(request, message.MAX_ENROL_BYTES)
        return await run_in_threadpool(enrol, body)

    @app.get("/v1/ca")
    @app.post("/v1/ca", include_in_schema=False)
    def ca() -> Response:
        return Response(ca_der, media_type=CERTIFICATE) if ca_der else problem(404, "no certificate")

    @app.post("/v1/part")
    async def part_endpoint(request: Request) -> Response:
        body = await read_body(request, message.MAX_PART_REQUEST_BYTES)
        return await run_in_threadpool(part, body)

    @app.post("/v1/sync")
    async def sync_endpoint(request: Request) -> Response:
        body = await read_body(request, message.MAX_REQUEST_BYTES)
        try:
            device_id, asked = quick.sync_request(body) or message.parse_sync_request(body)
        except message.MessageError:
            return problem(400, "not a sync request")
        # By address as well: nobody uses up another handheld's share in its name.
        if not syncs.allows(f"{_host(request)} {device_id}"):
            return problem(429, "too many requests")
        response, news = await sync(Item(device_id, asked, int(clock())))
        if news:
            bell.ring()
        return response

    return app


def _host(request: Request) -> str:
    return request.client.host if request.client else ""
