"""The checker's flow: idle, scan, check, measure, verdict, idle. Only this task draws.

It reads like the manual on purpose. What a step needs comes in as arguments; what a person is let in or
turned away for is decided by firmware.core.verdict, never here.
"""

import asyncio
import time

from firmware.core import codes, reasons, verdict
from firmware.core.decision import ID_DIFFERENT, ID_EQUAL, MASK_NOT_ASKED, MASK_OFF, MASK_WORN, Decision
from firmware.core.scene import Scene
from firmware.ui import sounds
from firmware.ui.screens import Bar

if False:
    from typing import Callable

    from firmware.services.gate import Gate
    from firmware.services.inbox import Inbox
    from firmware.services.thermometry import Reading
    from firmware.ui.panel import Panel

#: Kinds of events in the inbox.
KEY = 0
SCAN = 1
READING = 2
KEY_NO = 0
KEY_MIDDLE = 1
KEY_YES = 2
#: How often idle looks whether anything on its screen has changed.
IDLE_TICK_MS = 500
NOTICE_MS = 2_000
GRACE_MS = 1_000
#: A key this soon after a verdict was meant for the step before it, and does not end it.
KEY_GUARD_MS = 700
#: Steps of the white line under a verdict.
COUNTDOWN_TICK_MS = 100


class Flow:
    """Takes scans and keys from the inbox and leads one passenger after the other through the steps."""

    def __init__(self, gate: "Gate", panel: "Panel", inbox: "Inbox", beat: "Callable[[], None]") -> None:
        self._gate = gate
        self._beat = beat
        self._panel = panel
        self._inbox = inbox
        self._count = 0

    async def run(self) -> None:
        """The task. A passenger whose code comes while a verdict shows is next, without a key."""
        text: "bytes | None" = None
        while True:
            if text is None:
                text = await self._idle()
            text = await self._passenger(text)

    async def _idle(self) -> bytes:
        """Show the idle screen until a code comes."""
        panel = self._panel
        panel.signal_off()
        self._gate.scan(True)
        self._inbox.clear(SCAN)
        shown: object = None
        print("flow: idle")
        while True:
            self._beat()
            status = self._gate.status()
            labels = ("", "English" if panel.screens.language == "zh" else "中文", "")
            model = (
                status.key(),
                self._count,
                self._gate.battery_percent,
                self._gate.place,
                self._gate.scene().id,
            )
            if model != shown:
                shown = model
                panel.screens.idle(
                    self._bar(),
                    self._count,
                    status.pending,
                    status.online,
                    status.trust_age_s,
                    status.clock_text,
                    status.warnings,
                    labels,
                )
            event = await self._inbox.get(IDLE_TICK_MS)
            if event is None:
                continue
            if event[0] == SCAN:
                return event[1]  # type: ignore[return-value]
            if event[1] == KEY_MIDDLE:
                self._gate.switch_language()
                panel.screens.language = self._gate.language
                shown = None

    async def _passenger(self, text: bytes) -> "bytes | None":
        """Lead one code to its verdict; returns the next code where one came while the verdict showed."""
        gate, panel = self._gate, self._panel
        self._beat()
        started_ms = time.ticks_ms()
        panel.signal(sounds.SCANNED)
        panel.screens.checking(self._bar())
        scene = gate.scene()
        now_unix = gate.trusted_now_unix()
        checked = await gate.check(text, now_unix)
        print("flow: checked %d ms %d" % (checked.reason, time.ticks_diff(time.ticks_ms(), started_ms)))
        if checked.reason == reasons.NOT_A_CODE:
            return await self._notice("notice_not_a_code")
        code = checked.code
        if code is None:
            decisions = [Decision(None, [checked.reason])]
        else:
            decisions = []
            for index, person in enumerate(code.people):
                decision = Decision(
                    person, verdict.code_reasons(code, person, scene, now_unix, gate.trust.current)
                )
                await self._person(code, decision, scene, (index, len(code.people)))
                decisions.append(decision)
        if not gate.record(code, decisions, scene):
            for decision in decisions:
                decision.reasons.append(reasons.NOT_RECORDED)
        self._count += len(decisions)
        return await self._verdict(code, decisions, scene, now_unix)

    async def _person(
        self, code: codes.Code, decision: Decision, scene: Scene, party: "tuple[int, int]"
    ) -> None:
        """Compare the ID where the code is printed, then temperature and mask; adds to the reasons.

        Someone who is turned away already is not measured: it would change nothing and cost the queue
        seconds.
        """
        if decision.reasons:
            return
        # Codes that come now are not of the person who stands here.
        self._gate.scan(False)
        if code.kind == codes.KIND_PAPER and scene.id_timeout_ms:
            await self._id_check(decision, scene)
            if decision.reasons:
                return
        await self._measure(decision, scene, party)

    async def _id_check(self, decision: Decision, scene: Scene) -> None:
        """Ask the checker to compare the ID's last characters with the card in the person's hand."""
        if not decision.id_tail:
            # Nothing to compare with: nobody can say whose code this is.
            decision.reasons.append(reasons.ID_UNCHECKED)
            return
        self._inbox.clear()
        self._panel.signal(sounds.NOTICE)
        self._panel.screens.id_check(self._bar(), decision.name or "", decision.id_tail or "")
        print("flow: id_check")
        key = await self._key((KEY_NO, KEY_YES), scene.id_timeout_ms)
        if key == KEY_YES:
            decision.confirmed.append(ID_EQUAL)
        elif key == KEY_NO:
            decision.confirmed.append(ID_DIFFERENT)
            decision.reasons.append(reasons.ID_DIFFERS)
        else:
            decision.reasons.append(reasons.ID_UNCHECKED)

    async def _measure(self, decision: Decision, scene: Scene, party: "tuple[int, int]") -> None:
        """Temperature and mask at once: the checker may answer while the thermometer settles.

        Whatever turns the person away ends the step: nobody waits for the other half.
        """
        if not scene.measures_temperature and not scene.asks_mask:
            return
        self._inbox.clear()
        view = MeasureView(self._panel, self._bar(), decision, party, scene)
        view.draw()
        print("flow: measure %d/%d" % (party[0] + 1, party[1]))
        task = (
            asyncio.create_task(self._take_temperature(scene, view)) if scene.measures_temperature else None
        )
        try:
            await self._collect(decision, scene, view)
        finally:
            if task and not task.done():
                task.cancel()

    async def _take_temperature(self, scene: Scene, view: "MeasureView") -> None:
        """Measure beside the mask question and put the reading into the inbox."""
        self._inbox.put(READING, await self._gate.measure(scene, view.progress))

    async def _collect(self, decision: Decision, scene: Scene, view: "MeasureView") -> None:
        """Gather the reading and the answer on the mask, in whatever order they come."""
        ends_ms = time.ticks_add(time.ticks_ms(), scene.mask_timeout_ms)
        # The thermometer ends its half by itself; this is for one that hangs.
        reading_ends_ms = time.ticks_add(time.ticks_ms(), self._gate.longest_measure_ms(scene) + GRACE_MS)
        waits_for_reading = scene.measures_temperature
        waits_for_mask = scene.asks_mask
        while waits_for_reading or waits_for_mask:
            left_ms = time.ticks_diff(ends_ms if waits_for_mask else reading_ends_ms, time.ticks_ms())
            event = await self._inbox.get(max(left_ms, 1))
            if event is None:
                decision.reasons.append(reasons.MASK_UNANSWERED if waits_for_mask else reasons.TEMP_MISSING)
                return
            kind, value = event
            if kind == READING:
                reading: "Reading" = value  # type: ignore[assignment]
                decision.object_centi_c = reading.object_centi_c
                decision.ambient_centi_c = reading.ambient_centi_c
                decision.body_centi_c = reading.body_centi_c
                if reading.reason != reasons.OK:
                    decision.reasons.append(reading.reason)
                    return
                waits_for_reading = False
            elif kind == KEY and value in (KEY_NO, KEY_YES) and scene.asks_mask:
                decision.mask = MASK_WORN if value == KEY_YES else MASK_OFF
                view.answered(decision.mask)
                if decision.mask == MASK_OFF:
                    decision.reasons.append(reasons.MASK_OFF)
                    return
                waits_for_mask = False

    async def _verdict(
        self, code: "codes.Code | None", decisions: "list[Decision]", scene: Scene, now_unix: "int | None"
    ) -> "bytes | None":
        """Show the verdict until its time runs out, a key is pressed or the next code comes."""
        panel = self._panel
        first = decisions[0]
        outcome = verdict.weakest([r for d in decisions for r in d.reasons])
        if len(decisions) > 1:
            members = [
                (d.name or "", d.outcome, d.body_centi_c, d.reasons[0] if d.reasons else reasons.OK)
                for d in decisions
            ]
            panel.screens.party(self._bar(), members, outcome)
        else:
            age_days = None
            person = first.person
            if person and person.test and person.test[0] == codes.RESULT_NEGATIVE and now_unix is not None:
                age_days = self._gate.days_since(person.test[1])
            panel.screens.verdict(
                self._bar(),
                outcome,
                first.reasons,
                first.name,
                first.id_tail,
                first.body_centi_c,
                age_days,
            )
        panel.signal((sounds.PASS, sounds.STOP, sounds.ATTENTION)[outcome])
        print("flow: verdict %d" % outcome)
        self._gate.scan(True)
        self._inbox.clear(SCAN)
        return await self._linger(scene.result_ms)

    async def _notice(self, text_id: str) -> "bytes | None":
        """A short remark that is no verdict and leaves no record."""
        self._panel.signal(sounds.NOTICE)
        self._panel.screens.notice(self._bar(), text_id)
        print("flow: notice")
        self._gate.scan(True)
        self._inbox.clear(SCAN)
        return await self._linger(NOTICE_MS)

    async def _linger(self, total_ms: int) -> "bytes | None":
        """Keep the screen for `total_ms` while its white line runs out; a key ends it, a scan is handed
        on.
        """
        ends_ms = time.ticks_add(time.ticks_ms(), total_ms)
        while True:
            left_ms = time.ticks_diff(ends_ms, time.ticks_ms())
            if left_ms <= 0:
                return None
            self._panel.screens.countdown(left_ms * 1000 // total_ms)
            event = await self._inbox.get(min(left_ms, COUNTDOWN_TICK_MS))
            if event is None or (event[0] == KEY and left_ms > total_ms - KEY_GUARD_MS):
                continue
            return event[1] if event[0] == SCAN else None  # type: ignore[return-value]

    async def _key(self, wanted: "tuple[int, ...]", timeout_ms: int) -> "int | None":
        """The next of the wanted keys, None after `timeout_ms`; anything else is passed over."""
        ends_ms = time.ticks_add(time.ticks_ms(), timeout_ms)
        while True:
            left_ms = time.ticks_diff(ends_ms, time.ticks_ms())
            if left_ms <= 0:
                return None
            event = await self._inbox.get(left_ms)
            if event and event[0] == KEY and event[1] in wanted:
                return event[1]

    def _bar(self) -> Bar:
        gate = self._gate
        return Bar(gate.place, gate.scene().id, gate.direction, gate.battery_percent)


class MeasureView:
    """The measuring screen and what is on it at the moment."""

    def __init__(
        self, panel: "Panel", bar: Bar, decision: Decision, party: "tuple[int, int]", scene: Scene
    ) -> None:
        self._panel = panel
        self._bar = bar
        self._name = decision.name or ""
        self._id_tail = decision.id_tail
        self._party = party if party[1] > 1 else None
        self._asks_mask = scene.asks_mask
        self._mask = MASK_NOT_ASKED
        self._body_centi_c: "int | None" = None
        self._progress = 0

    def draw(self) -> None:
        """Draw the screen as things stand."""
        self._panel.screens.measure(
            self._bar,
            "headline_code_valid",
            self._name,
            self._id_tail,
            self._party,
            self._body_centi_c,
            self._progress,
            "hint_forehead",
            self._mask,
            self._asks_mask,
        )

    def progress(self, body_centi_c: "int | None", progress: int) -> None:
        """A new value of the thermometer, with how far the measurement is in per cent."""
        self._body_centi_c = body_centi_c
        self._progress = progress
        self.draw()

    def answered(self, mask: int) -> None:
        """The checker has said whether the mask is worn."""
        self._mask = mask
        self.draw()
