"""`yima demo`: a scripted passenger queue through the running system, or through a temporary one."""

from __future__ import annotations

import asyncio
import contextlib
import random
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from host_tools import clockpage
from host_tools.demo_queue import QUEUE, SITE_OFFSET_CENTI_C, Passenger
from host_tools.demo_stage import Stage, StageTrouble, flow_line
from host_tools.device.build import ROOT
from host_tools.run import RunTrouble, System, find_running, port_free
from host_tools.state import HANDHELD_PORT, State

READY_LIMIT_S = 30.0
PASSENGER_LIMIT_S = 20.0
RECORD_LIMIT_S = 20.0
POLL_S = 0.15
#: The light takes its colour channel by channel; so long after the verdict it stands still.
LIGHT_SETTLES_S = 0.06
VERDICTS = ("pass", "stop", "attention")
#: The estimate must come within this of what stands before the sensor.
TEMPERATURE_TOLERANCE_CENTI_C = 40


@dataclass
class Seen:
    """What a passenger's turn looked like from outside."""

    passenger: Passenger
    outcome: str | None = None
    light: str | None = None
    last_byte_ms: int | None = None
    verdict_ms: int | None = None
    differences: list[str] = field(default_factory=list)


def demo(state: State) -> int:
    """Play the queue; 0 if everything came as expected. Raises RunTrouble."""
    try:
        return asyncio.run(_demo(state))
    except StageTrouble as e:
        raise RunTrouble(str(e)) from e
    except asyncio.CancelledError:
        return 130


async def _demo(state: State) -> int:
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 - for the type checker
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    started_s = time.monotonic()
    running = find_running(state)
    if running is not None:
        stage = Stage(running)
        try:
            failed = await _play(stage, state)
        finally:
            await stage.close()
    else:
        print("no system runs here: a temporary one is started", flush=True)
        async with temporary_system() as (stage, temporary):
            print(f"ready after {time.monotonic() - started_s:.1f} s", flush=True)
            failed = await _play(stage, temporary)
    print(f"{len(QUEUE)} passengers, {len(QUEUE) - failed} as expected, {time.monotonic() - started_s:.1f} s")
    return 1 if failed else 0


@contextlib.asynccontextmanager
async def temporary_system() -> AsyncIterator[tuple[Stage, State]]:
    """A system of its own in a temporary folder, gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="yima-demo-") as folder:
        state = State(Path(folder))
        system = System(state, _free_port_base(), lambda line: print(line, flush=True))
        try:
            running = await system.start()
            stage = Stage(running)
            try:
                yield stage, state
            finally:
                await stage.close()
        finally:
            await system.stop()


async def _play(stage: Stage, state: State) -> int:
    """Play the queue on a system; how many turns differ from what was expected."""
    await stage.set_world(wifi=True)
    importing = asyncio.create_task(_import_issuer(state))
    reporting: asyncio.Task[int] | None = None
    try:
        await stage.wait_until_idle(READY_LIMIT_S)
        device = await stage.wait_for_pack(1, READY_LIMIT_S)
        last_id = int((await stage.summary())["last_id"])
        ledger = Ledger(stage, str(device["id"]), last_id, int(clockpage.now()))
        turns: asyncio.Queue[Seen | None] = asyncio.Queue()
        reporting = asyncio.create_task(_report(turns, ledger))
        for passenger in QUEUE:
            if passenger.needs_import:
                await stage.wait_for_pack(await importing, READY_LIMIT_S)
            turns.put_nowait(await _turn(stage, passenger))
        turns.put_nowait(None)
        return await reporting
    finally:
        for task in (importing, reporting):
            if task is not None and not task.done():
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task


async def _turn(stage: Stage, passenger: Passenger) -> Seen:
    """One passenger: hold up the code, press what is asked, watch the light."""
    seen = Seen(passenger)
    await stage.set_world(skin_centi_c=passenger.skin_centi_c)
    picture = await stage.picture(passenger.person, passenger.medium)
    after = await stage.last_event()
    await stage.show(picture)
    lights: list[tuple[int, str | None]] = []
    try:
        async for event in stage.events(after, PASSENGER_LIMIT_S):
            after = event["number"]
            _notice_hardware(seen, lights, event)
            word, _, rest = (flow_line(event) or "").partition(" ")
            if word == "id_check":
                await stage.press(passenger.id_key or "middle")
            elif word == "measure":
                await stage.press(passenger.mask_key)
            elif word in ("verdict", "notice"):
                seen.outcome = VERDICTS[int(rest)] if word == "verdict" else None
                break
        await asyncio.sleep(LIGHT_SETTLES_S)
        for event in await stage.more_events(after):
            _notice_hardware(seen, lights, event)
    except StageTrouble as e:
        seen.differences.append(str(e))
    _read_light(seen, lights)
    if seen.outcome != passenger.verdict:
        seen.differences.append(f"the handheld decides {seen.outcome}")
    if seen.light != passenger.verdict:
        seen.differences.append(f"the light says {seen.light}")
    return seen


def _notice_hardware(seen: Seen, lights: list[tuple[int, str | None]], event: dict[str, Any]) -> None:
    if event["kind"] == "uart_last_byte":
        seen.last_byte_ms = event["t_ms"]
    elif event["kind"] == "led":
        lights.append((event["t_ms"], _light_verdict(event["data"]["rgb"])))


def _read_light(seen: Seen, lights: list[tuple[int, str | None]]) -> None:
    """The verdict is the colour that stands at the end; its time is when that colour came."""
    if not lights:
        return
    seen.light = lights[-1][1]
    seen.verdict_ms = lights[-1][0]


def _light_verdict(rgb: list[int]) -> str | None:
    """What the light's colour means: green, red, or both at once."""
    red, green, blue = rgb
    if max(red, green) < 160 or blue > 40:
        return None
    if red < 60:
        return "pass"
    return "stop" if green < 60 else "attention"


class Ledger:
    """The server's records since the demo began, in the order in which they came."""

    def __init__(self, stage: Stage, device_id: str, last_id: int, since_unix: int) -> None:
        self._stage = stage
        self._device_id = device_id
        self._last_id = last_id
        self._since_unix = since_unix
        self._waiting: list[dict[str, Any]] = []

    async def take(self, count: int) -> list[dict[str, Any]]:
        """The next `count` records. Raises StageTrouble where they do not come."""
        ends_s = time.monotonic() + RECORD_LIMIT_S
        while len(self._waiting) < count:
            if time.monotonic() > ends_s:
                raise StageTrouble(f"{len(self._waiting)} of {count} records reach the server")
            for row in await self._stage.records(self._last_id):
                self._last_id = row["id"]
                # What a handheld had still to upload from before is not ours.
                if (
                    row["device"] == self._device_id
                    and row["event"] is None
                    and (row["time_unix"] or 0) >= self._since_unix
                ):
                    self._waiting.append(row)
            if len(self._waiting) < count:
                await asyncio.sleep(POLL_S)
        taken, self._waiting = self._waiting[:count], self._waiting[count:]
        return taken


async def _report(turns: asyncio.Queue[Seen | None], ledger: Ledger) -> int:
    """Print one line per turn as soon as its records are on the server; how many differ."""
    failed = 0
    number = 0
    while (seen := await turns.get()) is not None:
        number += 1
        passenger = seen.passenger
        rows: list[dict[str, Any]] = []
        try:
            rows = await ledger.take(passenger.records)
        except StageTrouble as e:
            seen.differences.append(str(e))
        seen.differences += compare(passenger, rows)
        print(_line(number, seen, rows), flush=True)
        for difference in seen.differences:
            print(f"      differs: {difference}", flush=True)
        failed += bool(seen.differences)
    return failed


def compare(passenger: Passenger, rows: list[dict[str, Any]]) -> list[str]:
    """Where the server's records are not what this passenger must leave."""
    found = []
    for index, row in enumerate(rows):
        expected: dict[str, object] = {"verdict": passenger.verdict, "reasons": list(passenger.reasons)}
        if passenger.kind is not None:
            expected["kind"] = passenger.kind
        if passenger.measured:
            expected["mask"] = "worn"
            body_centi_c = row["body_centi_c"]
            wanted_centi_c = passenger.skin_centi_c + SITE_OFFSET_CENTI_C
            if body_centi_c is None or abs(body_centi_c - wanted_centi_c) > TEMPERATURE_TOLERANCE_CENTI_C:
                found.append(f"temperature {_celsius(body_centi_c)}, {_celsius(wanted_centi_c)} expected")
        if passenger.id_key is not None:
            expected["confirmed"] = ["id_equal" if passenger.id_key == "yes" else "id_differs"]
        if passenger.records > 1:
            expected["party"] = {"first": rows[0]["seq"], "index": index, "size": passenger.records}
        for name, value in expected.items():
            if row[name] != value:
                found.append(f"the record's {name} is {row[name]}, {value} expected")
    return found


def _line(number: int, seen: Seen, rows: list[dict[str, Any]]) -> str:
    passenger = seen.passenger
    verdict = {"pass": "PASS", "stop": "STOP", "attention": "CHECK"}.get(seen.outcome or "", "notice")
    reasons = ",".join(dict.fromkeys(reason for row in rows for reason in row["reasons"])) or "-"
    temperatures = " ".join(_celsius(row["body_centi_c"]) for row in rows if row["body_centi_c"] is not None)
    took = "-"
    if seen.last_byte_ms is not None and seen.verdict_ms is not None:
        took = f"{seen.verdict_ms - seen.last_byte_ms} ms"
    acknowledged = "no record"
    if rows:
        numbers = [str(row["seq"]) for row in rows]
        acknowledged = "acknowledged " + ("-".join((numbers[0], numbers[-1])) if rows[1:] else numbers[0])
    mark = "!!" if seen.differences else "ok"
    return (
        f"{mark} {number:2}  {passenger.title:32} {verdict:7} {reasons:18} {temperatures or '-':15} "
        f"{took:>8}  {acknowledged}"
    )


def _celsius(centi_c: int | None) -> str:
    return "none" if centi_c is None else f"{centi_c / 100:.1f}"


async def _import_issuer(state: State) -> int:
    """`yima trust add` for the town's foreign issuer; the version of the pack that has it."""
    certificate = state.authority / "foreign" / "issuer.pem"
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "host_tools.cli",
        "trust",
        "add",
        str(certificate.resolve()),
        "--state",
        str(state.root.resolve()),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=ROOT,
    )
    said, _ = await process.communicate()
    if process.returncode:
        raise StageTrouble(f"yima trust add: {said.decode(errors='replace').strip()}")
    return int(said.split()[-1])


def _free_port_base() -> int:
    """A base under which all ports are free."""
    for _ in range(100):
        base = random.randrange(20_000, 60_000, 10)  # noqa: S311 - not a secret
        if all(port_free(base + offset) for offset in range(HANDHELD_PORT + 1)):
            return base
    raise RunTrouble("no free ports found")
