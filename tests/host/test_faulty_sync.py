"""Sync through a proxy that loses, repeats, reorders, cuts and changes: each record once, the chain unbroken.

The handheld's own journal and sync under MicroPython, the real fleet server as a process, both killed now and
then. YIMA_FAULTY_EXCHANGES says how many exchanges shall go wrong; `make soak` asks for a thousand.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import ssl
import subprocess
import time
from collections import defaultdict
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import pytest
from batch import has_native_code
from conftest import ROOT, micropython
from faulty_proxy import ABOVE, WIRE, Proxy

from firmware.core import record
from host_tools.bench.server_kit import ServerProcess
from host_tools.server.opener import parse_head
from host_tools.server.schema import Device
from host_tools.server.serve import open_keys, open_pki, open_store
from host_tools.server.store import Store
from host_tools.state import State

pytestmark = pytest.mark.real_time

EXCHANGES = int(os.environ.get("YIMA_FAULTY_EXCHANGES", "120"))
SEED = int(os.environ.get("YIMA_FAULTY_SEED", "20200522"))
JOURNAL_BLOCKS = 16
#: The handheld waits 20 s for an answer; here it must be long enough for a busy computer only.
TIMEOUT_MS = 1500
LIMIT_S = 90.0 + EXCHANGES


@dataclass
class Told:
    """What the handheld said over all its lives: what it tried to write, and what it promised to keep."""

    tried: dict[int, set[bytes]] = field(default_factory=lambda: defaultdict(set))
    kept: dict[int, bytes] = field(default_factory=dict)
    troubles: set[str] = field(default_factory=set)
    last: int | None = None

    def read(self, log: Path) -> None:
        """Take over what one life said."""
        latest: dict[int, bytes] = {}
        for line in log.read_text("utf-8", "replace").splitlines():
            word, _, rest = line.partition(" ")
            if word == "w":
                number, _, data = rest.partition(" ")
                latest[int(number)] = bytes.fromhex(data)
                self.tried[int(number)].add(latest[int(number)])
            elif word == "k":
                assert int(rest) not in self.kept, "a sequence was given twice"
                self.kept[int(rest)] = latest[int(rest)]
            elif word == "sync:":
                self.troubles.add(rest)
            elif word == "done":
                self.last = int(rest)
            else:
                raise AssertionError(f"{line}: {log.read_text('utf-8', 'replace')[-2000:]}")


class Day:
    """A handheld, a proxy and a server over one folder."""

    def __init__(self, folder: Path, faulty: int, seed: int) -> None:
        self.folder = folder
        self.state = State(folder / "state")
        self.dice = random.Random(seed)
        self.store = open_store(self.state)
        token = self.store.create_token("Library", "registered_venue", int(time.time()), 3600)
        self.device = self.store.enrol(token, b"\x01" * 6, "test", int(time.time()))
        pki = open_pki(self.state)
        self.ca_der = pki.ca_der
        self.sealing_key, self.kid = open_keys(self.state).public()
        self.server = ServerProcess(self.state, "")
        client_tls = ssl.create_default_context(cadata=pki.ca_der)
        self.proxy = Proxy(self.dice, faulty, self.server.port, pki.tls_context(), client_tls)
        self.faulty = self.proxy.wanted
        self.told = Told()
        self.lives = 0
        self.flash = folder / "journal.img"
        self.flash.write_bytes(b"\xff" * 4096 * JOURNAL_BLOCKS)
        self.finish = folder / "finish"

    def close(self) -> None:
        """End what runs."""
        self.server.kill()
        self.store.close()

    def switch_on(self, cut_at: int) -> tuple[subprocess.Popen[bytes], Path]:
        """The next life of the handheld; where `cut_at` is not 0 it ends at that flash operation."""
        self.lives += 1
        config = self.folder / f"life{self.lives}.json"
        log = config.with_suffix(".log")
        settings = {
            "folder": str(self.folder),
            "flash": str(self.flash),
            "finish": str(self.finish),
            "url": f"https://localhost:{self.proxy.port}",
            "device": self.device.id,
            "secret": self.device.secret.hex(),
            "ca": self.ca_der.hex(),
            "sealing_key": self.sealing_key.hex(),
            "kid": self.kid.hex(),
            "engine": "native" if has_native_code() else "portable",
            "seed": self.dice.randrange(1 << 30),
            # Long ago, and later in every life.
            "unix": int(time.time()) - 1_000_000 + 10_000 * self.lives,
            "timeout_ms": TIMEOUT_MS,
            "cut_at": cut_at,
        }
        config.write_text(json.dumps(settings), "utf-8")
        script = Path(__file__).with_name("faulty_device.py")
        with log.open("wb") as out:
            process = subprocess.Popen(
                [micropython(), "-X", "heapsize=1M", str(script), str(config)],
                env={**os.environ, "MICROPYPATH": f"{ROOT}:{ROOT}/tests/host:.frozen"},
                stdout=out,
                stderr=out,
            )
        return process, log

    async def live(self, lives: int, server_lives: int) -> None:
        """Go on until enough went wrong and all that was written is acknowledged."""
        ends_s = time.monotonic() + LIMIT_S
        every, server_every = self.faulty / lives, self.faulty / server_lives
        while self.told.last is None:
            over = self.proxy.faulty >= self.faulty
            cut_at = 0 if over or self.dice.randrange(2) else self.dice.randrange(2, 200)
            process, log = self.switch_on(cut_at)
            until = self.proxy.faulty + self.dice.uniform(0.5, 1.5) * every
            while process.poll() is None:
                assert time.monotonic() < ends_s, (self.proxy.done, log.read_text("utf-8", "replace")[-2000:])
                if self.proxy.faulty >= self.faulty:
                    self.finish.touch()
                elif self.proxy.faulty >= until:
                    process.kill()
                if self.proxy.faulty // server_every > self.server_deaths:
                    await self.kill_server()
                await asyncio.sleep(0.01)
            self.told.read(log)

    server_deaths = 0

    async def kill_server(self) -> None:
        """The server dies and comes back; what was on its way is lost."""
        self.server_deaths += 1
        self.server.kill()
        self.proxy.forget()
        self.server = ServerProcess(self.state, "", self.server.port, self.server.console_port)
        await asyncio.to_thread(self.server.wait)

    async def run(self, lives: int, server_lives: int) -> None:
        """The whole day; at its end an attacker sends everything that he recorded once more."""
        await asyncio.to_thread(self.server.wait)
        async with self.proxy.running():
            await self.live(lives, server_lives)
            before = self.held()
            requests = list(dict.fromkeys(self.proxy.requests))
            self.dice.shuffle(requests)
            for body in requests[:60]:
                status, _ = await self.proxy.forward(body)
                assert status in (200, 429)
            assert (self.held().held_seq, self.held().alert) == (before.held_seq, None)

    def held(self) -> Device:
        """The handheld as the server knows it."""
        device = self.store.device(self.device.id)
        assert device is not None
        return device


def check(store: Store, device: Device, told: Told) -> None:
    """Every record once, in its place, as it was written; the chain from the first to the last."""
    rows = list(store.records_after(0, 10**6, device.id))
    assert [row.seq for row in rows] == list(range(1, len(rows) + 1))
    assert len(rows) == told.last == max(told.kept)
    chain = record.GENESIS
    for row in rows:
        begins = row.head if row.head and parse_head(row.head).first == row.seq else b""
        chain = sha256(chain + begins + row.sealed).digest()
        assert row.chain == chain, row.seq
        assert record.decode(row.raw)[record.SEQ] == row.seq
        assert row.raw in told.tried[row.seq] and row.sealed and row.raw not in row.sealed
        assert told.kept.get(row.seq, row.raw) == row.raw
    assert (device.held_seq, device.held_chain, device.alert) == (len(rows), chain, None)


@pytest.mark.slow
@pytest.mark.xdist_group("faulty-sync")
def test_every_record_arrives_once(tmp_path: Path) -> None:
    day = Day(tmp_path, EXCHANGES, SEED)
    with contextlib.closing(day):
        asyncio.run(day.run(lives=max(6, EXCHANGES // 25), server_lives=2 + EXCHANGES // 250))
        check(day.store, day.held(), day.told)
    proxy, told = day.proxy, day.told
    print(f"{proxy.faulty} faulty of {proxy.exchanges} exchanges, {told.last} records", dict(proxy.done))
    print(f"{day.lives} lives of the handheld, {day.server_deaths} deaths of the server")
    assert proxy.faulty >= EXCHANGES and set(proxy.done) == {*WIRE, *ABOVE}
    assert told.last is not None and told.last > EXCHANGES
