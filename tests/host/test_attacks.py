"""The attackers of docs/security.md, one test each that no other file has already."""

from __future__ import annotations

import json
import logging
import socket
import sys
import time
import zlib

import pytest
from fleetkit import NOW, AppClient, PaperHandheld
from served import serving

from firmware.core import message, record
from host_tools import serving as serving_module
from host_tools.server import console, devices
from host_tools.server.logs import JsonLines
from host_tools.server.metrics import Metrics
from host_tools.server.store import Store

pytestmark = pytest.mark.real_time

KEY = "the-console-key"
BEARER = {"authorization": f"Bearer {KEY}"}
#: What somebody might write into every text that ends up in SQL, HTML, CSV, a log or a path.
HOSTILE = (
    "'; DROP TABLE record; --",
    "' OR '1'='1",
    "<img src=x onerror=alert(1)>",
    '"><script>alert(1)</script>',
    "{{ 7 * 7 }}",
    "%s%n\\x00\u2028",
    "=cmd|' /C calc'!A0",
    "\0\t\n\\N\\.",
    "../../etc/passwd",
    "\u202egnp.exe",
)


def device_app(store: Store, **options: object) -> AppClient:
    return AppClient(devices.make_app(store, devices.Bell(), clock=lambda: NOW, **options))


def send(client: AppClient, body: bytes) -> message.SyncReply:
    answer = client.post("/v1/sync", content=body)
    assert answer.status_code == 200, answer.text
    return message.parse_sync_reply(answer.content, message.parse_sync_request(body)[1].nonce)


def test_a_recorded_batch_sent_again_changes_nothing(store):
    """Replayed: by somebody who recorded it, before and after newer ones."""
    handheld, client = PaperHandheld.enrolled(store), device_app(store)
    handheld.write(4)
    recorded = handheld.request(1, 2)
    send(client, recorded)
    send(client, handheld.request(3))
    before = store.device(handheld.id)
    assert send(client, recorded).acknowledged == 4
    after = store.device(handheld.id)
    assert (after.held_seq, after.held_chain, after.alert) == (before.held_seq, before.held_chain, None)
    assert store.count_records() == 4


def test_truncated_and_lengthened_batches(store):
    handheld, client = PaperHandheld.enrolled(store), device_app(store)
    handheld.write(3)
    body = handheld.request()
    for length in range(len(body)):
        assert client.post("/v1/sync", content=body[:length]).status_code in (400, 401), length
    assert client.post("/v1/sync", content=body + b"\0").status_code == 400
    assert store.count_records() == 0


def test_a_journal_rolled_back_and_written_anew(store):
    """A handheld restored from an old flash image writes other records under numbers that are taken."""
    handheld, client = PaperHandheld.enrolled(store), device_app(store)
    handheld.write(5)
    send(client, handheld.request())
    old = PaperHandheld(handheld.id, handheld.secret)
    old.records, old.chains = handheld.records[:3], handheld.chains[:4]
    old.write(4, verdict=2)
    for first in (1, 4, 5):
        reply = send(client, old.request(first))
        assert reply.acknowledged == 5 and reply.refusal.startswith("fork")
    assert send(client, old.request(4, records=[])).refusal.startswith("rolled back")
    assert store.device(handheld.id).alert.startswith("rolled back")
    assert [row.raw for row in store.records_after(0, 9)] == handheld.records


def test_a_forged_chain(store):
    """Records left out or put in, with a chain that is made to fit."""
    handheld, client = PaperHandheld.enrolled(store), device_app(store)
    handheld.write(2)
    send(client, handheld.request())
    forged = PaperHandheld(handheld.id, handheld.secret)
    forged.write(1, verdict=1)
    forged.write(3)
    assert send(client, forged.request(3)).refusal.startswith("fork")
    assert send(client, handheld.request(3, chain_before=forged.chains[2])).refusal.startswith("fork")
    assert store.count_records() == 2


def test_oversized_and_bottomless_cbor(store):
    client = device_app(store)
    limit = message.MAX_REQUEST_BYTES
    for body in (
        b"\x9f" * limit,
        b"\x81" * limit,
        b"\xbf" * 2000,
        b"\x5b" + b"\xff" * 8 + bytes(100),
        b"\x9b\x00\x00\x00\x01\x00\x00\x00\x00",
        b"\xa1\x61\x61" * 3000,
        bytes(limit),
    ):
        start = time.monotonic()
        assert client.post("/v1/sync", content=body).status_code in (400, 413)
        assert time.monotonic() - start < 2
    too_many = [b"\x01"] * (message.MAX_RECORDS + 1)
    with pytest.raises(message.MessageError):
        PaperHandheld("y-x", bytes(32)).request(records=too_many)


def test_compressed_bodies_are_not_opened(store):
    """A bomb: the server takes no content coding at all, so nothing grows."""
    bomb = zlib.compress(bytes(50_000_000), 9)
    for coding in ("deflate", "gzip", "br"):
        answer = device_app(store).post("/v1/sync", content=bomb, headers={"content-encoding": coding})
        assert answer.status_code in (400, 413)


def test_hostile_words_in_every_text(store):
    """Nothing that a handheld or a person writes becomes SQL, markup, a formula or a template."""
    app = console.make_app(store, devices.Bell(), KEY, 8703, clock=lambda: NOW)
    page = AppClient(app, "http://127.0.0.1:8703")
    page.get(f"/?key={KEY}")
    client = device_app(store)
    for text in HOSTILE:
        handheld = PaperHandheld.enrolled(store, place=text.replace("\0", ""))
        short = text[:24]
        handheld.write(1, place=text, scene=short, checker=text[:40])
        fields = handheld.fields()
        event = {key: fields[key] for key in (1, 2, 3, 4)}
        event |= {record.PLACE: text, record.SCENE: short, record.EVENT: 1, record.DETAIL: text}
        handheld.append(record.encode(event))
        assert send(client, handheld.request()).acknowledged == 2
        quoted = text.replace("\0", "")
        assert page.get("/api/records", params={"device": "\0"}).status_code == 400
        for path in ("/api/records", "/api/staff", "/api/staff.csv", "/staff", "/trace", "/audit"):
            params = {"device": quoted[:32], "place": quoted, "kind": quoted[:32]}
            assert page.get(path, params=params).status_code == 200
        body = {"kind": "place", "place": quoted, "reason": "why: " + quoted}
        answer = page.post("/api/traces", json=body, headers=BEARER)
        assert answer.status_code == 201
        case = answer.json()["case"]
        shown = page.get(f"/trace/{case}").text
        cells = page.get(f"/api/traces/{case}/stays.csv").text.split(",")
        assert not any(cell.startswith(("=", "+", "-", "@")) for cell in cells)
        for html in (shown, page.get("/").text, page.get("/audit").text, page.get("/parts/devices").text):
            assert "<img src=x" not in html and "<script>alert" not in html and ">49<" not in html
    assert store.count_records() == 2 * len(HOSTILE)


def test_an_enrolment_with_a_hostile_version(store):
    for text in HOSTILE:
        token = store.create_token("Gate", "office", NOW, 60)
        body = message.encode_enrol_request(token, b"\x01", text)
        assert device_app(store).post("/v1/enrol", content=body).status_code == 200
    ids = message.encode_sync_request("y-\0", bytes(32), 1, record.GENESIS, [], NOW, 0, bytes(16))
    assert device_app(store).post("/v1/sync", content=ids).status_code == 401
    part = message.encode_part_request("y-\0", bytes(32), bytes(32), 0, bytes(16))
    assert device_app(store).post("/v1/part", content=part).status_code == 401


def test_too_many_requests(store, monkeypatch):
    for name in ("SYNC_PER_S", "ENROL_PER_S"):
        monkeypatch.setattr(devices, name, 1e-6)
    client = device_app(store)
    answers = [client.post("/v1/enrol", content=b"x").status_code for _ in range(105)]
    assert answers == [400] * 100 + [429] * 5
    handheld = PaperHandheld.enrolled(store)
    body = handheld.request()
    codes = [client.post("/v1/sync", content=body).status_code for _ in range(605)]
    assert codes == [200] * 600 + [429] * 5


@pytest.mark.parametrize("head", [b"", b"GET / HT", b"POST /v1/sync HTTP/1.1\r\nhost: x\r\nx-a: "])
def test_a_head_that_never_ends(tmp_path, monkeypatch, head):
    """Slowloris: a byte now and then does not keep a connection open."""
    monkeypatch.setattr(serving_module, "HEAD_S", 0.6)
    store = Store(tmp_path / "fleet.db")
    with serving(lambda port: devices.make_app(store, devices.Bell())) as (url,):
        port = int(url.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port), 10) as link:
            link.settimeout(0.1)
            link.sendall(head)
            closed = False
            for _ in range(100):
                try:
                    closed = link.recv(100) == b""
                except TimeoutError:
                    if head:
                        link.sendall(b"a")
                except ConnectionError:
                    closed = True
                if closed:
                    break
            assert closed
        # A connection that asks in time stays for the next question.
        with socket.create_connection(("127.0.0.1", port), 10) as link:
            for _ in range(3):
                link.sendall(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n")
                answer = b""
                while b'{"status":"ok"}' not in answer:
                    answer += link.recv(4000)
                time.sleep(0.25)
    store.close()


def test_what_the_counts_tell(store):
    metrics = Metrics()
    client = device_app(store, metrics=metrics)
    handheld = PaperHandheld.enrolled(store)
    handheld.write(3, place="Secret Place")
    send(client, handheld.request())
    send(client, handheld.request(1, 1, chain_before=b"\1" * 32))
    client.get("/some/where")
    app = console.make_app(store, devices.Bell(), KEY, 8703, metrics=metrics)
    told = AppClient(app).get("/metrics").text
    assert "yima_records_taken_total 3.0" in told
    assert 'yima_sync_refusals_total{kind="fork"} 1.0' in told
    assert 'yima_answers_total{path="/v1/sync",status="200"} 2.0' in told
    assert 'path="other",status="404"' in told and "yima_sync_seconds_count 2.0" in told
    assert "Secret" not in told and handheld.id not in told
    for client in (device_app(store), AppClient(app)):
        assert client.get("/readyz").json() == {"status": "ready"}


def test_a_table_that_is_gone_is_told_as_503(postgres, fleet_template):
    store = Store(postgres.create(fleet_template))
    client = device_app(store)
    with store.engine.connect() as connection:
        connection.exec_driver_sql("ALTER TABLE record RENAME TO hidden")
        connection.commit()
    handheld = PaperHandheld.enrolled(store)
    handheld.write(1)
    assert client.post("/v1/sync", content=handheld.request()).status_code == 503
    assert store.device(handheld.id).held_seq == 0
    store.close()


def test_a_log_line_tells_no_values():
    try:
        raise ValueError("张三 was here")
    except ValueError:
        line = logging.LogRecord("yima", logging.ERROR, "f", 1, "it %s", ("failed",), None)
        line.exc_info = sys.exc_info()
    told = json.loads(JsonLines().format(line))
    assert (told["message"], told["error"], told["level"]) == ("it failed", "ValueError", "error")
    assert "张三" not in json.dumps(told, ensure_ascii=False) and told["at"][0].startswith("test_attacks.py:")
