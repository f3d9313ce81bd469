"""One page that watches the handheld over a WebSocket.

To the page, binary: a rectangle of the screen, ``x y w h`` as u16 and the pixels as RGB565, all high byte
first. To the page, text: JSON, either ``{"type": "state", ...}`` or ``{"type": "event", ...}``, or for what
the loudspeaker is sent ``{"type": "sound", "rate_hz": 8000, "pcm": "..."}`` with 16-bit samples, low byte
first, in base64; none where the sound breaks off. From the page, text: ``{"key": "yes", "closed": true}``
while a key is held, and ``false`` when it is let go.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import struct
from collections import deque
from collections.abc import Callable
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect

from simulator.devices.st7789 import HEIGHT, WIDTH
from simulator.handheld import Handheld
from simulator.world import Event

FRAME_S = 0.025
MAX_TEXTS = 400
"""A page that does not keep up loses the oldest notices beyond this; its screen is always the newest."""
MAX_MESSAGE = 256
SHOWN = frozenset(
    (
        "led",
        "tone",
        "speech",
        "vibration",
        "backlight",
        "key",
        "power",
        "reset",
        "boot",
        "console",
        "exit",
        "aim",
        "scanner_beep",
        "scanner_decoded",
        "picture",
        "wifi",
        "link",
        "fault",
        "world",
        "uart_overflow",
        "server",
        "clock",
        "recording",
        "tasks",
        "time",
    )
)

Rectangle = tuple[int, int, int, int]


def union(a: Rectangle | None, b: Rectangle) -> Rectangle:
    """The smallest rectangle around both."""
    if a is None:
        return b
    x, y = min(a[0], b[0]), min(a[1], b[1])
    return x, y, max(a[0] + a[2], b[0] + b[2]) - x, max(a[1] + a[3], b[1] + b[3]) - y


class Viewers:
    """All pages that watch one handheld."""

    def __init__(self, handheld: Handheld, state: Callable[[], dict[str, Any]]) -> None:
        self._handheld = handheld
        self._state = state
        self._viewers: set[_Viewer] = set()
        self._stop = handheld.world.listen(self._event)

    def follow_panel(self) -> None:
        """Hear of what is drawn; the board has to be there."""
        self._handheld.board.panel_drawn = self._drawn
        self._handheld.board.i2s.listener = self._heard
        self._handheld.board.panel_changed = lambda: self._drawn(0, 0, WIDTH, HEIGHT)

    def close(self) -> None:
        """Hear no more."""
        self._stop()

    def _event(self, event: Event) -> None:
        if event.kind in SHOWN:
            text = json.dumps(
                {
                    "type": "event",
                    "number": event.number,
                    "t_ms": event.t_ms,
                    "kind": event.kind,
                    "data": event.data,
                }
            )
            for viewer in self._viewers:
                viewer.say(text)

    def _heard(self, samples: bytes, rate_hz: int) -> None:
        pcm = base64.b64encode(samples).decode()
        for viewer in self._viewers:
            viewer.say(json.dumps({"type": "sound", "rate_hz": rate_hz, "pcm": pcm}))

    def _drawn(self, x: int, y: int, w: int, h: int) -> None:
        for viewer in self._viewers:
            viewer.draw((x, y, w, h))

    async def serve(self, socket: WebSocket) -> None:
        """Serve one page until it goes."""
        await socket.accept()
        viewer = _Viewer(socket, self._handheld)
        viewer.say(json.dumps({"type": "state", **self._state()}))
        viewer.draw((0, 0, WIDTH, HEIGHT))
        self._viewers.add(viewer)
        sender = asyncio.create_task(viewer.send())
        try:
            await viewer.listen()
        finally:
            self._viewers.discard(viewer)
            sender.cancel()
            viewer.let_go()
            with contextlib.suppress(asyncio.CancelledError, WebSocketDisconnect, RuntimeError):
                await sender


class _Viewer:
    def __init__(self, socket: WebSocket, handheld: Handheld) -> None:
        self._socket = socket
        self._handheld = handheld
        self._texts: deque[str] = deque(maxlen=MAX_TEXTS)
        self._dirty: Rectangle | None = None
        self._wake = asyncio.Event()
        self._held: set[str] = set()

    def say(self, text: str) -> None:
        self._texts.append(text)
        self._wake.set()

    def draw(self, where: Rectangle) -> None:
        self._dirty = union(self._dirty, where)
        self._wake.set()

    async def send(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._texts:
                await self._socket.send_text(self._texts.popleft())
            if self._dirty:
                where, self._dirty = self._dirty, None
                pixels = self._handheld.board.panel_region(*where)
                await self._socket.send_bytes(struct.pack(">HHHH", *where) + pixels)
                await asyncio.sleep(FRAME_S)

    async def listen(self) -> None:
        with contextlib.suppress(WebSocketDisconnect):
            while True:
                text = await self._socket.receive_text()
                if len(text) > MAX_MESSAGE:
                    return
                self._message(text)

    def _message(self, text: str) -> None:
        try:
            message = json.loads(text)
            key, closed = message["key"], bool(message["closed"])
            self._handheld.world.hold(key, closed)
        except (ValueError, KeyError, TypeError):
            return
        if closed:
            self._held.add(key)
        else:
            self._held.discard(key)

    def let_go(self) -> None:
        """A page that is gone holds no key."""
        for key in self._held:
            self._handheld.world.hold(key, False)
