"""The task that reads codes while they are wanted and puts them into the inbox."""

import asyncio

from firmware.services.inbox import Inbox

if False:
    from drivers.gm65 import GM65


class Scanning:
    """Turns the QR module on and off with the flow's wishes; the driver looks after the module itself."""

    def __init__(self, scanner: "GM65", inbox: Inbox, kind: int) -> None:
        self._scanner = scanner
        self._inbox = inbox
        self._kind = kind
        self._wanted = asyncio.Event()
        #: Whether the module answers.
        self.ok = True

    def want(self, wanted: bool) -> None:
        """Whether codes shall be read now."""
        if wanted:
            self._wanted.set()
            self._scanner.resume()
        else:
            self._wanted.clear()
            self._scanner.pause()

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
            if self._wanted.is_set():
                self._inbox.put(self._kind, text)
