"""Power-on self-test: every chip answers, or the screen says in plain words which one does not."""

import asyncio

from drivers.ds3231 import RtcError
from drivers.gm65 import GM65Error
from drivers.mlx90614 import ThermometerError
from firmware.core.pack import PackError
from firmware.services.journal import JournalError
from firmware.services.slices import exhaust

if False:
    from typing import Callable

    from firmware.board import Board
    from firmware.services.clock import Clock
    from firmware.services.journal import Journal
    from firmware.services.packs import PackStore

RUNNING = 0
GOOD = 1
BAD = 2
#: A failure stays on the screen this long; the handheld then goes on with what works.
FAILURE_MS = 4_000
#: A LiPo cell outside of these is not connected, or the divider is broken.
BATTERY_MIN_MV = 3_000
BATTERY_MAX_MV = 4_400


class SelfTest:
    """Asks every chip and store once and reports rows of (text id, state) as they come in."""

    def __init__(self, show: "Callable[[list[tuple[str, int]]], None]") -> None:
        self._show = show
        self._rows: "list[tuple[str, int]]" = []
        #: Whether the QR module answered.
        self.scanner_ok = False
        #: Whether the thermometer answered.
        self.thermometer_ok = False
        #: Whether the journal can take records.
        self.journal_ok = False

    async def run(self, board: "Board", clock: "Clock", journal: "Journal", packs: "PackStore") -> None:
        """Test everything; the QR module, which takes longest, beside the rest.

        Never raises for a dead chip.
        """
        scanner = asyncio.create_task(self._scanner(board))
        self._row("chip_scanner", RUNNING)
        self._row("chip_thermometer", self._thermometer(board))
        self._row("chip_clock", self._clock(board, clock))
        self._row("chip_battery", self._battery(board))
        self._row("chip_keys", BAD if board.keys.stuck() else GOOD)
        self._row("chip_flash", await self._stores(journal, packs))
        self.scanner_ok = await scanner
        self._row("chip_scanner", GOOD if self.scanner_ok else BAD)
        if any(state == BAD for _, state in self._rows):
            await asyncio.sleep_ms(FAILURE_MS)

    def _row(self, text_id: str, state: int) -> None:
        """Add or change a row and show the list."""
        for index, row in enumerate(self._rows):
            if row[0] == text_id:
                self._rows[index] = (text_id, state)
                break
        else:
            self._rows.append((text_id, state))
        if state != RUNNING:
            print("self-test: %s %s" % (text_id, "ok" if state == GOOD else "FAILED"))
        self._show(self._rows)

    async def _scanner(self, board: "Board") -> bool:
        try:
            await board.scanner.start()
        except GM65Error as e:
            print("self-test:", e)
            return False
        return True

    def _thermometer(self, board: "Board") -> int:
        try:
            board.thermometer.probe()
        except ThermometerError as e:
            print("self-test:", e)
            return BAD
        self.thermometer_ok = True
        return GOOD

    def _clock(self, board: "Board", clock: "Clock") -> int:
        try:
            board.rtc.read_unix()
        except RtcError as e:
            print("self-test:", e)
            return BAD
        return GOOD if clock.trusted else BAD

    def _battery(self, board: "Board") -> int:
        return GOOD if BATTERY_MIN_MV <= board.battery.read_millivolts() <= BATTERY_MAX_MV else BAD

    async def _stores(self, journal: "Journal", packs: "PackStore") -> int:
        try:
            await exhaust(packs.load_steps())
        except PackError as e:
            # The idle screen says that there is no pack; codes are answered "cannot decide".
            print("self-test:", e)
        try:
            journal.open()
        except (JournalError, OSError) as e:
            print("self-test:", e)
            return BAD
        self.journal_ok = True
        return GOOD
