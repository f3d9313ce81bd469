"""The records of a sync request in their places, sealed or, from handhelds of before, in plain."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from firmware.core import record
from firmware.core.message import SyncRequest
from host_tools.server.opener import CannotOpenError, Followed, Head, OpenerError, Segment, follow, is_head
from host_tools.server.sealing_keys import SealingKeys


class IncomingError(ValueError):
    """The records do not hold together; the message is for log and console."""


class Plain(NamedTuple):
    """A record that came in plain, and the chain value after it."""

    raw: bytes
    chain_after: bytes


Incoming = Followed | Plain


class Opening:
    """Opens the records of a request with `keys`: those of a segment follow each other."""

    def __init__(self, keys: SealingKeys | None) -> None:
        self._keys = keys
        self._head: Head | None = None
        self._segment: Segment | None = None

    def plain(self, item: Incoming) -> bytes | None:
        """The record in plain; None where no key of ours opens it. Raises FileTrouble."""
        if isinstance(item, Plain):
            return item.raw
        if self._keys is None:
            return None
        try:
            if item.head is not self._head or self._segment is None:
                self._head = None
                self._segment = self._keys.segment(item.head)
                self._head = item.head
            return self._segment.open(item.sealed, item.chain_before)
        except CannotOpenError:
            return None


def is_sealed(request: SyncRequest) -> bool:
    """Whether the records of a request are sealed: then a head is their first item."""
    return bool(request.records) and is_head(request.records[0])


def incoming(
    request: SyncRequest, device_id: str, head_before: bytes, former_id: str | None = None
) -> list[Incoming]:
    """What came, by the chain value that the request begins with. Raises IncomingError.

    `head_before` is the head of the record before the first, empty where there is none or nobody knows it.
    `former_id` is the id that the handheld had before this one; what was left in its journal names it.
    """
    if not is_sealed(request):
        return list(_plain(request))
    try:
        return list(
            follow(
                request.records, request.first_seq, request.chain_before, device_id, head_before, former_id
            )
        )
    except OpenerError as e:
        raise IncomingError(str(e)) from e


def _plain(request: SyncRequest) -> Iterator[Incoming]:
    chain = request.chain_before
    for raw in request.records:
        chain = record.chain(chain, raw)
        yield Plain(raw, chain)
