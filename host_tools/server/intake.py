"""Sync requests, many at once: those that wait together share a transaction; each is told after its commit.

A record is taken exactly once because whoever takes it holds the lock on its handheld's row, in which the
last sequence stands; both are committed together. That holds for any number of server processes.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from sqlalchemy import func, select
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from firmware.core.message import SyncRequest
from host_tools.server.copying import add_rows
from host_tools.server.identity import has_spoken, speaks
from host_tools.server.ingest import Outcome, Row, ingest
from host_tools.server.packs import manifest_for
from host_tools.server.quick import Forms
from host_tools.server.schema import Device, Pack
from host_tools.server.sealing_keys import SealingKeys
from host_tools.server.seen import SeenBook, place_of, seen_elsewhere
from host_tools.server.store import Store

log = logging.getLogger("yima.server")
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
    #: The secret that the handheld used, to authenticate what it is told.
    secret: bytes = field(repr=False)
    #: What makes its next one, if it is to have one.
    roll: bytes = field(repr=False, default=b"")


@dataclass
class Item:
    """A request on its way; at its end it is `done`: with an answer, with None (refused), or an error."""

    device_id: str
    request: SyncRequest
    now_unix: int
    #: It came on a file: when, and what it says of clock and pack, tells nothing about now.
    on_file: bool = False
    done: threading.Event = field(default_factory=threading.Event)
    refused: bool = False
    answer: Answer | None = None
    error: SQLAlchemyError | None = None
    #: What waits for it in an event loop, if anything does.
    waiter: asyncio.Future[None] | None = None


class Intake:
    """Takes requests in. `add` first, then `finish` in a thread: whoever comes first works for all; or
    `finished` in an event loop, where a few threads work for all: more would only take turns.
    """

    def __init__(self, store: Store, keys: SealingKeys | None = None) -> None:
        self._store = store
        self._keys = keys
        self._forms = Forms()
        self._seen = SeenBook()
        self._waiting: deque[Item] = deque()
        lanes = LANES if store.postgresql else 1
        self._lanes = threading.BoundedSemaphore(lanes)
        self._workers = ThreadPoolExecutor(lanes, "intake")
        self._idle = lanes
        self._lock = threading.Lock()

    def add(self, device_id: str, request: SyncRequest, now_unix: int, on_file: bool = False) -> Item:
        """Put a request into the queue."""
        item = Item(device_id, request, now_unix, on_file)
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
        return _result(item)

    async def finished(self, item: Item) -> Answer | None:
        """The same for a new item in an event loop."""
        item.waiter = asyncio.get_running_loop().create_future()
        self._waiting.append(item)
        self._start()
        await item.waiter
        return _result(item)

    def _start(self) -> None:
        """Have a worker look at what waits, unless all are at work: those will."""
        with self._lock:
            if not self._idle:
                return
            self._idle -= 1
        self._workers.submit(self._drain)

    def _drain(self) -> None:
        """Work until nothing waits."""
        failed = True
        try:
            while True:
                with self._lock:
                    group = self._next()
                    if not group:
                        self._idle += 1
                        failed = False
                        return
                with self._lanes:
                    self._work(group)
        finally:
            if failed:
                log.error("intake: a group has failed")
                with self._lock:
                    self._idle += 1
                self._start()

    @staticmethod
    def _tell(group: list[Item]) -> None:
        """Wake all who wait for items of `group`, each loop once."""
        loops: dict[asyncio.AbstractEventLoop, list[asyncio.Future[None]]] = {}
        for item in group:
            item.done.set()
            if item.waiter is not None:
                loops.setdefault(item.waiter.get_loop(), []).append(item.waiter)
        for loop, waiters in loops.items():
            # In a loop that has ended nobody waits.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(_wake, waiters)

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
            self._seen.forget()
            if len(group) > 1 or _retry(e):
                # One that cannot be stored must not hold up the others; a dropped partition is made anew.
                self._store.days.forget_made()
                for item in group:
                    self._alone(item)
            else:
                group[0].error = e
        finally:
            self._tell(group)

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
            outcomes: list[tuple[Outcome, bytes] | None] = []
            for item in group:
                device = devices.get(item.device_id)
                secret = None if device is None else speaks(device, item.request)
                if device is None or secret is None:
                    outcomes.append(None)
                    continue
                before = _contact(device)
                outcome = ingest(
                    session, device, item.request, item.now_unix, store.days, rows, self._keys, self._forms
                )
                if item.on_file:
                    _set_contact(device, before)
                else:
                    has_spoken(device, secret, item.now_unix)
                outcomes.append((outcome, secret))
            store.days.ensure({row[4] for row in rows})
            add_rows(session, rows)
            session.flush()
            self._seen.note(rows)
            newest: int = session.scalar(select(func.max(Pack.version))) or 0
            for item, found_out in zip(group, outcomes, strict=True):
                if found_out is None:
                    answers.append(None)
                    continue
                outcome, secret = found_out
                device = devices[item.device_id]
                seen = self._seen.at(session, place_of(device), item.now_unix)
                told = seen_elsewhere(device, seen, item.now_unix)
                held = item.request.pack_version
                manifest = manifest_for(session, device, held) if newest > held else None
                answers.append(Answer(outcome, manifest, told, secret, device.roll or b""))
        # Committed: only now may a handheld hear that its records are safe.
        for item, answer in zip(group, answers, strict=True):
            item.answer, item.refused = answer, answer is None


_Contact = tuple["int | None", "int | None", int, "bytes | None"]


def _contact(device: Device) -> _Contact:
    """What the last contact told of a handheld."""
    return device.last_seen_unix, device.clock_offset_s, device.pack_version, device.root_kid


def _set_contact(device: Device, contact: _Contact) -> None:
    device.last_seen_unix, device.clock_offset_s, device.pack_version, device.root_kid = contact


def _result(item: Item) -> Answer | None:
    """What came of an item that is done. Raises SQLAlchemyError where it could not be stored."""
    if item.error is not None:
        raise item.error
    if item.answer is None and not item.refused:
        raise RuntimeError("the thread that took the request in has failed")
    return item.answer


def _wake(waiters: list[asyncio.Future[None]]) -> None:
    for waiter in waiters:
        if not waiter.done():
            waiter.set_result(None)


def _retry(error: SQLAlchemyError) -> bool:
    """Whether the same again can succeed: a partition is missing, or a deadlock was broken."""
    orig = error.orig if isinstance(error, DBAPIError) else error
    return getattr(orig, "sqlstate", None) in ("23514", "40P01")
