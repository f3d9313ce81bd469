"""Taking records in: order, chain and identity are checked, then they become rows.

The caller has checked the request's MAC, holds the write transaction, and answers only after its commit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from firmware.core import record
from firmware.core.message import SyncRequest
from host_tools.server.packs import note_held
from host_tools.server.schema import Device, Record


@dataclass(frozen=True)
class Outcome:
    """What to answer: the last sequence held without a gap, and why records were refused, if any were."""

    acknowledged: int
    refusal: str | None
    taken: int


class Refused(Exception):
    """The request does not continue what the server holds; the message is for log and console."""


def ingest(session: Session, device: Device, request: SyncRequest, now_unix: int) -> Outcome:
    """Take what is new in `request`. Records before the first bad one are taken; a repeat changes nothing."""
    taken = 0
    refusal = None
    try:
        fresh = _continues(session, device, request)
        rows: list[dict[str, Any]] = []
        chain = device.held_chain
        for offset, raw in enumerate(fresh):
            seq = device.held_seq + 1 + offset
            try:
                fields = _fields(raw, seq, device.id)
            except Refused as e:
                refusal = str(e)
                break
            chain = record.chain(chain, raw)
            rows.append(
                {
                    "device_id": device.id,
                    "seq": seq,
                    "received_unix": now_unix,
                    "raw": raw,
                    "chain": chain,
                    **fields,
                }
            )
        if rows:
            session.execute(insert(Record), rows)
            known = [row for row in rows if row["place"] is not None]
            if known:
                device.at_place, device.at_scene = known[-1]["place"], known[-1]["scene"]
            device.held_seq += len(rows)
            device.held_chain = chain
        taken = len(rows)
    except Refused as e:
        refusal = str(e)
    if refusal is not None:
        device.alert = refusal
        device.alert_unix = now_unix
    device.last_seen_unix = now_unix
    device.clock_offset_s = request.time_unix - now_unix
    note_held(session, device, request.trust_version)
    return Outcome(device.held_seq, refusal, taken)


def _continues(session: Session, device: Device, request: SyncRequest) -> list[bytes]:
    """The records that the server does not hold yet. Raises Refused unless they continue what it holds."""
    first = request.first_seq
    held = device.held_seq
    if first > held + 1:
        raise Refused(f"gap: {held + 1} expected, {first} came")
    if request.chain_before != _chain_at(session, device, first - 1):
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


def _chain_at(session: Session, device: Device, seq: int) -> bytes | None:
    """The chain value after record `seq`; `seq` is not beyond what is held."""
    if seq == 0:
        return record.GENESIS
    if seq == device.held_seq:
        return device.held_chain
    return session.scalar(select(Record.chain).where(Record.device_id == device.id, Record.seq == seq))


def _fields(raw: bytes, seq: int, device_id: str) -> dict[str, object]:
    """A record's columns. Raises Refused for a record of another place in the row or of another device.

    A record of unknown form gets no columns: it comes from this device all the same (the MAC says so), and
    refusing it would hold up all that follow.
    """
    columns: dict[str, object] = dict.fromkeys(_COLUMNS)
    try:
        fields = record.decode(raw)
    except record.RecordError:
        return columns
    if fields[record.SEQ] != seq:
        raise Refused(f"order: {fields[record.SEQ]} came where {seq} belongs")
    if fields[record.DEVICE] != device_id:
        raise Refused(f"record {seq} is another device's")
    for column, key in _SCALARS.items():
        columns[column] = fields.get(key)
    for names, key in _TRIPLES.items():
        values = fields.get(key)
        if isinstance(values, list):
            columns.update(zip(names, values, strict=True))
    for column, key in _LISTS.items():
        values = fields.get(key)
        if isinstance(values, list):
            columns[column] = ",".join(str(value) for value in values)
    return columns


_SCALARS = {
    "time_unix": record.TIME,
    "clock": record.CLOCK,
    "place": record.PLACE,
    "scene": record.SCENE,
    "direction": record.DIRECTION,
    "sub": record.SUB,
    "kind": record.KIND,
    "cti": record.CTI,
    "colour": record.COLOUR,
    "verdict": record.VERDICT,
    "mask": record.MASK,
    "checker": record.CHECKER,
    "role": record.ROLE,
    "manual": record.MANUAL,
    "event": record.EVENT,
    "detail": record.DETAIL,
}
_TRIPLES = {
    ("party_first", "party_index", "party_size"): record.PARTY,
    ("object_centi_c", "ambient_centi_c", "body_centi_c"): record.TEMPERATURE,
}
_LISTS = {"reasons": record.REASONS, "confirmed": record.CONFIRMED}
_COLUMNS = (*_SCALARS, *(name for names in _TRIPLES for name in names), *_LISTS)
