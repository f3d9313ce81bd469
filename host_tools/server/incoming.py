"""The records of a sync request in their places, sealed or, from handhelds of before, in plain."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from firmware.core import record
from firmware.core.message import SyncRequest
from host_tools.server.opener import CannotOpenError, Followed, OpenerError, follow, is_head
from host_tools.server.sealing_keys import SealingKeys


class IncomingError(ValueError):
    """The records do not hold together; the message is for log and console."""


@dataclass(frozen=True)
class Incoming:
    """A record that came: the chain value after it, and its bytes in plain or its place among sealed ones."""

    chain: bytes
    plain: bytes | None
    place: Followed | None

    @property
    def sealed(self) -> bytes | None:
        """The sealed record, None for one that came in plain."""
        return self.place.sealed if self.place else None

    @property
    def head(self) -> bytes | None:
        """The head of its segment, None for one that came in plain."""
        return self.place.head.data if self.place else None

    def opened(self, keys: SealingKeys | None) -> bytes | None:
        """The record in plain; None where no key of ours opens it. Raises FileTrouble."""
        if self.place is None:
            return self.plain
        if keys is None:
            return None
        try:
            return keys.open(self.place)
        except CannotOpenError:
            return None


def is_sealed(request: SyncRequest) -> bool:
    """Whether the records of a request are sealed: then a head is their first item."""
    return bool(request.records) and is_head(request.records[0])


def incoming(request: SyncRequest, device_id: str, head_before: bytes) -> list[Incoming]:
    """What came, by the chain value that the request begins with. Raises IncomingError.

    `head_before` is the head of the record before the first, empty where there is none or nobody knows it.
    """
    if not is_sealed(request):
        return list(_plain(request))
    try:
        places = follow(request.records, request.first_seq, request.chain_before, device_id, head_before)
    except OpenerError as e:
        raise IncomingError(str(e)) from e
    return [Incoming(place.chain_after, None, place) for place in places]


def _plain(request: SyncRequest) -> Iterator[Incoming]:
    chain = request.chain_before
    for raw in request.records:
        chain = record.chain(chain, raw)
        yield Incoming(chain, raw, None)
