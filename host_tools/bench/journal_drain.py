"""A queue of records leaves the simulated handheld while people come: how long it takes, what it costs them.

The whole system as `yima run` starts it. The queue is put into the journal by the firmware's own code while
the handheld is off (`journal_fill_mpy.py`); everything after that goes through buttons, codes and sockets.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from pathlib import Path

from host_tools.bench.figures import Figures, figure, left_out
from host_tools.bench.programs import HERE, micropython, mpy_environment
from host_tools.demo import temporary_system
from host_tools.demo_stage import Stage, StageTrouble, flow_line
from host_tools.device.image import JOURNAL_IMAGE
from host_tools.server.serve import open_keys
from host_tools.state import State

QUEUED = 10_000
SCANS, WARM_UP = 30, 4
#: Somebody who is turned away by his code alone: nobody measures, nobody presses a key.
PERSON = "orange"
SCAN_LIMIT_S, READY_LIMIT_S, DRAIN_LIMIT_S, FILL_LIMIT_S = 20.0, 40.0, 900.0, 300.0
#: Between two people.
PAUSE_S = 0.7
NAMES = ("scan_during_sync_extra_ms", "drain_queued_s", "drain_records_per_s")


def bench_drain(queued: int = QUEUED, scans: int = SCANS) -> Figures:
    """All figures."""
    try:
        return asyncio.run(_measure(queued, scans))
    except StageTrouble as e:
        return left_out(NAMES, str(e))


async def _measure(queued: int, scans: int) -> Figures:
    async with temporary_system() as (stage, state):
        await stage.wait_until_idle(READY_LIMIT_S)
        device = str((await stage.wait_for_pack(1, READY_LIMIT_S))["id"])
        for _ in range(WARM_UP):
            await _scan(stage)
        await stage.set_world(wifi=False)
        alone = [await _scan(stage) for _ in range(scans)]
        await stage.power("kill")
        last = await _fill(state, device, queued)
        await stage.power("on")
        await stage.wait_until_idle(READY_LIMIT_S)
        before = await _held(stage)
        await stage.set_world(wifi=True)
        while await _held(stage) == before:
            await asyncio.sleep(0.05)
        started_s = time.monotonic()
        during: list[float] = []
        drained = asyncio.create_task(_drained(stage, last))
        while not drained.done():
            took_ms = await _scan(stage)
            if not drained.done():
                during.append(took_ms)
        took_s = drained.result() - started_s
    if len(during) < scans // 3:
        raise StageTrouble(f"only {len(during)} people came while the queue was sent")
    extra_ms = statistics.median(during) - statistics.median(alone)
    return {
        "scan_during_sync_extra_ms": figure(
            extra_ms,
            "ms",
            f"medians of {len(during)} scans while records are sent without a pause, and of {len(alone)} "
            f"without a network: {statistics.median(during):.0f} and {statistics.median(alone):.0f} ms "
            f"from the code's last byte to the light; at most {max(during):.0f} and {max(alone):.0f}",
        ),
        "drain_queued_s": figure(
            took_s, "s", f"{queued:,} queued records leave the simulated handheld, {len(during)} people come"
        ),
        "drain_records_per_s": figure(
            (last - before) / took_s,
            "1/s",
            "one request at a time, each with a TLS connection of its own",
        ),
    }


async def _scan(stage: Stage) -> float:
    """Milliseconds from the code's last byte on the serial line to the verdict's light."""
    picture = await stage.picture(PERSON, "live")
    await asyncio.sleep(PAUSE_S)
    after = await stage.last_event()
    await stage.show(picture)
    last_byte_ms = light_ms = 0
    decided = False
    async for event in stage.events(after, SCAN_LIMIT_S):
        if event["kind"] == "uart_last_byte" and not light_ms:
            last_byte_ms = event["t_ms"]
        elif event["kind"] == "led" and last_byte_ms and not light_ms and _red(event["data"]["rgb"]):
            light_ms = event["t_ms"]
        decided |= (flow_line(event) or "").startswith("verdict")
        if decided and light_ms and last_byte_ms:
            return float(light_ms - last_byte_ms)
    raise StageTrouble("no verdict")


def _red(rgb: list[int]) -> bool:
    red, green, blue = rgb
    return red >= 160 and green < 60 and blue <= 40


async def _held(stage: Stage) -> int:
    device = await stage.device()
    return int(device["held_seq"]) if device else 0


async def _drained(stage: Stage, last: int) -> float:
    """When the server held everything. Raises StageTrouble."""
    ends_s = time.monotonic() + DRAIN_LIMIT_S
    while time.monotonic() < ends_s:
        if await _held(stage) >= last:
            return time.monotonic()
        await asyncio.sleep(0.2)
    raise StageTrouble(f"the queue is not sent within {DRAIN_LIMIT_S:.0f} s")


async def _fill(state: State, device: str, count: int) -> int:
    """Put records into the journal of the handheld, which is off; the last sequence."""
    public, kid = open_keys(state).public()
    image: Path = state.handheld / JOURNAL_IMAGE
    argv = ["-X", "heapsize=8M", str(HERE / "journal_fill_mpy.py"), str(image), device]
    process = await asyncio.create_subprocess_exec(
        micropython(),
        *argv,
        public.hex(),
        kid.hex(),
        str(count),
        env=mpy_environment(),
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await asyncio.wait_for(process.communicate(), FILL_LIMIT_S)
    if process.returncode:
        raise StageTrouble("the journal cannot be filled")
    return int(output)
