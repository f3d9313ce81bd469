"""Server processes and PostgreSQL killed in mid-load: nothing acknowledged is lost, nothing doubled."""

from __future__ import annotations

import asyncio
import ssl
import time

import pytest
from conftest import need

from firmware.core import record
from host_tools.bench.load import enrol, upload_all
from host_tools.bench.postgres import WHAT, Postgres, find_postgresql
from host_tools.bench.server_kit import ServerProcess, servers
from host_tools.server.serve import open_keys, open_pki
from host_tools.server.store import Store
from host_tools.state import State

pytestmark = pytest.mark.real_time

DEVICES, RECORDS, BATCH = 12, 400, 20


@pytest.fixture
def own_postgres():
    """One that may be killed; commits reach the disk, as in service."""
    programs = find_postgresql()
    need(programs is not None, 1, WHAT)
    server = Postgres(programs)
    yield server
    server.close()


def test_killed_servers_and_a_killed_database(own_postgres, tmp_path):
    url = own_postgres.create()
    store = Store(url)
    now = int(time.time())
    handhelds = enrol(store, DEVICES, now)
    server_key = open_keys(State(tmp_path)).public()
    for number, handheld in enumerate(handhelds):
        handheld.write(RECORDS, now, f"Place {number}", [bytes([number]) * 16], server_key)
        handheld.prepare(BATCH)
    total = DEVICES * RECORDS
    kills: list[str] = []

    def acknowledged() -> int:
        return sum(handheld.acknowledged for handheld in handhelds)

    with servers(tmp_path, url, 2) as running:
        tls = ssl.create_default_context(cadata=open_pki(State(tmp_path)).ca_der)
        ports = [one.port for one in running]

        async def reaching(part: float) -> None:
            while acknowledged() < part * total:
                await asyncio.sleep(0.005)

        async def strike() -> None:
            for part, victim in ((0.15, 0), (0.3, None), (0.45, 1), (0.6, None), (0.75, 0)):
                await reaching(part)
                known = {handheld.device_id: handheld.acknowledged for handheld in handhelds}
                if victim is None:
                    kills.append("postgresql")
                    own_postgres.kill()
                    await asyncio.to_thread(own_postgres.start)
                else:
                    kills.append("server")
                    old = running[victim]
                    old.kill()
                    running[victim] = ServerProcess(State(tmp_path), url, old.port, old.console_port)
                    await asyncio.to_thread(running[victim].wait)
                for device in await asyncio.to_thread(store.devices):
                    assert device.held_seq >= known[device.id]

        async def both() -> int:
            repeats, _ = await asyncio.gather(upload_all(handhelds, ports, tls, BATCH), strike())
            return repeats

        repeats = asyncio.run(asyncio.wait_for(both(), 240))
    assert kills == ["server", "postgresql", "server", "postgresql", "server"] and repeats >= len(kills)
    for handheld in handhelds:
        rows = sorted(store.records_after(0, total, handheld.device_id), key=lambda row: row.seq)
        assert [row.raw for row in rows] == handheld.records
        assert [row.sealed for row in rows] == handheld.sealed
        assert [row.chain for row in rows] == handheld.chains[1:]
        device = store.device(handheld.device_id)
        assert (device.held_seq, device.alert) == (RECORDS, None)
        assert record.decode(rows[-1].raw)[record.SEQ] == RECORDS
    store.close()
