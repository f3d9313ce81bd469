"""The console shows records as they arrive, to who has the key, and nothing anyone wrote becomes markup."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
from fleetkit import NOW, AppClient, PaperHandheld, open_store

from firmware.core import reasons, record
from host_tools.server import console, devices, words
from host_tools.server.store import Store

pytestmark = pytest.mark.real_time

KEY = "the-console-key"
ROOT = Path(__file__).resolve().parents[2]
HOSTILE = "<script>alert(1)</script>&\"'"


@pytest.fixture
def client(store):
    app = console.make_app(store, devices.Bell(), KEY, 8703, clock=lambda: NOW)
    return AppClient(app, "http://127.0.0.1:8703")


def upload(store: Store, handheld: PaperHandheld, first: int = 1) -> None:
    app = devices.make_app(store, devices.Bell(), clock=lambda: NOW)
    assert AppClient(app).post("/v1/sync", content=handheld.request(first)).status_code == 200


BEARER = {"authorization": f"Bearer {KEY}"}
PROTECTED = ("/api/records", "/api/devices", "/api/summary", "/api/stream", "/parts/devices")


def test_nothing_without_the_key(client, store):
    handheld = PaperHandheld.enrolled(store)
    handheld.write(1)
    upload(store, handheld)
    for headers in (
        {},
        {"authorization": "Bearer wrong"},
        {"authorization": "Basic " + KEY},
        {"authorization": "Bearer kéy".encode()},
        {"cookie": "yima_console_8703=" + KEY},
        {"cookie": "yima_console_8703="},
    ):
        for path in PROTECTED:
            answer = client.get(path, headers=headers)
            assert answer.status_code == 401, (path, headers)
            assert handheld.id not in answer.text
        page = client.get("/", headers=headers)
        assert page.status_code == 401 and handheld.id not in page.text
    assert client.get("/?key=wrong").status_code == 401 and not client.cookies
    assert client.get("/api/records", headers=BEARER).status_code == 200


def test_the_printed_address_opens_the_page(client, store):
    handheld = PaperHandheld.enrolled(store)
    handheld.write(1)
    upload(store, handheld)
    answer = client.get(f"/?key={KEY}")
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie and "samesite=strict" in cookie and KEY not in cookie
    page = client.get("/")
    assert page.status_code == 200 and handheld.id in page.text
    assert client.get("/api/records").status_code == 200


def test_a_record_as_json_and_as_a_row(client, store):
    handheld = PaperHandheld.enrolled(store)
    handheld.write(1, verdict=1, reasons=[50], party=[1, 0, 2], confirmed=[1])
    handheld.write(1, sub=None, verdict=2, reasons=[13, 250], mask=0, temperature=None)
    upload(store, handheld)
    first, second = client.get("/api/records", headers=BEARER).json()
    assert first["sub"] == "000102" and second["sub"] is None
    assert (first["verdict"], first["reasons"], first["body_centi_c"]) == ("stop", ["fever"], 3660)
    assert (first["kind"], first["colour"], first["mask"], first["direction"]) == (
        "live",
        "green",
        "worn",
        "in",
    )
    assert (first["party"], first["confirmed"]) == ({"first": 1, "index": 0, "size": 2}, ["id_equal"])
    assert (second["verdict"], second["reasons"]) == ("attention", ["unknown_issuer", "reason_250"])
    client.get(f"/?key={KEY}")
    page = client.get("/").text
    for text in (
        "禁止通行",
        "STOP",
        "体温异常",
        "fever",
        "36.6",
        "1/2",
        "000102…",
        "签发机构未知",
        "原因 250",
    ):
        assert text in page
    # No more of a pseudonym leaves the server, on the page or in the API.
    assert bytes(range(16)).hex()[:8] not in page + client.get("/api/records").text
    # Newest first.
    assert page.index("#2</span>") < page.index("#1</span>")


def test_events_and_roles_in_words(client, store):
    handheld = PaperHandheld.enrolled(store)
    handheld.write(1, role=3, manual=1, kind=4)
    event = {key: handheld.fields()[key] for key in (2, 3, 4, 5, 6)}
    handheld.append(record.encode({1: 2, **event, record.EVENT: 1, record.DETAIL: HOSTILE}))
    handheld.append(record.encode({1: 3, **event, record.EVENT: 99}))
    upload(store, handheld)
    first, second, third = client.get("/api/records", headers=BEARER).json()
    assert (first["role"], first["manual"], first["kind"]) == ("returning", "no_phone", "none")
    assert (second["event"], second["verdict"], second["detail"]) == ("scene_changed", None, HOSTILE)
    assert (third["event"], first["event"], first["verdict"]) == ("event_99", None, "pass")
    client.get(f"/?key={KEY}")
    page = client.get("/").text
    for text in ("返岗人员", "人工登记", "no phone", "更换场景", "事件 99"):
        assert text in page
    assert "无法识读的记录" not in page and "<script>alert" not in page


def test_paging(client, store):
    one, two = PaperHandheld.enrolled(store), PaperHandheld.enrolled(store)
    for handheld in (one, two):
        handheld.write(3)
        upload(store, handheld)
    records = client.get("/api/records", headers=BEARER).json()
    assert [r["id"] for r in records] == [1, 2, 3, 4, 5, 6]
    assert [r["id"] for r in client.get("/api/records?after=4", headers=BEARER).json()] == [5, 6]
    assert [r["id"] for r in client.get("/api/records?limit=2", headers=BEARER).json()] == [1, 2]
    of_two = client.get(f"/api/records?device={two.id}", headers=BEARER).json()
    assert [r["id"] for r in of_two] == [4, 5, 6]
    assert client.get("/api/records?device=' OR 1=1 --", headers=BEARER).json() == []
    for query in (
        "after=-1",
        "limit=0",
        "limit=100000",
        "after=x",
        "after=" + "9" * 30,
        "device=" + "x" * 99,
    ):
        assert client.get(f"/api/records?{query}", headers=BEARER).status_code == 422
    assert client.get("/api/summary", headers=BEARER).json() == {
        "records": 6,
        "last_id": 6,
        "pack_version": 0,
    }


def test_text_from_outside_stays_text(client, store):
    handheld = PaperHandheld.enrolled(store, place=HOSTILE)
    handheld.write(1, place=HOSTILE, scene=HOSTILE, checker=HOSTILE)
    upload(store, handheld)
    client.get(f"/?key={KEY}")
    for text in (client.get("/").text, client.get("/parts/devices").text):
        assert "<script>alert" not in text and "&lt;script&gt;alert" in text
    # The page's only script is its own file.
    assert re.findall(r"<script[^>]*>", client.get("/").text) == ['<script src="/static/console.js" defer>']


def test_headers(client):
    for path in ("/", "/static/console.js", "/api/records"):
        policy = client.get(path).headers["content-security-policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy
    assert client.get("/", headers={"host": "yima.evil.example"}).status_code == 400
    assert client.get("/static/../cli.py").status_code in (400, 404)


def test_every_reason_has_words():
    for number in reasons.built_in():
        word = words.reason(number)
        assert word.name == reasons.name_of(number) and not word.zh.startswith("原因") and word.en
    assert len({words.reason(n).zh for n in reasons.built_in()}) == len(reasons.built_in())


def test_records_stream_as_they_arrive(tmp_path):
    """Real sockets: the event comes when the record is committed, and a reconnect misses nothing."""
    ports = []
    for _ in range(2):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            ports.append(probe.getsockname()[1])
    store = open_store(tmp_path / "server")
    handheld = PaperHandheld.enrolled(store)
    store.close()
    argv = [sys.executable, "-m", "host_tools.cli", "server", "serve", "--state", str(tmp_path)]
    process = subprocess.Popen([*argv, "--port", str(ports[0]), "--console-port", str(ports[1])], cwd=ROOT)
    try:
        url = f"http://127.0.0.1:{ports[1]}"
        ends = time.monotonic() + 20
        while time.monotonic() < ends:
            try:
                httpx.get(f"{url}/healthz", trust_env=False)
                break
            except httpx.HTTPError:
                time.sleep(0.1)
        key = console.load_or_create_key(tmp_path / "server")
        headers = {"authorization": f"Bearer {key}"}
        with httpx.Client(verify=False, trust_env=False, timeout=20) as link:
            for first in (1, 2):
                with link.stream("GET", f"{url}/api/stream?after={first - 1}", headers=headers) as stream:
                    lines = stream.iter_lines()
                    assert next(lines).startswith("retry")
                    handheld.write(1)
                    body = handheld.request(first)
                    sent = time.monotonic()
                    answer = link.post(f"https://127.0.0.1:{ports[0]}/v1/sync", content=body)
                    assert answer.status_code == 200
                    data = next(line for line in lines if line.startswith("data: "))
                    assert time.monotonic() - sent < 2
                    assert f"#{first}</span>" in json.loads(data[6:])["html"]
            again = {**headers, "last-event-id": "1"}
            with link.stream("GET", f"{url}/api/stream", headers=again) as stream:
                data = next(line for line in stream.iter_lines() if line.startswith("data: "))
                assert "#2</span>" in data and "#1</span>" not in data
        # An open stream does not hold up the end.
        with (
            httpx.Client(trust_env=False) as link,
            link.stream("GET", f"{url}/api/stream?after=2", headers=headers) as stream,
        ):
            assert next(stream.iter_lines())
            ended = time.monotonic()
            process.terminate()
            assert process.wait(8) == 0 and time.monotonic() - ended < 1.5
    finally:
        process.kill()
        process.wait(5)
