"""The fleet server keeps the newest trust list that the root key signed, and nothing else."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from fleetkit import NOW, open_store

from firmware.core.trust import MAX_BYTES
from host_tools.authority.app import Authority
from host_tools.server.puller import Puller
from host_tools.state import State
from host_tools.trustlist import TrustTrouble


@pytest.fixture
def store(tmp_path):
    opened = open_store(tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def authority(tmp_path):
    return Authority(State(tmp_path), lambda: NOW)


def pull(puller: Puller, answer: httpx.Response) -> bool:
    async def once() -> bool:
        async with httpx.AsyncClient(transport=httpx.MockTransport(lambda request: answer)) as client:
            return await puller.pull(client)

    return asyncio.run(once())


def test_newer_lists_are_kept(store, authority):
    puller = Puller(store, "http://authority.example/", authority.keys.root_public, lambda: NOW)
    first = authority.trust.current(NOW)
    assert pull(puller, httpx.Response(200, content=first)) and store.trust_version() == 1
    assert not pull(puller, httpx.Response(200, content=first))
    authority.certificates.add(authority.foreign.certificate_file)
    assert pull(puller, httpx.Response(200, content=authority.trust.current(NOW)))
    assert store.trust_version() == 2
    # An old one played back changes nothing, before and after a restart.
    assert not pull(puller, httpx.Response(200, content=first))
    again = Puller(store, "http://authority.example/", authority.keys.root_public, lambda: NOW)
    assert not pull(again, httpx.Response(200, content=first)) and store.trust_version() == 2


def test_what_is_no_list_is_not_kept(store, authority, tmp_path):
    data = authority.trust.current(NOW)
    stranger = Authority(State(tmp_path / "stranger"), lambda: NOW).trust.current(NOW)
    puller = Puller(store, "http://authority.example", authority.keys.root_public, lambda: NOW)
    late = Puller(store, "http://authority.example", authority.keys.root_public, lambda: NOW + 10**6)
    for body in (b"", b"x", data[:-1], data[:-1] + bytes([data[-1] ^ 1]), stranger, bytes(MAX_BYTES + 1)):
        with pytest.raises(TrustTrouble):
            pull(puller, httpx.Response(200, content=body))
    with pytest.raises(TrustTrouble, match="expired"):
        pull(late, httpx.Response(200, content=data))
    with pytest.raises(httpx.HTTPStatusError):
        pull(puller, httpx.Response(503, content=data))
    assert store.trust_version() == 0


def test_the_task_outlives_an_authority_that_is_away(store, authority, monkeypatch, caplog):
    monkeypatch.setattr("host_tools.server.puller.BACKOFF_S", (0.01,))
    puller = Puller(store, "http://127.0.0.1:9", authority.keys.root_public, lambda: NOW)

    async def play() -> None:
        task = asyncio.create_task(puller.run())
        await asyncio.sleep(0.3)
        assert not task.done()
        task.cancel()

    asyncio.run(play())
    assert [record.levelname for record in caplog.records if record.name == "yima.server"] == ["WARNING"]
