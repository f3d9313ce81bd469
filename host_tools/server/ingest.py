"""Taking records in: order and chain are checked, they are opened, and become rows if they are this device's.

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
from host_tools.server.incoming import Incoming, IncomingError, Opening, Plain, incoming, is_sealed
from host_tools.server.packs import note_held
from host_tools.server.schema import Device, Record
from host_tools.server.sealing_keys import SealingKeys

Row = tuple[Any, ...]
#: So far a handheld's clock may be ahead of ours without a conflict (firmware/services/clock.py).
AHEAD_S = 60


@dataclass(frozen=True)
class Outcome:
    """What to answer: the last sequence held without a gap, and why records were refused, if any were."""

    acknowledged: int
    refusal: str | None
    taken: int


class Refused(Exception):
    """The request does not continue what the server holds; the message is for log and console."""


class RolledBack(Refused):
    """The handheld is about to write numbers that are taken: its journal is an older one."""


def ingest(
    session: Session,
    device: Device,
    request: SyncRequest,
    now_unix: int,
    days: Days,
    rows: list[Row],
    keys: SealingKeys | None = None,
    forms: quick.Forms | None = None,
) -> Outcome:
    """Take what is new in `request`: its rows are added to `rows`, in the order of `copying.COLUMNS`.

    Records before the first bad one are taken, but none of a batch that does not hold together; a repeat
    changes nothing. A sealed record that none of `keys` opens is kept as it came, with its head before it,
    and an alert tells of it. `forms` makes it quick. Raises FileTrouble where the keys cannot be read.
    """
    taken = 0
    refusal = None
    last: Row = ()
    oldest = days.oldest(now_unix)
    held, chain, device_id = device.held_seq, device.held_chain, device.id
    head, alert = device.held_head, None
    late = _is_late(device, request, now_unix)
    opening = Opening(keys)
    forms = forms or quick.Forms()
    form = forms.of(device_id)
    try:
        for item in _continues(session, device, request):
            seq = held + taken + 1
            raw = opening.plain(item)
            sealed = new_head = columns = None
            if isinstance(item, Plain):
                head = None
            else:
                sealed = item.sealed
                if item.head.data != head:
                    head = new_head = item.head.data
            if raw is None:
                raw, columns = (head or b"") + (sealed or b""), _columns({})
                alert = f"record {seq} is sealed for no key of ours, or was changed"
            elif form is not None:
                columns = form.columns(raw, seq)
            if columns is None:
                fields = _checked(raw, seq, device_id, device.former_id)
                columns = _columns(fields)
                form = forms.learn(device_id, fields, columns)
            chain = item.chain_after
            time_unix, clock, place = columns[:3]
            at_unix = now_unix
            if clock == record.CLOCK_TRUSTED and time_unix < now_unix:
                at_unix = time_unix
            day = max(day_of(at_unix), oldest)
            rows.append((device_id, seq, now_unix, at_unix, day, raw, chain, sealed, new_head, *columns))
            taken += 1
            if place is not None:
                last = columns
    except RolledBack as e:
        # A request without records that was overtaken on its way looks the same.
        refusal = None if late else str(e)
    except Refused as e:
        refusal = str(e)
    if taken:
        device.held_seq += taken
        device.held_chain, device.held_head = chain, head
    if last:
        device.at_place, device.at_scene = last[2:4]
    if refusal or alert:
        device.alert = refusal or alert
        device.alert_unix = now_unix
    if not late:
        device.last_seen_unix = now_unix
        device.clock_offset_s = request.time_unix - now_unix
        note_held(session, device, request.pack_version)
    return Outcome(device.held_seq, refusal, taken)


def _is_late(device: Device, request: SyncRequest, now_unix: int) -> bool:
    """Whether the handheld made this request before one that is here already.

    A handheld's clock only goes forward, unless somebody with the PIN takes it back because it ran ahead of
    ours: then it says nothing. One that lost its time is told ours in the answer, and no longer late.
    """
    if device.last_seen_unix is None or device.clock_offset_s is None:
        return False
    last_unix = device.last_seen_unix + device.clock_offset_s
    return request.time_unix < last_unix <= now_unix + AHEAD_S


def _continues(session: Session, device: Device, request: SyncRequest) -> list[Incoming]:
    """The records that the server does not hold yet. Raises Refused unless they continue what it holds."""
    first = request.first_seq
    held = device.held_seq
    if first > held + 1:
        raise Refused(f"gap: {held + 1} expected, {first} came")
    if device.held_head and request.records and not is_sealed(request):
        raise Refused("records in plain after sealed ones")
    before = _chain_at(session, device, first - 1)
    if before is not None and request.chain_before != before:
        raise Refused(f"fork: the chain before {first} is another one")
    try:
        came = incoming(request, device.id, _head_at(session, device, first - 1), device.former_id)
    except IncomingError as e:
        raise Refused(str(e)) from e
    if before is None:
        return _after_deleted(device, first, came)
    known = max(0, min(held - first + 1, len(came)))
    if known:
        # A chain value stands for all bytes before it.
        stored = session.scalars(
            select(Record.chain)
            .where(Record.device_id == device.id, Record.seq.between(first, first + known - 1))
            .order_by(Record.seq)
        )
        for offset, chain in enumerate(stored):
            if chain != came[offset].chain_after:
                raise Refused(f"fork: record {first + offset} is another one")
    if not request.records and first <= held:
        # It would write numbers that are taken: its journal is older than what it uploaded before.
        raise RolledBack(f"rolled back: next is {first}, but {held} is held")
    return came[known:]


def _after_deleted(device: Device, first: int, came: list[Incoming]) -> list[Incoming]:
    """The same where retention has deleted what stood before: the chain itself tells whether it continues."""
    known = device.held_seq - first + 1
    if len(came) < known:
        # It does not reach what comes next, so there is nothing to take; its next request will tell.
        return []
    if came[known - 1].chain_after != device.held_chain:
        raise Refused(f"fork: the records from {first} on are others")
    return came[known:]


def _chain_at(session: Session, device: Device, seq: int) -> bytes | None:
    """The chain value after record `seq`; `seq` is not beyond what is held."""
    if seq == 0:
        return record.GENESIS
    if seq == device.held_seq:
        return device.held_chain
    return session.scalar(select(Record.chain).where(Record.device_id == device.id, Record.seq == seq))


def _head_at(session: Session, device: Device, seq: int) -> bytes:
    """The head of the segment that record `seq` was sealed in, empty where nobody knows."""
    if seq == device.held_seq:
        return device.held_head or b""
    found = session.scalar(
        select(Record.head)
        .where(Record.device_id == device.id, Record.seq <= seq, Record.head.is_not(None))
        .order_by(Record.seq.desc())
        .limit(1)
    )
    return found or b""


def _checked(raw: bytes, seq: int, device_id: str, former_id: str | None = None) -> dict[int, Any]:
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
    if fields[record.DEVICE] not in (device_id, former_id):
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
