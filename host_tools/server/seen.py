"""Which codes other handhelds of the same place have just seen: what a handheld cannot know by itself."""

from __future__ import annotations

import hashlib
import struct

from sqlalchemy import and_, case, func, select
from sqlalchemy.orm import Session

from firmware.core.message import MAX_SEEN
from host_tools.server.schema import Device, Record

#: Codes seen longer ago tell nothing any more.
WINDOW_S = 1_800


def seen_elsewhere(session: Session, device: Device, now_unix: int) -> bytes:
    """Field 6 of a sync reply: newest first. Scenes that store no codes contribute none.

    The time is that of the other handheld where its clock is trusted and has not run ahead, else the time at
    which the record came.
    """
    place = device.at_place if device.at_place is not None else device.place
    believed = and_(Record.clock == 0, Record.time_unix <= now_unix)
    when = case((believed, Record.time_unix), else_=Record.received_unix)
    last = func.max(when).label("last")
    rows = session.execute(
        select(Record.cti, last)
        .where(
            Record.place == place,
            Record.received_unix > now_unix - WINDOW_S,
            Record.device_id != device.id,
            Record.cti.is_not(None),
        )
        .group_by(Record.cti)
        .having(last > now_unix - WINDOW_S)
        .order_by(last.desc())
        .limit(MAX_SEEN)
    )
    return b"".join(hashlib.sha256(cti).digest()[:4] + struct.pack(">I", unix) for cti, unix in rows)
