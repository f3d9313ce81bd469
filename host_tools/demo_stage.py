"""The demo's hands and eyes: the running system's web faces, nothing else."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx

from host_tools.run import Running

#: The longest that one request may take; the handheld's event list answers within 25 s.
REQUEST_TIMEOUT_S = 30.0
LONG_POLL_S = 20.0
POLL_S = 0.1
#: Lines of the handheld's console in an error message; they hold nothing about persons.
TAIL_LINES = 4
#: A key is held this long, then it must be let go and settle.
#: As firmly as a person presses.
HOLD_MS = 250
PRESS_PAUSE_S = 0.4
#: The events that the demo looks at.
KINDS = "console,led,uart_last_byte"


class StageTrouble(Exception):
    """The system does not do its part; the message says which."""


class Stage:
    """A running system seen from outside."""

    def __init__(self, running: Running) -> None:
        self._next_press_s = 0.0
        self._handheld = httpx.AsyncClient(
            base_url=running.handheld, timeout=REQUEST_TIMEOUT_S, trust_env=False
        )
        self._authority = httpx.AsyncClient(
            base_url=running.authority, timeout=REQUEST_TIMEOUT_S, trust_env=False
        )
        self._console = httpx.AsyncClient(
            base_url=running.console,
            timeout=REQUEST_TIMEOUT_S,
            trust_env=False,
            headers={"authorization": f"Bearer {running.console_key}"},
        )

    async def close(self) -> None:
        """Let go of the connections."""
        for client in (self._handheld, self._authority, self._console):
            await client.aclose()

    # Handheld --------------------------------------------------------------------------------------------

    async def set_world(self, **changes: object) -> None:
        """Change what surrounds the handheld, such as ``skin_centi_c``."""
        await _answer(self._handheld.post("/api/world", json=changes))

    async def press(self, key: str, hold_ms: int = HOLD_MS) -> None:
        """Press one of the three keys, no faster after another press than a finger can."""
        await asyncio.sleep(max(0.0, self._next_press_s - time.monotonic()))
        await _answer(self._handheld.post(f"/api/keys/{key}", params={"hold_ms": hold_ms}))
        self._next_press_s = time.monotonic() + PRESS_PAUSE_S + (hold_ms - HOLD_MS) / 1000

    async def faults(self, **changes: object) -> None:
        """Break something, or move the clock chip, such as ``clock_shift_s``."""
        await _answer(self._handheld.post("/api/faults", json=changes))

    async def power(self, action: str) -> None:
        """``cycle``, ``kill``, ``on`` or ``reset``."""
        await _answer(self._handheld.post(f"/api/power/{action}"))

    async def show_text(self, text: str) -> None:
        """Hold a code with this text up."""
        await _answer(self._handheld.post("/api/camera/text", content=text.encode()))

    async def screen(self) -> bytes:
        """What the handheld's screen shows, PNG, twice its size."""
        answer = await _answer(self._handheld.get("/api/screen.png", params={"scale": 2}))
        return answer.content

    async def show(self, png: bytes) -> None:
        """Hold a picture up. Raises StageTrouble where no code is found in it."""
        found = await _answer(self._handheld.post("/api/camera/picture", content=png))
        if found.json()["found"] != 1:
            raise StageTrouble("the handheld's camera finds no code in the picture")

    async def spi_bytes(self) -> int:
        """How many bytes have gone to the display."""
        return int((await _answer(self._handheld.get("/api/state"))).json()["spi_bytes"])

    async def last_event(self) -> int:
        """The number of the newest event."""
        return int((await _answer(self._handheld.get("/api/state"))).json()["last_event"])

    async def events(self, after: int, limit_s: float) -> AsyncIterator[dict[str, Any]]:
        """Events of the handheld's hardware after number `after`. Raises StageTrouble after `limit_s`."""
        ends_s = time.monotonic() + limit_s
        while (left_s := ends_s - time.monotonic()) > 0:
            for event in await self.more_events(after, min(left_s, LONG_POLL_S)):
                after = event["number"]
                yield event
        raise StageTrouble(f"nothing came of it within {limit_s:.0f} s")

    async def more_events(self, after: int, wait_s: float = 0.0) -> list[dict[str, Any]]:
        """The events after number `after`; where there are none yet, waits `wait_s` for the first one."""
        params: dict[str, str | int | float] = {"after": after, "kinds": KINDS, "wait_s": wait_s}
        answer = await _answer(self._handheld.get("/api/events", params=params))
        events: list[dict[str, Any]] = answer.json()["events"]
        return events

    async def wait_until_idle(self, limit_s: float) -> None:
        """Wait until the handheld waits for a code. Raises StageTrouble."""
        state = ""
        after = 0
        while past := await self.more_events(after):
            for event in past:
                after = event["number"]
                state = flow_line(event) or state
        if state == "idle":
            return
        try:
            async for event in self.events(after, limit_s):
                if flow_line(event) == "idle":
                    return
        except StageTrouble as e:
            console = (await _answer(self._handheld.get("/api/state"))).json()["console"]
            raise StageTrouble(
                f"the handheld does not get ready within {limit_s:.0f} s; the end of its console:"
                + "".join(f"\n    {line}" for line in console[-TAIL_LINES:])
            ) from e

    # Authority and server --------------------------------------------------------------------------------

    async def picture(self, person: str, medium: str) -> bytes:
        """What a person of the town shows now, as PNG."""
        answer = await _answer(
            self._authority.get(f"/api/people/{person}/code.png", params={"medium": medium})
        )
        return answer.content

    async def summary(self) -> dict[str, Any]:
        """Counts of the server."""
        summary: dict[str, Any] = (await _answer(self._console.get("/api/summary"))).json()
        return summary

    async def records(self, after: int) -> list[dict[str, Any]]:
        """Records that the server holds, those after row `after`."""
        rows: list[dict[str, Any]] = (
            await _answer(self._console.get("/api/records", params={"after": after}))
        ).json()
        return rows

    async def console_text(self, path: str) -> str:
        """What the console answers at a path, such as ``/api/alerts``."""
        return (await _answer(self._console.get(path))).text

    async def device(self) -> dict[str, Any] | None:
        """The handheld that the server heard of last."""
        devices: list[dict[str, Any]] = (await _answer(self._console.get("/api/devices"))).json()
        heard = [device for device in devices if device["last_seen_unix"] is not None]
        return max(heard, key=lambda device: int(device["last_seen_unix"]), default=None)

    async def wait_for_pack(self, version: int, limit_s: float) -> dict[str, Any]:
        """Wait until the handheld holds this version of the pack. Raises StageTrouble."""
        ends_s = time.monotonic() + limit_s
        while time.monotonic() < ends_s:
            device = await self.device()
            if device and device["pack_version"] >= version:
                return device
            await asyncio.sleep(POLL_S)
        raise StageTrouble(f"the handheld does not get pack {version} within {limit_s:.0f} s")

    async def wait_for_server_pack(self, version: int, limit_s: float) -> None:
        """Wait until the server holds this version of the pack. Raises StageTrouble."""
        ends_s = time.monotonic() + limit_s
        while time.monotonic() < ends_s:
            if int((await self.summary())["pack_version"]) >= version:
                return
            await asyncio.sleep(POLL_S)
        raise StageTrouble(f"the server does not get pack {version} within {limit_s:.0f} s")


def flow_line(event: dict[str, Any]) -> str | None:
    """What the firmware's flow says in a console event, without its ``flow:``."""
    if event["kind"] != "console":
        return None
    word, _, rest = str(event["data"].get("line", "")).strip().partition(" ")
    return rest if word == "flow:" else None


async def _answer(request: Any) -> httpx.Response:
    """The answer to a request. Raises StageTrouble for any error."""
    try:
        answer: httpx.Response = await request
        answer.raise_for_status()
    except httpx.HTTPStatusError as e:
        raise StageTrouble(f"{e.request.method} {e.request.url.path}: {e.response.text[:200]}") from e
    except httpx.HTTPError as e:
        raise StageTrouble(f"{e.request.url}: {e or type(e).__name__}") from e
    return answer
