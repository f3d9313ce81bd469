"""Plays scenarios on a running system, through its web faces and its command line, as people would."""

from __future__ import annotations

import asyncio
import re
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from host_tools.authority.town import build
from host_tools.demo_stage import Stage, StageTrouble, flow_line
from host_tools.device.build import ROOT
from host_tools.state import State
from simulator.passing import CHINA_S, UNIT_S, Passing, span_s, speed_of
from simulator.scenario import VERDICTS, Scenario, Step, traits
from simulator.surroundings import HEALTHY_SKIN_CENTI_C, Surroundings
from simulator.surroundings import VERBS as BREAKING

TURN_LIMIT_S = 25.0
RECORD_LIMIT_S = 25.0
PACK_LIMIT_S = 40.0
WAIT_LIMIT_S = 40.0
SPEECH_LIMIT_S = 12.0
#: So long without network is noticed.
#: Longer than the handheld takes to see that the network is gone.
OFFLINE_S = 1.5
POLL_S = 0.1
COMMAND_LIMIT_S = 60.0
#: A verdict's white line is drawn every tenth of a second.
DRAWN_QUIET_S = 0.07
DRAWN_LIMIT_S = 1.0
#: Where the scenarios are, and the files that they need.
FOLDER = Path(__file__).resolve().parent / "scenarios"
_SHIFT = re.compile(r"([+-])(\d+)([smhd])")
_NOTHING = ("none", "")


class Differs(Exception):
    """What happened is not what the scenario says; the message names the line."""


@dataclass
class Turn:
    """What came of the last code that was held up."""

    outcome: str | None = None
    reasons: list[str] = field(default_factory=list)
    rows: list[dict[str, Any]] | None = None
    took_ms: int | None = None


class Player:
    """Plays one scenario after the other. `shots` is where pictures of the screen go, None for nowhere."""

    def __init__(self, stage: Stage, state: State, device_id: str, shots: Path | None = None) -> None:
        self._stage = stage
        self._state = state
        self._device_id = device_id
        self._shots = shots
        self._folders = {"state": state.root.resolve(), "scenarios": FOLDER}
        self._turn = Turn()
        self._around = Surroundings(stage)
        self._time = Passing(stage, state)
        self._last_id = 0
        self._event = 0
        self._heard = 0

    async def play(self, scenario: Scenario) -> None:
        """Play a scenario. Raises Differs, StageTrouble."""
        await self._next_turn()
        await self._time.begin()
        self._last_id = int((await self._stage.summary())["last_id"])
        self._event = self._heard = await self._stage.last_event()
        await self._around.heal()
        try:
            for step in scenario.steps:
                try:
                    await getattr(self, "_do_" + step.verb)(step)
                except StageTrouble as e:
                    raise Differs(f"{step.where}: {e}") from e
        finally:
            await self._time.speed(1)
            if any(step.verb in BREAKING for step in scenario.steps):
                await self._around.heal()

    # What happens ---------------------------------------------------------------------------------------

    async def _do_scene(self, step: Step) -> None:
        """``scene ID at PLACE``: the checker scans the signed poster on the wall and confirms."""
        scene, _, *place = step.words
        poster = self._state.root / "scenario-place.pdf"
        said = await self._yima("authority", "place", " ".join(place), scene, str(poster))
        after = await self._stage.last_event()
        await self._stage.show_text(said.strip().splitlines()[-1])
        event = await self._line(("flow: place",), after, step)
        if not event["data"]["line"].endswith(" 0"):
            raise Differs(f"{step.where}: the poster is refused: {event['data']['line']}")
        await self._stage.press("yes")
        event = await self._line(("flow: notice",), int(event["number"]), step)
        if not event["data"]["line"].endswith("notice_scene_chosen"):
            raise Differs(f"{step.where}: the handheld says {event['data']['line']}")
        await self._line(("flow: idle",), int(event["number"]), step)

    async def _do_comes(self, step: Step) -> None:
        """``comes PERSON [code live|paper] [skin C] [mask yes|no|none] [id yes|no|none]``."""
        said = traits(step)
        skin_centi_c = round(float(said.get("skin", HEALTHY_SKIN_CENTI_C / 100)) * 100)
        await self._stage.set_world(skin_centi_c=skin_centi_c)
        picture = await self._stage.picture(step.words[0], said.get("code", "live"))
        await self._next_turn()
        after = await self._stage.last_event()
        await self._stage.show(picture)
        await self._lead(after, step, said.get("mask", "yes"), said.get("id", "yes"))

    async def _do_follows(self, step: Step) -> None:
        """``follows [skin C] [mask …] [id …]``: the steps after a key that was pressed for somebody."""
        said = traits(step)
        skin_centi_c = round(float(said.get("skin", HEALTHY_SKIN_CENTI_C / 100)) * 100)
        await self._stage.set_world(skin_centi_c=skin_centi_c)
        await self._next_turn()
        await self._lead(self._event, step, said.get("mask", "yes"), said.get("id", "yes"))

    async def _do_nocode(self, step: Step) -> None:
        """``nocode PERSON``: the authority has no code for this person."""
        try:
            await self._stage.picture(step.words[0], "live")
        except StageTrouble:
            return
        raise Differs(f"{step.where}: {step.words[0]} has a code")

    async def _do_roster(self, step: Step) -> None:
        """``roster PERSON ROLE...``: the unit tells authority and server who belongs to it."""
        town = build()
        lines = ["sub,role"]
        for name, role in zip(step.words[::2], step.words[1::2], strict=True):
            person = town.find(name)
            if person is None:
                raise Differs(f"{step.where}: nobody is called {name}")
            lines.append(f"{person.sub.hex()},{role}")
        file = self._state.root / "scenario-roster.csv"
        file.write_text("\n".join(lines) + "\n")
        await self._yima("server", "roster", "add", str(file))
        await self._yima("pack", "roster", str(file))
        await self._do_pack(step)

    async def _do_fails(self, step: Step) -> None:
        """``fails WORDS...``: a command that is refused."""
        try:
            await self._yima(*(_filled(word, self._folders, self._time.now_unix()) for word in step.words))
        except StageTrouble:
            return
        raise Differs(f"{step.where}: the command was not refused")

    async def _do_shows(self, step: Step) -> None:
        """``shows text TEXT`` or ``shows file NAME``: anything but a health code of the town."""
        kind, what = step.words[0], step.words[1]
        text = what if kind == "text" else (self._state.root / what).read_text("utf-8").strip()
        await self._next_turn()
        after = await self._stage.last_event()
        await self._stage.show_text(text)
        await self._lead(after, step, "yes", "yes")

    async def _next_turn(self) -> None:
        """Somebody else is next: what the last one left must have arrived, or it would count as his."""
        if self._turn.outcome is not None and self._around.online:
            await self._rows(1)
        self._turn = Turn()

    async def _lead(self, after: int, step: Step, mask: str, identity: str) -> None:
        """Press what the checker presses until there is a verdict or a notice."""
        turn = self._turn
        self._heard = after
        began_ms = 0
        async for event in self._stage.events(after, TURN_LIMIT_S):
            if event["kind"] == "uart_last_byte":
                began_ms = event["t_ms"]
            word, _, rest = (flow_line(event) or "").partition(" ")
            if word == "id_check" and identity != "none":
                await self._stage.press(identity)
            elif word == "measure" and mask != "none":
                await self._stage.press(mask)
            elif word in ("verdict", "notice"):
                turn.outcome = VERDICTS[int(rest)] if word == "verdict" else None
                turn.took_ms = event["t_ms"] - began_ms
                self._event = event["number"]
                return
        raise Differs(f"{step.where}: no verdict came")

    async def _do_press(self, step: Step) -> None:
        """``press KEY...``: one after the other."""
        self._event = await self._stage.last_event()
        for key in step.words:
            await self._stage.press(key)

    async def _do_hold(self, step: Step) -> None:
        """``hold KEY MS``: keep a key down."""
        self._event = await self._stage.last_event()
        await self._stage.press(step.words[0], int(step.words[1]))

    async def _do_world(self, step: Step) -> None:
        """``world wifi off``, ``unplug gm65``, ``fault bus stuck``, ``noise uart 5``."""
        await self._around.change(step)

    _do_unplug = _do_plug = _do_fault = _do_noise = _do_world

    async def _do_clock(self, step: Step) -> None:
        """``clock +3d``: the handheld's clock chip jumps; the next start sees it."""
        found = _SHIFT.fullmatch(step.words[0])
        if not found:
            raise Differs(f"{step.where}: a jump is written as +3d, -2h, +30m")
        shift_s = int(found[2]) * UNIT_S[found[3]] * (1 if found[1] == "+" else -1)
        await self._stage.faults(clock_shift_s=shift_s)

    async def _do_speed(self, step: Step) -> None:
        """``speed 20``: time goes up to so many times as fast, until the end of the scenario."""
        await self._time.speed(speed_of(step.words))

    async def _do_jump(self, step: Step) -> None:
        """``jump 8h``: so much time passes at once, and everything that falls into it happens."""
        self._event = await self._stage.last_event()
        await self._time.jump(span_s(step.words))

    async def _do_power(self, step: Step) -> None:
        """``power cycle``: off and on again, until the handheld waits for a code."""
        self._event = await self._stage.last_event()
        await self._stage.power(step.words[0])
        await self._line(("flow: idle",), self._event, step)

    async def _do_yima(self, step: Step) -> None:
        """``yima WORDS...``: a command, as somebody types it at the authority or the fleet's desk."""
        await self._yima(*(_filled(word, self._folders, self._time.now_unix()) for word in step.words))

    async def _do_pack(self, step: Step) -> None:
        """Wait until the handheld has the authority's newest pack."""
        said = await self._yima("pack", "show")
        found = re.search(r"version (\d+)", said)
        if not found:
            raise Differs(f"{step.where}: `yima pack show` names no version")
        # A handheld that gets its network back asks at once, and not within its half minute.
        await self._stage.wait_for_server_pack(int(found[1]), PACK_LIMIT_S)
        await self._stage.set_world(wifi=False)
        await asyncio.sleep(OFFLINE_S)
        await self._stage.set_world(wifi=True)
        await self._stage.wait_for_pack(int(found[1]), PACK_LIMIT_S)

    async def _do_wait(self, step: Step) -> None:
        """``wait flow: idle``: until the handheld's console says this, after what was done last."""
        event = await self._line((" ".join(step.words),), self._event, step)
        self._event = int(event["number"])

    # What must be ---------------------------------------------------------------------------------------

    async def _do_verdict(self, step: Step) -> None:
        if self._turn.outcome != step.words[0]:
            rows = await self._rows(None)
            raise Differs(f"{step.where}: the verdict is {self._turn.outcome}, {_reasons(rows)}")

    async def _do_notice(self, step: Step) -> None:
        if self._turn.outcome is not None:
            raise Differs(f"{step.where}: the verdict is {self._turn.outcome}, no notice")

    async def _do_says(self, step: Step) -> None:
        """``says NAME...``: these clips are heard, one after the other, since the last code or key came."""
        wanted = [f"say_{word}" for word in step.words]
        heard = []
        try:
            async for event in self._stage.events(self._heard, SPEECH_LIMIT_S):
                if event["kind"] == "speech" and not event["data"]["on"]:
                    heard.append(event["data"]["says"])
                    if heard[-1] == wanted:
                        self._heard = int(event["number"])
                        return
        except StageTrouble:
            raise Differs(f"{step.where}: what was said is {heard}") from None

    async def _do_records(self, step: Step) -> None:
        """``records N``: so many came of the last code, and all are on the server."""
        rows = await self._rows(int(step.words[0]))
        if len(rows) != int(step.words[0]):
            raise Differs(f"{step.where}: {len(rows)} records")

    async def _do_reasons(self, step: Step) -> None:
        """``reasons NAME...`` of all records of the last code, ``reasons none``."""
        rows = await self._rows(1)
        wanted = [] if step.words == ("none",) else [word.strip(",") for word in step.words]
        found = list(dict.fromkeys(reason for row in rows for reason in row["reasons"]))
        if sorted(found) != sorted(wanted):
            raise Differs(f"{step.where}: the reasons are {', '.join(found) or 'none'}")

    async def _do_record(self, step: Step) -> None:
        """``record FIELD=VALUE...``: some record of the last code is like this; ``none``: not kept."""
        rows = await self._rows(1)
        wanted = dict(word.split("=", 1) for word in step.words)
        if not any(all(_is(row, name, value) for name, value in wanted.items()) for row in rows):
            seen = [{name: row.get(name, "unknown field") for name in wanted} for row in rows]
            raise Differs(f"{step.where}: the records are {seen}")

    async def _do_server(self, step: Step) -> None:
        """``server PATH has|lacks WORDS``: what a page or list of the fleet server says."""
        path, verb, *words = (_filled(word, self._folders, self._time.now_unix()) for word in step.words)
        ends_s = time.monotonic() + RECORD_LIMIT_S
        while True:
            text = await self._stage.console_text(path)
            if (" ".join(words) in text) == (verb == "has"):
                return
            if time.monotonic() > ends_s:
                raise Differs(f"{step.where}: {path} says {text[:300]}")
            await asyncio.sleep(POLL_S)

    async def _do_shot(self, step: Step) -> None:
        """``shot NAME``: a picture of the screen as it is now."""
        if self._shots is not None:
            await self._drawn()
            picture = await self._stage.screen()
            await asyncio.to_thread((self._shots / f"{step.words[0]}.png").write_bytes, picture)

    async def _drawn(self) -> None:
        """Wait until the display is quiet: a line on the console comes before its screen."""
        ends_s = time.monotonic() + DRAWN_LIMIT_S
        before = -1
        while (now := await self._stage.spi_bytes()) != before and time.monotonic() < ends_s:
            before = now
            await asyncio.sleep(DRAWN_QUIET_S)

    # Means ----------------------------------------------------------------------------------------------

    async def _rows(self, fewest: int | None) -> list[dict[str, Any]]:
        """The server's records of the last code; waits until `fewest` are there, None for none at all."""
        turn = self._turn
        if turn.rows is None:
            turn.rows = []
        ends_s = time.monotonic() + (RECORD_LIMIT_S if fewest else 0)
        while True:
            for row in await self._stage.records(self._last_id):
                self._last_id = row["id"]
                if row["device"] == self._device_id and row.get("event") is None:
                    turn.rows.append(row)
            if len(turn.rows) >= (fewest or 0) or time.monotonic() > ends_s:
                return turn.rows
            await asyncio.sleep(POLL_S)

    async def _line(self, starts: tuple[str, ...], after: int, step: Step) -> dict[str, Any]:
        """The first console line after an event that starts so."""
        async for event in self._stage.events(after, WAIT_LIMIT_S):
            if event["kind"] == "console" and str(event["data"].get("line", "")).startswith(starts):
                return event
        raise Differs(f"{step.where}: the handheld never says {starts[0]!r}")

    async def _yima(self, *words: str) -> str:
        """Run the command line on this system; what it prints. Raises StageTrouble."""
        argv = [sys.executable, "-m", "host_tools.cli", *words, "--state", str(self._state.root.resolve())]
        process = await asyncio.create_subprocess_exec(
            *argv,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            cwd=ROOT,
            env=self._time.environment(),
        )
        try:
            said, _ = await asyncio.wait_for(process.communicate(), COMMAND_LIMIT_S)
        except asyncio.TimeoutError:
            process.kill()
            raise StageTrouble(f"yima {words[0]} does not end") from None
        text = said.decode("utf-8", "replace")
        if process.returncode:
            raise StageTrouble(f"yima {' '.join(words)}: {text.strip()[-300:]}")
        return text


def _filled(word: str, folders: dict[str, Path], now_unix: int) -> str:
    """A word with a folder's name filled in, ``{today}``, or a moment such as ``{-3d}`` on China's clocks."""
    for name, folder in folders.items():
        word = word.replace("{" + name + "}", str(folder))
    now_unix += CHINA_S
    word = word.replace("{today}", time.strftime("%Y-%m-%d", time.gmtime(now_unix)))

    def moment(found: re.Match[str]) -> str:
        shift_s = int(found[2]) * UNIT_S[found[3]] * (1 if found[1] == "+" else -1)
        return time.strftime("%Y-%m-%dT%H:%M", time.gmtime(now_unix + shift_s))

    return re.sub(r"\{" + _SHIFT.pattern + r"\}", moment, word)


def _is(row: dict[str, Any], name: str, wanted: str) -> bool:
    """Whether a record's field is as wanted; ``none`` stands for a field that was not stored."""
    value = row.get(name, "unknown field")
    if wanted in _NOTHING:
        return value is None or value == []
    if wanted == "some":
        return value is not None and value != "unknown field"
    return str(value) == wanted


def _reasons(rows: list[dict[str, Any]]) -> str:
    """The reasons in the records that have come so far, for a message."""
    return ", ".join(reason for row in rows for reason in row["reasons"]) or "no reasons yet"
