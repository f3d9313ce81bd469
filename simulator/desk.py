"""Several handhelds beside each other in one process: each has a page on its own port; one shows them all."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import uvicorn
from fastapi import FastAPI

from host_tools.state import HOST
from simulator.handheld import Handheld


@dataclass(frozen=True)
class Place:
    """One handheld and the port of its page."""

    number: int
    handheld: Handheld
    port: int

    @property
    def url(self) -> str:
        """Its page."""
        return f"http://{HOST}:{self.port}/"


class Desk:
    """The handhelds on one desk, numbered from 1."""

    def __init__(self, handhelds: list[Handheld], port: int) -> None:
        self.places = [Place(at + 1, handheld, port + at) for at, handheld in enumerate(handhelds)]

    def place(self, number: int) -> Place | None:
        """One of them."""
        return self.places[number - 1] if 0 < number <= len(self.places) else None

    def summary(self) -> list[dict[str, Any]]:
        """What the page of all shows. `drawn` changes with every byte that goes to the display."""
        return [self._row(place) for place in self.places]

    @staticmethod
    def _row(place: Place) -> dict[str, Any]:
        handheld = place.handheld
        row: dict[str, Any] = {
            "number": place.number,
            "name": handheld.profile.name,
            "url": place.url,
            "state": handheld.state,
            "serial": handheld.serial.path if handheld.serial else None,
        }
        if handheld.has_board:
            board = handheld.board
            row |= {
                "chip": board.chip_id.hex(),
                "drawn": board.spi_bytes,
                "backlight": board.backlight,
                "led": list(board.led.rgb),
                "link": board.radio.up,
            }
        return row


class _Server(uvicorn.Server):
    """Leaves the signals to `serve`, for there are several servers."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take no signal."""
        yield


async def serve(apps: list[tuple[FastAPI, int]]) -> None:
    """Serve each application on its port until SIGINT or SIGTERM, or until one of them ends."""
    servers = [
        _Server(
            uvicorn.Config(
                app,
                host=HOST,
                port=port,
                log_level="warning",
                access_log=False,
                server_header=False,
                proxy_headers=False,
                ws="websockets-sansio",
                ws_max_size=4096,
                timeout_graceful_shutdown=2,
            )
        )
        for app, port in apps
    ]

    def stop() -> None:
        for server in servers:
            server.should_exit = True

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    tasks = [asyncio.ensure_future(server.serve()) for server in servers]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stop()
        await asyncio.gather(*tasks)
