"""Which codes other handhelds of the same place have just seen: what a handheld cannot know by itself."""

from __future__ import annotations

import hashlib
import struct

from sqlalchemy import select
from sqlalchemy.orm import Session

from firmware.core.message import MAX_SEEN
from host_tools.server.days import day_of
from host_tools.server.schema import Device, Record

#: Codes seen longer ago tell nothing any more.
WINDOW_S = 1_800
#: How many of a place's last records are looked at; a busy gate has as many in half an hour.
LOOKED_AT = 160

Seen = list[tuple[str, bytes, int]]


def seen_at(session: Session, place: str, now_unix: int) -> Seen:
    """Handheld, code and time of the last records of a place, newest first. No codes where none are stored.

    The time is that of the handheld where its clock is trusted and has not run ahead, else the time at which
    the record came.
    """
    rows = session.execute(
        select(Record.device_id, Record.cti, Record.at_unix)
        .where(
            Record.place == place,
            Record.at_unix > now_unix - WINDOW_S,
            Record.day >= day_of(now_unix - WINDOW_S),
            Record.cti.is_not(None),
        )
        .order_by(Record.at_unix.desc())
        .limit(LOOKED_AT)
    )
    return [(device_id, cti, at_unix) for device_id, cti, at_unix in rows]


def seen_elsewhere(device: Device, seen: Seen) -> bytes:
    """Field 6 of a sync reply to `device`: of what its place has `seen`, what others saw, newest first."""
    found: dict[bytes, int] = {}
    for device_id, cti, at_unix in seen:
        if device_id != device.id and cti not in found:
            found[cti] = at_unix
            if len(found) == MAX_SEEN:
                break
    return b"".join(hashlib.sha256(cti).digest()[:4] + struct.pack(">I", at) for cti, at in found.items())


def place_of(device: Device) -> str:
    """Where a handheld stands, as far as its records tell."""
    return device.at_place if device.at_place is not None else device.place
