"""``asyncio.ThreadSafeFlag``. The interpreter's own has no file descriptor, so whoever waits for one is asked
every millisecond, which costs a computer more than all the rest of an idle handheld. Here handlers run where
the event loop does, and setting the flag wakes who waits.
"""

import asyncio
from asyncio import core


class ThreadSafeFlag(asyncio.Event):
    """Set by an interrupt handler, cleared by the one task that waits."""

    def wait(self) -> object:
        """Until it is set; `await` it."""
        if not self.state:
            self.waiting.push(core.cur_task)
            core.cur_task.data = self.waiting
            yield
        self.state = False


asyncio.ThreadSafeFlag = ThreadSafeFlag
