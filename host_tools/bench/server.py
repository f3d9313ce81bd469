"""`make bench-server`: what the fleet server takes on PostgreSQL, beside COPY alone; what traces take.

Figures are added to ``build/bench.json``. PostgreSQL is started by the bench itself, with its usual settings
for durability: every commit reaches the disk before a handheld is told.
"""

from __future__ import annotations

import asyncio
import io
import json
import os
import secrets
import ssl
import sys
import tempfile
import time
from pathlib import Path

import psycopg

from host_tools.bench.figures import Figures, Target, figure, left_out, table
from host_tools.bench.load import enrol, upload_all
from host_tools.bench.postgres import WHAT, Postgres, find_postgresql
from host_tools.bench.programs import ROOT
from host_tools.bench.server_kit import servers
from host_tools.bench.server_trace import LOADING, NAMES, bench_trace
from host_tools.server.copying import COLUMNS
from host_tools.server.serve import open_keys, open_pki
from host_tools.server.store import Store
from host_tools.state import State

DEVICES = 200
BATCH = 100
BATCHES = 6
TARGETS = {
    "ingest_vs_copy": Target(0.5, 0.7, at_least=True),
    "ingest_two_servers_vs_one": Target(1.6, 1.9, at_least=True),
    "trace_person_p99_ms": Target(50, 20),
    "trace_contacts_p99_ms": Target(1_000, 500),
}
PEOPLE = 20_000
INGEST = (
    "ingest_records_per_s",
    "ingest_vs_copy",
    "ingest_vs_copy_binary",
    "ingest_two_servers_vs_one",
    "copy_records_per_s",
)


def load(postgres: Postgres, processes: int) -> tuple[float, str]:
    """Records a second that so many server processes take; the database afterwards."""
    url = postgres.create()
    now_unix = int(time.time())
    store = Store(url)
    store.days.ahead(now_unix)
    handhelds = enrol(store, DEVICES, now_unix)
    store.close()
    people = [secrets.token_bytes(16) for _ in range(PEOPLE)]
    with tempfile.TemporaryDirectory() as folder:
        state = State(Path(folder))
        server_key = open_keys(state).public()
        for number, handheld in enumerate(handhelds):
            place, at = f"Place {number // 2}", number * PEOPLE // DEVICES
            handheld.write(BATCH * BATCHES, now_unix, place, people[at:], server_key)
            handheld.prepare(BATCH)
        with servers(state.root, url, processes) as running:
            tls = ssl.create_default_context(cadata=open_pki(state).ca_der)
            ports = [one.port for one in running]
            start_s = time.perf_counter()
            repeats = asyncio.run(upload_all(handhelds, ports, tls, BATCH))
            took_s = time.perf_counter() - start_s
    total = DEVICES * BATCHES * BATCH
    with psycopg.connect(url) as connection:
        counted = connection.execute(
            "SELECT count(*), count(DISTINCT (device_id, seq)), count(sealed), count(verdict) FROM record"
        ).fetchone()
    if counted != (total, total, total, total) or repeats:
        raise RuntimeError(f"{total} records sent, {counted} stored, {repeats} exchanges repeated")
    return total / took_s, url


def copy_alone(url: str, form: str) -> float:
    """Rows a second at which COPY alone, in its form "text" or "binary", puts the same rows into the same
    table, which is empty before."""
    columns = ", ".join(COLUMNS)
    rows = io.BytesIO()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP TABLE IF EXISTS kept")
        connection.execute("CREATE TABLE kept AS TABLE record")
        counted = connection.execute("SELECT count(*) FROM kept").fetchone()
        assert counted is not None  # noqa: S101 - for the type checker
        query = f"COPY (SELECT {columns} FROM kept) TO STDOUT (FORMAT {form})"  # noqa: S608
        with connection.cursor().copy(query.encode()) as copy:
            for chunk in copy:
                rows.write(chunk)
        best_s = float("inf")
        for _ in range(3):
            connection.execute("TRUNCATE record")
            connection.execute("CHECKPOINT")
            start_s = time.perf_counter()
            with connection.cursor().copy(
                f"COPY record ({columns}) FROM STDIN (FORMAT {form})".encode()
            ) as copy:
                copy.write(rows.getvalue())
            best_s = min(best_s, time.perf_counter() - start_s)
    return float(counted[0] / best_s)


def bench_ingest(postgres: Postgres) -> Figures:
    """Uploads by simulated handhelds over TLS, beside COPY alone, in one run."""
    one, url = max(load(postgres, 1) for _ in range(2))
    alone, binary = (copy_alone(url, form) for form in ("text", "binary"))
    two, _ = max(load(postgres, 2) for _ in range(2))
    cores = os.cpu_count() or 1
    best = max(one, two)
    ways = f"sealed records of {DEVICES} handhelds, batches of {BATCH}, TLS, {cores} cores for all"
    return {
        "ingest_records_per_s": figure(best, "1/s", ways),
        "ingest_vs_copy": figure(
            best / alone, "", f"COPY alone, same rows and table: {alone:,.0f}/s as text", "COPY"
        ),
        "ingest_vs_copy_binary": figure(
            best / binary, "", f"COPY alone in the form that the server uses: {binary:,.0f}/s", "COPY"
        ),
        "ingest_two_servers_vs_one": figure(
            two / one, "", f"handhelds, servers and PostgreSQL share {cores} cores: 1.6 needs about 8"
        ),
        "copy_records_per_s": figure(alone, "1/s", "one COPY into the table with its indexes, as text"),
    }


def main() -> int:
    """Measure, print, and add to build/bench.json."""
    programs = find_postgresql()
    if programs is None:
        figures = left_out(INGEST + NAMES, WHAT)
    else:
        postgres = Postgres(programs)
        try:
            figures = bench_ingest(postgres)
        finally:
            postgres.close()
        postgres = Postgres(programs, LOADING)
        try:
            figures |= bench_trace(postgres)
        finally:
            postgres.close()
    print(table(figures, TARGETS))
    path = ROOT / "build" / "bench.json"
    path.parent.mkdir(exist_ok=True)
    before = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps(before | figures, indent=1, ensure_ascii=False) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
