"""Sealed records at the fleet server: opened, kept as they came, each once; refused where they do not fit."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import pytest
from fleetkit import NOW, AppClient, PaperHandheld
from sealedkit import SealedHandheld
from sqlalchemy import delete
from test_server_ingest import send

from firmware.core import record
from host_tools.server import devices
from host_tools.server.opener import open_record, parse_head
from host_tools.server.schema import Record
from host_tools.server.sealing_keys import SealingKeys
from host_tools.server.store import Store


@pytest.fixture
def client(store: Store, keys: SealingKeys) -> AppClient:
    return AppClient(devices.make_app(store, devices.Bell(), clock=lambda: NOW, keys=keys))


def enrolled(store: Store, keys: SealingKeys, *segments: int) -> SealedHandheld:
    """A handheld with so many records in each segment."""
    handheld = SealedHandheld.enrolled(store)
    assert isinstance(handheld, SealedHandheld)
    for count in segments:
        handheld.begin(*keys.public())
        handheld.write(count)
    return handheld


def check(store: Store, handheld: SealedHandheld, count: int) -> list[Record]:
    """So many records are held, in plain and as they were sealed, and the chain is over what was sealed."""
    rows = list(store.records_after(0, 10_000, handheld.id))
    assert [row.seq for row in rows] == list(range(1, count + 1))
    assert [row.raw for row in rows] == handheld.records[:count]
    assert [row.sealed for row in rows] == handheld.sealed[:count]
    chain = record.GENESIS
    for row in rows:
        begins = row.head if row.head and parse_head(row.head).first == row.seq else b""
        chain = sha256(chain + begins + row.sealed).digest()
        assert row.chain == chain
    device = store.device(handheld.id)
    assert (device.held_seq, device.held_chain) == (count, chain)
    assert device.held_head == (handheld.heads[count - 1] if count else None)
    return rows


def test_sealed_records_become_rows(client: AppClient, store: Store, keys: SealingKeys) -> None:
    handheld = enrolled(store, keys, 5, 3)
    assert send(client, handheld.sends()).acknowledged == 8
    rows = check(store, handheld, 8)
    assert [row.seq for row in rows if row.head] == [1, 6]
    assert (rows[0].place, rows[0].verdict, rows[0].sub) == ("Library", 0, bytes(range(16)))
    # With head, sealed bytes and chain anybody who has the key can open it again.
    private = keys._private(keys.public()[1])
    assert open_record(private, rows[5].head, rows[7].sealed, rows[6].chain) == handheld.records[7]


def test_repeats_and_overlaps(client: AppClient, store: Store, keys: SealingKeys) -> None:
    handheld = enrolled(store, keys, 4, 4, 4)
    for first, last in ((1, 3), (1, 3), (2, 6), (4, 6), (5, 7), (1, 12), (9, 12), (13, 12)):
        reply = send(client, handheld.sends(first, last))
        assert (reply.acknowledged >= last, reply.refusal) == (True, None), (first, last)
    check(store, handheld, 12)


def test_the_key_changes_and_the_old_one_still_opens(
    client: AppClient, store: Store, keys: SealingKeys
) -> None:
    handheld = enrolled(store, keys, 3)
    keys.rotate()
    handheld.begin(*keys.public())
    handheld.write(3)
    assert send(client, handheld.sends()).acknowledged == 6
    check(store, handheld, 6)


def test_what_does_not_continue_is_refused(client: AppClient, store: Store, keys: SealingKeys) -> None:
    handheld = enrolled(store, keys, 4, 4)
    assert send(client, handheld.sends(1, 4)).acknowledged == 4
    other = SealedHandheld(handheld.id, handheld.secret)
    other.begin(*keys.public())
    other.write(6)
    items = handheld.items(5)
    stranger = enrolled(store, keys, 8)
    plain = PaperHandheld(handheld.id, handheld.secret)
    plain.write(6)
    for body, words in (
        (other.sends(), "fork: record 1"),
        (other.sends(5), "fork: the chain"),
        (handheld.request(6, records=handheld.items(6)), "gap"),
        (handheld.request(5, records=[items[0], items[2], items[1]]), "order"),
        (handheld.request(5, records=[items[0], items[1], items[3]]), "order"),
        (handheld.request(5, records=items[1:]), "records in plain"),
        (handheld.request(5, records=stranger.items(5)), "another device"),
        (handheld.request(5, records=plain.records[4:]), "records in plain"),
        (handheld.request(4, records=[]), "rolled back"),
        (handheld.request(5, records=[items[0], b"\x00"]), "record"),
        (handheld.request(5, records=[items[0][:-1], *items[1:]]), "head"),
    ):
        reply = send(client, body)
        assert reply.acknowledged == 4 and words in (reply.refusal or ""), (words, reply.refusal)
    rows = store.records_after(0, 100, handheld.id)
    assert [row.raw for row in rows][:4] == handheld.records[:4]


def test_one_that_no_key_opens_is_kept_and_told(client: AppClient, store: Store, keys: SealingKeys) -> None:
    handheld = enrolled(store, keys, 2)
    lost = SealingKeys(Path(str(keys._folder) + "2"))
    handheld.begin(*lost.public())
    handheld.write(2)
    handheld.begin(*keys.public())
    handheld.write(1)
    assert send(client, handheld.sends()).acknowledged == 5
    rows = store.records_after(0, 100, handheld.id)
    assert [row.raw for row in rows[:2]] == handheld.records[:2] and rows[4].raw == handheld.records[4]
    assert rows[2].raw == handheld.heads[2] + handheld.sealed[2] and rows[2].sub is None
    alert = store.device(handheld.id).alert
    assert alert and "no key of ours" in alert
    private = lost._private(lost.public()[1])
    assert open_record(private, rows[2].head, rows[3].sealed, rows[2].chain) == handheld.records[3]


def test_a_record_of_another_in_a_good_envelope(client: AppClient, store: Store, keys: SealingKeys) -> None:
    handheld = enrolled(store, keys, 2)
    handheld.append(record.encode(handheld.fields(device="y-another1")))
    handheld.write(1)
    reply = send(client, handheld.sends())
    assert reply.acknowledged == 2 and "another device" in reply.refusal
    check(store, handheld, 2)


def test_plain_ones_of_before_and_then_sealed(client: AppClient, store: Store, keys: SealingKeys) -> None:
    old = PaperHandheld.enrolled(store)
    old.write(3)
    assert send(client, old.request()).acknowledged == 3
    handheld = SealedHandheld(old.id, old.secret)
    handheld.records, handheld.chains = list(old.records), list(old.chains)
    handheld.sealed, handheld.heads = list(old.records), [b""] * 3
    handheld.begin(*keys.public())
    handheld.write(2)
    assert send(client, handheld.sends(4)).acknowledged == 5
    rows = store.records_after(0, 100, handheld.id)
    assert [row.raw for row in rows] == handheld.records and rows[2].sealed is None and rows[3].sealed


def test_after_retention_has_deleted_them(client: AppClient, store: Store, keys: SealingKeys) -> None:
    handheld = enrolled(store, keys, 6, 4)
    assert send(client, handheld.sends(1, 5)).acknowledged == 5
    with store.writing() as session:
        session.execute(delete(Record))
    assert send(client, handheld.sends(3, 4)).acknowledged == 5
    assert send(client, handheld.sends(3)).acknowledged == 10
    assert [row.raw for row in store.records_after(0, 100, handheld.id)] == handheld.records[5:]
