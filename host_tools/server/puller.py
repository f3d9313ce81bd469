"""Fetches the trust list from the authority and keeps the newest whose signature is good."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

import httpx
from fastapi.concurrency import run_in_threadpool
from sqlalchemy.exc import SQLAlchemyError

from firmware.core.trust import MAX_BYTES
from host_tools.server.store import Store
from host_tools.trustlist import TrustTrouble, open_list

log = logging.getLogger("yima.server")
INTERVAL_S = 1.0
#: Pauses after failures; the last one repeats.
BACKOFF_S = (1.0, 2.0, 5.0, 10.0)
TIMEOUT_S = 10.0


class Puller:
    """A task beside the server. Records keep flowing whatever happens here."""

    def __init__(
        self, store: Store, authority_url: str, root_public: bytes, clock: Callable[[], float] = time.time
    ) -> None:
        self._store = store
        self._url = authority_url.rstrip("/") + "/trust"
        self._root_public = root_public
        self._clock = clock
        self._last: bytes | None = None
        self._trouble = ""

    async def run(self) -> None:
        """Pull for ever."""
        failures = 0
        async with httpx.AsyncClient(timeout=TIMEOUT_S, trust_env=False) as client:
            while True:
                try:
                    await self.pull(client)
                    failures = 0
                    self._tell("")
                except (httpx.HTTPError, httpx.InvalidURL, TrustTrouble, SQLAlchemyError) as e:
                    failures += 1
                    self._tell(f"trust list: {e or type(e).__name__}")
                await asyncio.sleep(BACKOFF_S[min(failures, len(BACKOFF_S)) - 1] if failures else INTERVAL_S)

    async def pull(self, client: httpx.AsyncClient) -> bool:
        """Fetch once; True where a newer list was kept. Raises httpx.HTTPError, TrustTrouble."""
        data = await self._fetch(client)
        if data == self._last:
            return False
        opened = open_list(data, self._root_public)
        now_unix = int(self._clock())
        if opened.expires_unix <= now_unix:
            raise TrustTrouble("the authority's list has expired")
        kept = await run_in_threadpool(
            self._store.keep_trust, opened.version, data, opened.expires_unix, now_unix
        )
        self._last = data
        return kept

    async def _fetch(self, client: httpx.AsyncClient) -> bytes:
        data = bytearray()
        async with client.stream("GET", self._url) as answer:
            answer.raise_for_status()
            async for chunk in answer.aiter_bytes():
                data += chunk
                if len(data) > MAX_BYTES:
                    raise TrustTrouble("the answer is larger than a trust list can be")
        return bytes(data)

    def _tell(self, trouble: str) -> None:
        """Log a change of state once, not every second."""
        if trouble != self._trouble:
            self._trouble = trouble
            if trouble:
                log.warning("%s", trouble)
            else:
                log.warning("trust list: the authority answers again")
