"""Simulated handhelds that upload: their journals are written and sealed beforehand; they send batch after
batch, and repeat what fails.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import ssl
import time
from dataclasses import dataclass, field
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESCCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from firmware.core import cbor, message, record
from firmware.core.cose import parse_mac0
from host_tools.server.quick import verify_mac
from host_tools.server.sealing_keys import public_of
from host_tools.server.store import Store

TIMEOUT_S = 20.0
PAUSE_S = 0.05


class _Sealing:
    """AES-CCM and ECDH of `cryptography`, as the firmware uses its own; a segment holds 128 records."""

    RECORDS = 128

    def __init__(self, public: bytes, kid: bytes) -> None:
        self._peer = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), b"\x04" + public)
        self._kid = kid

    def begin(self, device_id: str, first: int) -> tuple[bytes, AESCCM, int]:
        """A new segment's head, its cipher, and its IV as a number (docs/formats.md, "Sealed journal")."""
        ephemeral = ec.generate_private_key(ec.SECP256R1())
        named = cbor.dumps({1: -25, 4: self._kid})
        context = cbor.dumps([10, [None] * 3, [None] * 3, [128, named]])
        shared = ephemeral.exchange(ec.ECDH(), self._peer)
        cipher = AESCCM(HKDF(SHA256(), 16, None, context).derive(shared), tag_length=8)
        iv = secrets.token_bytes(13)
        header = cbor.dumps({1: 10, -65537: [device_id, first]})
        tag = cipher.encrypt(iv, b"", cbor.dumps(["Encrypt", header, b""]))
        key = public_of(ephemeral)
        recipient = [named, {-1: {1: 2, -1: 1, -2: key[:32], -3: key[32:]}}, b""]
        head = cbor.dumps(cbor.Tag(96, [header, {5: iv}, tag, [recipient]]))
        return head, cipher, int.from_bytes(iv, "big")


@dataclass
class Uploader:
    """A handheld with its journal written already; `acknowledged` is what the server has told it."""

    device_id: str
    secret: bytes
    #: Records in plain, and as they lie sealed in the journal with the heads of their segments.
    records: list[bytes] = field(default_factory=list)
    sealed: list[bytes] = field(default_factory=list)
    heads: list[bytes] = field(default_factory=list)
    chains: list[bytes] = field(default_factory=lambda: [record.GENESIS])
    acknowledged: int = 0
    #: Requests made beforehand, by their first record: the clock does not run for them.
    ready: dict[int, tuple[bytes, bytes]] = field(default_factory=dict)

    def write(
        self, count: int, now_unix: int, place: str, people: list[bytes], server_key: tuple[bytes, bytes]
    ) -> None:
        """Append `count` records, a second apart, of `people` in turn, sealed for the server's key, kid."""
        sealing = _Sealing(*server_key)
        for number in range(count):
            seq = len(self.records) + 1
            raw = cbor.dumps(
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
            begins = number % sealing.RECORDS == 0
            if begins:
                first = seq
                head, cipher, iv = sealing.begin(self.device_id, first)
            before = self.chains[-1]
            outside = cbor.dumps([self.device_id, first, seq, before])
            covered = cbor.dumps(["Encrypt0", b"\xa1\x01\x0a", outside])
            ciphertext = cipher.encrypt((iv ^ seq).to_bytes(13, "big"), raw, covered)
            sealed = cbor.dumps([b"\xa1\x01\x0a", {6: seq.to_bytes(4, "big")}, ciphertext])
            self.records.append(raw)
            self.sealed.append(sealed)
            self.heads.append(head)
            self.chains.append(sha256(before + (head if begins else b"") + sealed).digest())

    def body(self, first: int, count: int) -> tuple[bytes, bytes]:
        """A sync request with `count` records from `first` on, and its nonce."""
        nonce = secrets.token_bytes(16)
        items: list[bytes] = []
        head = b""
        for index in range(first - 1, min(first - 1 + count, len(self.sealed))):
            if self.heads[index] != head:
                head = self.heads[index]
                items.append(head)
            items.append(self.sealed[index])
        made = message.encode_sync_request(
            self.device_id,
            self.secret,
            first,
            self.chains[first - 1],
            items,
            int(time.time()),
            0,
            nonce,
            True,
        )
        return made, nonce

    def prepare(self, batch: int) -> None:
        """Make the requests that it will send if none fails."""
        todo = range(self.acknowledged + 1, len(self.records) + 1, batch)
        self.ready = {first: self.body(first, batch) for first in todo}


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
    while handheld.acknowledged < len(handheld.records):
        try:
            await asyncio.wait_for(_session(handheld, ports[turn % len(ports)], tls, batch), 600)
        except (OSError, asyncio.IncompleteReadError, ConnectionError, asyncio.TimeoutError, ValueError):
            repeats += 1
            turn += 1
            await asyncio.sleep(PAUSE_S)
    return repeats


async def _session(handheld: Uploader, port: int, tls: ssl.SSLContext, batch: int) -> None:
    """One connection, for as long as it holds."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls, server_hostname="localhost")
    try:
        while handheld.acknowledged < len(handheld.records):
            first = handheld.acknowledged + 1
            ready = handheld.ready
            body, nonce = ready.pop(first) if first in ready else handheld.body(first, batch)
            head = f"POST /v1/sync HTTP/1.1\r\nhost: localhost\r\ncontent-length: {len(body)}\r\n\r\n"
            writer.write(head.encode() + body)
            answer = await asyncio.wait_for(_answer(reader), TIMEOUT_S)
            mac0 = parse_mac0(answer)
            if not verify_mac(mac0, handheld.secret):
                raise ValueError("not the server's answer")
            acknowledged = message.parse_sync_reply(mac0.payload, nonce).acknowledged
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
