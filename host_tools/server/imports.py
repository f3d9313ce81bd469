"""Exports that a cable brought (docs/formats.md): the same requests as in a sync, taken in the same way.

Every request is authenticated and ingested by itself, so what a sync has brought already is known, and a file
that comes twice changes nothing. The acknowledgement is written after the commit.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select

from firmware.core.errors import CoreError
from firmware.core.handover import MAX_EXPORT_BYTES, encode_acknowledgement, parse_export
from firmware.core.message import SyncRequest, parse_sync_request
from host_tools.files import FileTrouble, read_limited, write_private
from host_tools.server.identity import speaks
from host_tools.server.intake import Intake
from host_tools.server.opener import is_head
from host_tools.server.schema import Device
from host_tools.server.sealing_keys import SealingKeys
from host_tools.server.store import Store

ACKNOWLEDGEMENT = ".ack"


@dataclass
class Imported:
    """What became of one device's records in a file; `refusal` says why some were refused, None for none."""

    device_id: str
    taken: int = 0
    known: int = 0
    refused: int = 0
    refusal: str | None = None
    acknowledged: int = 0


def import_file(store: Store, keys: SealingKeys, path: Path, now_unix: int) -> tuple[Imported, Path | None]:
    """Take a file in; what became of it, and the file with the acknowledgement, None where nobody gets one.

    Raises FileTrouble for a file that is no whole export of one handheld: then nothing of it was taken.
    """
    requests = _requests(path)
    device_id = requests[0][0]
    done = Imported(device_id)
    intake = Intake(store, keys)
    secret = None
    for _, request in requests:
        count = sum(not is_head(item) for item in request.records)
        used = _speaks(store, device_id, request)
        if used is None:
            done.refused += count
            done.refusal = "unknown or revoked handheld, or not signed with its secret"
            continue
        secret = used
        if not count:
            # Nothing to take; and that its next record is one that is here already may be long ago.
            continue
        answer = intake.finish(intake.add(device_id, request, now_unix, on_file=True))
        if answer is None:
            done.refused += count
            done.refusal = "unknown or revoked handheld, or not signed with its secret"
            continue
        done.taken += answer.outcome.taken
        if answer.outcome.refusal is None:
            done.known += count - answer.outcome.taken
        else:
            done.refused += count - answer.outcome.taken
            done.refusal = answer.outcome.refusal
    device = store.device(device_id)
    if secret is None or device is None:
        return done, None
    done.acknowledged = device.held_seq
    answer_path = path.with_name(path.name + ACKNOWLEDGEMENT)
    write_private(answer_path, encode_acknowledgement(device_id, secret, device.held_seq, device.held_chain))
    return done, answer_path


def _requests(path: Path) -> list[tuple[str, SyncRequest]]:
    """The requests of a file, all of one device. Raises FileTrouble."""
    try:
        found = [
            parse_sync_request(request) for request in parse_export(read_limited(path, MAX_EXPORT_BYTES))
        ]
    except CoreError as e:
        raise FileTrouble(f"{path}: {e}") from e
    if not found:
        raise FileTrouble(f"{path}: an empty export")
    if len({device_id for device_id, _ in found}) > 1 or "\0" in found[0][0]:
        raise FileTrouble(f"{path}: of more than one handheld")
    return found


def _speaks(store: Store, device_id: str, request: SyncRequest) -> bytes | None:
    with store.reading() as session:
        device = session.scalar(select(Device).where(Device.id == device_id))
        return None if device is None else speaks(device, request)
