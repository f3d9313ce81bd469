"""Sync requests, many at once: those that wait together share a transaction; each is told after its commit.

A record is taken exactly once because whoever takes it holds the lock on its handheld's row, in which the
last sequence stands; both are committed together. That holds for any number of server processes.
"""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from dataclasses import dataclass, field

from sqlalchemy import func, select
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from firmware.core.message import SyncRequest
from host_tools.server.copying import add_rows
from host_tools.server.ingest import Outcome, Row, ingest
from host_tools.server.packs import manifest_for
from host_tools.server.schema import Device, Pack
from host_tools.server.sealing_keys import SealingKeys
from host_tools.server.seen import Seen, place_of, seen_at, seen_elsewhere
from host_tools.server.store import Store

#: Requests that share a transaction at most, and records.
MOST_REQUESTS = 64
#: Transactions at a time: on PostgreSQL one is written while the next is being read and checked.
LANES = 2


@dataclass
class Answer:
    """What a handheld is told once its records are safe."""

    outcome: Outcome
    #: The manifest of a newer pack, if there is one.
    manifest: bytes | None
    seen: bytes
    #: The handheld's secret, to authenticate what it is told.
    secret: bytes = field(repr=False)


@dataclass
class Item:
    """A request on its way; at its end it is `done`: with an answer, with None (refused), or an error."""

    device_id: str
    request: SyncRequest
    now_unix: int
    done: threading.Event = field(default_factory=threading.Event)
    refused: bool = False
    answer: Answer | None = None
    error: SQLAlchemyError | None = None


class Intake:
    """Takes requests in. `add` first, then `finish` in a thread: whoever comes first works for all."""

    def __init__(self, store: Store, keys: SealingKeys | None = None) -> None:
        self._store = store
        self._keys = keys
        self._waiting: deque[Item] = deque()
        self._lanes = threading.BoundedSemaphore(LANES if store.postgresql else 1)

    def add(self, device_id: str, request: SyncRequest, now_unix: int) -> Item:
        """Put a request into the queue."""
        item = Item(device_id, request, now_unix)
        self._waiting.append(item)
        return item

    def finish(self, item: Item) -> Answer | None:
        """Wait until `item` is done: its answer, None where device or MAC is refused.

        Raises SQLAlchemyError where it could not be stored.
        """
        while not item.done.is_set():
            with self._lanes:
                group = self._next()
                if group:
                    self._work(group)
            if not group:
                # Another thread has it in hand.
                item.done.wait()
        if item.error is not None:
            raise item.error
        if item.answer is None and not item.refused:
            raise RuntimeError("the thread that took the request in has failed")
        return item.answer

    def _next(self) -> list[Item]:
        """Requests for one transaction, in the order in which they came."""
        group: list[Item] = []
        with contextlib.suppress(IndexError):
            while len(group) < MOST_REQUESTS:
                group.append(self._waiting.popleft())
        return group

    def _work(self, group: list[Item]) -> None:
        """Have every item of `group` done, whatever happens."""
        try:
            self._take(group)
        except SQLAlchemyError as e:
            if len(group) > 1 or _retry(e):
                # One that cannot be stored must not hold up the others; a dropped partition is made anew.
                self._store.days.forget_made()
                for item in group:
                    self._alone(item)
            else:
                group[0].error = e
        finally:
            for item in group:
                item.done.set()

    def _alone(self, item: Item) -> None:
        try:
            self._take([item])
        except SQLAlchemyError as e:
            item.error = e

    def _take(self, group: list[Item]) -> None:
        """One transaction for `group`; answers are given only after its commit. Raises SQLAlchemyError."""
        store = self._store
        answers: list[Answer | None] = []
        with store.writing() as session:
            ids = {item.device_id for item in group if "\0" not in item.device_id}
            found = session.scalars(
                select(Device).where(Device.id.in_(ids)).order_by(Device.id).with_for_update()
            )
            devices = {device.id: device for device in found}
            rows: list[Row] = []
            outcomes: list[Outcome | None] = []
            for item in group:
                device = devices.get(item.device_id)
                if device is not None and may_speak(device, item.request):
                    outcomes.append(
                        ingest(session, device, item.request, item.now_unix, store.days, rows, self._keys)
                    )
                else:
                    outcomes.append(None)
            store.days.ensure({row[4] for row in rows})
            add_rows(session, rows)
            session.flush()
            places: dict[str, Seen] = {}
            newest: int = session.scalar(select(func.max(Pack.version))) or 0
            for item, outcome in zip(group, outcomes, strict=True):
                if outcome is None:
                    answers.append(None)
                    continue
                device = devices[item.device_id]
                place = place_of(device)
                if place not in places:
                    places[place] = seen_at(session, place, item.now_unix)
                held = item.request.pack_version
                manifest = manifest_for(session, device, held) if newest > held else None
                answers.append(
                    Answer(outcome, manifest, seen_elsewhere(device, places[place]), device.secret)
                )
        # Committed: only now may a handheld hear that its records are safe.
        for item, answer in zip(group, answers, strict=True):
            item.answer, item.refused = answer, answer is None


def may_speak(device: Device, request: SyncRequest) -> bool:
    """Whether a request comes from this handheld, and the handheld is not revoked."""
    return device.revoked_unix is None and request.verify_mac(device.secret)


def _retry(error: SQLAlchemyError) -> bool:
    """Whether the same again can succeed: a partition is missing, or a deadlock was broken."""
    orig = error.orig if isinstance(error, DBAPIError) else error
    return getattr(orig, "sqlstate", None) in ("23514", "40P01")
