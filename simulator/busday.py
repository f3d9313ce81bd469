"""``python -m simulator.busday``: a bus line's day, or one queue, in simulated time; prints figures as JSON.

The unmodified firmware in the scene ``transit``, without network, as in a bus. Passengers are scripted and
live by the simulator's clock (simulator/clock.py): they come to the door at their stops, one holds up a code,
the handheld checks it and measures, the light says the verdict, and a moment later the next one is there.
Time stands while the firmware computes, and what that would take a board is charged (docs/bench.md, "A bus").
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from host_tools import clockpage
from host_tools.authority import printing
from host_tools.authority.app import Authority
from host_tools.device.build import ROOT, build
from host_tools.device.engines import target_of
from host_tools.device.image import prepare
from host_tools.run import micropython, provision
from host_tools.server.serve import open_keys, open_pki, open_store
from host_tools.state import HOST, State
from host_tools.supervise import Program, Supervisor
from simulator.clock import Clock
from simulator.handheld import HEAP, Handheld
from simulator.world import Event

#: What the light says: red, green, blue.
LIGHTS = {(0, 255, 0): "pass", (255, 0, 0): "stop", (255, 140, 0): "attention"}
#: Green codes of the town, one after the other; every twentieth passenger shows an orange one.
PEOPLE = ("teacher", "shopper", "nurse")
TURNED_AWAY = "orange"
EVERY = 20
SKIN_CENTI_C = 3470
#: From the verdict until the next code is before the camera: the one goes on, the other steps up.
STEP_UP_S = 0.6
#: A bus runs from six to ten; a stop comes every four minutes.
DAY_S = 16 * 3600
STOP_S = 240
TURN_LIMIT_S = 30.0
READY_LIMIT_S = 60.0
#: Tables of the issuers' keys are made meanwhile.
TABLES_S = 30.0


@dataclass
class Ride:
    """What happened."""

    turns_ms: list[float] = field(default_factory=list)
    """From the code before the camera to the light, simulated."""
    checked_ms: list[int] = field(default_factory=list)
    """What the firmware says that a code took."""
    verdicts: dict[str, int] = field(default_factory=dict)
    queue_s: float = 0.0
    """Simulated time in which somebody was at the door."""


class Bus:
    """One handheld in a bus, and its authority."""

    def __init__(self, folder: Path) -> None:
        self.clock = Clock()
        self._state = State(folder / "state")
        self._authority = Authority(self._state, self.clock.unix)
        self._folder = folder
        self.handheld = Handheld(folder / "handheld", micropython=micropython(), heap=HEAP, clock=self.clock)
        self._light: asyncio.Future[str] | None = None

    async def ready(self) -> None:
        """Install, enrol at a server of its own, go on board. Raises TimeoutError, ChildTrouble."""
        handheld, clock, world = self.handheld, self.clock, self.handheld.world
        world.listen(self._seen)
        ports = _free_ports(3)
        supervisor = Supervisor(self._state.log, print, {clockpage.VARIABLE: str(clock.page.path)})
        try:
            await asyncio.to_thread(self._install, f"https://localhost:{ports[0]}")
            await self._serve(supervisor, ports)
            await handheld.start()
            await world.wait_for("console", READY_LIMIT_S, after=0, where=_says("flow: idle"))
            await asyncio.wait_for(asyncio.to_thread(self._enrolled), READY_LIMIT_S)
        finally:
            await supervisor.stop()
        world.wifi = False
        clock.speed = 0
        await clock.sleep(TABLES_S)
        before = world.last_event
        world.show_text(self._poster().encode())
        await world.wait_for("console", READY_LIMIT_S, after=before, where=_says("flow: place 0"))
        await clock.sleep(1)
        world.press("yes")
        await clock.sleep(5)

    def _install(self, server_url: str) -> None:
        authority, state = self._authority, self._state
        authority.packs.keep_sealing_key(open_keys(state).public()[0])
        root_key, ca_der = authority.keys.root_public, open_pki(state).ca_der
        store = open_store(state)
        try:
            given = provision(store, self.handheld.profile, root_key, server_url, ca_der)
        finally:
            store.close()
        tree = build(ROOT / "build" / "device", target_of(self.handheld.micropython))
        prepare(self.handheld.image, tree, given, self.handheld.micropython)

    async def _serve(self, supervisor: Supervisor, ports: list[int]) -> None:
        """Authority and fleet server, until the handheld has what it needs."""
        devices, console, authority = map(str, ports)
        cli = (sys.executable, "-m", "host_tools.cli")
        root = ("--state", str(self._state.root.resolve()))
        url = f"http://{HOST}:{authority}"
        await supervisor.start(
            Program(
                "authority", (*cli, "authority", "serve", *root, "--port", authority), f"{url}/healthz", ROOT
            )
        )
        serve = (*cli, "server", "serve", *root, "--port", devices, "--console-port", console)
        await supervisor.start(
            Program("server", (*serve, "--authority", url), f"http://{HOST}:{console}/healthz", ROOT)
        )

    def _enrolled(self) -> None:
        """Wait until the handheld has said that it holds the pack."""
        store = open_store(self._state)
        try:
            while not any(device.pack_version for device in store.devices()):
                time.sleep(0.1)
        finally:
            store.close()

    def _poster(self) -> str:
        signer = self._authority.keys.place
        return printing.place_text(signer, "102路", "transit", int(self.clock.unix()), 1)[0]

    def _seen(self, event: Event) -> None:
        """The light is a pin, so it comes in its order; what is printed does not."""
        if event.kind == "led" and self._light and not self._light.done():
            verdict = LIGHTS.get(tuple(event.data["rgb"]))
            if verdict:
                self._light.set_result(verdict)

    def _text(self, number: int) -> str:
        person = TURNED_AWAY if number % EVERY == EVERY - 1 else PEOPLE[number % len(PEOPLE)]
        authority = self._authority
        return authority.desk.show(authority.town.by_id[person], int(self.clock.unix()), None).text

    async def turn(self, number: int, ride: Ride) -> None:
        """One passenger. Raises TimeoutError where there is no verdict."""
        clock, world = self.clock, self.handheld.world
        light: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._light = light
        limit = clock.call_later(TURN_LIMIT_S, _too_late, light)
        world.skin_centi_c = SKIN_CENTI_C
        began_s = clock.time()
        world.show_text(self._text(number).encode())
        verdict = await light
        limit.cancel()
        self._light = None
        ride.turns_ms.append((clock.time() - began_s) * 1000)
        ride.verdicts[verdict] = ride.verdicts.get(verdict, 0) + 1
        world.skin_centi_c = None
        await clock.sleep(STEP_UP_S)
        ride.queue_s += clock.time() - began_s

    async def drive(self, passengers: int, day_s: float) -> Ride:
        """Passengers over a day, the same number at each stop; with no day, one queue."""
        ride = Ride()
        stops = max(1, round(day_s / STOP_S))
        began_s = self.clock.time()
        number = 0
        for stop in range(stops):
            while number < passengers * (stop + 1) // stops:
                await self.turn(number, ride)
                number += 1
            left_s = began_s + (stop + 1) * day_s / stops - self.clock.time()
            if left_s > 0:
                await self.clock.jump(left_s)
        lines = list(self.handheld.console)
        ride.checked_ms = [int(line.split()[4]) for line in lines if line.startswith("flow: checked 0 ms ")]
        return ride


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind((HOST, 0))
        return [probe.getsockname()[1] for probe in probes]


def _says(start: str) -> Callable[[Event], bool]:
    return lambda event: event.data["line"].startswith(start)


def _too_late(light: asyncio.Future[str]) -> None:
    if not light.done():
        light.set_exception(TimeoutError("no verdict"))


async def measure(passengers: int, day_s: float) -> dict[str, object]:
    """The figures."""
    with tempfile.TemporaryDirectory(prefix="yima-bus-") as folder:
        bus = Bus(Path(folder))
        try:
            await bus.ready()
            began_s, simulated_s = time.monotonic(), bus.clock.time()
            ride = await bus.drive(passengers, day_s)
            took_s, simulated_s = time.monotonic() - began_s, bus.clock.time() - simulated_s
        except TimeoutError as e:
            raise TimeoutError("\n".join([str(e), *list(bus.handheld.console)[-20:]])) from e
        finally:
            await bus.handheld.stop()
    return {
        "passengers": len(ride.turns_ms),
        "per_minute": len(ride.turns_ms) / ride.queue_s * 60,
        "turn_ms": statistics.median(ride.turns_ms),
        "checked_ms": statistics.median(ride.checked_ms) if ride.checked_ms else None,
        "verdicts": ride.verdicts,
        "simulated_s": round(simulated_s, 1),
        "took_s": round(took_s, 1),
    }


def main() -> int:
    """Read the arguments, drive, print."""
    parser = argparse.ArgumentParser(prog="python -m simulator.busday", description=__doc__)
    parser.add_argument("--passengers", type=int, default=1000)
    parser.add_argument("--hours", type=float, default=DAY_S / 3600, help="0: all in one queue")
    options = parser.parse_args()
    try:
        found = asyncio.run(measure(options.passengers, options.hours * 3600))
    except TimeoutError as e:
        print(e, file=sys.stderr)
        return 1
    print(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
