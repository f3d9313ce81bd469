"""The fleet server takes every record once, in order, from its own device, whatever the network does."""

from __future__ import annotations

import asyncio
import random

import pytest
from fleetkit import NOW, AppClient, PaperHandheld, open_store
from sqlalchemy import event

from firmware.core import message, record
from host_tools import web
from host_tools.server import devices
from host_tools.server.store import Store


@pytest.fixture
def client(store):
    return AppClient(devices.make_app(store, devices.Bell(), clock=lambda: NOW))


def send(client: AppClient, body: bytes) -> message.SyncReply:
    answer = client.post("/v1/sync", content=body)
    assert answer.status_code == 200, answer.text
    _, request = message.parse_sync_request(body)
    return message.parse_sync_reply(answer.content, request.nonce)


def held(store: Store, handheld: PaperHandheld) -> list[bytes]:
    rows = store.records_after(0, 10_000, handheld.id)
    assert [row.seq for row in rows] == list(range(1, len(rows) + 1))
    chain = record.GENESIS
    for row in rows:
        chain = record.chain(chain, row.raw)
        assert row.chain == chain
    device = store.device(handheld.id)
    assert (device.held_seq, device.held_chain) == (len(rows), chain)
    return [row.raw for row in rows]


def test_records_become_rows(client, store):
    handheld = PaperHandheld.enrolled(store)
    handheld.write(verdict=1, reasons=[50, 54], party=[1, 0, 2], confirmed=[1], checker="Li")
    handheld.write(sub=None, cti=None, colour=None, temperature=None, kind=0, verdict=2, reasons=[11])
    reply = send(client, handheld.request())
    assert (reply.acknowledged, reply.refusal, reply.time_unix) == (2, None, NOW)
    first, second = store.records_after(0, 10)
    assert first.raw == handheld.records[0]
    assert (first.verdict, first.reasons, first.confirmed, first.checker) == (1, "50,54", "1", "Li")
    assert (first.party_first, first.party_index, first.party_size) == (1, 0, 2)
    assert (first.object_centi_c, first.ambient_centi_c, first.body_centi_c) == (3470, 2400, 3660)
    assert (first.sub, first.kind, first.place, first.mask) == (bytes(range(16)), 1, "Library", 1)
    assert (second.sub, second.cti, second.colour, second.body_centi_c) == (None, None, None, None)
    device = store.device(handheld.id)
    assert (device.last_seen_unix, device.clock_offset_s) == (NOW, 100)


def test_roles_manual_entries_and_events(client, store):
    handheld = PaperHandheld.enrolled(store)
    handheld.write(1, role=2, manual=3, kind=4, cti=None, colour=None)
    fields = handheld.fields()
    event = {key: fields[key] for key in (1, 2, 3, 4)}
    event |= {record.PLACE: "Museum", record.SCENE: "event", record.EVENT: 1, record.DETAIL: "place code"}
    handheld.append(record.encode(event))
    handheld.append(
        record.encode({**event, 1: 3, record.EVENT: 2, record.SUB: bytes(16), record.DIRECTION: 1})
    )
    assert send(client, handheld.request()).acknowledged == 3
    first, second, third = store.records_after(0, 10)
    assert (first.role, first.manual, first.kind, first.event) == (2, 3, 4, None)
    assert (second.event, second.detail, second.verdict, second.place) == (1, "place code", None, "Museum")
    assert (third.event, third.sub, third.direction, third.detail) == (2, bytes(16), 1, "place code")
    device = store.device(handheld.id)
    assert (device.place, device.at_place, device.at_scene) == ("Library", "Museum", "event")


def test_a_lost_answer_doubles_nothing(client, store):
    handheld = PaperHandheld.enrolled(store)
    handheld.write(3)
    body = handheld.request()
    for _ in range(3):
        assert send(client, body).acknowledged == 3
    handheld.write(2)
    # The handheld never heard an answer, so it sends all again, and more.
    assert send(client, handheld.request()).acknowledged == 5
    assert held(store, handheld) == handheld.records


def test_batches_in_any_order_any_number_of_times(client, store):
    dice = random.Random(7)
    handheld = PaperHandheld.enrolled(store)
    handheld.write(40)
    bodies = [handheld.request(first, min(first + 4, 40)) for first in range(1, 41, 3)]
    acknowledged = 0
    for _ in range(12):
        dice.shuffle(bodies)
        for body in bodies:
            reply = send(client, body)
            assert reply.acknowledged >= acknowledged
            acknowledged = reply.acknowledged
            assert acknowledged == len(held(store, handheld))
    assert held(store, handheld) == handheld.records


def test_a_gap_is_refused_and_filled_later(client, store):
    handheld = PaperHandheld.enrolled(store)
    handheld.write(6)
    reply = send(client, handheld.request(4))
    assert reply.acknowledged == 0 and reply.refusal.startswith("gap")
    assert held(store, handheld) == []
    assert "gap" in store.device(handheld.id).alert
    assert send(client, handheld.request(1, 3)).acknowledged == 3
    assert send(client, handheld.request(4)).acknowledged == 6


def test_a_broken_chain_is_refused(client, store):
    handheld = PaperHandheld.enrolled(store)
    handheld.write(3)
    send(client, handheld.request())
    handheld.write(1)
    reply = send(client, handheld.request(4, chain_before=b"\x55" * 32))
    assert reply.acknowledged == 3 and reply.refusal.startswith("fork")
    assert held(store, handheld) == handheld.records[:3]
    # Inside what is held, the chain value must match as well.
    reply = send(client, handheld.request(2, chain_before=b"\x55" * 32))
    assert reply.refusal.startswith("fork")


def test_a_rewritten_history_is_refused(client, store):
    handheld = PaperHandheld.enrolled(store)
    handheld.write(3)
    send(client, handheld.request())
    other = PaperHandheld(handheld.id, handheld.secret)
    other.write(1)
    other.write(3, verdict=1)
    reply = send(client, other.request())
    assert reply.acknowledged == 3 and reply.refusal.startswith("fork")
    assert held(store, handheld) == handheld.records


def test_a_rolled_back_handheld_shows(client, store):
    handheld = PaperHandheld.enrolled(store)
    handheld.write(5)
    send(client, handheld.request())
    reply = send(client, handheld.request(3, records=[]))
    assert reply.acknowledged == 5 and reply.refusal.startswith("rolled back")
    assert "rolled back" in store.device(handheld.id).alert


def test_an_empty_sync_is_a_sign_of_life(client, store):
    handheld = PaperHandheld.enrolled(store)
    assert send(client, handheld.request()).acknowledged == 0
    handheld.write(2)
    send(client, handheld.request())
    reply = send(client, handheld.request(3))
    assert (reply.acknowledged, reply.refusal) == (2, None)


def test_reordered_inside_a_batch(client, store):
    handheld = PaperHandheld.enrolled(store)
    handheld.write(4)
    mixed = [handheld.records[0], handheld.records[2], handheld.records[1], handheld.records[3]]
    reply = send(client, handheld.request(records=mixed))
    # What came before the first wrong one is in order and is kept.
    assert reply.acknowledged == 1 and reply.refusal.startswith("order")
    assert send(client, handheld.request(2)).acknowledged == 4
    assert held(store, handheld) == handheld.records


def test_another_devices_record(client, store):
    handheld, stranger = PaperHandheld.enrolled(store), PaperHandheld.enrolled(store)
    handheld.append(record.encode(handheld.fields(device=stranger.id)))
    reply = send(client, handheld.request())
    assert reply.acknowledged == 0 and "another device" in reply.refusal
    assert held(store, handheld) == held(store, stranger) == []


def test_a_record_of_unknown_form_is_kept(client, store):
    handheld = PaperHandheld.enrolled(store)
    handheld.write(1)
    handheld.append(b"\xa1\x18\x63\x01")
    handheld.write(1)
    assert send(client, handheld.request()).acknowledged == 3
    assert held(store, handheld) == handheld.records
    assert [row.verdict for row in store.records_after(0, 9)] == [0, None, 0]


def test_who_may_not_speak(client, store):
    handheld, other = PaperHandheld.enrolled(store), PaperHandheld.enrolled(store)
    handheld.write(1)
    answers = [
        client.post("/v1/sync", content=handheld.request(secret=bytes(32))),
        client.post("/v1/sync", content=handheld.request(device_id="y-nobody")),
        client.post("/v1/sync", content=handheld.request(device_id=other.id)),
    ]
    assert store.revoke(handheld.id, NOW) and not store.revoke(handheld.id, NOW)
    answers.append(client.post("/v1/sync", content=handheld.request()))
    # Whoever asks learns nothing from the difference: there is none.
    assert {(a.status_code, a.text) for a in answers} == {(401, answers[0].text)}
    assert held(store, handheld) == []


def test_every_damaged_byte_is_refused(client, store):
    handheld = PaperHandheld.enrolled(store)
    handheld.write(1)
    body = handheld.request()
    for position in range(len(body)):
        damaged = body[:position] + bytes([body[position] ^ 0x21]) + body[position + 1 :]
        assert client.post("/v1/sync", content=damaged).status_code in (400, 401), position
    assert held(store, handheld) == []


@pytest.mark.parametrize("path", ["/v1/sync", "/v1/enrol"])
def test_hostile_bodies(client, path):
    deep = b"\x81" * 60_000
    huge = b"\x9b\xff\xff\xff\xff\xff\xff\xff\xff"
    for body in (b"", b"\x00", deep[:900], huge, b"\xd2\x84", bytes(1000), b"\xff" * 900):
        assert client.post(path, content=body).status_code == 400
    assert client.post(path, content=bytes(message.MAX_REQUEST_BYTES + 1)).status_code == 413

    # Without a length the body is counted as it comes.
    async def endless():
        for _ in range(100):
            yield bytes(10_000)

    assert client.post(path, content=endless()).status_code == 413


def test_a_slow_body_is_cut_off(client, monkeypatch):
    monkeypatch.setattr(web, "BODY_TIMEOUT_S", 0.2)

    async def slow():
        yield b"x"
        await asyncio.sleep(60)

    assert client.post("/v1/sync", content=slow()).status_code == 408


def test_a_lying_content_length(client):
    for length in ("-1", "1e9", "9" * 30, "٣"):
        headers = {"content-length": length.encode()}
        answer = client.post("/v1/sync", content=b"", headers=headers)
        assert answer.status_code in (400, 413)


def test_a_token_works_once(client, store):
    token = store.create_token("Bus 7", "transit", NOW, 60)
    body = message.encode_enrol_request(token, b"\x24\x6f\x28\x01\x02\x03", "0.1.0")
    answer = client.post("/v1/enrol", content=body)
    reply = message.parse_enrol_reply(answer.content)
    assert (reply.place, reply.scene, reply.time_unix) == ("Bus 7", "transit", NOW)
    handheld = PaperHandheld(reply.device_id, reply.secret)
    assert send(client, handheld.request()).acknowledged == 0
    assert client.post("/v1/enrol", content=body).status_code == 403
    assert len(store.devices()) == 1
    assert store.token_state(token, NOW) == ("used", reply.device_id)


def test_tokens_that_do_not_work(client, store):
    late = store.create_token("Bus 7", "transit", NOW - 100, 100)
    for token in (late, bytes(16)):
        body = message.encode_enrol_request(token, b"\x01", "0.1.0")
        assert client.post("/v1/enrol", content=body).status_code == 403
        assert store.token_state(token, NOW) == ("dead", None)
    assert not store.devices()


def test_the_file_does_not_hold_the_token(tmp_path):
    store = open_store(tmp_path)
    token = store.create_token("Bus 7", "transit", NOW, 60)
    store.close()
    stored = b"".join(path.read_bytes() for path in tmp_path.glob("fleet.db*"))
    assert b"Bus 7" in stored and token not in stored
    assert (tmp_path / "fleet.db").stat().st_mode & 0o077 == 0


def test_a_full_disk_loses_nothing(tmp_path, caplog):
    store = open_store(tmp_path)
    client = AppClient(devices.make_app(store, devices.Bell(), clock=lambda: NOW))
    handheld = PaperHandheld.enrolled(store)
    handheld.write(1)
    send(client, handheld.request())
    handheld.write(150, checker="a checker")
    limits = [20, 1_000_000]

    def limit(connection) -> None:
        connection.exec_driver_sql(f"PRAGMA max_page_count={limits[0]}")

    event.listen(store.engine, "begin", limit)
    answer = client.post("/v1/sync", content=handheld.request(2))
    assert answer.status_code == 503 and answer.headers["content-type"] == "application/problem+json"
    assert held(store, handheld) == handheld.records[:1]
    # What could not be stored is not told to the log either.
    assert (
        "a checker" not in caplog.text and "Library" not in caplog.text and "OperationalError" in caplog.text
    )
    limits.pop(0)
    assert send(client, handheld.request(2)).acknowledged == 151
    assert held(store, handheld) == handheld.records
    store.close()


def test_errors_carry_the_headers(client):
    for answer in (client.get("/nothing"), client.post("/v1/sync", content=b"")):
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert client.get("/healthz", headers={"host": "evil.example"}).status_code == 400
    assert client.get("/healthz").status_code == 200
