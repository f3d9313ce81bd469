"""A handheld on paper: makes the records and requests of a real one, and any wrong ones a test asks for."""

from __future__ import annotations

import asyncio
import secrets
from pathlib import Path

import httpx
from fastapi import FastAPI

from firmware.core import message, record
from host_tools.server.store import Store

NOW = 1_590_130_000


class PaperHandheld:
    """Knows its identity, its chain and every record it ever wrote."""

    def __init__(self, device_id: str, secret: bytes) -> None:
        self.id = device_id
        self.secret = secret
        self.records: list[bytes] = []
        self.chains = [record.GENESIS]

    @classmethod
    def enrolled(cls, store: Store, place: str = "Library", scene: str = "registered_venue") -> PaperHandheld:
        token = store.create_token(place, scene, NOW, 3600)
        device = store.enrol(token, secrets.token_bytes(6), "test", NOW)
        return cls(device.id, device.secret)

    def fields(self, **changes: object) -> dict[int, object]:
        """The fields of the next record; `changes` by the constants' names in lower case."""
        fields: dict[int, object] = {
            record.SEQ: len(self.records) + 1,
            record.TIME: NOW + len(self.records),
            record.CLOCK: 0,
            record.DEVICE: self.id,
            record.PLACE: "Library",
            record.SCENE: "registered_venue",
            record.DIRECTION: 0,
            record.SUB: bytes(range(16)),
            record.KIND: 1,
            record.CTI: b"\x07" * 8,
            record.COLOUR: 0,
            record.VERDICT: 0,
            record.REASONS: [],
            record.TEMPERATURE: [3470, 2400, 3660],
            record.MASK: 1,
        }
        for name, value in changes.items():
            key = getattr(record, name.upper())
            if value is None:
                fields.pop(key, None)
            else:
                fields[key] = value
        return fields

    def write(self, count: int = 1, **changes: object) -> None:
        """Append `count` records to the journal."""
        for _ in range(count):
            self.append(record.encode(self.fields(**changes)))

    def append(self, raw: bytes) -> None:
        """Append any bytes as a record."""
        self.records.append(raw)
        self.chains.append(record.chain(self.chains[-1], raw))

    def request(
        self,
        first: int = 1,
        last: int | None = None,
        *,
        secret: bytes | None = None,
        chain_before: bytes | None = None,
        records: list[bytes] | None = None,
        nonce: bytes | None = None,
        pack_version: int = 0,
        device_id: str | None = None,
    ) -> bytes:
        """A sync request with records `first` to `last` (all that are left, by default)."""
        last = len(self.records) if last is None else last
        return message.encode_sync_request(
            device_id or self.id,
            secret or self.secret,
            first,
            self.chains[first - 1] if chain_before is None else chain_before,
            self.records[first - 1 : last] if records is None else records,
            NOW + 100,
            pack_version,
            nonce or secrets.token_bytes(16),
        )


def open_store(folder: Path) -> Store:
    return Store(folder / "fleet.db")


class AppClient:
    """Asks an application directly, without a socket; keeps cookies like a browser."""

    def __init__(self, app: FastAPI, base_url: str = "http://localhost") -> None:
        self._app = app
        self._base_url = base_url
        self.cookies = httpx.Cookies()

    def get(self, path: str, **options: object) -> httpx.Response:
        return self.request("GET", path, **options)

    def post(self, path: str, **options: object) -> httpx.Response:
        return self.request("POST", path, **options)

    def request(self, method: str, path: str, **options: object) -> httpx.Response:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(self._app)
            async with httpx.AsyncClient(
                transport=transport, base_url=self._base_url, cookies=self.cookies
            ) as client:
                answer = await client.request(method, path, **options)
                self.cookies = client.cookies
                return answer

        return asyncio.run(ask())
