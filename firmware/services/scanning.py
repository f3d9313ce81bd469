"""The task that reads codes while they are wanted and puts them into the inbox."""

import asyncio
import binascii
import time

from firmware.services.inbox import Inbox

if False:
    from drivers.gm65 import GM65


#: The module reads a code that stays before it several times a second. The same text counts as another
#: passage only after it was away for this long.
AWAY_MS = 1_500


class Scanning:
    """Turns the QR module on and off with the flow's wishes; the driver looks after the module itself."""

    def __init__(self, scanner: "GM65", inbox: Inbox, kind: int) -> None:
        self._scanner = scanner
        self._inbox = inbox
        self._kind = kind
        self._wanted = asyncio.Event()
        #: CRC-32 of the last text, and when it was seen last.
        self._last = -1
        self._seen_ms = time.ticks_ms()
        #: Whether the module answers.
        self.ok = True

    def want(self, wanted: bool) -> None:
        """Whether codes shall be read now."""
        if wanted:
            if not self._wanted.is_set():
                # Nobody looked meanwhile: the last code may have been there all the time.
                self._seen_ms = time.ticks_ms()
            self._wanted.set()
            self._scanner.resume()
        else:
            self._wanted.clear()
            self._scanner.pause()

    @property
    def wanted(self) -> bool:
        """Whether codes are read now: the handheld waits for a passenger."""
        return self._wanted.is_set()

    def state(self, ok: bool) -> None:
        """The driver's word on the module."""
        if ok != self.ok:
            print("scanner:", "back" if ok else "lost")
        self.ok = ok

    async def run(self) -> None:
        """The task. A code that comes when none is wanted any more is dropped."""
        while True:
            await self._wanted.wait()
            text = await self._scanner.read()
            if self._wanted.is_set() and self._is_new(text):
                self._inbox.put(self._kind, text)

    def _is_new(self, text: bytes) -> bool:
        """Whether this is not the code that was there before and has not been away since."""
        now_ms = time.ticks_ms()
        crc = binascii.crc32(text)
        stayed = crc == self._last and time.ticks_diff(now_ms, self._seen_ms) < AWAY_MS
        self._last = crc
        self._seen_ms = now_ms
        return not stayed
