"""One passage: check the code, take the scene's steps in their order, record, show the verdict.

It reads like the manual on purpose. What a person is let in or turned away for is decided by
firmware.core.policy and the pack's rules, never here.
"""

import asyncio
import time

from firmware.core import codes, reasons, record, verdict
from firmware.core.decision import ID_DIFFERENT, ID_EQUAL, MASK_OFF, MASK_WORN, Decision
from firmware.core.scene import STEP_ID, STEP_MASK, STEP_TEMPERATURE, Scene
from firmware.ui import sounds
from firmware.ui.stage import KEY, KEY_NO, KEY_YES, READING, SCAN
from firmware.ui.voice import words_of

if False:
    from firmware.services.thermometry import Reading
    from firmware.ui.stage import Stage

GRACE_MS = 1_000
#: A check that takes longer says so on the screen; drawing that takes longer than most checks.
CHECKING_MS = 150


class Passenger:
    """Leads people through; each call returns the next code where one came while the verdict showed."""

    def __init__(self, stage: "Stage") -> None:
        self._stage = stage
        self._direction = record.DIRECTION_NONE
        # What the measuring screen shows.
        self._bar = stage.bar()
        self._decision: "Decision | None" = None
        self._party = (0, 1)
        self._asks_mask = False
        self._body_centi_c: "int | None" = None
        self._progress = 0

    async def lead(self, text: bytes) -> "bytes | None":
        """Lead the people on one code to their verdict."""
        stage, gate = self._stage, self._stage.gate
        started_ms = time.ticks_ms()
        stage.panel.signal(sounds.SCANNED)
        scene = gate.scene()
        now_unix = gate.trusted_now_unix()
        says = asyncio.create_task(self._say_checking())
        try:
            checked = await gate.check(text, now_unix)
        finally:
            says.cancel()
        print("flow: checked %d ms %d" % (checked.reason, time.ticks_diff(time.ticks_ms(), started_ms)))
        if checked.reason == reasons.NOT_A_CODE:
            return await stage.notice("notice_not_a_code")
        code = checked.code
        self._direction = gate.direction_of(code)
        if code is None:
            return await self._finish(None, [Decision(None, [checked.reason])], scene, now_unix)
        decisions: "list[Decision]" = []
        for index, person in enumerate(code.people):
            decision = Decision(person, [])
            decision.role = gate.role(person, scene)
            decision.reasons = await gate.judge(code, decision, scene, self._direction, now_unix, index)
            await self._steps(code, decision, scene, (index, len(code.people)))
            decisions.append(decision)
        return await self._finish(code, decisions, scene, now_unix)

    async def _say_checking(self) -> None:
        await asyncio.sleep_ms(CHECKING_MS)
        self._stage.screens.checking(self._stage.bar())

    async def board(self) -> "bytes | None":
        """Somebody goes by without a code, where the scene needs none."""
        return await self._without_code(0)

    async def by_hand(self, reason: int) -> "bytes | None":
        """Somebody who has no code that can be read, for a reason of firmware.core.record."""
        return await self._without_code(reason)

    async def _without_code(self, manual: int) -> "bytes | None":
        gate = self._stage.gate
        scene = gate.scene()
        now_unix = gate.trusted_now_unix()
        self._direction = gate.direction_of(None)
        decision = Decision(None, [], True)
        decision.manual = manual
        if not manual:
            decision.reasons = await gate.judge(None, decision, scene, self._direction, now_unix, 0)
        await self._steps(None, decision, scene, (0, 1))
        remark = reasons.MANUAL_ENTRY if manual else reasons.CODE_NOT_NEEDED
        if remark not in decision.reasons:
            decision.reasons.append(remark)
        return await self._finish(None, [decision], scene, now_unix)

    async def _steps(
        self, code: "codes.Code | None", decision: Decision, scene: Scene, party: "tuple[int, int]"
    ) -> None:
        """The scene's steps after the code, until one turns the person away; adds to the reasons.

        Someone who is turned away already is not measured: it would change nothing and cost the queue
        seconds. Who goes out is not measured either.
        """
        if self._direction == record.DIRECTION_OUT:
            return
        at = 0
        while at < len(scene.steps) and decision.outcome == reasons.PASS:
            step = scene.steps[at]
            at += 1
            self._stage.beat()
            # Codes that come now are not of the person who stands here.
            self._stage.gate.scan(False)
            if step == STEP_ID:
                if code and code.kind == codes.KIND_PAPER:
                    await self._id_check(decision, scene)
            elif step == STEP_TEMPERATURE:
                # A mask question that comes next is asked while the thermometer settles.
                asks = scene.asks_mask and scene.steps[at : at + 1] == bytes((STEP_MASK,))
                at += asks
                await self._measure(decision, scene, party, asks)
            elif step == STEP_MASK:
                if scene.mask_implied:
                    decision.mask = MASK_WORN
                else:
                    await self._ask_mask(decision, scene)

    async def _id_check(self, decision: Decision, scene: Scene) -> None:
        """Ask the checker to compare the ID's last characters with the card in the person's hand."""
        stage = self._stage
        if not decision.id_tail:
            # Nothing to compare with: nobody can say whose code this is.
            decision.reasons.append(reasons.ID_UNCHECKED)
            return
        stage.inbox.clear()
        stage.panel.signal(sounds.NOTICE, ("id_check",))
        stage.screens.id_check(stage.bar(self._direction), decision.name or "", decision.id_tail or "")
        print("flow: id_check")
        key = await stage.key((KEY_NO, KEY_YES), scene.id_timeout_ms)
        if key == KEY_YES:
            decision.confirmed.append(ID_EQUAL)
        elif key == KEY_NO:
            decision.confirmed.append(ID_DIFFERENT)
            decision.reasons.append(reasons.ID_DIFFERS)
        else:
            decision.reasons.append(reasons.ID_UNCHECKED)

    async def _ask_mask(self, decision: Decision, scene: Scene) -> None:
        """The mask question by itself, where the scene has it before the temperature."""
        labels = ("key_no_mask", "", "key_mask_on")
        print("flow: mask")
        key = await self._stage.ask("ask_mask", [decision.name or ""], labels, scene.mask_timeout_ms)
        self._answer(decision, key)

    def _answer(self, decision: Decision, key: "int | None") -> None:
        if key is None:
            decision.reasons.append(reasons.MASK_UNANSWERED)
            return
        decision.mask = MASK_WORN if key == KEY_YES else MASK_OFF
        if decision.mask == MASK_OFF:
            decision.reasons.append(reasons.MASK_OFF)

    async def _measure(
        self, decision: Decision, scene: Scene, party: "tuple[int, int]", asks_mask: bool
    ) -> None:
        """Temperature, and the mask beside it: the checker may answer while the thermometer settles.

        Whatever turns the person away ends the step: nobody waits for the other half.
        """
        stage = self._stage
        stage.inbox.clear()
        self._decision, self._party, self._asks_mask = decision, party, asks_mask
        self._bar = stage.bar(self._direction)
        self._body_centi_c, self._progress = None, 0
        stage.panel.voice.say(("measure",))
        task = asyncio.create_task(self._take_temperature(scene))
        try:
            # The thermometer first: the screen is drawn while it settles.
            await asyncio.sleep_ms(0)
            self._show_progress(self._body_centi_c, self._progress)
            print("flow: measure %d/%d" % (party[0] + 1, party[1]))
            await self._collect(decision, scene, asks_mask)
        finally:
            if not task.done():
                task.cancel()

    def _show_progress(self, body_centi_c: "int | None", progress: int) -> None:
        """A new value of the thermometer, with how far the measurement is in per cent."""
        self._body_centi_c, self._progress = body_centi_c, progress
        decision = self._decision
        if decision:
            self._stage.screens.measure(
                self._bar,
                "headline_code_valid" if decision.person else "headline_no_code",
                decision.name or "",
                decision.id_tail,
                self._party if self._party[1] > 1 else None,
                body_centi_c,
                progress,
                "hint_forehead",
                decision.mask,
                self._asks_mask,
            )

    async def _take_temperature(self, scene: Scene) -> None:
        """Measure beside the mask question and put the reading into the inbox."""
        self._stage.inbox.put(READING, await self._stage.gate.measure(scene, self._show_progress))

    async def _collect(self, decision: Decision, scene: Scene, waits_for_mask: bool) -> None:
        """Gather the reading and the answer on the mask, in whatever order they come."""
        stage = self._stage
        ends_ms = time.ticks_add(time.ticks_ms(), scene.mask_timeout_ms)
        # The thermometer ends its half by itself; this is for one that hangs.
        reading_ends_ms = time.ticks_add(time.ticks_ms(), stage.gate.longest_measure_ms(scene) + GRACE_MS)
        asks_mask = waits_for_mask
        waits_for_reading = True
        while waits_for_reading or waits_for_mask:
            left_ms = time.ticks_diff(ends_ms if waits_for_mask else reading_ends_ms, time.ticks_ms())
            event = await stage.inbox.get(max(left_ms, 1))
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
            elif kind == KEY and value in (KEY_NO, KEY_YES) and asks_mask:
                self._answer(decision, value)
                self._show_progress(self._body_centi_c, self._progress)
                if decision.mask == MASK_OFF:
                    return
                waits_for_mask = False

    async def _finish(
        self,
        code: "codes.Code | None",
        decisions: "list[Decision]",
        scene: Scene,
        now_unix: "int | None",
    ) -> "bytes | None":
        """Record, then show the verdict until its time runs out, a key is pressed or the next code comes."""
        stage = self._stage
        if not stage.gate.record(code, decisions, scene, self._direction):
            for decision in decisions:
                decision.reasons.append(reasons.NOT_RECORDED)
        stage.count += len(decisions)
        outcome = verdict.weakest([r for d in decisions for r in d.reasons])
        bar = stage.bar(self._direction)
        if len(decisions) > 1:
            members = [(d.name or "", d.outcome, d.body_centi_c, _deciding(d)) for d in decisions]
            stage.screens.party(bar, members, outcome)
        else:
            first = decisions[0]
            age_days = None
            person = first.person
            if person and person.test and person.test[0] == codes.RESULT_NEGATIVE and now_unix is not None:
                age_days = stage.gate.days_since(person.test[1])
            stage.screens.verdict(
                bar,
                outcome,
                first.reasons,
                first.name,
                first.id_tail,
                first.body_centi_c,
                age_days,
                first.role,
            )
        out = self._direction == record.DIRECTION_OUT
        stage.panel.signal(
            (sounds.PASS, sounds.STOP, sounds.ATTENTION)[outcome], words_of(outcome, decisions, out)
        )
        print("flow: verdict %d" % outcome)
        stage.gate.scan(True)
        stage.inbox.clear(SCAN)
        return await stage.linger(scene.result_ms)


def _deciding(decision: Decision) -> int:
    """The first reason that leads to a member's verdict."""
    outcome = decision.outcome
    for reason in decision.reasons:
        if verdict.weakest([reason]) == outcome:
            return reason
    return reasons.OK
