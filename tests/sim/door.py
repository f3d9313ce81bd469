"""A door to test at: the real authority and fleet server, a simulated handheld with the compiled firmware.

Tests stay plain functions: the event loop that world and handheld need runs in a thread of its own. A door is
slow to open (a few seconds), so the tests of a file share one where they can, and begin with `calm`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

import flash
import reading
from conftest import ROOT, micropython
from fleet import SCENE, Fleet, Loop, until

from firmware.core import reasons, record
from firmware.core.codes import encode_ym1
from host_tools import pki
from host_tools.authority.app import Authority
from host_tools.authority.pictures import png
from host_tools.authority.town import Medium
from host_tools.device.build import build
from host_tools.device.engines import target_of
from host_tools.device.image import JOURNAL_IMAGE, prepare
from simulator.handheld import Handheld
from simulator.world import Event

HEAP = "400k"
#: Live codes end at China's midnight, and "two days ago" is another day then.
MIDNIGHT_S = 60
#: 1 MB of flash beside the journal's partition.
BLOCKS = 256
HEALTHY_CENTI_C, FEVER_CENTI_C = 3470, 3620
VERDICTS = ("pass", "stop", "attention")
#: What a verdict's light looks like: red, green, blue.
LIGHTS = {(0, 255, 0): "pass", (255, 0, 0): "stop", (255, 140, 0): "attention"}
BOOT_S, STEP_S, RECORD_S = 40.0, 30.0, 40.0
STEPS = ("flow: checked", "flow: id_check", "flow: measure", "flow: verdict", "flow: notice")


@dataclass
class Turn:
    """What a passenger's turn looked like from outside. `sequences` are those that its records must have."""

    reason: int = -1
    verdict: str | None = None
    notice: bool = False
    measured: int = 0
    id_checked: int = 0
    began: int = 0
    ended: int = 0
    ms: int = 0
    sequences: range = field(default_factory=lambda: range(0))


class Door:
    """One handheld before its fleet; a context manager. `setup` is called before anything is served."""

    def __init__(
        self,
        folder: Path,
        *,
        setup: Callable[[Authority], None] | None = None,
        blocks: int = BLOCKS,
        journal_blocks: int | None = None,
        ca_der: bytes | None = None,
        trust: bool = True,
        scene: str = SCENE,
    ) -> None:
        self.loop = Loop()
        self.fleet = Fleet(folder / "state", self.loop)
        self.profile = folder / "handheld"
        self.handheld = Handheld(self.profile, micropython=micropython(), heap=HEAP)
        self.world = self.handheld.world
        self.world.skin_centi_c = HEALTHY_CENTI_C
        self.expected = 0
        """How many records the turns so far must have left."""
        self._pressed_s = 0.0
        self._setup = setup
        self._blocks = blocks
        self._journal_blocks = journal_blocks
        self._ca_der = ca_der
        self._trust = trust
        self._scene = scene
        self._tree = build(ROOT / "build" / "device", target_of(micropython()))
        self._fonts = [reading.Font(self._tree / "rom" / "assets" / f"text{n}.bin") for n in (16, 24)]

    def __enter__(self) -> Door:
        try:
            if self._setup:
                self._setup(self.fleet.authority)
            if self._trust:
                self.fleet.start_authority()
            self.fleet.start_server()
            provisioning = self.fleet.provisioning(self._ca_der, scene=self._scene)
            prepare(self.handheld.image, self._tree, provisioning, micropython(), self._blocks)
            if self._journal_blocks:
                self.handheld.image.with_name(JOURNAL_IMAGE).write_bytes(
                    b"\xff" * 4096 * self._journal_blocks
                )
            self.fleet.wait_for_server(self._trust)
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(self, kind: type | None, _: BaseException | None, __: TracebackType | None) -> None:
        self._close()
        if kind is None:
            assert not self.loop.errors, self.loop.errors
            notes = flash.crash_notes(self.handheld.image)
            assert not notes, notes

    def _close(self) -> None:
        self.loop.run(self.handheld.stop())
        self.fleet.close()
        self.loop.close()

    def calm(self) -> None:
        """Surroundings in which nothing is wrong."""
        self.world.skin_centi_c, self.world.ambient_centi_c = HEALTHY_CENTI_C, 2400
        for chip in ("gm65", "mlx90614", "ds3231"):
            if not self.world.board.plugged(chip):
                self.loop.call(self.world.plug, chip)
        for chip in ("mlx90614", "ds3231", "bus"):
            self.loop.call(self.world.i2c_fault, chip, None)
        self.loop.call(self.world.board.scanner.hide)
        self.wifi(True)

    # Power

    def boot(self, wait: bool = True) -> int:
        """Switch on; with `wait`, until idle. Returns the number of the last event before."""
        before = self.world.last_event
        self.loop.run(self.handheld.start())
        if wait:
            self.wait_line("flow: idle", before, BOOT_S)
        return before

    def cut(self) -> None:
        """Cut the power."""
        self.loop.run(self.handheld.kill())

    def reboot(self) -> int:
        """Power cut and boot until idle."""
        self.cut()
        return self.boot()

    @contextlib.contextmanager
    def cut_at(self, kind: str, where: Callable[[Event], bool]) -> Iterator[None]:
        """Cut the power the moment an event comes that the block brings about; off at the block's end."""
        gone: list[asyncio.Task[None]] = []

        def listener(event: Event) -> None:
            pid = self.handheld.pid
            if not gone and pid and event.kind == kind and where(event):
                os.killpg(pid, signal.SIGSTOP)  # not one instruction more
                gone.append(asyncio.ensure_future(self.handheld.kill()))

        stop = self.loop.call(self.world.listen, listener)
        try:
            yield
            with self.explained():
                until(lambda: bool(gone) and gone[0].done(), f"power is cut at {kind}", STEP_S)
        finally:
            self.loop.call(stop)

    def set_clock_chip(self, offset_s: float = 0.0, stopped: bool = False) -> None:
        """The clock chip's state, while the handheld is off."""
        clock = self.world.board.clock
        clock.offset_s, clock.stopped = offset_s, stopped
        self.world.board.save_clock()
        assert json.loads((self.profile / "rtc.json").read_text())["stopped"] is stopped

    # What happens

    @property
    def console(self) -> list[str]:
        """The latest lines of the firmware's console."""
        return list(self.handheld.console)

    def events(self, after: int = 0, kind: str | None = None) -> list[Event]:
        """Events after a number, of one kind or of all."""
        return self.loop.call(lambda: [e for e in self.world.since(after) if kind in (None, e.kind)])

    def wait(
        self, kind: str, after: int, timeout_s: float = STEP_S, where: Callable[[Event], bool] | None = None
    ) -> Event:
        """The first event of a kind after a number; a failure shows the console."""
        with self.explained():
            return self.loop.run(self.world.wait_for(kind, timeout_s, after=after, where=where))

    def wait_line(self, start: str | tuple[str, ...], after: int, timeout_s: float = STEP_S) -> Event:
        """The first console line with this beginning after an event's number."""
        try:
            return self.wait("console", after, timeout_s, lambda e: e.data["line"].startswith(start))
        except AssertionError as e:
            raise AssertionError(f"no line {start}: {e}") from None

    def lines(self, after: int = 0) -> list[str]:
        """Console lines after an event's number."""
        return [e.data["line"] for e in self.events(after, "console")]

    @contextlib.contextmanager
    def explained(self) -> Iterator[None]:
        """A failure inside shows the console."""
        try:
            yield
        except (AssertionError, TimeoutError) as e:
            said = "\n".join(self.console[-40:])
            raise AssertionError(f"{e}\n{said}\n{flash.crash_notes(self.handheld.image)}") from None

    def light(self) -> str | None:
        """The verdict that the light shows; its channels come one by one, and beside the console."""
        ends_s = time.monotonic() + 1
        while self.world.led not in LIGHTS and time.monotonic() < ends_s:
            time.sleep(0.01)
        return LIGHTS.get(self.world.led)

    def reads(self, text: str) -> bool:
        """Whether these words stand on the screen now."""
        image = self.loop.call(self.world.screenshot)
        return any(reading.find(image, font, text) for font in self._fonts)

    def says(self, *text_ids: str, language: str = "zh", timeout_s: float = 15.0) -> None:
        """Wait until these texts of firmware/ui/texts.txt stand on the screen."""
        for text_id in text_ids:
            text = reading.words(text_id, language)
            with self.explained():
                until(lambda text=text: self.reads(text), f"{text_id} on the screen", timeout_s)

    def idles_without(self, text: str, timeout_s: float = 30.0) -> None:
        """Wait until the idle screen is there and these words do not stand on it."""
        idle = reading.words("label_checked")
        with self.explained():
            until(lambda: self.reads(idle) and not self.reads(text), f"idle without {text}", timeout_s)

    # People

    def text(self, person: str, medium: Medium | None = None, now_unix: float | None = None) -> str:
        """What someone of the town shows now, and not so late that it ends before it is seen."""
        left_s = 86_400 - (time.time() + 8 * 3600) % 86_400
        if left_s < MIDNIGHT_S:
            time.sleep(left_s + 1)
        authority = self.fleet.authority
        moment = int(time.time() if now_unix is None else now_unix)
        return authority.desk.show(authority.town.by_id[person], moment, medium).text

    def code(
        self,
        *,
        issued_s: int = 0,
        expires_s: int = 3600,
        issuer: str = "live",
        name: str = "",
        cti: bytes = b"",
        **health: Any,
    ) -> str:
        """A code of a tested holder of a green code; `health` by key, as in ``h4=[1, when]``, None omits."""
        now = int(time.time())
        signer = getattr(self.fleet.authority.keys, issuer)
        claims: dict[int, object] = {1: name or signer.name, 2: secrets.token_bytes(16), 4: now + expires_s}
        fields = {"h1": 0, "h2": "张*三", "h3": 0, "h4": [0, now - 86_400], **health}
        claims.update({6: now + issued_s, 7: cti or secrets.token_bytes(8)})
        claims[-65537] = {int(key[1:]): value for key, value in fields.items() if value is not None}
        return encode_ym1(claims, signer.kid, pki.signer(signer.key))

    def show(self, text: str | bytes, picture: bool = False) -> int:
        """Hold up a code, as bytes or as a QR picture; the number of the last event before."""
        before = self.world.last_event
        if picture:
            assert isinstance(text, str)
            assert self.loop.run(self.world.show_picture(png(text)))["found"] == 1
        else:
            self.loop.call(self.world.show_text, text.encode() if isinstance(text, str) else text)
        return before

    def press(self, key: str) -> None:
        """Press a key as firmly as a person does, not before the last one was let go."""
        time.sleep(max(0.0, self._pressed_s + 0.4 - time.monotonic()))
        self._pressed_s = time.monotonic()
        self.loop.call(self.world.press, key, 250)

    def wifi(self, there: bool) -> None:
        """The network comes or goes."""
        self.loop.call(setattr, self.world, "wifi", there)

    def turn(
        self,
        text: str | bytes,
        *,
        people: int = 1,
        mask: str | None = "yes",
        id_key: str | None = "yes",
        picture: bool = False,
        on_measure: Callable[[int], None] | None = None,
        timeout_s: float = STEP_S,
    ) -> Turn:
        """Lead someone with this code to the verdict, and play the checker; `people` records are expected.

        `on_measure` gets the number of the person before whom the thermometer is. The verdict is still on
        the screen afterwards.
        """
        turn = Turn(began=self.show(text, picture))
        turn.ended = turn.began
        while turn.verdict is None and not turn.notice:
            event = self.wait_line(STEPS, turn.ended, timeout_s)
            turn.ended = event.number
            self._step(turn, event, mask, id_key, on_measure)
        if turn.verdict:
            turn.sequences = range(self.expected + 1, self.expected + people + 1)
            self.expected += people
            with self.explained():
                assert self.light() == turn.verdict
        return turn

    def _step(
        self,
        turn: Turn,
        event: Event,
        mask: str | None,
        id_key: str | None,
        on_measure: Callable[[int], None] | None,
    ) -> None:
        word, *values = event.data["line"].split()[1:]
        if word == "checked":
            turn.reason = int(values[0])
        elif word == "id_check":
            turn.id_checked += 1
            if id_key:
                self.press(id_key)
        elif word == "measure":
            turn.measured += 1
            if on_measure:
                on_measure(turn.measured)
            if mask:
                self.press(mask)
        elif word == "verdict":
            turn.verdict = VERDICTS[int(values[0])]
            last_byte = self.events(turn.began, "uart_last_byte")
            turn.ms = event.t_ms - last_byte[0].t_ms if last_byte else 0
        else:
            turn.notice = True

    # Records

    def records(self, turn: Turn) -> list[dict[int, Any]]:
        """A turn's records as the server holds them; waits for them."""
        self.wait_held(turn.sequences[-1])
        return [record.decode(row.raw) for row in self.fleet.rows() if row.seq in turn.sequences]

    def reasons(self, turn: Turn) -> list[list[str]]:
        """The names of the reasons in a turn's records; verdicts must follow from them and be the turn's."""
        found = self.records(turn)
        outcome = reasons.PASS
        for fields in found:
            verdicts = {reasons.verdict_of(n) for n in fields[record.REASONS]}
            weakest = next((v for v in (reasons.STOP, reasons.ATTENTION) if v in verdicts), reasons.PASS)
            assert fields[record.VERDICT] == weakest
            outcome = weakest if outcome != reasons.STOP and weakest else outcome
        assert VERDICTS[outcome] == turn.verdict
        return [[reasons.name_of(n) for n in fields[record.REASONS]] for fields in found]

    def wait_held(self, sequence: int, timeout_s: float = RECORD_S) -> None:
        """Wait until the server holds everything up to a sequence."""
        with self.explained():
            until(lambda: self.fleet.held() >= sequence, f"record {sequence} at the server", timeout_s)

    def settled(self) -> None:
        """The server holds what the turns left, and nothing else."""
        self.wait_held(self.expected)
        assert self.fleet.held() == self.expected
        self.fleet.check_chain()


@contextlib.contextmanager
def opened(folder: Path, **options: Any) -> Iterator[Door]:
    """A door whose handheld is enrolled and idle and, where `trust` is not False, holds the pack."""
    with Door(folder, **options) as door:
        door.boot()
        with door.explained():
            until(lambda: door.fleet.served(options.get("trust", True)), "enrolment and pack", 20)
        # A pack leaves a record too.
        door.expected = door.fleet.held()
        yield door
