"""The state folder of an earlier release opens: its database, with the tables as they were then."""

from __future__ import annotations

import contextlib
import sqlite3

import pytest
from fleetkit import NOW, AppClient, PaperHandheld, open_store
from sqlalchemy import text

from firmware.core import message
from host_tools.server import devices
from host_tools.server.packs import Packs, Received

#: What the first release wrote.
TABLES = """
CREATE TABLE token (token_hash BLOB NOT NULL, place VARCHAR(96) NOT NULL, scene VARCHAR(32) NOT NULL,
    created_unix BIGINT NOT NULL, expires_unix BIGINT NOT NULL, used_unix BIGINT, device_id VARCHAR(32),
    PRIMARY KEY (token_hash));
CREATE TABLE device (id VARCHAR(32) NOT NULL, secret BLOB NOT NULL, chip_id BLOB NOT NULL,
    firmware VARCHAR(64) NOT NULL, place VARCHAR(96) NOT NULL, scene VARCHAR(32) NOT NULL,
    enrolled_unix BIGINT NOT NULL, revoked_unix BIGINT, last_seen_unix BIGINT, clock_offset_s BIGINT,
    trust_version BIGINT NOT NULL, held_seq BIGINT NOT NULL, held_chain BLOB NOT NULL, alert VARCHAR(256),
    alert_unix BIGINT, PRIMARY KEY (id));
CREATE TABLE trust (version BIGINT NOT NULL, data BLOB NOT NULL, expires_unix BIGINT NOT NULL,
    received_unix BIGINT NOT NULL, PRIMARY KEY (version));
CREATE TABLE record (id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, device_id VARCHAR(32) NOT NULL,
    seq BIGINT NOT NULL, received_unix BIGINT NOT NULL, raw BLOB NOT NULL, chain BLOB NOT NULL,
    time_unix BIGINT, clock INTEGER, place VARCHAR(96), scene VARCHAR(32), direction INTEGER, sub BLOB,
    party_first BIGINT, party_index BIGINT, party_size BIGINT, kind INTEGER, cti BLOB, colour INTEGER,
    verdict INTEGER, reasons TEXT, object_centi_c BIGINT, ambient_centi_c BIGINT, body_centi_c BIGINT,
    mask INTEGER, checker VARCHAR(48), confirmed TEXT, UNIQUE (device_id, seq),
    FOREIGN KEY(device_id) REFERENCES device (id));
CREATE INDEX record_sub_time ON record (sub, time_unix);
"""


@pytest.fixture
def handheld(tmp_path) -> PaperHandheld:
    """A handheld of that time, with one record at the server."""
    made = PaperHandheld("y-oldtimer", bytes(32))
    made.write(1)
    with contextlib.closing(sqlite3.connect(tmp_path / "fleet.db")) as old:
        old.executescript(TABLES)
        values = (made.id, made.secret, b"\1", "0.1.0", "Library", "transit", NOW, 3, 1, made.chains[1])
        old.execute(
            "INSERT INTO device (id, secret, chip_id, firmware, place, scene, enrolled_unix, trust_version, "
            "held_seq, held_chain) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            values,
        )
        old.execute(
            "INSERT INTO record (device_id, seq, received_unix, raw, chain, verdict, reasons) "
            "VALUES (?, 1, ?, ?, ?, 0, '')",
            (made.id, NOW, made.records[0], made.chains[1]),
        )
        old.execute("INSERT INTO trust VALUES (3, x'00', ?, ?)", (NOW + 9, NOW))
        old.commit()
    return made


def test_an_old_database_goes_on(handheld, tmp_path):
    for _ in range(2):
        store = open_store(tmp_path)
        app = AppClient(devices.make_app(store, devices.Bell(), clock=lambda: NOW))
        first = len(handheld.records) + 1
        handheld.write(1, role=1)
        body = handheld.request(first)
        answer = app.post("/v1/sync", content=body)
        nonce = message.parse_sync_request(body)[1].nonce
        assert message.parse_sync_reply(answer.content, nonce).acknowledged == first
        # A new one enrols beside it.
        newcomer = PaperHandheld.enrolled(store)
        newcomer.write(1)
        assert app.post("/v1/sync", content=newcomer.request()).status_code == 200
        rows = store.records_after(0, 99, handheld.id)
        assert [row.raw for row in rows] == handheld.records
        assert [row.role for row in rows] == [None] + [1] * (len(rows) - 1)
        assert store.device(handheld.id).held_chain == handheld.chains[-1]
        store.close()


def test_an_old_database_takes_packs(handheld, tmp_path):
    store = open_store(tmp_path)
    packs = Packs(store)
    packs.pin(bytes(64))
    assert packs.keep(Received(9, b"manifest", bytes(64), NOW + 9, {b"d" * 32: b"part"}), [b"d" * 32], NOW)
    assert packs.part(b"d" * 32, 1) == b"art"
    with store.reading() as session:
        names = set(session.execute(text("SELECT name FROM sqlite_master")).scalars())
    assert {"record_place_at", "record_sub_at", "pack", "part", "root", "staff"} <= names
    store.close()
