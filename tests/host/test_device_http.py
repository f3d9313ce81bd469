"""The handheld's HTTPS client under MicroPython, against TLS servers that behave well and badly."""

from __future__ import annotations

import datetime
import hashlib
import ipaddress
import json
import os
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT, micropython
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

pytestmark = pytest.mark.real_time

UNREACHABLE, CERTIFICATE, TIMEOUT, TOO_LARGE, PROTOCOL = 1, 2, 3, 4, 5
NOW = datetime.datetime.now(datetime.timezone.utc)
DAY = datetime.timedelta(days=1)


class Authority:
    """A CA with its certificate in a file, and servers' certificates from it."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        certificate = self._certificate(self._name, self._key, NOW - DAY, NOW + 300 * DAY, None)
        self.path = folder / f"{name}.der"
        self.path.write_bytes(certificate.public_bytes(serialization.Encoding.DER))

    def _certificate(
        self,
        subject: x509.Name,
        key: ec.EllipticCurvePrivateKey,
        start: datetime.datetime,
        end: datetime.datetime,
        names: list[x509.GeneralName] | None,
    ) -> x509.Certificate:
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(start)
            .not_valid_after(end)
            .add_extension(x509.BasicConstraints(ca=names is None, path_length=None), critical=True)
        )
        if names is not None:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return builder.sign(self._key, hashes.SHA256())

    def server(
        self, name: str, start: datetime.datetime = NOW - DAY, end: datetime.datetime = NOW + DAY
    ) -> ssl.SSLContext:
        key = ec.generate_private_key(ec.SECP256R1())
        try:
            names: list[x509.GeneralName] = [x509.IPAddress(ipaddress.ip_address(name))]
        except ValueError:
            names = [x509.DNSName(name)]
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        certificate = self._certificate(subject, key, start, end, names)
        pem = self._folder / f"server-{certificate.serial_number}.pem"
        pem.write_bytes(
            certificate.public_bytes(serialization.Encoding.PEM)
            + key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem)
        return context


def read_request(connection: Any) -> tuple[bytes, bytes]:
    data = b""
    while b"\r\n\r\n" not in data:
        data += connection.recv(4096)
    head, _, body = data.partition(b"\r\n\r\n")
    length = next(int(line[15:]) for line in head.split(b"\r\n") if line.startswith(b"Content-Length:"))
    while len(body) < length:
        body += connection.recv(65536)
    return head, body


class Server:
    """Serves each connection in a thread by `behave`, after the TLS handshake if there is a context."""

    def __init__(self, context: ssl.SSLContext | None, behave: Callable[[Any], None]) -> None:
        self._context = context
        self._behave = behave
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self.requests: list[tuple[bytes, bytes]] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                plain, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(plain,), daemon=True).start()

    def _serve(self, plain: socket.socket) -> None:
        plain.settimeout(10)
        try:
            connection = self._context.wrap_socket(plain, server_side=True) if self._context else plain
            self._behave(connection)
            connection.close()
        except OSError:
            pass  # the client may go at any time
        finally:
            plain.close()

    def close(self) -> None:
        self._socket.close()


def answering(answer: bytes, sink: list[tuple[bytes, bytes]] | None = None) -> Callable[[Any], None]:
    def behave(connection: Any) -> None:
        request = read_request(connection)
        if sink is not None:
            sink.append(request)
        connection.sendall(answer)

    return behave


def ok(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nServer: t\r\ncontent-length: %d\r\n\r\n" % len(body) + body


@pytest.fixture(scope="module")
def ca(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"), "yima-test")


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    servers: list[Server] = []

    def make(context: ssl.SSLContext | None, behave: Callable[[Any], None]) -> Server:
        servers.append(Server(context, behave))
        return servers[-1]

    yield make
    for server in servers:
        server.close()


def post(
    url: str, ca_path: Path, length: int = 300, timeout_ms: int = 5000, limit: int = 66_000, how: str = ""
) -> dict[str, Any]:
    result = subprocess.run(
        [
            micropython(),
            "-X",
            "heapsize=300k",
            str(ROOT / "tests/host/device_http_client.py"),
            *(url, str(ca_path), str(length), str(timeout_ms), str(limit), how),
        ],
        env={**os.environ, "MICROPYPATH": f"{ROOT}:.frozen", "TZ": "UTC"},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    outcome: dict[str, Any] = json.loads(result.stdout.splitlines()[-1])
    assert outcome["leaked"] == 0
    return outcome


def is_body(outcome: dict[str, Any], body: bytes) -> bool:
    return bool(outcome["length"] == len(body) and outcome["sha256"] == hashlib.sha256(body).hexdigest())


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
@pytest.mark.parametrize(("sent", "received"), [(0, 0), (300, 5), (16_384, 700), (65_536, 66_000)])
def test_exchange(ca: Authority, serve: Any, host: str, sent: int, received: int) -> None:
    requests: list[tuple[bytes, bytes]] = []
    body = os.urandom(received)
    server = serve(ca.server(host), answering(ok(body), requests))
    outcome = post(f"https://{host}:{server.port}/v1/sync", ca.path, sent)
    assert outcome.get("status") == 200, outcome
    assert is_body(outcome, body)
    head, got = requests[0]
    assert got == bytes(i * 7 & 255 for i in range(sent))
    lines = head.decode().split("\r\n")
    assert lines[0] == "POST /v1/sync HTTP/1.1"
    assert f"Host: {host}:{server.port}" in lines
    assert "Content-Type: application/cbor" in lines
    assert "Connection: close" in lines


def test_other_status_and_early_answer(ca: Authority, serve: Any) -> None:
    answer = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 4\r\nConnection: close\r\n\r\nnope"
    server = serve(ca.server("localhost"), answering(answer))
    outcome = post(f"https://localhost:{server.port}/", ca.path)
    assert outcome["status"] == 401 and is_body(outcome, b"nope")


def test_body_in_pieces(ca: Authority, serve: Any) -> None:
    def behave(connection: Any) -> None:
        read_request(connection)
        for byte in ok(b"in pieces"):
            connection.sendall(bytes([byte]))
            time.sleep(0.002)

    server = serve(ca.server("localhost"), behave)
    outcome = post(f"https://localhost:{server.port}/", ca.path)
    assert is_body(outcome, b"in pieces")


@pytest.mark.parametrize("received", [0, 5, 700, 1_048_576])
def test_body_into_a_sink(ca: Authority, serve: Any, received: int) -> None:
    """However long it is: more than the client's whole heap."""
    body = os.urandom(received)
    server = serve(ca.server("localhost"), answering(ok(body)))
    outcome = post(
        f"https://localhost:{server.port}/", ca.path, limit=received, timeout_ms=20_000, how="sink"
    )
    assert outcome.get("status") == 200 and outcome["length"] == 0, outcome
    assert outcome["sunk"] == received and outcome["sunk_sha256"] == hashlib.sha256(body).hexdigest()
    assert outcome["longest"] <= 512 + 512


def test_a_sink_takes_nothing_but_the_whole_truth(ca: Authority, serve: Any) -> None:
    refusal = b"HTTP/1.1 404 Not Found\r\nContent-Length: 40\r\n\r\n" + b"x" * 40
    for answer, limit, expected in (
        (refusal, 10, {"status": 404}),
        (ok(b"x" * 11), 10, {"kind": TOO_LARGE}),
        (ok(b"x" * 9000)[:-1], 9000, {"kind": PROTOCOL}),
    ):
        server = serve(ca.server("localhost"), answering(answer))
        outcome = post(f"https://localhost:{server.port}/", ca.path, limit=limit, how="sink")
        assert expected.items() <= outcome.items(), outcome
        assert outcome["sunk"] == (8999 if limit == 9000 else 0), "what came is kept, to go on from there"


def test_a_sink_that_fails(ca: Authority, serve: Any) -> None:
    server = serve(ca.server("localhost"), answering(ok(b"x" * 90_000)))
    outcome = post(f"https://localhost:{server.port}/", ca.path, limit=90_000, how="full")
    assert outcome["full"] and outcome["sunk"] < 4000


def test_refused_certificates(ca: Authority, serve: Any, tmp_path: Path) -> None:
    foreign = Authority(tmp_path, "somebody-else")
    bad = {
        "wrong CA": foreign.server("localhost"),
        "wrong name": ca.server("elsewhere.example"),
        "wrong address": ca.server("127.0.0.9"),
        "expired": ca.server("localhost", NOW - 3 * DAY, NOW - DAY / 24),
        "not yet valid": ca.server("localhost", NOW + DAY, NOW + 3 * DAY),
    }
    for what, context in bad.items():
        requests: list[tuple[bytes, bytes]] = []
        server = serve(context, answering(ok(b""), requests))
        outcome = post(f"https://localhost:{server.port}/", ca.path)
        assert outcome.get("kind") == CERTIFICATE, (what, outcome)
        assert "\n" not in outcome["message"]
        assert not requests, what


def test_broken_ca(ca: Authority, tmp_path: Path) -> None:
    for junk in (b"", b"\x30\x82junk", ca.path.read_bytes()[:-5]):
        path = tmp_path / "junk.der"
        path.write_bytes(junk)
        assert post("https://localhost:1/", path)["kind"] == CERTIFICATE


def test_nobody_there(ca: Authority) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    assert post(f"https://127.0.0.1:{port}/", ca.path)["kind"] == UNREACHABLE
    assert post("https://no-such-host.invalid/", ca.path)["kind"] == UNREACHABLE


def slow(stage: str) -> Callable[[Any], None]:
    def behave(connection: Any) -> None:
        read_request(connection)
        if stage == "header":
            connection.sendall(b"HTTP/1.1 200 OK\r\n")
        if stage == "body":
            connection.sendall(ok(b"x" * 1000)[:-500])
        if stage == "drip":
            connection.sendall(b"HTTP/1.1 200 OK\r\nx: ")
            for _ in range(200):
                connection.sendall(b"y")
                time.sleep(0.05)
        time.sleep(5)

    return behave


@pytest.mark.parametrize("stage", ["answer", "header", "body", "drip"])
def test_slow_answer(ca: Authority, serve: Any, stage: str) -> None:
    server = serve(ca.server("localhost"), slow(stage))
    outcome = post(f"https://localhost:{server.port}/", ca.path, timeout_ms=700)
    assert outcome.get("kind") == TIMEOUT, outcome
    assert 650 < outcome["ms"] < 1500
    # other tasks went on meanwhile
    assert outcome["beats"] > 60


def test_slow_handshake_and_full_backlog(ca: Authority, serve: Any) -> None:
    server = serve(None, lambda connection: time.sleep(5))
    assert post(f"https://localhost:{server.port}/", ca.path, timeout_ms=500)["kind"] == TIMEOUT
    # a listener that never accepts: what does not fit its backlog is never answered
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        address = deaf.getsockname()
        fillers = []
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(address)
            fillers.append(filler)
        outcome = post(f"https://127.0.0.1:{address[1]}/", ca.path, timeout_ms=500)
        assert outcome["kind"] == TIMEOUT and outcome["ms"] < 1000
        for filler in fillers:
            filler.close()


def test_server_that_does_not_take_the_request(ca: Authority, serve: Any) -> None:
    server = serve(ca.server("localhost"), lambda connection: time.sleep(5))
    outcome = post(f"https://localhost:{server.port}/", ca.path, 8_000_000 // 40, timeout_ms=700)
    assert outcome["kind"] == TIMEOUT


BAD_ANSWERS = {
    "nothing": (b"", PROTOCOL),
    "half a header": (b"HTTP/1.1 200 OK\r\nContent-Le", PROTOCOL),
    "half a body": (ok(b"x" * 100)[:-1], PROTOCOL),
    "garbage": (bytes(range(256)) * 8 + b"\r\n\r\n", PROTOCOL),
    "not HTTP": (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", PROTOCOL),
    "bad status": (b"HTTP/1.1 2x0 OK\r\nContent-Length: 0\r\n\r\n", PROTOCOL),
    "no length": (b"HTTP/1.1 200 OK\r\n\r\nhello", PROTOCOL),
    "chunked": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", PROTOCOL),
    "both": (
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\nhello",
        PROTOCOL,
    ),
    "two lengths": (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 4\r\n\r\nhello", PROTOCOL),
    "negative": (b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello", PROTOCOL),
    "endless length": (b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999\r\n\r\n", PROTOCOL),
    "line without colon": (b"HTTP/1.1 200 OK\r\nhello\r\nContent-Length: 0\r\n\r\n", PROTOCOL),
    "many lines": (b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 100 + b"Content-Length: 0\r\n\r\n", PROTOCOL),
    "long line": (b"HTTP/1.1 200 OK\r\nx: " + b"y" * 3_000_000, TOO_LARGE),
    "long header": (b"HTTP/1.1 200 OK\r\n" + b"abc: defgh\r\n" * 300_000, TOO_LARGE),
    "announced too long": (b"HTTP/1.1 200 OK\r\nContent-Length: 66001\r\n\r\n", TOO_LARGE),
}


@pytest.mark.parametrize("what", BAD_ANSWERS)
def test_bad_answers(ca: Authority, serve: Any, what: str) -> None:
    answer, kind = BAD_ANSWERS[what]
    server = serve(ca.server("localhost"), answering(answer))
    outcome = post(f"https://localhost:{server.port}/", ca.path)
    assert outcome.get("kind") == kind, outcome


def test_no_tls_server(ca: Authority, serve: Any) -> None:
    def behave(connection: Any) -> None:
        connection.recv(100)
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n" * 20)

    server = serve(None, behave)
    assert post(f"https://localhost:{server.port}/", ca.path)["kind"] == PROTOCOL


def test_reset_connection(ca: Authority, serve: Any) -> None:
    def behave(connection: Any) -> None:
        connection.recv(100)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")

    server = serve(None, behave)
    assert post(f"https://localhost:{server.port}/", ca.path)["kind"] in (UNREACHABLE, PROTOCOL)


def test_bad_addresses(ca: Authority) -> None:
    for url in (
        "http://localhost/",
        "https://",
        "https:///x",
        "https://localhost:0/",
        "https://localhost:x/",
        "https://localhost:65536/",
        "https://a b/",
        "https://localhost/\r\nX: y",
        "https://user@localhost/",
    ):
        assert post(url, ca.path)["kind"] == PROTOCOL, url
