"""The fleet server as a process: TLS, and what is left when it is killed at the worst moment."""

from __future__ import annotations

import contextlib
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import pytest
from fleetkit import PaperHandheld, open_store
from ports import free_port

from firmware.core import message
from host_tools.server.serve import open_pki
from host_tools.state import State

pytestmark = pytest.mark.real_time

ROOT = Path(__file__).resolve().parents[2]
#: Serves the device port, and kills itself before or after the commit of the first records.
KILLER = """
import os, signal, sys
from pathlib import Path
from sqlalchemy import event
from host_tools import serving
from host_tools.server import devices
from host_tools.server.serve import open_pki, open_store
from host_tools.state import State

state, port, when, count = State(Path(sys.argv[1])), int(sys.argv[2]), sys.argv[3], 0
store = open_store(state)

def inserting(connection, cursor, statement, parameters, context, executemany):
    global count
    count += statement.startswith("INSERT INTO record")

def dying(connection):
    if count:
        os.kill(os.getpid(), signal.SIGKILL)

event.listen(store.engine, "before_cursor_execute", inserting)
if when == "before":
    event.listen(store.engine, "commit", dying)
app = devices.make_app(store, devices.Bell())
if when == "after":
    real = devices.message.encode_sync_reply
    def encode(*arguments):
        dying(None)
        return real(*arguments)
    devices.message.encode_sync_reply = encode
serving.run([serving.Listener(app, port, open_pki(state).tls_context())])
"""


def wait_until_listening(port: int, process: subprocess.Popen) -> None:
    ends = time.monotonic() + 20
    while time.monotonic() < ends:
        assert process.poll() is None
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise AssertionError("the server does not listen")


@contextlib.contextmanager
def server(state: State, script: str | None = None, *arguments: str):
    port = free_port()
    if script is None:
        argv = ["-m", "host_tools.cli", "server", "serve", "--state", str(state.root), "--port", str(port)]
        argv += ["--console-port", str(free_port())]
    else:
        argv = ["-c", script, str(state.root), str(port), *arguments]
    process = subprocess.Popen([sys.executable, *argv], cwd=ROOT)
    try:
        wait_until_listening(port, process)
        yield port, process
    finally:
        process.terminate()
        assert process.wait(10) is not None


def client(state: State, port: int) -> httpx.Client:
    context = ssl.create_default_context(cadata=open_pki(state).ca_der)
    return httpx.Client(base_url=f"https://localhost:{port}", verify=context, trust_env=False)


@pytest.fixture
def state(tmp_path):
    return State(tmp_path / "yima")


@pytest.fixture
def handheld(state):
    store = open_store(state.server)
    try:
        return PaperHandheld.enrolled(store)
    finally:
        store.close()


def stored(state: State) -> list[bytes]:
    store = open_store(state.server)
    try:
        return [row.raw for row in store.records_after(0, 1000)]
    finally:
        store.close()


@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_around_the_commit(state, handheld, when):
    handheld.write(5)
    body = handheld.request()
    with server(state, KILLER, when) as (port, process), client(state, port) as link:
        with pytest.raises(httpx.HTTPError):
            link.post("/v1/sync", content=body)
        assert process.wait(10) == -signal.SIGKILL
    # Nothing was acknowledged. What was committed is there, what was not is not; the repeat makes it whole.
    assert stored(state) == ([] if when == "before" else handheld.records)
    with server(state) as (port, _), client(state, port) as link:
        answer = link.post("/v1/sync", content=body)
        _, request = message.parse_sync_request(body)
        assert message.parse_sync_reply(answer.content, request.nonce).acknowledged == 5
    assert stored(state) == handheld.records


def test_what_was_acknowledged_survives_a_kill(state, handheld):
    handheld.write(60)
    acknowledged = 0
    with server(state) as (port, process), client(state, port) as link:
        threading.Timer(0.15, process.kill).start()
        for first in range(1, 61):
            body = handheld.request(first, first)
            try:
                answer = link.post("/v1/sync", content=body)
            except httpx.HTTPError:
                break
            _, request = message.parse_sync_request(body)
            acknowledged = message.parse_sync_reply(answer.content, request.nonce).acknowledged
            assert acknowledged == first
        process.wait(10)
    kept = stored(state)
    assert len(kept) >= acknowledged and kept == handheld.records[: len(kept)]


def test_only_the_servers_own_ca_is_believed(state, handheld, tmp_path):
    body = handheld.request()
    with server(state) as (port, _):
        with client(state, port) as link:
            assert link.post("/v1/sync", content=body).status_code == 200
        stranger = open_pki(State(tmp_path / "other"))
        for context in (ssl.create_default_context(cadata=stranger.ca_der), ssl.create_default_context()):
            with (
                httpx.Client(verify=context, trust_env=False) as link,
                pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"),
            ):
                link.post(f"https://localhost:{port}/v1/sync", content=body)
        # The certificate names localhost and 127.0.0.1, nothing else.
        context = ssl.create_default_context(cadata=open_pki(state).ca_der)
        with (
            socket.create_connection(("127.0.0.1", port)) as plain,
            pytest.raises(ssl.SSLCertVerificationError),
        ):
            context.wrap_socket(plain, server_hostname="server.example")
        with socket.create_connection(("127.0.0.1", port)) as plain:
            plain.sendall(b"GET / HTTP/1.0\r\n\r\n")
            assert b"HTTP" not in plain.recv(100)


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1")
def test_tls_that_micropython_speaks(state):
    """Mbed TLS on the handheld knows TLS 1.2 with ECDHE and AES-GCM, and nothing older is on offer."""
    with server(state) as (port, _):
        context = ssl.create_default_context(cadata=open_pki(state).ca_der)
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers("ECDHE-ECDSA-AES256-GCM-SHA384")
        with (
            socket.create_connection(("127.0.0.1", port)) as plain,
            context.wrap_socket(plain, server_hostname="localhost") as tls,
        ):
            assert (tls.version(), tls.cipher()[0]) == ("TLSv1.2", "ECDHE-ECDSA-AES256-GCM-SHA384")
        old = ssl.create_default_context(cadata=open_pki(state).ca_der)
        old.set_ciphers("ECDHE+AES:@SECLEVEL=0")
        old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
        with socket.create_connection(("127.0.0.1", port)) as plain, pytest.raises(ssl.SSLError):
            old.wrap_socket(plain, server_hostname="localhost")


def test_certificates_are_kept_and_renewed(state):
    first = open_pki(state)
    certificate = first.certificate_file.read_bytes()
    again = open_pki(state)
    assert (again.ca_der, again.certificate_file.read_bytes()) == (first.ca_der, certificate)
    again.ensure_server_certificate(["localhost", "door.example"])
    assert again.certificate_file.read_bytes() != certificate
    for name in ("ca.key", "server.key"):
        assert (state.server / name).stat().st_mode & 0o077 == 0
