"""The same server on SQLite and PostgreSQL: revisions, days, retention, rows by COPY, several processes."""

from __future__ import annotations

import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from alembic.script import ScriptDirectory
from fleetkit import NOW, AppClient, PaperHandheld
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import inspect, text
from sqlalchemy.exc import IntegrityError

from firmware.core import cbor, message, record
from host_tools.files import FileTrouble
from host_tools.server import devices, intake, migrate, quick
from host_tools.server.days import AHEAD_DAYS, DAY_S, day_of, day_start_unix
from host_tools.server.schema import Base
from host_tools.server.serve import open_store
from host_tools.server.store import Store
from host_tools.state import State


@pytest.fixture
def store(where):
    opened = Store(where, keep_days=14)
    yield opened
    opened.close()


def app_of(store: Store, now: int = NOW) -> AppClient:
    return AppClient(devices.make_app(store, devices.Bell(), clock=lambda: now))


def send(client: AppClient, body: bytes) -> message.SyncReply:
    answer = client.post("/v1/sync", content=body)
    assert answer.status_code == 200, answer.text
    return message.parse_sync_reply(answer.content, message.parse_sync_request(body)[1].nonce)


def days_held(store: Store) -> list[int]:
    with store.reading() as session:
        return sorted(set(session.execute(text("SELECT day FROM record")).scalars()))


def partitions(store: Store) -> list[int]:
    with store.reading() as session:
        names = session.execute(text("SELECT relname FROM pg_class WHERE relname ~ '^record_d[0-9]+$'"))
        return sorted(int(name[8:]) for name in names.scalars())


def test_the_tables_are_those_of_the_models(store):
    found = inspect(store.engine)
    for table in Base.metadata.sorted_tables:
        have = {column["name"]: column["nullable"] for column in found.get_columns(table.name)}
        assert have == {column.name: column.nullable for column in table.columns}, table.name
    with store.engine.connect() as connection:
        scripts = ScriptDirectory.from_config(migrate.configuration(connection))
        assert scripts.get_current_head() == migrate.HEAD
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar() == migrate.HEAD


def test_opened_by_many_at_once(tmp_path, postgres):
    for place in (tmp_path / "fleet.db", postgres.create()):
        with ThreadPoolExecutor(4) as pool:
            opened = list(pool.map(lambda _, place=place: Store(place), range(4)))
        for one in opened:
            assert one.count_records() == 0
            one.close()


def test_old_records_get_their_day(tmp_path):
    Store(tmp_path / "fleet.db").close()
    old = sqlite3.connect(tmp_path / "fleet.db")
    for statement in (
        "DROP INDEX record_day",
        "DROP INDEX record_place_at",
        "DROP INDEX record_sub_at",
        "ALTER TABLE record DROP COLUMN day",
        "ALTER TABLE record DROP COLUMN at_unix",
        "ALTER TABLE record DROP COLUMN sealed",
        "ALTER TABLE record DROP COLUMN head",
        "ALTER TABLE device DROP COLUMN held_head",
        *(f"ALTER TABLE token DROP COLUMN {name}" for name in ("key_hash", "for_device")),
        *(f"ALTER TABLE device DROP COLUMN {n}" for n in ("roll", "secret_unix", "former_id", "replaced_by")),
        "DROP TABLE alembic_version",
    ):
        old.execute(statement)
    for table in set(Base.metadata.tables) - {"record", "device"}:
        if table not in ("token", "trust"):
            old.execute(f"DROP TABLE IF EXISTS {table}")
    old.execute(
        "INSERT INTO device (id, secret, chip_id, firmware, place, scene, enrolled_unix, trust_version, "
        "held_seq, held_chain) VALUES ('y-old', x'00', x'01', '', '', '', 1, 0, 3, x'00')"
    )
    rows = ((1, NOW, NOW - 90_000, 0), (2, NOW, NOW + 5, 0), (3, NOW, NOW - 90_000, 1))
    for seq, received, time, clock in rows:
        old.execute(
            "INSERT INTO record (device_id, seq, received_unix, raw, chain, time_unix, clock) "
            "VALUES ('y-old', ?, ?, x'00', x'00', ?, ?)",
            (seq, received, time, clock),
        )
    old.commit()
    old.close()
    store = Store(tmp_path / "fleet.db")
    found = [(row.at_unix, row.day) for row in store.records_after(0, 9)]
    assert found == [(at, day_of(at)) for at in (NOW - 90_000, NOW, NOW)]
    store.close()


def test_days_begin_at_midnight_in_china():
    midnight = 1_590_076_800
    assert day_of(midnight - 1) + 1 == day_of(midnight) == day_of(midnight + DAY_S - 1)
    assert day_start_unix(day_of(midnight)) == midnight


def test_retention_deletes_records_and_keeps_counts(store, tmp_path):
    handheld = PaperHandheld.enrolled(store)
    secret_sub = b"a-pseudonym-here"
    handheld.write(3, sub=secret_sub, time=NOW, verdict=1)
    handheld.write(2, sub=secret_sub, time=NOW, verdict=0)
    first_day = app_of(store)
    assert send(first_day, handheld.request()).acknowledged == 5
    later = NOW + 14 * DAY_S
    handheld.write(4, time=later)
    assert send(app_of(store, later), handheld.request(6)).acknowledged == 9
    assert store.days.sweep(later) == 0 and store.count_records() == 9
    assert store.days.sweep(later + DAY_S) == 1
    assert days_held(store) == [day_of(later)] and store.count_records() == 4
    with store.reading() as session:
        query = text("SELECT place, scene, verdict, count FROM record_count ORDER BY verdict")
        assert [tuple(row) for row in session.execute(query)] == [
            ("Library", "registered_venue", 0, 2),
            ("Library", "registered_venue", 1, 3),
        ]
    if store.postgresql:
        assert day_of(NOW) not in partitions(store)
    else:
        assert secret_sub not in b"".join(path.read_bytes() for path in tmp_path.glob("fleet.db*"))
    assert store.days.sweep(later + DAY_S) == 0
    # Counts of a day that is swept twice add up.
    handheld.write(1, time=NOW, verdict=1)
    send(app_of(store, NOW), handheld.request(10))
    assert store.days.sweep(later + DAY_S) == 1
    with store.reading() as session:
        assert session.execute(text("SELECT sum(count) FROM record_count")).scalar() == 6


def test_a_repeat_of_what_was_deleted(store):
    """The handheld never heard that its records arrived, and comes back after retention has deleted them."""
    handheld = PaperHandheld.enrolled(store)
    handheld.write(6, time=NOW)
    send(app_of(store), handheld.request())
    later = NOW + 40 * DAY_S
    store.days.sweep(later)
    client = app_of(store, later)
    assert store.count_records() == 0
    assert send(client, handheld.request(3, 4)).acknowledged == 6
    forged = PaperHandheld(handheld.id, handheld.secret)
    forged.write(8, verdict=1)
    reply = send(client, forged.request(3))
    assert reply.acknowledged == 6 and reply.refusal.startswith("fork")
    handheld.write(2, time=later)
    reply = send(client, handheld.request(3))
    assert (reply.acknowledged, reply.refusal) == (8, None)
    assert [row.raw for row in store.records_after(0, 9)] == handheld.records[6:]


def test_a_record_older_than_retention_goes_with_the_next_sweep(store):
    handheld = PaperHandheld.enrolled(store)
    handheld.write(1, time=NOW - 100 * DAY_S)
    send(app_of(store), handheld.request())
    assert days_held(store) == [day_of(NOW) - 14]
    assert store.days.sweep(NOW + DAY_S) == 1 and store.count_records() == 0


def test_partitions_are_made_ahead_and_dropped_ones_anew(postgres, fleet_template):
    store = Store(postgres.create(fleet_template), keep_days=14)
    try:
        store.days.ahead(NOW)
        today = day_of(NOW)
        assert partitions(store) == list(range(today, today + AHEAD_DAYS + 1))
        # Another process drops a partition that this one believes to be there.
        handheld = PaperHandheld.enrolled(store)
        handheld.write(1, time=NOW)
        send(app_of(store), handheld.request())
        other = Store(store.engine.url.render_as_string(hide_password=False), keep_days=14)
        other.days.sweep(NOW + 30 * DAY_S)
        other.close()
        handheld.write(1, time=NOW)
        assert send(app_of(store), handheld.request(2)).acknowledged == 2
        assert store.count_records() == 1
        # A sweep that died half-way is taken up again.
        with store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text(f"ALTER TABLE record DETACH PARTITION record_d{today} CONCURRENTLY"))
        assert store.days.sweep(NOW + 30 * DAY_S) == 1
        assert partitions(store) == []
    finally:
        store.close()


TEXTS = st.text(st.characters(codec="utf-8"), max_size=20)


def test_any_text_comes_back(postgres, fleet_template):
    """Tabs, line feeds, backslashes, NUL and everything else that a handheld may send."""
    store = Store(postgres.create(fleet_template))
    handheld = PaperHandheld.enrolled(store)
    client = app_of(store)

    @settings(max_examples=60, deadline=None)
    @given(TEXTS, TEXTS, st.binary(max_size=32))
    def check(place: str, checker: str, cti: bytes) -> None:
        handheld.write(1, place=place, checker=checker, cti=cti)
        count = len(handheld.records)
        assert send(client, handheld.request(count)).acknowledged == count
        row = store.newest_records(1)[0]
        assert row.place == place.replace("\0", "\ufffd") and row.checker == checker.replace("\0", "\ufffd")
        assert (row.cti, row.raw) == (cti, handheld.records[-1])

    try:
        check()
        for place, checker in (("\\N", "\\."), ("None", "None"), ("\\None", "")):
            handheld.write(1, place=place, checker=checker, sub=None)
            count = len(handheld.records)
            assert send(client, handheld.request(count)).acknowledged == count
            row = store.newest_records(1)[0]
            assert (row.place, row.checker, row.sub, row.detail) == (place, checker, None, None)
    finally:
        store.close()


def test_two_processes_take_each_record_once(where):
    """The same batches, shuffled, at two servers over one database, at the same time."""
    stores = [Store(where), Store(where)]
    handhelds = [PaperHandheld.enrolled(stores[0]) for _ in range(4)]
    for handheld in handhelds:
        handheld.write(60)
    errors: list[BaseException] = []

    def drive(store: Store, turn: int) -> None:
        client = app_of(store)
        try:
            for start in range(1, 61, 6):
                for at in range(len(handhelds)):
                    handheld = handhelds[(at + turn) % len(handhelds)]
                    send(client, handheld.request(start, min(start + 9, 60)))
        except BaseException as e:  # noqa: BLE001 - told below
            errors.append(e)

    threads = [threading.Thread(target=drive, args=(store, turn)) for turn, store in enumerate(stores * 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    for handheld in handhelds:
        rows = stores[0].records_after(0, 1000, handheld.id)
        assert [row.raw for row in sorted(rows, key=lambda row: row.seq)] == handheld.records
        held = stores[0].device(handheld.id)
        assert (held.held_seq, held.held_chain, held.alert) == (60, handheld.chains[-1], None)
    for store in stores:
        store.close()


def test_one_that_cannot_be_stored_does_not_hold_up_the_others(store, monkeypatch):
    good, bad = PaperHandheld.enrolled(store), PaperHandheld.enrolled(store)
    good.write(2)
    bad.write(2)
    real = intake.add_rows

    def add_rows(session, rows) -> None:
        if any(row[0] == bad.id for row in rows):
            raise IntegrityError("", {}, ValueError())
        real(session, rows)

    monkeypatch.setattr(intake, "add_rows", add_rows)
    taker = intake.Intake(store)
    items = []
    for handheld in (bad, good):
        device_id, request = message.parse_sync_request(handheld.request())
        items.append(taker.add(device_id, request, NOW))
    assert taker.finish(items[1]).outcome.acknowledged == 2
    with pytest.raises(IntegrityError):
        taker.finish(items[0])
    assert store.device(bad.id).held_seq == 0 and store.device(good.id).held_seq == 2


@pytest.mark.parametrize("wrong", ["mysql://x", "postgresql://[", "postgresql://u:secret-word@127.0.0.1:1/x"])
def test_a_wrong_address_is_told_without_its_password(tmp_path, monkeypatch, wrong):
    monkeypatch.setenv("YIMA_DATABASE_URL", wrong)
    with pytest.raises(FileTrouble) as caught:
        open_store(State(tmp_path))
    assert "secret-word" not in str(caught.value)


def test_days_of_retention_are_checked(tmp_path, monkeypatch):
    monkeypatch.setenv("YIMA_RETENTION_DAYS", "21")
    store = open_store(State(tmp_path))
    assert store.days.keep_days == 21
    store.close()
    for wrong in ("0", "-1", "x", "99999", "٣"):
        monkeypatch.setenv("YIMA_RETENTION_DAYS", wrong)
        with pytest.raises(FileTrouble):
            open_store(State(tmp_path))


def test_the_chain_of_a_record_is_kept(store):
    handheld = PaperHandheld.enrolled(store)
    handheld.write(2)
    send(app_of(store), handheld.request())
    chain = record.GENESIS
    for row in store.records_after(0, 9):
        chain = record.chain(chain, row.raw)
        assert row.chain == chain


FIELDS = st.dictionaries(
    st.integers(0, 30),
    st.one_of(
        st.integers(-(2**33), 2**33),
        st.binary(max_size=40),
        st.text(max_size=30),
        st.lists(st.integers(-70_000, 70_000), max_size=30),
        st.booleans(),
        st.none(),
        st.lists(st.text(max_size=2), max_size=2),
    ),
    max_size=26,
)


@settings(max_examples=400, deadline=None)
@given(FIELDS, st.integers(0, 400), st.integers(0, 255), st.binary(max_size=2))
def test_the_quick_reader_answers_as_the_strict_one(fields, at, value, tail):
    """Whole ones, and such with a byte changed, cut off or added."""
    whole = cbor.dumps(fields)
    changed = whole[:at] + bytes([value]) + whole[at + 1 :]
    for data in (whole, changed, whole[:at], whole + tail):
        quickly = quick.read(data)
        if quickly is not None:
            assert quickly == cbor.loads(data) and list(quickly) == list(cbor.loads(data))


def test_the_quick_reader_reads_records():
    handheld = PaperHandheld("y-abc", bytes(32))
    handheld.write(2, party=[1, 0, 2], confirmed=[1, 2], reasons=[50, 3999], checker="李", time=2**32 - 1)
    for raw in handheld.records:
        assert quick.read(raw) == record.decode(raw)
