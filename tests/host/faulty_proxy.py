"""A proxy between a handheld and the fleet server that does to exchanges what networks and attackers do.

On two levels. Below TLS it drops, delays, cuts, resets and corrupts bytes that it cannot read. Above TLS it
is a balancer with a certificate of the server's own CA, gone bad: it reads requests and answers, and repeats,
keeps, reorders, cuts, changes, forges and loses them. One fault an exchange; what did not come to pass (the
exchange was shorter) is tried again later, so `done` counts faults that happened.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import ssl
import struct
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass, field

from firmware.core import cbor, cose

#: Shares of the faults. Those for which the handheld sits out its whole time are few.
WIRE = {
    "drop": 4,
    "reset": 4,
    "silence": 1,
    "cut request": 6,
    "cut answer": 6,
    "reset in request": 6,
    "reset in answer": 6,
    "corrupt request": 8,
    "corrupt answer": 8,
    "delay request": 3,
    "delay answer": 3,
}
ABOVE = {
    "duplicated request": 8,
    "replayed request": 8,
    "reordered request": 8,
    "short request": 5,
    "changed request": 8,
    "lost answer": 10,
    "late answer": 1,
    "answer of before": 6,
    "broken answer": 6,
    "short answer": 6,
    "changed answer": 10,
    "changed head": 6,
    "forged answer": 6,
    "another status": 6,
    "endless answer": 4,
}
LIMIT_S = 10.0
CLOSING_S = 0.05
_COSE = b'application/cose; cose-type="cose-mac0"'

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Lost(Exception):
    """The connection to the handheld ends here, without a word."""


@dataclass
class Fault:
    """What shall happen to one exchange, and whether it did. `at` counts bytes from the beginning."""

    kind: str
    at: int = 0
    happened: bool = False


@dataclass
class Proxy:
    """Listens on `port` once it is `running`; the server listens on `server_port`.

    `server_tls` has the certificate that the handheld is shown, `client_tls` believes the server's. At least
    `wanted` exchanges go wrong, as `dice` has it.
    """

    dice: random.Random
    wanted: int
    server_port: int
    server_tls: ssl.SSLContext
    client_tls: ssl.SSLContext
    port: int = 0
    exchanges: int = 0
    done: Counter[str] = field(default_factory=Counter)
    requests: list[bytes] = field(default_factory=list)
    errors: list[BaseException] = field(default_factory=list)

    def __post_init__(self) -> None:
        shares = {**WIRE, **ABOVE}
        total = sum(shares.values())
        kinds = [kind for kind, share in shares.items() for _ in range(-(-share * self.wanted // total))]
        self.dice.shuffle(kinds)
        # Of the rare ones there is one at least, so they are some more than asked for.
        self._deck = deque(kinds)
        self.wanted = len(kinds)
        self._inner_port = 0
        self._told: dict[int, Fault] = {}
        self._answers: list[bytes] = []
        self._held: list[bytes] = []
        self._idle: list[Streams] = []

    @property
    def faulty(self) -> int:
        """How many faults happened."""
        return sum(self.done.values())

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Serve for as long as the block takes; nothing unforeseen may have come up in it."""
        inner = await asyncio.start_server(self._guarded(self._balance), "127.0.0.1", 0, ssl=self.server_tls)
        outer = await asyncio.start_server(self._guarded(self._accept), "127.0.0.1", 0)
        self._inner_port = inner.sockets[0].getsockname()[1]
        self.port = outer.sockets[0].getsockname()[1]
        try:
            yield
        finally:
            for server in (outer, inner):
                server.close()
            self.forget()
        assert not self.errors, self.errors

    def forget(self) -> None:
        """Drop what is open to the server, which may have died."""
        for _, writer in self._idle:
            writer.close()
        self._idle.clear()

    def _guarded(
        self, handler: Callable[..., Coroutine[None, None, None]]
    ) -> Callable[..., Coroutine[None, None, None]]:
        """The handler of a connection: what a network may do ends it, anything else is an error of ours."""

        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                await handler(reader, writer)
            except (OSError, EOFError, Lost, asyncio.TimeoutError):
                pass
            except Exception as e:  # noqa: BLE001  kept for the test
                self.errors.append(e)
            finally:
                writer.close()

        return handle

    def _draw(self) -> Fault:
        """What comes next; every eighth exchange is left in peace, so that there is progress."""
        self.exchanges += 1
        if not self._deck or not self.dice.randrange(8):
            return Fault("")
        kind = self._deck.popleft()
        # A handshake is some 1,000 bytes each way; the middle of the whole is where things are worth hitting.
        most = 3000 if kind.endswith("request") else 1500
        return Fault(kind, self.dice.randrange(most))

    def _settle(self, fault: Fault) -> None:
        if fault.happened:
            self.done[fault.kind] += 1
        elif fault.kind:
            self._deck.insert(self.dice.randrange(len(self._deck) + 1), fault.kind)

    # ------------------------------------------------------------------ below TLS

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        fault = self._draw()
        try:
            await self._wire(fault, reader, writer)
        finally:
            self._settle(fault)

    async def _wire(self, fault: Fault, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if fault.kind in ("drop", "reset", "silence"):
            fault.happened = True
            if fault.kind == "reset":
                _reset(writer)
            elif fault.kind == "silence":
                while await asyncio.wait_for(reader.read(4096), LIMIT_S):
                    pass
            return
        above = fault.kind in ABOVE
        port = self._inner_port if above else self.server_port
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
        ours = far_writer.get_extra_info("sockname")[1]
        if above:
            self._told[ours] = fault
        up = fault if fault.kind in WIRE and fault.kind.endswith("request") else None
        down = fault if fault.kind in WIRE and fault.kind.endswith("answer") else None
        up_pump = asyncio.ensure_future(self._pump(reader, far_writer, writer, up))
        down_pump = asyncio.ensure_future(self._pump(far_reader, writer, far_writer, down))
        try:
            # It is over when the handheld says so; where the server does, the handheld hears of it.
            await asyncio.wait([up_pump], timeout=2 * LIMIT_S)
        finally:
            for pump in (up_pump, down_pump):
                pump.cancel()
            await asyncio.gather(up_pump, down_pump, return_exceptions=True)
            far_writer.close()
            self._told.pop(ours, None)

    async def _pump(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        back: asyncio.StreamWriter,
        fault: Fault | None,
    ) -> None:
        """Carry bytes one way; the fault strikes where its byte comes by."""
        seen = 0
        while data := await reader.read(4096):
            if fault and seen <= fault.at < seen + len(data):
                writer.write(data[: fault.at - seen])
                await writer.drain()
                data = await self._strike(fault, data[fault.at - seen :], writer, back)
                seen = fault.at
            seen += len(data)
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()

    async def _strike(
        self, fault: Fault, data: bytes, writer: asyncio.StreamWriter, back: asyncio.StreamWriter
    ) -> bytes:
        fault.happened = True
        if fault.kind.startswith("corrupt"):
            return bytes([data[0] ^ 1 << self.dice.randrange(8)]) + data[1:]
        if fault.kind.startswith("delay"):
            await asyncio.sleep(self.dice.uniform(0.02, 0.2))
            return data
        for end in (writer, back):
            if fault.kind.startswith("reset"):
                _reset(end)
            else:
                end.close()
        raise Lost

    # ------------------------------------------------------------------ above TLS

    async def _balance(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One exchange, read and passed on as its fault wants it."""
        peer = writer.get_extra_info("peername")[1]
        fault = self._told.get(peer, Fault(""))
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), LIMIT_S)
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
        body = await asyncio.wait_for(reader.readexactly(length), LIMIT_S)
        status, answer = await self._exchange(fault, body, reader)
        reply = b"HTTP/1.1 %d X\r\ncontent-type: %s\r\n" % (status, _COSE)
        size = b"content-length: %d\r\n" % len(answer)
        if fault.kind == "endless answer":
            fault.happened = True
            size = self.dice.choice(
                [
                    b"",
                    b"transfer-encoding: chunked\r\n",
                    size * 2,
                    b"content-length: 99999999\r\n",
                    b"x" * 9000,
                ]
            )
        reply += size + b"\r\n"
        if fault.kind == "changed head":
            fault.happened = True
            reply = self._changed(reply)
        elif fault.kind == "broken answer":
            fault.happened = True
            reply, answer = (reply + answer)[: self.dice.randrange(len(reply) + len(answer))], b""
        writer.write(reply + answer)
        await writer.drain()
        writer.close()
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(writer.wait_closed(), CLOSING_S)
        # A server does not wait for ever until the other side ends its TLS as well.
        writer.transport.abort()

    async def _exchange(self, fault: Fault, body: bytes, reader: asyncio.StreamReader) -> tuple[int, bytes]:
        """What the handheld is told. Raises Lost where it is told nothing."""
        kind, dice = fault.kind, self.dice
        if kind == "reordered request":
            fault.happened = True
            self._held.append(body)
            raise Lost
        if kind in ("short request", "changed request"):
            fault.happened = True
            return await self.forward(
                body[: dice.randrange(len(body))] if kind[0] == "s" else self._changed(body)
            )
        if kind == "another status":
            fault.happened = True
            if dice.randrange(2):
                await self.forward(body)
            return dice.choice([500, 502, 503, 429, 404, 302, 204, 100, 200]), b"<html>\xe5\x9d\x8f</html>"
        if kind == "replayed request" and self.requests:
            fault.happened = True
            await self.forward(dice.choice(self.requests))
        if kind == "duplicated request":
            fault.happened = True
            (status, answer), _ = await asyncio.gather(self.forward(body), self.forward(body))
        else:
            status, answer = await self.forward(body)
        if status != 200:
            return status, answer
        before = self._answers[-200:]
        self.requests.append(body)
        self._answers.append(answer)
        # What was kept back arrives after what was sent later.
        while self._held and dice.randrange(2):
            await self.forward(self._held.pop(dice.randrange(len(self._held))))
        if kind in ("lost answer", "late answer"):
            fault.happened = True
            if kind == "late answer":
                await asyncio.wait_for(reader.read(1), LIMIT_S)
            raise Lost
        if kind == "answer of before" and before:
            fault.happened = True
            return 200, dice.choice(before)
        if kind == "short answer":
            fault.happened = True
            return 200, answer[: dice.randrange(len(answer))]
        if kind == "changed answer":
            fault.happened = True
            return 200, self._changed(answer)
        if kind == "forged answer":
            fault.happened = True
            return 200, forged(answer, dice)
        return 200, answer

    def _changed(self, data: bytes) -> bytes:
        at = self.dice.randrange(len(data))
        return data[:at] + bytes([data[at] ^ 1 << self.dice.randrange(8)]) + data[at + 1 :]

    async def forward(self, body: bytes) -> tuple[int, bytes]:
        """The server's own answer, over a connection that is used again. Raises OSError, EOFError."""
        fresh = not self._idle
        streams = self._idle.pop() if self._idle else await self._open()
        try:
            answer = await asyncio.wait_for(self._ask(streams, body), LIMIT_S)
        except (OSError, EOFError):
            streams[1].close()
            if fresh:
                raise
            self.forget()
            return await self.forward(body)
        self._idle.append(streams)
        return answer

    async def _open(self) -> Streams:
        return await asyncio.open_connection(
            "127.0.0.1", self.server_port, ssl=self.client_tls, server_hostname="localhost"
        )

    async def _ask(self, streams: Streams, body: bytes) -> tuple[int, bytes]:
        reader, writer = streams
        writer.write(
            b"POST /v1/sync HTTP/1.1\r\nhost: localhost\r\ncontent-length: %d\r\n\r\n" % len(body) + body
        )
        await writer.drain()
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
        return int(head.split(b" ", 2)[1]), await reader.readexactly(length)


def forged(answer: bytes, dice: random.Random) -> bytes:
    """An answer that acknowledges more than the server did, with the tag of the true one or with another."""
    members = cbor.loads(answer)
    protected, unprotected, payload, tag = members.value
    fields = cbor.loads(payload)
    fields[1] += dice.choice([1, 2, 10])
    payload = cbor.dumps(fields)
    if dice.randrange(2):
        return cose.encode_mac0(bytes(32), b"x", payload)
    return cbor.dumps(cbor.Tag(17, [protected, unprotected, payload, tag]))


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close with RST and not in order."""
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
