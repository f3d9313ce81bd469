"""The quick readers and the writer of rows say what the strict ones say, or leave it to them."""

from __future__ import annotations

import secrets
import struct
from typing import Any

import psycopg
import pytest
from fleetkit import NOW, PaperHandheld
from hypothesis import given, settings
from hypothesis import strategies as st
from sealedkit import SealedHandheld

from firmware.core import cbor, message, record
from firmware.core.shape import ShapeError
from host_tools.server import ingest, opener, quick
from host_tools.server.copying import COLUMNS, COPY, copy_bytes
from host_tools.server.sealing_keys import SealingKeys
from host_tools.server.seen import FRESH_S, SeenBook
from host_tools.server.store import Store

NUMBERS = {"party_first", "party_index", "party_size", "object_centi_c", "ambient_centi_c", "body_centi_c"}


def changes(data: bytes, at: int, value: int, tail: bytes) -> list[bytes]:
    """A byte changed, cut off, or added."""
    at %= len(data)
    return [data[:at] + bytes([value]) + data[at + 1 :], data[:at], data + tail, data[:at] + tail + data[at:]]


# Rows ----------------------------------------------------------------------------------------------------


def row(**values: object) -> tuple[Any, ...]:
    known: dict[str, object] = {"device_id": "y-1", "seq": 1, "received_unix": NOW, "at_unix": NOW, "day": 7}
    known |= {"raw": b"\1", "chain": bytes(32), **values}
    return tuple(known.get(name) for name in COLUMNS)


def test_rows_come_back_as_they_went_in(postgres, fleet_template):
    rows = [
        row(),
        row(seq=2, place="a\tb\\c\nd\re", detail="None", confirmed="1,2", reasons="", sub=b"\0\xff" * 8),
        row(seq=3, place="\\N", checker="\\.", scene="地铁", cti=b"", head=bytes(192), sealed=bytes(535)),
        row(seq=2**32 - 2, raw=bytes(727), time_unix=2**32 - 1, clock=1, direction=2, kind=4, colour=3),
        row(seq=5, verdict=2, mask=2, role=3, manual=3, event=255, **dict.fromkeys(NUMBERS, -40_000)),
        row(seq=6, party_first=2**32 - 1, party_index=0, party_size=2),
    ]
    with psycopg.connect(postgres.create(fleet_template)) as connection:
        connection.execute("CREATE TABLE record_d7 PARTITION OF record FOR VALUES FROM (7) TO (8)")
        with connection.cursor().copy(COPY) as copy:
            copy.write(copy_bytes(rows))
        found = connection.execute(f"SELECT {', '.join(COLUMNS)} FROM record ORDER BY id").fetchall()
    assert found == rows


# Requests ------------------------------------------------------------------------------------------------


def told(answer: tuple[str, message.SyncRequest] | None) -> list[object] | None:
    if answer is None:
        return None
    device_id, asked = answer
    mac0 = asked.mac0
    fields = [getattr(asked, name) for name in asked.__slots__ if name != "mac0"]
    return [device_id, *fields, mac0.protected, mac0.kid, mac0.payload, mac0.tag]


def strict(body: bytes) -> list[object] | None:
    try:
        return told(message.parse_sync_request(body))
    except message.MessageError:
        return None


@settings(max_examples=150, deadline=None)
@given(
    st.text("abcdefgh23456789-设", min_size=1, max_size=12),
    st.integers(1, 2**32 - 1),
    st.lists(st.binary(min_size=1, max_size=535), max_size=40),
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**32 - 1),
    st.booleans(),
    st.integers(0, 30_000),
    st.integers(0, 255),
    st.binary(min_size=1, max_size=3),
)
def test_requests(device_id, first, records, time_unix, version, wants_mac, at, value, tail):
    secret = bytes(range(32))
    made = device_id, secret, first, bytes(32), records, time_unix, version, bytes(16), wants_mac
    whole = message.encode_sync_request(*made)
    for body in (whole, *changes(whole, at, value, tail)):
        quickly = told(quick.sync_request(body))
        assert quickly is None or quickly == strict(body)
    if len(whole) > 400:
        assert told(quick.sync_request(whole)) == strict(whole) is not None


def test_the_usual_request_is_read_quickly_and_its_mac_checked():
    handheld = PaperHandheld("y-abcd2345", secrets.token_bytes(32))
    handheld.write(200)
    answer = quick.sync_request(handheld.request())
    assert answer and told(answer) == strict(handheld.request(nonce=answer[1].nonce))
    mac0 = answer[1].mac0
    assert quick.verify_mac(mac0, handheld.secret) and mac0.verify(handheld.secret)
    for reply in (b"\xa1\x01\x02", bytes(4_000)):
        made = reply, handheld.id, handheld.secret
        assert quick.authenticated(*made) == message.authenticated(*made)
    assert not quick.verify_mac(mac0, bytes(32))
    mac0.payload += b"\0"
    assert not quick.verify_mac(mac0, handheld.secret)


# Records -------------------------------------------------------------------------------------------------

OPTIONAL = {
    "sub": st.binary(min_size=16, max_size=16),
    "party": st.lists(st.integers(0, 9), min_size=3, max_size=3),
    "cti": st.one_of(st.binary(min_size=8, max_size=8), st.binary(max_size=32)),
    "colour": st.integers(0, 3),
    "temperature": st.lists(
        st.one_of(st.integers(2_000, 4_200), st.integers(-99, 300)), min_size=3, max_size=3
    ),
    "checker": st.sampled_from(["李", "a b"]),
    "confirmed": st.just([1]),
    "role": st.integers(0, 3),
    "manual": st.integers(1, 3),
}
PEOPLE = st.fixed_dictionaries(
    {
        "direction": st.integers(0, 2),
        "kind": st.integers(0, 4),
        "verdict": st.integers(0, 2),
        "mask": st.integers(0, 2),
        "clock": st.integers(0, 1),
        "time": st.one_of(st.integers(NOW, NOW + 9), st.integers(0, 2**32 - 1)),
        "reasons": st.one_of(st.just([]), st.lists(st.integers(0, 3999), max_size=3)),
        "place": st.sampled_from(["Library", "地铁站"]),
    },
    optional=OPTIONAL,
)


def strictly(raw: bytes) -> tuple[Any, ...] | None:
    try:
        return ingest._columns(record.check(cbor.loads(raw, 2, 128)))
    except (cbor.CborError, ShapeError):
        return None


@settings(max_examples=300, deadline=None)
@given(
    PEOPLE, PEOPLE, st.integers(1, 2**32 - 2), st.integers(0, 200), st.integers(0, 255), st.binary(max_size=2)
)
def test_a_form_answers_as_the_strict_reader(one, other, seq, at, value, tail):
    handheld = PaperHandheld("y-abc", bytes(32))
    usual = {"sub": None, "cti": None, "colour": None, "temperature": None}
    first = handheld.fields(**{**usual, **one, "seq": seq})
    form = quick.Form(first, ingest._columns(first))
    second = record.encode(handheld.fields(**{**usual, **other, "seq": seq}))
    for raw in (record.encode(first), second, *changes(second, at, value, tail)):
        for expected in (seq, seq + 1):
            quickly = form.columns(raw, expected)
            assert quickly is None or (
                quickly == strictly(raw) and record.decode(raw)[record.SEQ] == expected
            )


@pytest.mark.parametrize("seq", [1, 23, 24, 255, 256, 65_535, 65_536, 2**32 - 2])
def test_usual_records_have_a_form(seq):
    handheld = PaperHandheld("y-abc", bytes(32))
    forms = quick.Forms()
    for more in ({}, {"checker": "李", "role": 1}, {"cti": bytes(16), "temperature": None}):
        fields = handheld.fields(seq=seq, **more)
        form = forms.learn(handheld.id, fields, ingest._columns(fields))
        raw = record.encode({**fields, record.SUB: bytes(16), record.TIME: NOW + 77, record.VERDICT: 2})
        assert form is forms.of(handheld.id) and form.columns(raw, seq) == strictly(raw) is not None
    # Neither an event nor another handheld's record is a form for what comes.
    event = {key: fields[key] for key in (1, 2, 3, 4, 5, 6)} | {record.EVENT: 1}
    assert forms.learn(handheld.id, event, ingest._columns(event)) is form
    assert forms.learn("y-other", fields, ingest._columns(fields)) is None


# Sealed records ------------------------------------------------------------------------------------------


def by_the_rules(data: bytes) -> tuple[int, bytes, bytes]:
    """What `parse_sealed` answers without its short cut, because a head is longer than need be."""
    assert data[:2] == b"\x83\x43"
    return opener.parse_sealed(b"\x83\x58\x03" + data[2:])


@settings(max_examples=200, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.binary(max_size=510),
    st.integers(5, 30),
    st.integers(0, 255),
    st.binary(max_size=2),
)
def test_sealed_records(seq, ciphertext, at, value, tail):
    whole = cbor.dumps([b"\xa1\x01\x0a", {6: struct.pack(">I", seq)}, ciphertext])
    assert opener.parse_sealed(whole) == by_the_rules(whole) == (seq, b"\xa1\x01\x0a", ciphertext)
    for data in changes(whole, at, value, tail):
        if data[:2] != b"\x83\x43" or len(data) > opener.MAX_SEALED - 1:
            continue
        answers = []
        for parse in (opener.parse_sealed, by_the_rules):
            try:
                answers.append(parse(data))
            except opener.OpenerError:
                answers.append(None)
        assert answers[0] == answers[1]


@pytest.mark.parametrize("size", [24, 200, 255, 256, 500])
def test_a_sealed_record_is_neither_cut_nor_longer(size):
    whole = cbor.dumps([b"\xa1\x01\x0a", {6: bytes(4)}, bytes(size)])
    assert opener.parse_sealed(whole)[2] == bytes(size)
    for wrong in (whole[:-1], whole + b"\0"):
        with pytest.raises(opener.OpenerError):
            opener.parse_sealed(wrong)


def test_what_is_sealed_by_the_rules_but_unusually_opens_too(tmp_path):
    """Longer heads than need be, in the record and in its protected header: the chain is over what came."""
    keys = SealingKeys(tmp_path)
    handheld = SealedHandheld("y-abc", bytes(32))
    handheld.begin(*keys.public())
    handheld.write(3)
    usual = handheld.sealed[1]
    handheld.sealed[1] = b"\x83\x58\x03" + usual[2:]
    places = opener.follow(handheld.items(), 1, record.GENESIS, "y-abc")
    assert [keys.open(place) for place in places[:2]] == handheld.records[:2]
    # What comes behind it was sealed for another chain value.
    with pytest.raises(opener.CannotOpenError):
        keys.open(places[2])


def test_codes_seen_are_read_again_once_they_are_old(where):
    store, now = Store(where), [5.0]
    book = SeenBook(lambda: now[0])
    store.days.ensure([7])
    one = row(place="Museum", cti=b"1" * 8)
    with store.reading() as session:
        assert book.at(session, "Museum", NOW) == []
        book.note([one, row(place="Museum"), row(place="Elsewhere", cti=b"2" * 8)])
        assert book.at(session, "Museum", NOW) == [(NOW, "y-1", b"1" * 8)]
        assert book.at(session, "Elsewhere", NOW) == []
        now[0] += FRESH_S
        assert book.at(session, "Museum", NOW) == []
        book.note([one])
        book.forget()
        assert book.at(session, "Museum", NOW) == []
    store.close()
