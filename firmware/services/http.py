"""HTTPS/1.1 for one exchange: POST a body, read a bounded answer, close.

The server's certificate must come from the given CA and carry the name of the URL. One deadline covers
everything from the connection to the last byte of the answer, and everything the server sends has a limit
before it is read (RFC 9112; only Content-Length framing: a chunked answer is refused). Name resolution alone
cannot be interrupted: `socket.getaddrinfo` blocks in MicroPython.
"""

import asyncio
import errno
import select
import socket
import ssl
import time

if False:
    from typing import Any, Awaitable, Callable, Protocol

    Pause = Callable[[], Awaitable[None]]

    class Sink(Protocol):
        """Takes an answer's body piece by piece."""

        def write(self, data: "bytes | bytearray | memoryview") -> None:
            """The next bytes; what it raises ends the exchange."""


UNREACHABLE = 1
CERTIFICATE = 2
TIMEOUT = 3
TOO_LARGE = 4
PROTOCOL = 5

MAX_HEADER_BYTES = 4_096
MAX_HEADER_LINES = 64
_WRITE_BYTES = 1_024
_READ_BYTES = 512
_CONNECT_POLL_MS = 20
_HANDSHAKE_POLL_MS = 10
#: MBEDTLS_ERR_X509_CERT_VERIFY_FAILED and MBEDTLS_ERR_SSL_BAD_CERTIFICATE (Mbed TLS 3.6, x509.h and ssl.h).
_CERTIFICATE_ERRORS = (-0x2700, -0x7A00)


class HttpError(Exception):
    """The exchange failed. `kind` is UNREACHABLE, CERTIFICATE, TIMEOUT, TOO_LARGE or PROTOCOL."""

    def __init__(self, kind: int, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class _Deadline:
    """A moment in ticks."""

    def __init__(self, timeout_ms: int) -> None:
        self._end_ms = time.ticks_add(time.ticks_ms(), timeout_ms)

    def left_ms(self) -> int:
        """Milliseconds until then. Raises HttpError if none are left."""
        left_ms = time.ticks_diff(self._end_ms, time.ticks_ms())
        if left_ms <= 0:
            raise HttpError(TIMEOUT, "server too slow")
        return left_ms

    async def bound(self, waiting: "Awaitable[Any]") -> "Any":
        """Wait for something no longer than until then. Raises HttpError."""
        try:
            return await asyncio.wait_for_ms(waiting, self.left_ms())
        except asyncio.TimeoutError:
            raise HttpError(TIMEOUT, "server too slow") from None


def split_url(url: str) -> "tuple[str, int, str]":
    """Host, port and path of an ``https`` URL. Raises HttpError for any other."""
    if not url.startswith("https://"):
        raise HttpError(PROTOCOL, "not an https address")
    authority, slash, path = url[8:].partition("/")
    host, colon, port = authority.partition(":")
    if colon and not (port.isdigit() and 0 < int(port) < 65536):
        raise HttpError(PROTOCOL, "bad port")
    for character in url:
        # Anything else could end the request line or a header early.
        if not 0x21 <= ord(character) <= 0x7E:
            raise HttpError(PROTOCOL, "bad address")
    if not host or "@" in host:
        raise HttpError(PROTOCOL, "bad address")
    return host, int(port) if colon else 443, slash + path or "/"


async def no_pause() -> None:
    """Nothing else is more urgent than the exchange."""


async def post(
    url: str,
    body: bytes,
    content_type: str,
    ca_der: "bytes | None",
    timeout_ms: int,
    limit: int,
    sink: "Sink | None" = None,
    pause: "Pause" = no_pause,
) -> "tuple[int, bytes]":
    """Status and body of the answer, the body at most `limit` bytes. Raises HttpError.

    With `ca_der` None anybody may answer: for what is checked by other means, and holds no secret.
    With a `sink` the body of a good answer (200) goes there as it comes, and that of another one nowhere.
    `pause` is awaited before every piece of work: it returns when there is nothing more urgent.
    """
    host, port, path = split_url(url)
    deadline = _Deadline(timeout_ms)
    await pause()
    context = _context(ca_der)
    plain = await _connect(host, port, deadline)
    stream = plain
    try:
        stream = context.wrap_socket(plain, server_hostname=host, do_handshake_on_connect=False)
        stream.setblocking(False)
        request = "POST %s HTTP/1.1\r\nHost: %s:%d\r\nContent-Type: %s\r\nContent-Length: %d\r\n" % (
            path,
            host,
            port,
            content_type,
            len(body),
        )
        head = (request + "Connection: close\r\n\r\n").encode()
        await deadline.bound(_send(stream, head, body, pause))
        answer: "tuple[int, bytes]" = await deadline.bound(
            _receive(asyncio.StreamReader(stream), limit, sink, pause)
        )
        return answer
    except ValueError as e:
        # What MicroPython raises for a certificate that does not check out; the text is Mbed TLS's own.
        raise HttpError(CERTIFICATE, "certificate refused: " + _one_line(e)) from None
    except OSError as e:
        raise _classified(e) from None
    finally:
        stream.close()
        plain.close()


def _context(ca_der: "bytes | None") -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if ca_der is None:
        context.verify_mode = ssl.CERT_NONE  # type: ignore[attr-defined]
        return context
    context.verify_mode = ssl.CERT_REQUIRED  # type: ignore[attr-defined]
    try:
        context.load_verify_locations(cadata=ca_der)
    except (ValueError, OSError):
        raise HttpError(CERTIFICATE, "CA certificate does not read") from None
    return context


async def _connect(host: str, port: int, deadline: _Deadline) -> socket.socket:
    """A connected TCP socket.

    Not asyncio.open_connection: when that is cut short by a timeout its socket stays open until the garbage
    collector comes by, and the ESP32 has few.
    """
    try:
        address = socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM)[0]
        plain = socket.socket(address[0], address[1], address[2])
    except (OSError, IndexError):
        raise HttpError(UNREACHABLE, "server not found") from None
    connected = False
    try:
        plain.setblocking(False)
        try:
            plain.connect(address[-1])
        except OSError as e:
            if e.errno != errno.EINPROGRESS:
                raise
        poll = select.poll()
        poll.register(plain, select.POLLOUT)
        while True:
            events = poll.poll(0)
            if events:
                if events[0][1] & (select.POLLERR | select.POLLHUP):
                    raise HttpError(UNREACHABLE, "server not reachable")
                connected = True
                return plain
            deadline.left_ms()
            await asyncio.sleep_ms(_CONNECT_POLL_MS)
    except OSError:
        raise HttpError(UNREACHABLE, "server not reachable") from None
    finally:
        if not connected:
            plain.close()


async def _send(stream: "ssl.SSLSocket", head: bytes, body: bytes, pause: "Pause") -> None:
    """Write the request; the first writes do the handshake, a flight of messages each.

    Not by a StreamWriter, which would go on the moment that the next flight is there: the sums in between
    take long, and cannot be sliced.
    """
    at = 0
    while at < len(head):
        await pause()
        count = stream.write(head[at:])
        if count:
            at += count
        else:
            await asyncio.sleep_ms(_HANDSHAKE_POLL_MS)
    writer = asyncio.StreamWriter(stream, {})
    view = memoryview(body)
    for start in range(0, len(body), _WRITE_BYTES):
        await pause()
        writer.write(view[start : start + _WRITE_BYTES])
        await writer.drain()


async def _receive(
    reader: asyncio.StreamReader, limit: int, sink: "Sink | None", pause: "Pause"
) -> "tuple[int, bytes]":
    received = bytearray()
    while True:
        end = received.find(b"\r\n\r\n")
        if end >= 0:
            break
        if len(received) > MAX_HEADER_BYTES:
            raise HttpError(TOO_LARGE, "answer's header too long")
        await pause()
        data = await reader.read(_READ_BYTES)
        if not data:
            raise HttpError(PROTOCOL, "answer cut short")
        received += data
    status, length = _parse_head(bytes(received[:end]))
    if sink is not None and status != 200:
        return status, b""
    if length > limit:
        raise HttpError(TOO_LARGE, "answer too long")
    got = min(len(received) - end - 4, length)
    if sink is not None:
        sink.write(received[end + 4 : end + 4 + got])
        del received
        room = memoryview(bytearray(_READ_BYTES))
        while got < length:
            await pause()
            count = await reader.readinto(room[: length - got])
            if not count:
                raise HttpError(PROTOCOL, "answer cut short")
            sink.write(room[:count])
            got += count
        return status, b""
    body = bytearray(length)
    body[:got] = received[end + 4 : end + 4 + got]
    view = memoryview(body)
    while got < length:
        count = await reader.readinto(view[got:])
        if not count:
            raise HttpError(PROTOCOL, "answer cut short")
        got += count
    return status, bytes(body)


def _parse_head(head: bytes) -> "tuple[int, int]":
    """Status and content length. Raises HttpError."""
    lines = head.split(b"\r\n")
    first = lines[0].split(b" ", 2)
    if len(first) < 2 or first[0] not in (b"HTTP/1.1", b"HTTP/1.0") or len(first[1]) != 3:
        raise HttpError(PROTOCOL, "not an HTTP answer")
    if len(lines) > MAX_HEADER_LINES or not first[1].isdigit():
        raise HttpError(PROTOCOL, "not an HTTP answer")
    length = -1
    for line in lines[1:]:
        name, colon, value = line.partition(b":")
        name = name.lower()
        value = value.strip()
        if not colon:
            raise HttpError(PROTOCOL, "bad header in answer")
        if name == b"transfer-encoding":
            raise HttpError(PROTOCOL, "answer without a length")
        if name == b"content-length":
            # Two lengths, a sign or a list would let two readers disagree about where the answer ends.
            if length >= 0 or not value.isdigit() or len(value) > 9:
                raise HttpError(PROTOCOL, "bad length of answer")
            length = int(value)
    if length < 0:
        raise HttpError(PROTOCOL, "answer without a length")
    return int(first[1]), length


def _classified(error: OSError) -> HttpError:
    number = error.errno or 0
    if number in _CERTIFICATE_ERRORS:
        return HttpError(CERTIFICATE, "certificate refused")
    if number < 0:
        # Mbed TLS's own numbers are negative; what fails here is no TLS server, or one of another version.
        return HttpError(PROTOCOL, "no secure connection: error %d" % number)
    return HttpError(UNREACHABLE, "connection lost: error %d" % number)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:120]
