"""The fleet server fetches packs part by part, keeps what is signed and whole, and hands it to handhelds."""

from __future__ import annotations

import asyncio
import hashlib
import struct

import httpx
import pytest
from fleetkit import NOW, AppClient, PaperHandheld
from sqlalchemy import func, select

from firmware.core import message
from firmware.core.trust import kid_of_key
from host_tools.authority.app import Authority, make_app
from host_tools.authority.eu_rules import Compiled
from host_tools.authority.keys import DAY_S
from host_tools.authority.revocations import Revoked
from host_tools.packfile import PackTrouble, open_manifest
from host_tools.server import console, devices
from host_tools.server.packpull import PackPuller
from host_tools.server.packs import Packs
from host_tools.server.schema import Part
from host_tools.state import State

URL = "http://127.0.0.1:8701"


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def authority(tmp_path, clock):
    return Authority(State(tmp_path / "a"), clock)


@pytest.fixture
def puller(store, authority, clock):
    return PackPuller(store, URL, authority.keys.root_public, clock)


@pytest.fixture
def client(store, clock):
    return AppClient(devices.make_app(store, devices.Bell(), clock=clock))


class Wire(httpx.AsyncBaseTransport):
    """The authority's application as it is, but for what a test changes; remembers what was asked for."""

    def __init__(self, authority: Authority, change=None) -> None:
        self._inner = httpx.ASGITransport(make_app(authority))
        self._change = change
        self.paths: list[str] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.paths.append(request.url.path)
        answer = await self._inner.handle_async_request(request)
        return self._change(request.url.path, answer, await answer.aread()) if self._change else answer


def pull(puller: PackPuller, wire: Wire) -> bool:
    async def once() -> bool:
        async with httpx.AsyncClient(transport=wire) as link:
            return await puller.pull(link)

    return asyncio.run(once())


def sync(client: AppClient, handheld: PaperHandheld, version: int = 0) -> bytes | None:
    """What a sync hands out in field 4."""
    body = handheld.request(len(handheld.records) + 1, pack_version=version)
    answer = client.post("/v1/sync", content=body)
    _, request = message.parse_sync_request(body)
    return message.parse_sync_reply(answer.content, request.nonce).manifest


def part_request(handheld: PaperHandheld, digest: bytes, offset: int = 0, **changes: object) -> bytes:
    device_id, secret = changes.get("device_id", handheld.id), changes.get("secret", handheld.secret)
    return message.encode_part_request(device_id, secret, digest, offset, bytes(16))


def test_only_what_is_missing_travels(store, authority, puller):
    wire = Wire(authority)
    assert pull(puller, wire)
    first = open_manifest(authority.packs.current(NOW).data, authority.keys.root_public).manifest
    assert len(wire.paths) == 1 + len(list(first.parts()))
    assert Packs(store).version() == 1
    assert not pull(puller, wire)
    authority.packs.revocations.add([Revoked("subject", bytes(16))], NOW)
    wire.paths.clear()
    assert pull(puller, wire) and Packs(store).version() == 2
    changes = next(digest for kind, _, digest in authority.packs.current(NOW).manifest.parts() if kind == 3)
    assert wire.paths == ["/pack", f"/pack/part/{changes.hex()}"]
    # After a restart nothing travels again.
    again = PackPuller(store, URL, authority.keys.root_public, lambda: NOW)
    assert not pull(again, wire) and wire.paths[2:] == ["/pack"]


def test_a_handheld_gets_manifest_and_parts(store, authority, puller, client):
    handheld = PaperHandheld.enrolled(store)
    assert sync(client, handheld) is None
    pull(puller, Wire(authority))
    manifest = sync(client, handheld)
    assert manifest == authority.packs.current(NOW).data
    opened = open_manifest(manifest, authority.keys.root_public).manifest
    for _, length, digest in opened.parts():
        for offset in {0, 1, length // 2, length - 1, length}:
            answer = client.post("/v1/part", content=part_request(handheld, digest, offset))
            assert answer.status_code == 200
            assert answer.headers["content-type"] == "application/octet-stream"
            assert int(answer.headers["content-length"]) == length - offset
            assert answer.content == authority.packs.part(digest)[offset:]
        assert client.post("/v1/part", content=part_request(handheld, digest, length + 1)).status_code == 404
    assert client.post("/v1/part", content=part_request(handheld, bytes(32))).status_code == 404
    assert sync(client, handheld, version=1) is None
    assert store.device(handheld.id).pack_version == 1


def test_a_long_part_comes_whole(store, authority, puller, client):
    authority.packs.revocations.add([Revoked("subject", n.to_bytes(16, "big")) for n in range(20_000)], NOW)
    pull(puller, Wire(authority))
    digest = next(d for kind, _, d in authority.packs.current(NOW).manifest.parts() if kind == 2)
    handheld = PaperHandheld.enrolled(store)
    whole = client.post("/v1/part", content=part_request(handheld, digest)).content
    assert len(whole) == 160_012 and hashlib.sha256(whole).digest() == digest
    tail = client.post("/v1/part", content=part_request(handheld, digest, 99_999)).content
    assert tail == whole[99_999:]


def test_who_may_not_fetch_parts(store, authority, puller, client):
    pull(puller, Wire(authority))
    digest = next(d for _, _, d in authority.packs.current(NOW).manifest.parts())
    handheld, other = PaperHandheld.enrolled(store), PaperHandheld.enrolled(store)
    answers = [
        client.post("/v1/part", content=part_request(handheld, digest, secret=bytes(32))),
        client.post("/v1/part", content=part_request(handheld, digest, device_id=other.id)),
        client.post("/v1/part", content=part_request(handheld, digest, device_id="y-nobody")),
    ]
    store.revoke(handheld.id, NOW)
    answers.append(client.post("/v1/part", content=part_request(handheld, digest)))
    assert {(a.status_code, a.text) for a in answers} == {(401, answers[0].text)}
    for body in (b"", b"\x81" * 200, handheld.request()[:200], b"\xd1\x84"):
        assert client.post("/v1/part", content=body).status_code == 400
    assert client.post("/v1/part", content=bytes(257)).status_code == 413
    good = part_request(other, digest)
    for position in range(len(good)):
        damaged = good[:position] + bytes([good[position] ^ 0x21]) + good[position + 1 :]
        assert client.post("/v1/part", content=damaged).status_code in (400, 401), position


def test_what_is_not_whole_is_not_kept(store, authority, puller):
    stranger = Authority(State(authority.packs._folder / "stranger"), lambda: NOW)
    manifest = authority.packs.current(NOW).data

    def changed(path: str, answer: httpx.Response, body: bytes, where: str, content: bytes) -> httpx.Response:
        return httpx.Response(answer.status_code, content=content if path.startswith(where) else body)

    for where, content in (
        ("/pack", b""),
        ("/pack", manifest[:-1] + bytes([manifest[-1] ^ 1])),
        ("/pack", stranger.packs.current(NOW).data),
        ("/pack", bytes(4097)),
        ("/pack/part", b""),
        ("/pack/part", b"x" * 12),
        ("/pack/part", bytes(2_000_000)),
    ):
        wire = Wire(authority, lambda p, a, b, w=where, c=content: changed(p, a, b, w, c))
        with pytest.raises(PackTrouble):
            pull(puller, wire)
    swapped = Wire(
        authority,
        lambda path, answer, body: httpx.Response(200, content=body[::-1] if "part" in path else body),
    )
    with pytest.raises(PackTrouble, match="not what the manifest says"):
        pull(puller, swapped)
    gone = Wire(
        authority, lambda path, answer, body: httpx.Response(404 if "part" in path else 200, content=body)
    )
    with pytest.raises(httpx.HTTPStatusError):
        pull(puller, gone)
    assert Packs(store).version() == 0
    late = PackPuller(store, URL, authority.keys.root_public, lambda: NOW + 8 * DAY_S)
    old = Wire(
        authority,
        lambda path, answer, body: httpx.Response(200, content=manifest if path == "/pack" else body),
    )
    with pytest.raises(PackTrouble, match="expired"):
        pull(late, old)
    assert pull(puller, Wire(authority))


def test_an_old_pack_played_back(store, authority, puller):
    first = authority.packs.current(NOW).data
    pull(puller, Wire(authority))
    authority.certificates.add(authority.foreign.certificate_file)
    assert pull(puller, Wire(authority)) and Packs(store).version() == 2
    back = Wire(
        authority, lambda path, answer, body: httpx.Response(200, content=first if path == "/pack" else body)
    )
    assert not pull(puller, back)
    assert not pull(PackPuller(store, URL, authority.keys.root_public, lambda: NOW), back)
    assert Packs(store).version() == 2


def test_a_new_root(store, authority, puller, client):
    old = authority.keys.root_public
    token = store.create_token("Library", "office", NOW, 60, kid_of_key(old))
    before = store.enrol(token, b"\x01", "test", NOW)
    before = PaperHandheld(before.id, before.secret)
    nameless = PaperHandheld.enrolled(store)
    pull(puller, Wire(authority))
    assert sync(client, before) == authority.packs.current(NOW).data
    new = authority.keys.rotate_root(NOW)
    # Without the old root's word the server would not believe it.
    plain = authority.packs.current(NOW).data
    forged = Wire(
        authority, lambda path, answer, body: httpx.Response(200, content=plain if path == "/pack" else body)
    )
    with pytest.raises(PackTrouble):
        pull(puller, forged)
    assert pull(puller, Wire(authority))
    assert Packs(store).roots() == [old, new]
    for handheld in (before, nameless):
        given = open_manifest(sync(client, handheld, version=1), old)
        assert given.root_key == new and given.manifest.version == 2
    # One that was given the new root, and one that has changed, get the plain manifest.
    token = store.create_token("Library", "office", NOW, 60, kid_of_key(new))
    after = store.enrol(token, b"\x02", "test", NOW)
    assert sync(client, PaperHandheld(after.id, after.secret)) == plain
    assert sync(client, before, version=2) is None
    authority.certificates.add(authority.foreign.certificate_file)
    again = PackPuller(store, URL, old, lambda: NOW)
    assert pull(again, Wire(authority))
    assert sync(client, before, version=2) == authority.packs.current(NOW).data
    # A handheld that was away all the time still finds its way.
    third = authority.keys.rotate_root(NOW)
    assert pull(again, Wire(authority)) and Packs(store).roots() == [old, new, third]
    assert open_manifest(sync(client, nameless, version=1), old).root_key == third
    assert open_manifest(sync(client, before, version=3), new).root_key == third


def test_reasons_of_rules_have_their_words(store, authority, puller):
    app = console.make_app(store, devices.Bell(), "key", 8703, clock=lambda: NOW)
    desk = AppClient(app, "http://127.0.0.1:8703")
    handheld = PaperHandheld.enrolled(store)
    handheld.write(1, verdict=1, reasons=[1001, 1002], time=NOW)
    AppClient(devices.make_app(store, devices.Bell())).post("/v1/sync", content=handheld.request())
    desk.get("/?key=key")
    assert "原因 1001" in desk.get("/").text
    texts = {1001: ("今日闭馆\n明日再来", "<b>closed today\ncome tomorrow")}
    authority.packs.keep_rules(Compiled([], texts), {})
    pull(puller, Wire(authority))
    page = desk.get("/").text
    assert "今日闭馆" in page and "&lt;b&gt;closed today" in page and "come tomorrow" not in page
    assert "原因 1002" in page and "原因 1001" not in page
    authority.packs.keep_default_rules()
    pull(puller, Wire(authority))
    assert "原因 1001" in desk.get("/").text


def test_old_parts_go(store, authority, puller, monkeypatch):
    monkeypatch.setattr("host_tools.server.packs.KEPT_PACKS", 2)
    for number in range(6):
        authority.packs.revocations.add([Revoked("subject", number.to_bytes(16, "big"))], NOW)
        assert pull(puller, Wire(authority))
    with store.reading() as session:
        count = session.scalar(select(func.count()).select_from(Part))
    parts = len(list(authority.packs.current(NOW).manifest.parts()))
    assert count == parts + 1, "the newest pack's, and the changes of the one before"


def test_the_task_outlives_an_authority_that_is_away(store, authority, monkeypatch, caplog):
    monkeypatch.setattr("host_tools.server.packpull.BACKOFF_S", (0.01,))
    puller = PackPuller(store, "http://127.0.0.1:9", authority.keys.root_public, lambda: NOW)
    failed = asyncio.Event()
    attempts = []

    async def play() -> None:
        real = puller.pull

        async def counted(link: httpx.AsyncClient) -> bool:
            attempts.append(1)
            if len(attempts) == 4:
                failed.set()
            return await real(link)

        monkeypatch.setattr(puller, "pull", counted)
        task = asyncio.create_task(puller.run())
        await asyncio.wait_for(failed.wait(), 10)
        assert not task.done()
        task.cancel()

    asyncio.run(play())
    assert [record.levelname for record in caplog.records if record.name == "yima.server"] == ["WARNING"]


def seen(client: AppClient, handheld: PaperHandheld) -> dict[bytes, int]:
    body = handheld.request(len(handheld.records) + 1)
    answer = client.post("/v1/sync", content=body)
    _, request = message.parse_sync_request(body)
    data = message.parse_sync_reply(answer.content, request.nonce).seen
    found = [struct.unpack(">4sI", data[at : at + 8]) for at in range(0, len(data), 8)]
    assert [unix for _, unix in found] == sorted((unix for _, unix in found), reverse=True)
    assert len(dict(found)) == len(found) <= 64
    return dict(found)


def short(cti: bytes) -> bytes:
    return hashlib.sha256(cti).digest()[:4]


def test_codes_that_others_saw(store, client, clock):
    east, west, far = (PaperHandheld.enrolled(store) for _ in range(3))
    far.write(1, place="Museum", cti=b"far-away")
    east.write(1, cti=b"cti-no-1")
    east.write(1, cti=None)
    east.write(1, cti=b"cti-no-2", clock=1)
    east.write(1, cti=b"cti-no-1")
    for handheld in (far, east):
        assert client.post("/v1/sync", content=handheld.request()).status_code == 200
    # The other's own time where its clock is good, else ours; never one in the future.
    assert seen(client, west) == {short(b"cti-no-1"): NOW, short(b"cti-no-2"): NOW}
    clock.now = NOW + 60
    assert seen(client, west) == {short(b"cti-no-1"): NOW, short(b"cti-no-2"): NOW}
    assert seen(client, east) == {} and seen(client, far) == {}
    # Where a handheld has been carried, it hears of that place.
    far.write(1, place="Library", cti=b"moved-in")
    assert client.post("/v1/sync", content=far.request(2)).status_code == 200
    assert set(seen(client, far)) == {short(b"cti-no-1"), short(b"cti-no-2")}
    clock.now = NOW + 1_900
    assert short(b"cti-no-1") not in seen(client, west)


def test_no_more_than_sixty_four(store, client, clock):
    east, west = PaperHandheld.enrolled(store), PaperHandheld.enrolled(store)
    for number in range(100):
        east.write(1, cti=number.to_bytes(8, "big"))
    client.post("/v1/sync", content=east.request())
    clock.now = NOW + 200
    newest = {short(number.to_bytes(8, "big")) for number in range(36, 100)}
    assert set(seen(client, west)) == newest
