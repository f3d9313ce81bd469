"""A handheld's journal for people: the ring's sectors, the sealed records on them, and what is inside.

A record is opened with the fleet server's sealing keys; without them it shows as it lies on the flash. Of a
person's pseudonym no more than the console shows leaves here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from firmware.core import record, ring_format
from firmware.core.errors import CoreError
from host_tools.files import FileTrouble
from host_tools.look.ring_image import Frame, Sector, read_ring
from host_tools.server import words
from host_tools.server.opener import OpenerError
from host_tools.server.sealing_keys import SealingKeys
from host_tools.server.words import Word

SUB_DIGITS = 6
_WORDS: dict[int, tuple[str, Sequence[Word]]] = {
    record.KIND: ("kind", words.KINDS),
    record.COLOUR: ("colour", words.COLOURS),
    record.VERDICT: ("verdict", words.VERDICTS),
    record.MASK: ("mask", words.MASKS),
    record.DIRECTION: ("direction", words.DIRECTIONS),
    record.ROLE: ("role", words.ROLES),
    record.MANUAL: ("manual", words.MANUAL),
    record.EVENT: ("event", words.EVENTS),
}
_PLAIN = {record.TIME: "time_unix", record.PLACE: "place", record.SCENE: "scene", record.DETAIL: "detail"}


def journal_view(image: bytes, keys: SealingKeys | None, newest: int) -> dict[str, Any]:
    """Sectors in the order of their numbers, the `newest` records (newest first), and what was acknowledged.

    Raises RingImageError for what is no image of a journal.
    """
    sectors = read_ring(image)
    acknowledged = max((_acknowledged(sector) for sector in sectors), default=0)
    frames = [(sector, frame) for sector in sectors for frame in _records(sector)]
    return {
        "sectors": len(image) // ring_format.SECTOR_BYTES,
        "acknowledged": acknowledged,
        "last": frames[-1][1].sequence if frames else acknowledged,
        "with_key": keys is not None,
        "rows": [_row(sector) for sector in sectors],
        "records": [
            _record(sector, frame, acknowledged, keys) for sector, frame in reversed(frames[-newest:])
        ],
    }


def _records(sector: Sector) -> list[Frame]:
    return [frame for frame in sector.frames if frame.kind == ring_format.RECORD]


def _acknowledged(sector: Sector) -> int:
    told = [frame.sequence for frame in sector.frames if frame.kind == ring_format.ACKNOWLEDGED]
    return max([sector.acknowledged, *told])


def _row(sector: Sector) -> dict[str, Any]:
    return {
        "place": sector.place,
        "number": sector.number,
        "first": sector.first,
        "records": len(_records(sector)),
        "used_bytes": sector.used_bytes,
        "torn_bytes": sector.torn,
        "began_unix": sector.unix or None,
    }


def _record(sector: Sector, frame: Frame, acknowledged: int, keys: SealingKeys | None) -> dict[str, Any]:
    opened, why = _opened(frame, keys)
    return {
        "seq": frame.sequence,
        "sector": sector.number,
        "offset": frame.offset,
        "bytes": len(frame.content),
        "more": frame.more,
        "acknowledged": frame.sequence <= acknowledged,
        "kid": frame.place.head.kid.hex() if frame.place else None,
        "sealed": frame.content.hex(),
        "opened": opened,
        "why_not": why,
    }


def _opened(frame: Frame, keys: SealingKeys | None) -> tuple[dict[str, Any] | None, str]:
    """The record's fields by name, or None and why it stays closed."""
    if frame.place is None:
        return None, "its segment's head is damaged"
    if keys is None:
        return None, "no sealing keys here"
    try:
        return named(record.decode(keys.open(frame.place))), ""
    except (OpenerError, FileTrouble, CoreError) as e:
        return None, str(e)


def named(fields: dict[int, Any]) -> dict[str, Any]:
    """A record's fields by name, numbers as names."""
    found: dict[str, Any] = {}
    for key, name in _PLAIN.items():
        if key in fields:
            found[name] = fields[key]
    found["clock"] = "trusted" if fields[record.CLOCK] == record.CLOCK_TRUSTED else "not trusted"
    for key, (name, known) in _WORDS.items():
        if key in fields:
            number = fields[key]
            found[name] = known[number].name if number < len(known) else str(number)
    if record.REASONS in fields:
        found["reasons"] = [words.reason(number).name for number in fields[record.REASONS]]
    if record.SUB in fields:
        found["sub"] = fields[record.SUB].hex()[:SUB_DIGITS]
    if record.TEMPERATURE in fields:
        found["body_centi_c"] = fields[record.TEMPERATURE][2]
    return found
