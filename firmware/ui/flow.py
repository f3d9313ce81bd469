"""The checker's flow: idle, then whatever a code or a key asks for, then idle again. Only this task draws."""

from firmware.ui import texts
from firmware.ui.enrolling import enrol
from firmware.ui.menu import open_menu
from firmware.ui.passenger import Passenger
from firmware.ui.stage import KEY_MIDDLE, KEY_NO, KEY_YES, SCAN, Stage

if False:
    from typing import Callable

    from firmware.services.gate import Gate
    from firmware.services.inbox import Inbox
    from firmware.ui.panel import Panel

#: How often idle looks whether anything on its screen has changed.
IDLE_TICK_MS = 500
PLACE_PREFIX = b"YL1:"
SHEET_PREFIX = b"YS1:"
ENROL_PREFIX = b"YE1:"
#: For how long the next frame of a sheet is waited for.
FRAME_MS = 30_000


class Flow:
    """Takes scans and keys from the inbox and gives each to the part that knows it."""

    def __init__(self, gate: "Gate", panel: "Panel", inbox: "Inbox", beat: "Callable[[], None]") -> None:
        self._stage = Stage(gate, panel, inbox, beat)
        self._passenger = Passenger(self._stage)

    async def run(self) -> None:
        """The task. A passenger whose code comes while a verdict shows is next, without a key."""
        text: "bytes | None" = None
        while True:
            self._stage.beat()
            text = await self._idle() if text is None else await self._take(text)

    async def _take(self, text: bytes) -> "bytes | None":
        """A code was read; returns the next one where that has come already."""
        prefix = text[:4]
        if prefix == PLACE_PREFIX:
            return await self._place(text)
        if prefix == SHEET_PREFIX and self._stage.gate.intake:
            return await self._sheet(text)
        if prefix == ENROL_PREFIX and self._stage.gate.enrolment:
            return await enrol(self._stage, self._stage.gate.enrolment, text)
        return await self._passenger.lead(text)

    async def _idle(self) -> "bytes | None":
        """Show the idle screen until a code comes, or a key whose business ends with one or none."""
        stage, gate = self._stage, self._stage.gate
        stage.panel.signal_off()
        gate.scan(True)
        stage.inbox.clear(SCAN)
        shown: object = None
        print("flow: idle")
        while True:
            stage.beat()
            status = gate.status()
            due = status.due = gate.scene_is_due()
            labels = (
                "key_direction" if gate.can_turn else "",
                "key_menu",
                "key_confirm" if due else "" if gate.scene().needs_code else "key_board",
            )
            bar = stage.bar()
            model = (status.key(), stage.count, bar.key(), labels)
            if model != shown:
                shown = model
                stage.screens.idle(bar, stage.count, status, labels)
            event = await stage.inbox.get(IDLE_TICK_MS)
            if event is None:
                continue
            if event[0] == SCAN:
                return event[1]  # type: ignore[return-value]
            if event[1] == KEY_NO:
                gate.turn_direction()
            elif event[1] == KEY_MIDDLE:
                return await open_menu(stage, self._passenger)
            elif event[1] == KEY_YES and due:
                gate.confirm_scene()
            elif event[1] == KEY_YES and labels[2]:
                return await self._passenger.board()

    async def _place(self, text: bytes) -> "bytes | None":
        """A signed place code: ask, then stand there."""
        stage, gate = self._stage, self._stage.gate
        stage.screens.checking(stage.bar())
        place, reason = await gate.check_place(text)
        print("flow: place %d" % reason)
        if place is None:
            return await stage.notice(texts.reason_text(reason))
        name = gate.scene_name(place.scene)
        if name is None:
            return await stage.notice("notice_scene_unknown")
        key = await stage.ask("title_place", [place.place, name], ("key_cancel", "", "key_confirm"))
        if key != KEY_YES:
            return None
        if not gate.choose(place.scene, place.place, "place code"):
            return await stage.notice("notice_not_saved")
        return await stage.notice("notice_scene_chosen")

    async def _sheet(self, text: bytes) -> "bytes | None":
        """Frames of a pack on paper, one after the other, in any order."""
        stage = self._stage
        while text[:4] == SHEET_PREFIX and stage.gate.intake:
            stage.sheet = have, count = stage.gate.intake.take(text)
            print("flow: sheet %d/%d" % (have, count))
            if have >= count:
                return await stage.notice("notice_sheet_read" if count else "notice_sheet_bad")
            stage.screens.progress(stage.bar(), "title_sheet", have, count, "hint_sheet")
            stage.gate.scan(True)
            stage.beat()
            event = await stage.inbox.get(FRAME_MS)
            if event is None or event[0] != SCAN:
                return None
            text = event[1]  # type: ignore[assignment]
        return text
