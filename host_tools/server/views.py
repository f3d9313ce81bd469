"""Records and devices as console and API show them. A pseudonym leaves here as its first six digits only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from host_tools.server import words
from host_tools.server.schema import Device, Record
from host_tools.server.words import Word

SUB_DIGITS = 6


def record_json(row: Record) -> dict[str, object]:
    """A record for the API: names instead of numbers; what a record does not have is null."""
    return {
        "id": row.id,
        "device": row.device_id,
        "seq": row.seq,
        "received_unix": row.received_unix,
        "time_unix": row.time_unix,
        "clock_trusted": None if row.clock is None else row.clock == 0,
        "place": row.place,
        "scene": row.scene,
        "direction": _name(words.DIRECTIONS, row.direction),
        "sub": None if row.sub is None else row.sub.hex()[:SUB_DIGITS],
        "party": None
        if row.party_first is None
        else {"first": row.party_first, "index": row.party_index, "size": row.party_size},
        "kind": _name(words.KINDS, row.kind),
        "cti": None if row.cti is None else row.cti.hex(),
        "colour": _name(words.COLOURS, row.colour),
        "verdict": None if row.event is not None else _verdict(row).name,
        "reasons": [words.reason(number).name for number in numbers(row.reasons)],
        "object_centi_c": row.object_centi_c,
        "ambient_centi_c": row.ambient_centi_c,
        "body_centi_c": row.body_centi_c,
        "mask": _name(words.MASKS, row.mask),
        "checker": row.checker,
        "confirmed": [
            words.CONFIRMED[number].name if number in words.CONFIRMED else str(number)
            for number in numbers(row.confirmed)
        ],
        "role": _name(words.ROLES, row.role),
        "manual": _name(words.MANUAL, row.manual),
        "event": None if row.event is None else _event(row.event).name,
        "detail": row.detail,
    }


def record_row(row: Record, of_rules: Mapping[int, tuple[str, str]] | None = None) -> dict[str, object]:
    """A record for the page: words in both languages, `of_rules` those for reasons that rules give."""
    return {
        "id": row.id,
        "seq": row.seq,
        "device": row.device_id,
        "time_unix": row.time_unix if row.time_unix is not None else row.received_unix,
        "clock_trusted": row.clock in (0, None),
        "place": row.place or "",
        "scene": words.scene(row.scene) if row.scene else None,
        "direction": _word(words.DIRECTIONS, row.direction),
        "sub": "" if row.sub is None else row.sub.hex()[:SUB_DIGITS],
        "party": None if row.party_first is None else (row.party_first, row.party_index, row.party_size),
        "kind": _word(words.KINDS, row.kind),
        "colour": _word(words.COLOURS, row.colour),
        "verdict": _verdict(row),
        "reasons": [words.reason(number, of_rules) for number in numbers(row.reasons)],
        "body_c": None if row.body_centi_c is None else f"{row.body_centi_c / 100:.1f}",
        "mask": _word(words.MASKS, row.mask),
        "confirmed": [words.CONFIRMED[n] for n in numbers(row.confirmed) if n in words.CONFIRMED],
        "role": _word(words.ROLES, row.role) if row.role else None,
        "manual": _word(words.MANUAL, row.manual),
        "event": None if row.event is None else _event(row.event),
        "detail": row.detail or "",
    }


def device_json(row: Device) -> dict[str, object]:
    """A device for the API and the page; no secret, no chip id."""
    return {
        "id": row.id,
        "place": row.place,
        "scene": row.scene,
        "firmware": row.firmware,
        "enrolled_unix": row.enrolled_unix,
        "revoked_unix": row.revoked_unix,
        "replaced_by": row.replaced_by,
        "former_id": row.former_id,
        "rolls": row.roll is not None,
        "last_seen_unix": row.last_seen_unix,
        "clock_offset_s": row.clock_offset_s,
        "pack_version": row.pack_version,
        "held_seq": row.held_seq,
        "alert": row.alert,
        "alert_unix": row.alert_unix,
    }


def numbers(joined: str | None) -> list[int]:
    """The numbers of a column that holds several."""
    return [int(part) for part in joined.split(",")] if joined else []


def _verdict(row: Record) -> Word:
    return _word(words.VERDICTS, row.verdict) or words.UNREADABLE


def _event(number: int) -> Word:
    """The word for an event; those of newer firmware show as numbers."""
    return _word(words.EVENTS, number) or Word(f"event_{number}", f"事件 {number}", f"event {number}")


def _word(table: Sequence[Word], number: int | None) -> Word | None:
    return table[number] if number is not None and 0 <= number < len(table) else None


def _name(table: Sequence[Word], number: int | None) -> str | None:
    word = _word(table, number)
    return word.name if word else None
