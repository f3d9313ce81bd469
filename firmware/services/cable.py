"""Handing records over by cable where there is no network (docs/formats.md, docs/cable.md).

`hand_over` writes what the server does not hold yet into a file that `yima import` takes, as the very
requests of a sync; `forget` takes the answer to it, and only that lets records go. Reading changes nothing
on the flash, so the power may fail at any moment.
"""

import binascii
import os

from firmware.core.errors import CoreError
from firmware.core.handover import (
    EXPORT_MAGIC,
    MAX_ACKNOWLEDGEMENT_BYTES,
    export_end,
    export_frame,
    parse_acknowledgement,
)
from firmware.core.message import encode_sync_request
from firmware.services.files import read_limited, remove
from firmware.services.journal import JournalError
from firmware.services.keystore import KeystoreError

if False:
    from typing import Callable

    from firmware.services.journal import Journal
    from firmware.services.keystore import Keystore

MAX_RECORDS = 100
MAX_BATCH_BYTES = 8_192


def hand_over(
    journal: "Journal",
    device_id: str,
    secret: bytes,
    path: str,
    limit: int,
    now_unix: int,
    beat: "Callable[[], None]",
) -> "tuple[int, int]":
    """Write an export of about `limit` bytes at most; how many records are in it, and how many are left.

    Without records it holds one empty request, which is answered all the same. Raises JournalError, CoreError
    or OSError, and leaves no file behind then.
    """
    count = size = 0
    try:
        with open(path, "wb") as file:
            file.write(EXPORT_MAGIC)
            crc = binascii.crc32(EXPORT_MAGIC)
            while True:
                first, chain, items = journal.batch(MAX_RECORDS, MAX_BATCH_BYTES, count > 0)
                if count and (not items or size > limit):
                    break
                request = encode_sync_request(
                    device_id, secret, first, chain, items, now_unix, 0, os.urandom(16), True
                )
                for part in (export_frame(request), request):
                    file.write(part)
                    crc = binascii.crc32(part, crc)
                size += len(request)
                count += 1
                beat()
            file.write(export_end(count, crc))
    except (JournalError, CoreError, OSError):
        remove(path)
        raise
    return first - 1 - journal.acked, journal.next_seq - first


def forget(journal: "Journal", device_id: str, keystore: "Keystore", path: str) -> None:
    """Take the server's acknowledgement from a file, if there is one: what it holds makes room.

    The file is removed; one that was refused is kept beside it, with ``.bad`` at its end.
    """
    try:
        data = read_limited(path, MAX_ACKNOWLEDGEMENT_BYTES)
    except OSError:
        return
    try:
        secret = keystore.secret()
        if secret is None:
            raise JournalError("not enrolled")
        sequence, chain = parse_acknowledgement(data, device_id, secret)
        journal.acknowledge(sequence, chain)
        print("cable: acknowledged %d, %d left" % (journal.acked, journal.pending))
    except (CoreError, JournalError, KeystoreError) as e:
        print("cable: refused:", e)
        remove(path + ".bad")
        try:
            os.rename(path, path + ".bad")
        except OSError:
            pass  # what cannot be renamed cannot stay either
    remove(path)
