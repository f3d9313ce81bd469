"""Fetches packs from the authority: manifest, missing parts, and what an earlier root says of a new one."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Callable

import httpx
from fastapi.concurrency import run_in_threadpool
from sqlalchemy.exc import SQLAlchemyError

from firmware.core import cbor, cose, pack
from firmware.core.trust import kid_of_key
from host_tools import clockpage
from host_tools.packfile import PackTrouble, open_manifest
from host_tools.server.packs import Packs, Received
from host_tools.server.store import Store

log = logging.getLogger("yima.server")
INTERVAL_S = 1.0
#: Pauses after failures; the last one repeats.
BACKOFF_S = (1.0, 2.0, 5.0, 10.0)
TIMEOUT_S = 10.0
#: Parts of kinds that we do not know are passed on to handhelds that may know them.
UNKNOWN_PART_LIMIT = 1_048_576


class PackPuller:
    """A task beside the server. Records keep flowing whatever happens here."""

    def __init__(
        self, store: Store, authority_url: str, root_public: bytes, clock: Callable[[], float] = clockpage.now
    ) -> None:
        self._packs = Packs(store)
        self._packs.pin(root_public)
        self._url = authority_url.rstrip("/") + "/pack"
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
                except (httpx.HTTPError, httpx.InvalidURL, PackTrouble, SQLAlchemyError) as e:
                    failures += 1
                    self._tell(f"pack: {e or type(e).__name__}")
                await asyncio.sleep(BACKOFF_S[min(failures, len(BACKOFF_S)) - 1] if failures else INTERVAL_S)

    async def pull(self, client: httpx.AsyncClient) -> bool:
        """Fetch once; True where a newer pack was kept. Raises httpx.HTTPError, PackTrouble."""
        roots = await run_in_threadpool(self._packs.roots)
        data = await self._manifest(client, roots[-1])
        if data == self._last:
            return False
        opened = open_manifest(data, roots[-1])
        manifest = opened.manifest
        now_unix = int(self._clock())
        if manifest.expires_unix <= now_unix:
            raise PackTrouble("the authority's pack has expired")
        if manifest.version <= await run_in_threadpool(self._packs.version):
            self._last = data
            return False
        wrapped = {}
        if opened.root_key != roots[-1]:
            log.warning("pack: the authority has a new root key, and the one before vouches for it")
            wrapped[kid_of_key(roots[-1])], data = data, _inner(data)
        for old in roots[:-1]:
            vouched = await self._manifest(client, old)
            if open_manifest(vouched, old).root_key != opened.root_key or _inner(vouched) != data:
                raise PackTrouble("the authority has signed another pack meanwhile")
            wrapped[kid_of_key(old)] = vouched
        listed = list(manifest.parts())
        digests = [digest for _, _, digest in listed]
        missing = set(await run_in_threadpool(self._packs.missing, digests))
        parts = {
            digest: await self._part(client, kind, length, digest)
            for kind, length, digest in listed
            if digest in missing
        }
        received = Received(manifest.version, data, opened.root_key, manifest.expires_unix, parts, wrapped)
        kept = await run_in_threadpool(self._packs.keep, received, digests, now_unix)
        self._last = data
        return kept

    async def _manifest(self, client: httpx.AsyncClient, root: bytes) -> bytes:
        url = f"{self._url}?root={kid_of_key(root).hex()}"
        return await _fetch(client, url, pack.MAX_MANIFEST)

    async def _part(self, client: httpx.AsyncClient, kind: int, length: int, digest: bytes) -> bytes:
        """A part, whole and as its manifest says. Raises PackTrouble."""
        if length > (pack.limit_of(kind) or UNKNOWN_PART_LIMIT):
            raise PackTrouble(f"part {kind} is larger than such a part can be")
        data = await _fetch(client, f"{self._url}/part/{digest.hex()}", length)
        if len(data) != length or hashlib.sha256(data).digest() != digest:
            raise PackTrouble(f"part {kind} is not what the manifest says")
        return data

    def _tell(self, trouble: str) -> None:
        """Log a change of state once, not every second."""
        if trouble != self._trouble:
            self._trouble = trouble
            log.warning("%s", trouble or "pack: the authority answers again")


async def _fetch(client: httpx.AsyncClient, url: str, limit_bytes: int) -> bytes:
    """The body of an answer. Raises PackTrouble once it is longer than `limit_bytes`."""
    data = bytearray()
    async with client.stream("GET", url) as answer:
        answer.raise_for_status()
        async for chunk in answer.aiter_bytes():
            data += chunk
            if len(data) > limit_bytes:
                raise PackTrouble("the answer is larger than it can be")
    return bytes(data)


def _inner(wrapped: bytes) -> bytes:
    """The manifest inside a wrapped one that was checked."""
    payload = cbor.loads(cose.parse_sign1(wrapped).payload, max_items=8)
    manifest = payload.get(2) if isinstance(payload, dict) else None
    if not isinstance(manifest, bytes):
        raise PackTrouble("not a wrapped manifest")
    return manifest
