"""Attackers of docs/security.md before the sealed sync: what they send changes nothing, no alarm is false.

`PaperHandheld` in test_attacks.py speaks as handhelds of before; here records are sealed, and answers are
authenticated. What a proxy between handheld and server can do is in test_faulty_sync.py.
"""

from __future__ import annotations

import json
import secrets

import pytest
from fleetkit import NOW, AppClient
from sealedkit import SealedHandheld
from test_attacks import HOSTILE

from firmware.core import message, record
from host_tools.server import console, devices
from host_tools.server.sealing_keys import SealingKeys
from host_tools.server.store import Store

KEY = "the-console-key"


@pytest.fixture
def client(store, keys):
    return AppClient(devices.make_app(store, devices.Bell(), clock=lambda: NOW, keys=keys))


def enrolled(store: Store, keys: SealingKeys, *segments: int, **changes: object) -> SealedHandheld:
    handheld = SealedHandheld.enrolled(store)
    assert isinstance(handheld, SealedHandheld)
    for count in segments:
        handheld.begin(*keys.public())
        handheld.write(count, **changes)
    return handheld


def asks(
    handheld: SealedHandheld,
    first: int,
    last: int | None = None,
    *,
    at_unix: int = NOW,
    items: list[bytes] | None = None,
    wants_mac: bool = True,
) -> bytes:
    """A request as the firmware makes it, at a time of its clock."""
    return message.encode_sync_request(
        handheld.id,
        handheld.secret,
        first,
        handheld.chains[first - 1],
        handheld.items(first, last) if items is None else items,
        at_unix,
        0,
        secrets.token_bytes(16),
        wants_mac,
    )


def told(client: AppClient, handheld: SealedHandheld, body: bytes) -> message.SyncReply:
    """What the handheld reads in the answer."""
    answer = client.post("/v1/sync", content=body)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == 'application/cose; cose-type="cose-mac0"'
    nonce = message.parse_sync_request(body)[1].nonce
    with pytest.raises(message.MessageError):
        message.parse_authenticated_reply(answer.content, bytes(32), nonce)
    return message.parse_authenticated_reply(answer.content, handheld.secret, nonce)


def state_of(store: Store, handheld: SealedHandheld) -> tuple:
    device = store.device(handheld.id)
    return device.held_seq, device.held_chain, device.alert, device.clock_offset_s, device.last_seen_unix


def test_replayed_and_reordered(client, store, keys):
    """All that was ever said, again and in any order, requests without records too."""
    handheld = enrolled(store, keys, 3)
    bodies = [asks(handheld, 1, 2, at_unix=NOW + 1), asks(handheld, 3, at_unix=NOW + 2)]
    bodies.append(asks(handheld, 4, at_unix=NOW + 3))
    handheld.begin(*keys.public())
    handheld.write(4)
    bodies.append(asks(handheld, 4, 6, at_unix=NOW + 4))
    late = asks(handheld, 4, 7, at_unix=NOW + 5)
    bodies.append(asks(handheld, 7, at_unix=NOW + 6))
    bodies.append(asks(handheld, 8, at_unix=NOW + 7))
    for body in bodies:
        assert told(client, handheld, body).refusal is None
    before = state_of(store, handheld)
    assert before[:3] == (7, handheld.chains[7], None)
    for body in (*reversed(bodies), late, *bodies[2:5], *bodies):
        reply = told(client, handheld, body)
        assert (reply.acknowledged, reply.refusal) == (7, None)
        assert state_of(store, handheld) == before
    assert [row.raw for row in store.records_after(0, 99)] == handheld.records


def test_late_is_not_rolled_back_and_rolled_back_is_not_late(client, store, keys):
    """The same request tells of an old flash image where the handheld makes it now."""
    handheld = enrolled(store, keys, 2)
    told(client, handheld, asks(handheld, 1, at_unix=NOW))
    assert told(client, handheld, asks(handheld, 1, items=[], at_unix=NOW - 1)).refusal is None
    assert store.device(handheld.id).alert is None
    assert told(client, handheld, asks(handheld, 1, items=[], at_unix=NOW)).refusal.startswith("rolled back")
    assert store.device(handheld.id).alert.startswith("rolled back")


def test_a_clock_that_ran_ahead_is_not_late_for_ever(client, store, keys):
    """Somebody with the PIN took its clock back: what it says counts from the first time on."""
    handheld = enrolled(store, keys, 2)
    told(client, handheld, asks(handheld, 1, at_unix=NOW + 4000))
    assert store.device(handheld.id).clock_offset_s == 4000
    told(client, handheld, asks(handheld, 3, at_unix=NOW + 5))
    assert store.device(handheld.id).clock_offset_s == 5


def test_truncated_and_changed(client, store, keys):
    handheld = enrolled(store, keys, 3)
    body = asks(handheld, 1)
    for at in range(len(body)):
        changed = body[:at] + bytes([body[at] ^ 0x11]) + body[at + 1 :]
        for bad in (body[:at], changed):
            assert client.post("/v1/sync", content=bad).status_code in (400, 401), at
    assert client.post("/v1/sync", content=body + b"\0").status_code == 400
    assert store.count_records() == 0 and store.device(handheld.id).alert is None
    # Cut between two items it is a shorter batch, and good.
    assert told(client, handheld, asks(handheld, 1, 2)).acknowledged == 2


def test_an_answer_without_a_tag_is_not_to_be_had(client, store, keys):
    """Who takes the wish for a tag out of a request has changed the request."""
    handheld = enrolled(store, keys, 1)
    with_tag, without = asks(handheld, 1), asks(handheld, 1, wants_mac=False)
    members = with_tag[: with_tag.index(b"\x07\x01", -40)]
    assert client.post("/v1/sync", content=members + without[len(members) :]).status_code in (400, 401)
    assert client.post("/v1/sync", content=without).headers["content-type"] == "application/cbor"


def test_sealed_records_of_another_handheld(client, store, keys):
    """A foreign device sends what it has recorded elsewhere, under its own name and MAC."""
    victim, thief = enrolled(store, keys, 3), enrolled(store, keys)
    body = message.encode_sync_request(
        thief.id, thief.secret, 1, record.GENESIS, victim.items(), NOW, 0, bytes(16), True
    )
    reply = told(client, thief, body)
    assert reply.acknowledged == 0 and "another device" in reply.refusal
    forged = message.encode_sync_request(
        victim.id, thief.secret, 1, record.GENESIS, victim.items(), NOW, 0, bytes(16), True
    )
    assert client.post("/v1/sync", content=forged).status_code == 401
    assert store.count_records() == 0 and store.device(victim.id).alert is None


def test_a_sealed_journal_rolled_back_and_written_anew(client, store, keys):
    handheld = enrolled(store, keys, 3, 2)
    told(client, handheld, asks(handheld, 1))
    old = SealedHandheld(handheld.id, handheld.secret)
    old.records, old.chains = handheld.records[:3], handheld.chains[:4]
    old.sealed, old.heads = handheld.sealed[:3], handheld.heads[:3]
    old.begin(*keys.public())
    old.write(4, verdict=2)
    for first in (1, 4, 5):
        reply = told(client, old, asks(old, first, at_unix=NOW + first))
        assert reply.acknowledged == 5 and reply.refusal.startswith("fork"), first
    assert store.device(handheld.id).alert.startswith("fork")
    assert [row.raw for row in store.records_after(0, 99)] == handheld.records


def test_a_forged_chain_of_sealed_records(client, store, keys):
    """Records left out, or their seals exchanged, with a chain made to fit."""
    handheld = enrolled(store, keys, 2)
    told(client, handheld, asks(handheld, 1))
    forged = SealedHandheld(handheld.id, handheld.secret)
    forged.begin(*keys.public())
    forged.write(4, verdict=1)
    assert told(client, forged, asks(forged, 3, at_unix=NOW + 1)).refusal.startswith("fork")
    # With the true chain before them they are of a segment that does not begin here.
    forged.chains[2] = handheld.chains[2]
    reply = told(client, forged, asks(forged, 3, at_unix=NOW + 2))
    assert (reply.acknowledged, reply.refusal) == (2, "record 3 is of another segment")
    # And a segment that does begin here was sealed after another chain.
    forged = SealedHandheld(handheld.id, handheld.secret)
    forged.begin(*keys.public())
    forged.write(2, verdict=1)
    forged.begin(*keys.public())
    forged.write(2, verdict=1)
    forged.chains[2] = handheld.chains[2]
    reply = told(client, forged, asks(forged, 3, at_unix=NOW + 3))
    held = store.device(handheld.id).held_seq
    rows = list(store.records_after(0, 99))
    assert [row.raw for row in rows[:2]] == handheld.records
    # Nobody can open them: they are kept as they came, and shown in red.
    assert (reply.acknowledged, held) == (4, 4) and "no key of ours" in store.device(handheld.id).alert
    assert all(row.verdict is None and row.sub is None for row in rows[2:])


def test_hostile_cbor_under_a_seal(client, store, keys):
    """A handheld gone bad seals anything: it is kept, and read by nobody."""
    handheld = enrolled(store, keys)
    handheld.begin(*keys.public())
    bad = (
        b"\x9f" * 512,
        b"\x81" * 512,
        b"\xbf" * 100,
        b"\x5b" + b"\xff" * 8,
        b"\x9b\0\0\0\1\0\0\0\0",
        b"\xff",
    )
    for raw in bad:
        handheld.append(raw)
    handheld.write(1)
    assert told(client, handheld, asks(handheld, 1)).acknowledged == len(bad) + 1
    rows = list(store.records_after(0, 99))
    assert [row.raw for row in rows] == handheld.records
    assert [row.verdict for row in rows] == [None] * len(bad) + [0]


def test_hostile_words_under_a_seal(client, store, keys):
    """Texts of sealed records are SQL, markup and formulas as little as others."""
    handheld = enrolled(store, keys)
    handheld.begin(*keys.public())
    for text in HOSTILE:
        handheld.write(1, place=text, scene=text[:24], checker=text[:40])
        fields = handheld.fields()
        event = {key: fields[key] for key in (1, 2, 3, 4)}
        event |= {record.PLACE: text, record.SCENE: text[:24], record.EVENT: 1, record.DETAIL: text}
        handheld.append(record.encode(event))
    count = 2 * len(HOSTILE)
    assert told(client, handheld, asks(handheld, 1)).acknowledged == count
    rows = list(store.records_after(0, 99))
    assert [row.raw for row in rows] == handheld.records
    assert [row.place for row in rows[::2]] == [text.replace("\0", "\ufffd") for text in HOSTILE]
    page = AppClient(
        console.make_app(store, devices.Bell(), KEY, 8703, clock=lambda: NOW), "http://127.0.0.1:8703"
    )
    page.get(f"/?key={KEY}")
    shown = json.loads(page.get("/api/records").text)
    assert len(shown) == count
    for path in ("/", "/parts/devices", "/staff", "/trace", "/audit"):
        html = page.get(path).text
        assert "<img src=x" not in html and "<script>alert" not in html and ">49<" not in html, path
