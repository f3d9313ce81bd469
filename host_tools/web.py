"""What the host's web faces have in common: headers, host check, body limit, templates, problem answers."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from pathlib import Path

import jinja2
from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, JSONResponse
from fastapi.staticfiles import StaticFiles
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = logging.getLogger("yima.web")
#: Nothing is loaded from elsewhere, nothing runs inline, nobody frames the page.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = (
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
)
#: A body must be complete within this time.
BODY_TIMEOUT_S = 10.0
LOCAL_HOSTS = ("127.0.0.1", "localhost")


class SecurityHeaders:
    """ASGI middleware that puts HEADERS on every answer, errors included, unless it has its own."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; add the headers as the answer starts."""

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = list(message.get("headers", ()))
                named = {name.lower() for name, _ in own}
                message["headers"] = own + [header for header in HEADERS if header[0] not in named]
            await send(message)

        await self._app(scope, receive, with_headers if scope["type"] == "http" else send)


class BodyError(Exception):
    """A request body is too long, too slow or cut off; `status` is the HTTP status to answer."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status


async def read_body(request: Request, limit_bytes: int) -> bytes:
    """The request's body. Raises BodyError once it is longer than `limit_bytes`, or after BODY_TIMEOUT_S."""
    announced = request.headers.get("content-length", "0")
    if not announced.isascii() or not announced.isdigit() or len(announced) > 18:
        raise BodyError(400, "content-length is not a number")
    if int(announced) > limit_bytes:
        raise BodyError(413, f"more than {limit_bytes} bytes")

    async def collect() -> bytes:
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > limit_bytes:
                raise BodyError(413, f"more than {limit_bytes} bytes")
        return bytes(body)

    try:
        return await asyncio.wait_for(collect(), BODY_TIMEOUT_S)
    except asyncio.TimeoutError as e:
        raise BodyError(408, "the body did not arrive in time") from e


def problem(status: int, detail: str) -> JSONResponse:
    """An error answer as RFC 9457 problem details."""
    return JSONResponse(
        {"type": "about:blank", "status": status, "detail": detail},
        status,
        media_type="application/problem+json",
    )


def create_app(title: str, hosts: Iterable[str] = LOCAL_HOSTS, static: Path | None = None) -> FastAPI:
    """A FastAPI application with the headers, the host check and problem answers; no documentation pages,
    because those load scripts from elsewhere.
    """
    app = FastAPI(title=title, docs_url=None, redoc_url=None)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(hosts), www_redirect=False)
    app.add_middleware(SecurityHeaders)

    @app.exception_handler(HTTPException)
    async def http_problem(request: Request, error: HTTPException) -> JSONResponse:
        return problem(error.status_code, str(error.detail))

    @app.exception_handler(BodyError)
    async def body_problem(request: Request, error: BodyError) -> JSONResponse:
        return problem(error.status, str(error))

    @app.get("/healthz", include_in_schema=False)
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    if static is not None:
        app.mount("/static", StaticFiles(directory=static), name="static")
    return app


def answer_when_storage_fails(app: FastAPI) -> None:
    """A full disk or a locked database is told as 503: who sends something keeps it and comes again."""

    @app.exception_handler(SQLAlchemyError)
    async def unavailable(request: Request, error: SQLAlchemyError) -> JSONResponse:
        log.error("database: %s", type(error).__name__)
        return problem(503, "the server cannot store anything now")


class Pages:
    """Jinja templates of one folder; everything put into them is escaped."""

    def __init__(self, folder: Path) -> None:
        self._environment = jinja2.Environment(
            loader=jinja2.FileSystemLoader(folder),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )

    def text(self, name: str, **values: object) -> str:
        """The template `name` filled with `values`."""
        return self._environment.get_template(name).render(**values)

    def page(self, name: str, **values: object) -> HTMLResponse:
        """The same as an answer."""
        return HTMLResponse(self.text(name, **values))
