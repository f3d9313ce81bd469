"""Puts the fleet server together: store, packs, device port with TLS, console."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import ssl
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.exc import OperationalError

from host_tools.files import FileTrouble, read_limited
from host_tools.pki import ServerPki
from host_tools.server import console, devices
from host_tools.server.days import Keeper
from host_tools.server.logs import log_as_json
from host_tools.server.metrics import Metrics
from host_tools.server.packpull import PackPuller
from host_tools.server.sealing_keys import SealingKeys
from host_tools.server.store import KEEP_DAYS, Store
from host_tools.server.trace_desk import Desk
from host_tools.serving import Listener, serve
from host_tools.state import State
from host_tools.web import LOCAL_HOSTS

#: The folder of the sealing keys in the server's.
SEALING = "sealing"
DATABASE = "fleet.db"
#: Variables: the address of a PostgreSQL database instead of the file; for how many days records are kept.
DATABASE_VARIABLE = "YIMA_DATABASE_URL"
KEEP_VARIABLE = "YIMA_RETENTION_DAYS"
#: New objects until the collector looks at them, and how often it looks at those that were left.
COLLECT = (50_000, 20, 50)
LEAST_DAYS, MOST_DAYS = 1, 3_650


@dataclass(frozen=True)
class Ports:
    """Where the two faces listen, on 127.0.0.1."""

    devices: int
    console: int


def open_store(state: State) -> Store:
    """The database of a state folder, or the one that DATABASE_VARIABLE names. Raises FileTrouble."""
    days = os.environ.get(KEEP_VARIABLE, str(KEEP_DAYS))
    if not (days.isascii() and days.isdigit() and LEAST_DAYS <= int(days) <= MOST_DAYS):
        raise FileTrouble(f"{KEEP_VARIABLE} is a number of days from {LEAST_DAYS} to {MOST_DAYS}")
    url = os.environ.get(DATABASE_VARIABLE)
    try:
        return Store(url if url else state.server / DATABASE, int(days))
    except OperationalError as e:
        # Its text can hold the address.
        raise FileTrouble("the database does not answer" if url else f"cannot open {DATABASE}") from e


def open_pki(state: State) -> ServerPki:
    """The server's certificates, made on first use."""
    pki = ServerPki(state.server)
    pki.ensure_server_certificate(LOCAL_HOSTS)
    return pki


def open_keys(state: State) -> SealingKeys:
    """The keys that handhelds seal their records for."""
    return SealingKeys(state.server / SEALING)


def read_root_key(path: Path) -> bytes:
    """The authority's root key x‖y from a file of 128 hex digits. Raises FileTrouble."""
    try:
        key = bytes.fromhex(read_limited(path, 1024).decode("ascii"))
    except ValueError as e:
        raise FileTrouble(f"{path}: not a key in hex digits") from e
    if len(key) != 64:
        raise FileTrouble(f"{path}: a root key has 128 hex digits")
    return key


def calm_collector() -> None:
    """Have Python's collector of cycles look less often, and not at what was loaded: that stays for ever.

    Records come by thousands and go without making cycles; looking at them took a quarter of the time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT)


def run(state: State, ports: Ports, authority_url: str | None) -> None:
    """Serve until SIGINT or SIGTERM. Without `authority_url` no pack is fetched. Raises FileTrouble."""
    log_as_json()
    root_public = read_root_key(state.root_public_key) if authority_url else b""
    key = console.load_or_create_key(state.server)
    pki = open_pki(state)
    tls = pki.tls_context()
    store = open_store(state)
    calm_collector()
    try:
        asyncio.run(_serve(store, ports, key, tls, authority_url, root_public, open_keys(state), pki.ca_der))
    finally:
        store.close()


async def _serve(
    store: Store,
    ports: Ports,
    key: str,
    tls: ssl.SSLContext,
    authority_url: str | None,
    root_public: bytes,
    keys: SealingKeys,
    ca_der: bytes,
) -> None:
    bell, metrics = devices.Bell(), Metrics()
    listeners = [
        Listener(
            devices.make_app(store, bell, metrics=metrics, keys=keys, ca_der=ca_der), ports.devices, tls
        ),
        Listener(console.make_app(store, bell, key, ports.console, metrics=metrics), ports.console),
    ]
    tasks = [asyncio.create_task(Keeper(store.days, Desk(store)).run())]
    if authority_url:
        tasks.append(asyncio.create_task(PackPuller(store, authority_url, root_public).run()))
    try:
        await serve(listeners, bell.close)
    finally:
        for task in tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
