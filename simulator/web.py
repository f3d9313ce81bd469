"""The web face of one simulated handheld: the page, its live connection, and an API for scripts.

Listens on 127.0.0.1 only; the Host header must name this computer, and a request that a browser makes for
another site's page (Origin) is refused.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import httpx
from fastapi import FastAPI, HTTPException, Query, Request, Response
from fastapi.responses import FileResponse
from PIL import Image
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket

from host_tools.server.sealing_keys import SealingKeys
from host_tools.web import create_app, problem, read_body
from simulator import camera, web_inspect
from simulator.changes import FAULT_FIELDS, FaultChange, PhoneView, TimeChange, WorldChange
from simulator.desk import Desk
from simulator.handheld import Handheld, HandheldError
from simulator.inspector import Inspector
from simulator.optics import photograph, png, sweep
from simulator.recorder import Recorder
from simulator.viewer import Viewers

PAGE = Path(__file__).resolve().parent / "page"
LONG_POLL_S = 25.0
MAX_TEXT = 8192
MAX_EVENTS = 2000
TOWN_TIMEOUT_S = 5.0
PREVIEW = 360
CONSOLE_TAIL = 200


class OriginCheck:
    """ASGI middleware: a browser may only come from the handheld's own page."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse a request whose Origin is not its Host."""
        if scope["type"] in ("http", "websocket"):
            headers = Headers(scope=scope)
            origin = headers.get("origin")
            if origin is not None and origin not in (
                f"http://{headers.get('host')}",
                f"https://{headers.get('host')}",
            ):
                if scope["type"] == "websocket":
                    await send({"type": "websocket.close", "code": 4403})
                else:
                    await problem(403, "this request comes from another site's page")(scope, receive, send)
                return
        await self._app(scope, receive, send)


class SimulatorWeb:
    """The application over a handheld. `authority` is the URL of the town's people, None for none; `keys`
    open the journal's records.
    """

    def __init__(
        self,
        handheld: Handheld,
        authority: str | None = None,
        desk: Desk | None = None,
        keys: SealingKeys | None = None,
    ) -> None:
        self.handheld = handheld
        self._inspector = Inspector(handheld, keys)
        self._desk = desk or Desk([handheld], 0)
        self._authority = authority
        self._client: httpx.AsyncClient | None = None
        self._preview: bytes | None = None
        self._phone: bytes | None = None
        self.recorder = Recorder(handheld.world)
        self._viewers = Viewers(handheld, self.state)
        self.app = self._make_app()

    @contextlib.asynccontextmanager
    async def _life(self, app: FastAPI) -> AsyncIterator[None]:
        async with httpx.AsyncClient(timeout=TOWN_TIMEOUT_S, trust_env=False) as client:
            self._client = client
            await self.handheld.start()
            if self.handheld.serial:
                print(f"serial port: {self.handheld.serial.path}", flush=True)
            self._viewers.follow_panel()
            try:
                yield
            finally:
                self._viewers.close()
                await self.handheld.stop()

    def state(self) -> dict[str, Any]:
        """Everything a page needs to know when it comes."""
        handheld, world, board = self.handheld, self.handheld.world, self.handheld.board
        return {
            "state": handheld.state,
            "speed": world.clock.speed,
            "now_unix": round(world.clock.unix()),
            "pid": handheld.pid,
            "boot": handheld.boot,
            "last_event": world.last_event,
            "world": self._world(),
            "led": list(board.led.rgb),
            "tone_hz": board.buzzer.hz,
            "vibration": board.vibration.on,
            "backlight": board.backlight,
            "aim": board.scanner.scanning,
            "plugged": {chip: board.plugged(chip) for chip in ("gm65", "mlx90614", "ds3231")},
            "faults": {
                "mlx90614": board.thermometer.fault,
                "ds3231": board.clock.fault,
                "bus": "stuck" if board.i2c.stuck else None,
            },
            "clock_unix": int(board.clock.unix()),
            "clock_stopped": board.clock.stopped,
            "clock_offset_s": round(board.clock.offset_s),
            "clock_drift_ppm": board.clock.drift_ppm,
            "noise": {"uart": board.uart.noise.per_mille, "i2c": board.i2c.noise.per_mille},
            "cut_loop": handheld.cut_loop,
            "wear": {"life": board.wear.life, "parts": board.wear.summary()},
            "link": board.radio.up,
            "recording": self.recorder.on,
            "in_view": board.scanner.viewing,
            "picture": world.last_picture,
            "uart_lost": board.uart.lost,
            "spi_bytes": board.spi_bytes,
            "town": self._authority is not None,
            "devices": len(self._desk.places),
            "number": next((p.number for p in self._desk.places if p.handheld is handheld), 1),
            "serial": handheld.serial.path if handheld.serial else None,
            "console": list(handheld.console)[-CONSOLE_TAIL:],
        }

    def _world(self) -> dict[str, Any]:
        world = self.handheld.world
        return {
            "skin_centi_c": world.skin_centi_c,
            "ambient_centi_c": world.ambient_centi_c,
            "battery_mv": world.battery_mv,
            "wifi": world.wifi,
            "server": world.server,
        }

    async def _picture(self, picture: bytes) -> dict[str, Any]:
        """Hold a picture up and keep a small copy for the page. Raises HTTPException."""
        try:
            self._phone = picture
            found = await self.handheld.world.show_picture(picture)
            self._preview = await asyncio.to_thread(_small, picture)
        except camera.PictureError as e:
            raise HTTPException(422, str(e)) from e
        return dict(found)

    async def _ask_authority(self, path: str, **params: str) -> httpx.Response:
        if not self._authority or not self._client:
            raise HTTPException(503, "this handheld was started without an authority: no town")
        try:
            answer = await self._client.get(self._authority.rstrip("/") + path, params=params)
        except httpx.HTTPError as e:
            raise HTTPException(502, f"the authority does not answer: {type(e).__name__}") from e
        if answer.status_code != 200:
            raise HTTPException(404 if answer.status_code == 404 else 502, "the authority refuses")
        return answer

    def _make_app(self) -> FastAPI:
        app = create_app("Yima handheld", static=PAGE)
        app.router.lifespan_context = self._life
        app.add_middleware(OriginCheck)
        web_inspect.add_routes(app, self.handheld, self.recorder, self._inspector)
        for add in (
            self._phone_routes,
            self._page_routes,
            self._desk_routes,
            self._camera_routes,
            self._control_routes,
        ):
            add(app)

        @app.exception_handler(HandheldError)
        async def not_there(request: Request, error: HandheldError) -> Response:
            return problem(409, str(error))

        return app

    def _page_routes(self, app: FastAPI) -> None:
        handheld = self.handheld

        @app.get("/", include_in_schema=False)
        async def page() -> FileResponse:
            return FileResponse(PAGE / "index.html")

        @app.websocket("/ws")
        async def live(socket: WebSocket) -> None:
            await self._viewers.serve(socket)

        @app.get("/api/state")
        async def state() -> dict[str, Any]:
            return self.state()

        @app.get("/api/screen.png")
        async def screen(scale: Annotated[int, Query(ge=1, le=4)] = 1) -> Response:
            picture = handheld.world.screenshot()
            if scale > 1:
                picture = picture.resize(
                    (picture.width * scale, picture.height * scale), Image.Resampling.NEAREST
                )
            return Response(await asyncio.to_thread(_png, picture), media_type="image/png")

        @app.get("/api/events")
        async def events(
            after: Annotated[int, Query(ge=0)] = 0,
            kinds: Annotated[str | None, Query(max_length=400)] = None,
            wait_s: Annotated[float, Query(ge=0, le=LONG_POLL_S)] = LONG_POLL_S,
        ) -> dict[str, Any]:
            wanted = frozenset(kinds.split(",")) if kinds else None
            found = await self._events(after, wanted, wait_s)
            return {"events": found, "last_event": handheld.world.last_event}

    def _desk_routes(self, app: FastAPI) -> None:
        desk = self._desk

        @app.get("/devices", include_in_schema=False)
        async def all_of_them() -> FileResponse:
            return FileResponse(PAGE / "devices.html")

        @app.get("/api/devices")
        async def devices() -> list[dict[str, Any]]:
            return desk.summary()

        @app.get("/api/devices/{number}/screen.png")
        async def their_screen(number: int) -> Response:
            place = desk.place(number)
            if place is None or not place.handheld.has_board:
                raise HTTPException(404, "no such handheld on this desk")
            picture = place.handheld.world.screenshot()
            return Response(await asyncio.to_thread(_png, picture), media_type="image/png")

    async def _events(self, after: int, kinds: frozenset[str] | None, wait_s: float) -> list[dict[str, Any]]:
        """Events after a number, the oldest first; waits for the first one."""
        world = self.handheld.world
        arrived = asyncio.Event()
        stop = world.listen(lambda event: arrived.set() if kinds is None or event.kind in kinds else None)
        deadline = asyncio.get_running_loop().time() + wait_s
        try:
            while True:
                arrived.clear()
                found = [e._asdict() for e in world.since(after) if kinds is None or e.kind in kinds]
                left = deadline - asyncio.get_running_loop().time()
                if found or left <= 0:
                    return found[:MAX_EVENTS]
                with contextlib.suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(arrived.wait(), left)
        finally:
            stop()

    def _camera_routes(self, app: FastAPI) -> None:
        world = self.handheld.world

        @app.post("/api/camera/picture")
        async def picture(request: Request) -> dict[str, Any]:
            return await self._picture(await read_body(request, camera.MAX_BYTES))

        @app.get("/api/camera/picture.png")
        async def preview() -> Response:
            if self._preview is None:
                raise HTTPException(404, "no picture was shown yet")
            return Response(self._preview, media_type="image/png")

        @app.post("/api/camera/text")
        async def text(request: Request) -> dict[str, Any]:
            payload = await read_body(request, MAX_TEXT)
            if not payload:
                raise HTTPException(422, "no bytes to show")
            self.recorder.shown(payload)
            world.show_text(payload)
            return {"found": 1, "bytes": len(payload)}

        @app.get("/api/town")
        async def town() -> Any:
            return (await self._ask_authority("/api/people")).json()

        @app.post("/api/camera/person/{person_id}")
        async def person(
            person_id: str, medium: Annotated[str | None, Query(pattern="^(live|paper)$")] = None
        ) -> dict[str, Any]:
            if not person_id.replace("-", "").replace("_", "").isalnum():
                raise HTTPException(404, "nobody of this name lives in the town")
            params = {"medium": medium} if medium else {}
            answer = await self._ask_authority(f"/api/people/{person_id}/code.png", **params)
            self.recorder.person(person_id, medium or "live")
            return await self._picture(answer.content)

    def _phone_routes(self, app: FastAPI) -> None:
        """The picture that was held up last, on a phone before the camera."""

        def held() -> bytes:
            if self._phone is None:
                raise HTTPException(409, "hold a picture up first: the phone shows the last one")
            return self._phone

        @app.post("/api/camera/phone")
        async def phone(view: PhoneView) -> dict[str, Any]:
            frame = await asyncio.to_thread(photograph, held(), view.view())
            shown = await asyncio.to_thread(png, frame)
            found = await self.handheld.world.show_picture(shown)
            self._preview = shown
            return dict(found)

        @app.post("/api/camera/sweep")
        async def all_views() -> dict[str, Any]:
            tried = await asyncio.to_thread(sweep, held())
            return {
                "tried": len(tried),
                "read": sum(ok for _, ok in tried),
                "views": [{**view._asdict(), "read": ok} for view, ok in tried],
            }

    def _control_routes(self, app: FastAPI) -> None:
        handheld, world = self.handheld, self.handheld.world

        @app.post("/api/keys/{key}")
        async def key(
            key: Literal["no", "middle", "yes"], hold_ms: Annotated[int, Query(ge=10, le=20000)] = 200
        ) -> dict[str, str]:
            world.press(key, hold_ms)
            return {"key": key}

        @app.post("/api/world")
        async def change(change: WorldChange) -> dict[str, Any]:
            change.apply(world)
            world.note("world", self._world())
            return self._world()

        @app.post("/api/faults")
        async def faults(change: FaultChange) -> dict[str, Any]:
            try:
                change.apply(handheld)
            except ValueError as e:
                raise HTTPException(422, str(e)) from e
            return {key: self.state()[key] for key in FAULT_FIELDS}

        @app.post("/api/time")
        async def pass_time(change: TimeChange) -> dict[str, Any]:
            await change.apply(world)
            return {"speed": world.clock.speed, "now_unix": round(world.clock.unix())}

        actions: dict[str, Callable[[], Awaitable[None]]] = {
            "cycle": handheld.power_cycle,
            "kill": handheld.kill,
            "on": handheld.start,
            "reset": handheld.restart,
        }

        @app.post("/api/power/{action}")
        async def power(action: Literal["cycle", "kill", "on", "reset"]) -> dict[str, Any]:
            await actions[action]()
            return {"state": handheld.state}


def _png(picture: Image.Image) -> bytes:
    out = io.BytesIO()
    picture.save(out, "PNG")
    return out.getvalue()


def _small(data: bytes) -> bytes:
    """A copy for the page: small, without what a camera writes beside the pixels."""
    picture = Image.open(io.BytesIO(data)).convert("RGB")
    picture.thumbnail((PREVIEW, PREVIEW))
    return _png(picture)
