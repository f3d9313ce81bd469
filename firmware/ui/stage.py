"""What the steps at the door have in common: waiting for keys and codes, remarks, questions, lists."""

import time

from firmware.ui import sounds
from firmware.ui.screens import Bar

if False:
    from typing import Callable

    from firmware.services.gate import Gate
    from firmware.services.inbox import Inbox
    from firmware.ui.panel import Panel

#: Kinds of events in the inbox.
KEY = 0
SCAN = 1
READING = 2
KEY_NO = 0
KEY_MIDDLE = 1
KEY_YES = 2
NOTICE_MS = 2_000
#: A list or a question that nobody answers goes away.
ANSWER_MS = 30_000
#: A key this soon after a verdict was meant for the step before it, and does not end it.
KEY_GUARD_MS = 700
#: Steps of the white line under a verdict.
COUNTDOWN_TICK_MS = 100


class Stage:
    """Gate, panel and inbox, and the small plays that every part of the flow needs."""

    def __init__(self, gate: "Gate", panel: "Panel", inbox: "Inbox", beat: "Callable[[], None]") -> None:
        self.gate = gate
        self.panel = panel
        self.screens = panel.screens
        self.inbox = inbox
        self.beat = beat
        #: People decided since the start.
        self.count = 0
        #: Frames of a pack on paper that are there, and how many it has.
        self.sheet = (0, 0)

    def bar(self, direction: "int | None" = None) -> Bar:
        """The bar on top, for a passage in a direction or as the handheld stands."""
        gate = self.gate
        if direction is None:
            direction = gate.direction
        name = gate.scene().name(gate.language)
        return Bar(gate.place, name, direction, gate.battery_percent, gate.can_turn)

    async def key(self, wanted: "tuple[int, ...]", timeout_ms: int) -> "int | None":
        """The next of the wanted keys, None after `timeout_ms`; anything else is passed over."""
        ends_ms = time.ticks_add(time.ticks_ms(), timeout_ms)
        while True:
            left_ms = time.ticks_diff(ends_ms, time.ticks_ms())
            if left_ms <= 0:
                return None
            event = await self.inbox.get(left_ms)
            if event and event[0] == KEY and event[1] in wanted:
                return event[1]

    async def notice(self, text_id: str, value: "int | None" = None) -> "bytes | None":
        """A short remark that is no verdict and leaves no record; hands a code on that comes meanwhile."""
        self.panel.signal(sounds.NOTICE, (text_id[7:],))
        self.screens.notice(self.bar(), text_id, value)
        print("flow: notice", text_id)
        self.gate.scan(True)
        self.inbox.clear(SCAN)
        return await self.linger(NOTICE_MS)

    async def linger(self, total_ms: int) -> "bytes | None":
        """Keep the screen for `total_ms` while its white line runs out; a key ends it, a scan is handed
        on.
        """
        ends_ms = time.ticks_add(time.ticks_ms(), total_ms)
        while True:
            left_ms = time.ticks_diff(ends_ms, time.ticks_ms())
            if left_ms <= 0:
                return None
            self.screens.countdown(left_ms * 1000 // total_ms)
            event = await self.inbox.get(min(left_ms, COUNTDOWN_TICK_MS))
            if event is None or (event[0] == KEY and left_ms > total_ms - KEY_GUARD_MS):
                continue
            return event[1] if event[0] == SCAN else None  # type: ignore[return-value]

    async def ask(
        self, title_id: str, lines: "list[str]", labels: "tuple[str, str, str]", timeout_ms: int = ANSWER_MS
    ) -> "int | None":
        """A question with text ids over the keys; the key that answers, None after the time."""
        self.gate.scan(False)
        self.inbox.clear()
        self.screens.question(self.bar(), title_id, lines, labels)
        self.beat()
        return await self.key(tuple([key for key in range(3) if labels[key]]), timeout_ms)

    async def pick(self, title_id: str, rows: "list[str]") -> "int | None":
        """One of some rows, by keys back, next, choose; None for back and where nobody answers."""
        self.gate.scan(False)
        at = 0
        while rows:
            self.screens.menu(self.bar(), title_id, rows, at)
            self.beat()
            key = await self.key((KEY_NO, KEY_MIDDLE, KEY_YES), ANSWER_MS)
            if key == KEY_YES:
                return at
            if key != KEY_MIDDLE:
                return None
            at = (at + 1) % len(rows)
        return None
