"""Taking records in: order, chain and identity are checked, then they become rows.

The caller has checked the request's MAC, holds the lock on the handheld's row, writes the rows, and answers
only after its commit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from firmware.core import record
from firmware.core.message import SyncRequest
from firmware.core.shape import ShapeError
from host_tools.server import quick
from host_tools.server.days import Days, day_of
from host_tools.server.packs import note_held
from host_tools.server.schema import Device, Record

Row = tuple[Any, ...]


@dataclass(frozen=True)
class Outcome:
    """What to answer: the last sequence held without a gap, and why records were refused, if any were."""

    acknowledged: int
    refusal: str | None
    taken: int


class Refused(Exception):
    """The request does not continue what the server holds; the message is for log and console."""


def ingest(
    session: Session, device: Device, request: SyncRequest, now_unix: int, days: Days, rows: list[Row]
) -> Outcome:
    """Take what is new in `request`: its rows are added to `rows`, in the order of `copying.COLUMNS`.

    Records before the first bad one are taken; a repeat changes nothing.
    """
    taken = 0
    refusal = None
    last: dict[int, Any] = {}
    oldest = days.oldest(now_unix)
    held, chain, device_id = device.held_seq, device.held_chain, device.id
    try:
        for raw in _continues(session, device, request):
            seq = held + taken + 1
            fields = _checked(raw, seq, device_id)
            chain = record.chain(chain, raw)
            at_unix = now_unix
            if fields.get(record.CLOCK) == record.CLOCK_TRUSTED:
                at_unix = min(fields[record.TIME], now_unix)
            day = max(day_of(at_unix), oldest)
            rows.append((device_id, seq, now_unix, at_unix, day, raw, chain, *_columns(fields)))
            taken += 1
            if fields:
                last = fields
    except Refused as e:
        refusal = str(e)
    if taken:
        device.held_seq += taken
        device.held_chain = chain
    if last:
        device.at_place, device.at_scene = _stored(last[record.PLACE]), _stored(last[record.SCENE])
    if refusal is not None:
        device.alert = refusal
        device.alert_unix = now_unix
    device.last_seen_unix = now_unix
    device.clock_offset_s = request.time_unix - now_unix
    note_held(session, device, request.pack_version)
    return Outcome(device.held_seq, refusal, taken)


def _continues(session: Session, device: Device, request: SyncRequest) -> list[bytes]:
    """The records that the server does not hold yet. Raises Refused unless they continue what it holds."""
    first = request.first_seq
    held = device.held_seq
    if first > held + 1:
        raise Refused(f"gap: {held + 1} expected, {first} came")
    before = _chain_at(session, device, first - 1)
    if before is None:
        return _after_deleted(device, request)
    if request.chain_before != before:
        raise Refused(f"fork: the chain before {first} is another one")
    known = max(0, min(held - first + 1, len(request.records)))
    if known:
        stored = session.scalars(
            select(Record.raw)
            .where(Record.device_id == device.id, Record.seq.between(first, first + known - 1))
            .order_by(Record.seq)
        )
        for offset, raw in enumerate(stored):
            if raw != request.records[offset]:
                raise Refused(f"fork: record {first + offset} is another one")
    if not request.records and first <= held:
        # It would write numbers that are taken: its journal is older than what it uploaded before.
        raise Refused(f"rolled back: next is {first}, but {held} is held")
    return request.records[known:]


def _after_deleted(device: Device, request: SyncRequest) -> list[bytes]:
    """The same where retention has deleted what stood before: the chain itself tells whether it continues."""
    known = device.held_seq - request.first_seq + 1
    chain = request.chain_before
    for raw in request.records[:known]:
        chain = record.chain(chain, raw)
    if len(request.records) < known:
        # It does not reach what comes next, so there is nothing to take; its next request will tell.
        return []
    if chain != device.held_chain:
        raise Refused(f"fork: the records from {request.first_seq} on are others")
    return request.records[known:]


def _chain_at(session: Session, device: Device, seq: int) -> bytes | None:
    """The chain value after record `seq`; `seq` is not beyond what is held."""
    if seq == 0:
        return record.GENESIS
    if seq == device.held_seq:
        return device.held_chain
    return session.scalar(select(Record.chain).where(Record.device_id == device.id, Record.seq == seq))


def _checked(raw: bytes, seq: int, device_id: str) -> dict[int, Any]:
    """A record's fields. Raises Refused for a record of another place in the row or of another device.

    A record of unknown form has none: it comes from this device all the same (the MAC says so), and refusing
    it would hold up all that follow.
    """
    read = quick.read(raw)
    try:
        fields: dict[int, Any] = record.decode(raw) if read is None else record.check(read)
    except (record.RecordError, ShapeError):
        return {}
    if fields[record.SEQ] != seq:
        raise Refused(f"order: {fields[record.SEQ]} came where {seq} belongs")
    if fields[record.DEVICE] != device_id:
        raise Refused(f"record {seq} is another device's")
    return fields


def _columns(fields: dict[int, Any]) -> Row:
    """The values of a record's columns, in the order of `copying.COLUMNS` from `time_unix` on."""
    get = fields.get
    return (
        get(record.TIME),
        get(record.CLOCK),
        _stored(get(record.PLACE)),
        _stored(get(record.SCENE)),
        get(record.DIRECTION),
        get(record.SUB),
        get(record.KIND),
        get(record.CTI),
        get(record.COLOUR),
        get(record.VERDICT),
        get(record.MASK),
        _stored(get(record.CHECKER)),
        get(record.ROLE),
        get(record.MANUAL),
        get(record.EVENT),
        _stored(get(record.DETAIL)),
        *(get(record.PARTY) or _NOTHING),
        *(get(record.TEMPERATURE) or _NOTHING),
        _joined(get(record.REASONS)),
        _joined(get(record.CONFIRMED)),
    )


_NOTHING = (None, None, None)


def _stored(text: str | None) -> str | None:
    """A text as a database can keep it: PostgreSQL has no place for the character of number zero."""
    return text.replace("\0", "\ufffd") if text and "\0" in text else text


def _joined(numbers: list[int] | None) -> str | None:
    return None if numbers is None else ",".join(map(str, numbers))
