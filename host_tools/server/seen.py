"""Which codes other handhelds of the same place have just seen: what a handheld cannot know by itself."""

from __future__ import annotations

import hashlib
import struct
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from firmware.core.message import MAX_SEEN
from host_tools.server.copying import COLUMNS
from host_tools.server.days import day_of
from host_tools.server.schema import Device, Record

_DEVICE, _AT, _PLACE, _CTI = (COLUMNS.index(name) for name in ("device_id", "at_unix", "place", "cti"))
#: Codes seen longer ago tell nothing any more.
WINDOW_S = 1_800
#: How many of a place's last records are looked at; a busy gate has as many in half an hour.
LOOKED_AT = 160

#: For so long what was read for a place is used again, with what this process has taken since: other
#: processes may take records of the same place.
FRESH_S = 1.0
#: Places remembered.
MOST_PLACES = 1_000

#: When, by which handheld, and which code; newest first.
Seen = list[tuple[int, str, bytes]]


class SeenBook:
    """The last records of places that were asked for just now. Any number of threads may use it."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._places: dict[str, tuple[float, Seen]] = {}
        self._lock = threading.Lock()

    def note(self, rows: Iterable[Sequence[Any]]) -> None:
        """Add the codes in rows, whose values are in the order of `copying.COLUMNS`."""
        new: dict[str, Seen] = {}
        for row in rows:
            place, cti = row[_PLACE], row[_CTI]
            if cti is not None and place in self._places:
                new.setdefault(place, []).append((row[_AT], row[_DEVICE], cti))
        with self._lock:
            for place, seen in new.items():
                read_s, known = self._places.get(place, (0.0, []))
                self._places[place] = read_s, sorted(seen + known, reverse=True)[:LOOKED_AT]

    def at(self, session: Session, place: str, now_unix: int) -> Seen:
        """The last records of a place, newest first; some may be older than WINDOW_S."""
        now_s = self._clock()
        read_s, seen = self._places.get(place, (0.0, []))
        if now_s - read_s < FRESH_S and read_s:
            return seen
        seen = _seen_at(session, place, now_unix)
        with self._lock:
            if len(self._places) >= MOST_PLACES:
                self._places = {}
            self._places[place] = now_s, seen
        return seen

    def forget(self) -> None:
        """Read everything anew: something that was noted was not stored."""
        with self._lock:
            self._places = {}


def _seen_at(session: Session, place: str, now_unix: int) -> Seen:
    """Time, handheld and code of the last records of a place, newest first. No codes where none are stored.

    The time is that of the handheld where its clock is trusted and has not run ahead, else the time at which
    the record came.
    """
    rows = session.execute(
        select(Record.at_unix, Record.device_id, Record.cti)
        .where(
            Record.place == place,
            Record.at_unix > now_unix - WINDOW_S,
            Record.day >= day_of(now_unix - WINDOW_S),
            Record.cti.is_not(None),
        )
        .order_by(Record.at_unix.desc())
        .limit(LOOKED_AT)
    )
    return [(at_unix, device_id, cti) for at_unix, device_id, cti in rows]


def seen_elsewhere(device: Device, seen: Seen, now_unix: int) -> bytes:
    """Field 6 of a sync reply to `device`: of what its place has `seen`, what others saw, newest first."""
    found: dict[bytes, int] = {}
    mine, oldest_unix = device.id, now_unix - WINDOW_S
    for at_unix, device_id, cti in seen:
        if at_unix <= oldest_unix:
            break
        if device_id != mine and cti not in found:
            found[cti] = at_unix
            if len(found) == MAX_SEEN:
                break
    return b"".join(hashlib.sha256(cti).digest()[:4] + struct.pack(">I", at) for cti, at in found.items())


def place_of(device: Device) -> str:
    """Where a handheld stands, as far as its records tell."""
    return device.at_place if device.at_place is not None else device.place
