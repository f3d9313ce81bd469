# heap: 400k
"""Sync stands back while somebody's code is decided: before every piece of its work, and not for ever."""

import asyncio

from firmware.services import http, sync


def make():
    return sync.Sync(None, None, b"chip", "test", "/none")


async def passes(link):
    """Whether sync may go on: a task that comes behind is through after so many turns of the loop."""
    task = asyncio.create_task(link._pause())
    for _ in range(5):
        await asyncio.sleep_ms(0)
    done = task.done()
    if not done:
        task.cancel()
    return done


async def test_held_and_released():
    link = make()
    assert await passes(link)
    link.hold()
    assert not await passes(link)
    link.hold()
    link.release()
    assert not await passes(link)
    link.release()
    assert await passes(link)


async def test_who_waits_goes_on_after_the_release():
    link = make()
    link.hold()
    task = asyncio.create_task(link._pause())
    for _ in range(20):
        await asyncio.sleep_ms(1)
    assert not task.done()
    link.release()
    await asyncio.wait_for(task, 5)


async def test_not_for_ever():
    """A server that waits gives up some time: so does who holds."""
    link = make()
    kept = sync.MAX_HELD_POLLS, sync.HELD_POLL_MS
    sync.MAX_HELD_POLLS, sync.HELD_POLL_MS = 3, 1
    try:
        link.hold()
        await asyncio.wait_for(link._pause(), 5)
    finally:
        sync.MAX_HELD_POLLS, sync.HELD_POLL_MS = kept


class Wire:
    """A connection whose handshake takes three flights; what it sends is read to the end."""

    def __init__(self, calls):
        self.calls = calls
        self.left = 3
        self.sent = b""

    def write(self, data):
        self.calls.append("write")
        if self.left:
            self.left -= 1
            return None
        self.sent += bytes(data[:10])
        return min(10, len(data))

    def ioctl(self, request, argument):
        return argument

    def fileno(self):
        return -1


async def test_a_pause_before_every_flight():
    calls = []

    async def pause():
        calls.append("pause")

    wire = Wire(calls)
    await http._send(wire, b"h" * 25, b"", pause)
    assert wire.sent == b"h" * 25
    assert calls == ["pause", "write"] * 6
