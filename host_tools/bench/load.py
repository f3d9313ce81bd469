"""Simulated handhelds that upload: they know their journal, send batch after batch, and repeat what fails."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import ssl
from dataclasses import dataclass, field

from firmware.core import message, record
from host_tools.server.store import Store

TIMEOUT_S = 20.0
PAUSE_S = 0.05


@dataclass
class Uploader:
    """A handheld with its journal written already; `acknowledged` is what the server has told it."""

    device_id: str
    secret: bytes
    records: list[bytes] = field(default_factory=list)
    chains: list[bytes] = field(default_factory=lambda: [record.GENESIS])
    acknowledged: int = 0

    def write(self, count: int, now_unix: int, place: str, people: list[bytes]) -> None:
        """Append `count` records, a second apart, of `people` in turn."""
        for _ in range(count):
            seq = len(self.records) + 1
            raw = record.encode(
                {
                    record.SEQ: seq,
                    record.TIME: now_unix - 2_000 + seq,
                    record.CLOCK: 0,
                    record.DEVICE: self.device_id,
                    record.PLACE: place,
                    record.SCENE: "registered_venue",
                    record.DIRECTION: seq & 1,
                    record.SUB: people[seq % len(people)],
                    record.KIND: 1,
                    record.CTI: secrets.token_bytes(8),
                    record.COLOUR: 0,
                    record.VERDICT: 0,
                    record.REASONS: [],
                    record.TEMPERATURE: [3470, 2400, 3660],
                    record.MASK: 1,
                }
            )
            self.records.append(raw)
            self.chains.append(record.chain(self.chains[-1], raw))

    def body(self, first: int, count: int) -> tuple[bytes, bytes]:
        """A sync request with `count` records from `first` on, and its nonce."""
        nonce = secrets.token_bytes(16)
        records = self.records[first - 1 : first - 1 + count]
        made = message.encode_sync_request(
            self.device_id, self.secret, first, self.chains[first - 1], records, 0, 0, nonce
        )
        return made, nonce


def enrol(store: Store, count: int, now_unix: int) -> list[Uploader]:
    """So many new handhelds."""
    found = []
    for number in range(count):
        token = store.create_token(f"Place {number // 2}", "registered_venue", now_unix, 3_600)
        device = store.enrol(token, number.to_bytes(4, "big"), "bench", now_unix)
        found.append(Uploader(device.id, device.secret))
    return found


async def upload(handheld: Uploader, ports: list[int], tls: ssl.SSLContext, batch: int, start: int) -> int:
    """Send all that a handheld has; the ports are tried in turn. Returns how often it had to repeat."""
    repeats, turn = 0, start
    ready = {
        first: handheld.body(first, batch)
        for first in range(handheld.acknowledged + 1, len(handheld.records) + 1, batch)
    }
    while handheld.acknowledged < len(handheld.records):
        try:
            await asyncio.wait_for(_session(handheld, ports[turn % len(ports)], tls, batch, ready), 600)
        except (OSError, asyncio.IncompleteReadError, ConnectionError, asyncio.TimeoutError, ValueError):
            repeats += 1
            turn += 1
            await asyncio.sleep(PAUSE_S)
    return repeats


async def _session(
    handheld: Uploader, port: int, tls: ssl.SSLContext, batch: int, ready: dict[int, tuple[bytes, bytes]]
) -> None:
    """One connection, for as long as it holds."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls, server_hostname="localhost")
    try:
        while handheld.acknowledged < len(handheld.records):
            first = handheld.acknowledged + 1
            body, nonce = ready.pop(first) if first in ready else handheld.body(first, batch)
            head = f"POST /v1/sync HTTP/1.1\r\nhost: localhost\r\ncontent-length: {len(body)}\r\n\r\n"
            writer.write(head.encode() + body)
            answer = await asyncio.wait_for(_answer(reader), TIMEOUT_S)
            acknowledged = message.parse_sync_reply(answer, nonce).acknowledged
            if acknowledged < handheld.acknowledged:
                raise AssertionError("the server has forgotten what it acknowledged")
            handheld.acknowledged = acknowledged
    finally:
        writer.close()
        with contextlib.suppress(OSError, asyncio.TimeoutError):
            await asyncio.wait_for(writer.wait_closed(), 1)


async def _answer(reader: asyncio.StreamReader) -> bytes:
    """The body of an answer of status 200. Raises ValueError for another."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    at = head.index(b"content-length:") + 15
    body = await reader.readexactly(int(head[at : head.index(b"\r\n", at)]))
    if b" 200 " not in head[:16]:
        raise ValueError("refused")
    return body


async def upload_all(handhelds: list[Uploader], ports: list[int], tls: ssl.SSLContext, batch: int) -> int:
    """All of them at once; how many exchanges had to be repeated."""
    jobs = (upload(one, ports, tls, batch, at) for at, one in enumerate(handhelds))
    return sum(await asyncio.gather(*jobs))
