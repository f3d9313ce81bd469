"""Authority and fleet server as processes of their own: a pack's way over real HTTP and TLS to a handheld."""

from __future__ import annotations

import contextlib
import hashlib
import subprocess
import sys
import time
from pathlib import Path

import cbor2
import httpx
import pytest
from fleetkit import PaperHandheld, open_store
from ports import free_port
from test_packs import kid, sign1
from test_server_process import client

from firmware.core import message
from host_tools.authority.app import Authority
from host_tools.server.schema import Device
from host_tools.state import State

ROOT = Path(__file__).resolve().parents[2]
pytestmark = [pytest.mark.slow, pytest.mark.real_time]


@contextlib.contextmanager
def process(*arguments: object):
    argv = [sys.executable, "-m", "host_tools.cli", *map(str, arguments)]
    running = subprocess.Popen(argv, cwd=ROOT)
    try:
        yield running
    finally:
        running.terminate()
        assert running.wait(10) is not None


def wait_until(condition, what: str):
    ends = time.monotonic() + 30
    while time.monotonic() < ends:
        with contextlib.suppress(httpx.TransportError):
            if (found := condition()) is not None:
                return found
        time.sleep(0.05)
    raise AssertionError(what)


def yima(state: State, *arguments: str) -> str:
    argv = [sys.executable, "-m", "host_tools.cli", *arguments, "--state", str(state.root)]
    return subprocess.run(argv, cwd=ROOT, check=True, capture_output=True, text=True).stdout


def test_from_the_authority_to_the_door(tmp_path):
    state = State(tmp_path / "yima")
    root = Authority(state).keys.root_public
    store = open_store(state.server)
    handheld = PaperHandheld.enrolled(store)
    store.close()
    shop, devices, console = free_port(), free_port(), free_port()
    at = ("--state", state.root)
    url = f"http://127.0.0.1:{shop}"
    serve = ("--port", devices, "--console-port", console, "--authority", url)
    with process("authority", "serve", "--port", shop, *at), process("server", "serve", *serve, *at):
        link = client(state, devices)

        def newer_than(version: int) -> bytes | None:
            request = handheld.request(pack_version=version)
            nonce = message.parse_sync_request(request)[1].nonce
            answer = link.post("/v1/sync", content=request)
            assert answer.status_code == 200
            message.parse_sync_reply(answer.content, nonce)
            return cbor2.loads(answer.content).get(4)

        first = wait_until(lambda: newer_than(0), "no pack comes")
        header, pack = sign1(first, root)
        assert header[4] == kid(root) and pack[1] == 1
        parts = {}
        for number, length, digest in pack[4]:
            whole = bytearray()
            for offset in (0, length // 2):
                body = message.encode_part_request(handheld.id, handheld.secret, digest, offset, bytes(16))
                with link.stream("POST", "/v1/part", content=body) as answer:
                    assert int(answer.headers["content-length"]) == length - offset
                    piece = answer.read()
                whole[offset:] = piece
            assert hashlib.sha256(whole).digest() == digest
            parts[number] = bytes(whole)
        assert set(parts) == {1, 2, 4, 5}
        # A command beside the running authority: the server has it a moment later, and nothing else travels.
        assert yima(state, "pack", "revoke", "code", "0011223344556677") == "1 revoked\npack version 2\n"
        second = wait_until(lambda: newer_than(1), "no newer pack comes")
        changed = [part for part in sign1(second, root)[1][4] if part not in pack[4]]
        assert [number for number, _, _ in changed] == [3]
        # A new root, which the old one vouches for.
        yima(state, "pack", "rotate-root")
        third = wait_until(lambda: newer_than(2), "no pack of the new root comes")
        header, change = sign1(third, root)
        new = bytes.fromhex(state.root_public_key.read_text())
        assert header[3] == "yima-root" and change[1] == new != root
        assert sign1(change[2], new)[1][1] == 3
    store = open_store(state.server)
    with store.reading() as session:
        assert session.get(Device, handheld.id).pack_version == 2
    store.close()
