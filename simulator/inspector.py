"""What lies on the handheld's flash, seen from outside: journal sealed and opened, packs, settings, files.

Nothing of the firmware is asked: the images are read. Records are opened with the fleet server's sealing keys
where the simulator was given them (`--sealing-keys`); without them they show as they lie there.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

from host_tools.device.image import JOURNAL_IMAGE
from host_tools.look import flash_image
from host_tools.look.journal_view import journal_view
from host_tools.server.sealing_keys import SealingKeys
from simulator.handheld import Handheld

MOST_RECORDS = 200


class InspectorError(Exception):
    """There is nothing to be seen; the message says why."""


class Inspector:
    """Looks into one handheld's images; one look at a time. `keys` opens records, None for nobody."""

    def __init__(self, handheld: Handheld, keys: SealingKeys | None) -> None:
        self._handheld = handheld
        self._keys = keys
        self._turn = asyncio.Lock()

    async def flash(self) -> dict[str, Any]:
        """Settings, packs, files, room, and what the crash notes say by task. Raises InspectorError."""
        handheld = self._handheld
        async with self._turn:
            try:
                content = await asyncio.to_thread(
                    flash_image.read_flash, handheld.image, handheld.micropython
                )
                now_unix = int(handheld.board.clock.unix())
                packs = await asyncio.to_thread(flash_image.packs_of, content, now_unix)
            except flash_image.FlashImageError as e:
                raise InspectorError(str(e)) from e
        files = [
            {"path": path, "bytes": size}
            for path, size in sorted(content.sizes.items())
            if path.startswith("/data/") or path.count("/") == 1
        ]
        return {
            "at_unix": int(time.time()),
            "settings": flash_image.settings_of(content),
            "packs": packs,
            "crashes": flash_image.crashes_of(content),
            "files": files,
            "room": {
                "block_bytes": content.block_bytes,
                "blocks": content.blocks,
                "free_blocks": content.free_blocks,
            },
        }

    async def journal(self, newest: int) -> dict[str, Any]:
        """Sectors and the newest records; a board without the partition has none. Raises InspectorError."""
        path = self._handheld.profile / JOURNAL_IMAGE
        async with self._turn:
            try:
                image = await asyncio.to_thread(path.read_bytes) if path.exists() else b""
                return await asyncio.to_thread(journal_view, image, self._keys, newest)
            except (OSError, ValueError) as e:
                raise InspectorError(f"{JOURNAL_IMAGE}: {type(e).__name__}") from e

    def wear(self) -> dict[str, Any]:
        """Erases of every sector, the worn ones, and how many erases a sector lives."""
        wear = self._handheld.board.wear
        summary, picture = wear.summary(), wear.picture()
        return {"life": wear.life, "parts": {part: {**summary[part], **picture[part]} for part in summary}}
