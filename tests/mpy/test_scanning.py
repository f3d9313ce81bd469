# heap: 200k
"""Codes on their way to the flow: dropped while none is wanted; the one that stays in view counts once."""

import asyncio

from firmware.services import scanning
from firmware.services.inbox import Inbox
from firmware.services.scanning import Scanning

SCAN = 1


class Module:
    """Reads what the test puts before it, one text at a time."""

    def __init__(self):
        self.texts = []
        self.paused = False

    async def read(self):
        while not self.texts:
            await asyncio.sleep_ms(5)
        return self.texts.pop(0)

    def pause(self):
        self.paused = True

    def resume(self):
        self.paused = False


async def waiting(inbox):
    events = []
    while True:
        event = await inbox.get(30)
        if event is None:
            return events
        assert event[0] == SCAN
        events.append(event[1])


async def with_task(body):
    module, inbox = Module(), Inbox()
    service = Scanning(module, inbox, SCAN)
    task = asyncio.create_task(service.run())
    try:
        await body(module, service, inbox)
    finally:
        task.cancel()


async def test_a_code_that_stays_counts_once():
    async def body(module, service, inbox):
        service.want(True)
        for _ in range(4):
            module.texts.append(b"YM1:A")
            await asyncio.sleep_ms(20)
        assert await waiting(inbox) == [b"YM1:A"]
        module.texts += [b"YM1:B", b"YM1:A", b"YM1:B"]
        assert await waiting(inbox) == [b"YM1:B", b"YM1:A", b"YM1:B"]

    await with_task(body)


async def test_every_look_at_it_begins_the_wait_anew():
    away_ms = scanning.AWAY_MS
    scanning.AWAY_MS = 150
    try:

        async def body(module, service, inbox):
            service.want(True)
            for _ in range(5):
                module.texts.append(b"YM1:A")
                await asyncio.sleep_ms(80)
            assert await waiting(inbox) == [b"YM1:A"]
            await asyncio.sleep_ms(160)
            module.texts.append(b"YM1:A")
            assert await waiting(inbox) == [b"YM1:A"]

        await with_task(body)
    finally:
        scanning.AWAY_MS = away_ms


async def test_a_code_held_through_a_measurement_is_not_another_passage():
    away_ms = scanning.AWAY_MS
    scanning.AWAY_MS = 150
    try:

        async def body(module, service, inbox):
            service.want(True)
            module.texts.append(b"YM1:A")
            assert await waiting(inbox) == [b"YM1:A"]
            service.want(False)
            assert module.paused
            await asyncio.sleep_ms(200)
            service.want(True)
            assert not module.paused
            module.texts.append(b"YM1:A")
            assert await waiting(inbox) == []
            service.want(True)  # wanted already: nothing begins anew
            await asyncio.sleep_ms(160)
            module.texts.append(b"YM1:A")
            assert await waiting(inbox) == [b"YM1:A"]

        await with_task(body)
    finally:
        scanning.AWAY_MS = away_ms


async def test_codes_that_nobody_wants_are_dropped():
    async def body(module, service, inbox):
        service.want(True)
        await asyncio.sleep_ms(10)
        service.want(False)
        module.texts.append(b"YM1:A")
        assert await waiting(inbox) == []
        service.want(True)
        module.texts.append(b"YM1:B")
        assert await waiting(inbox) == [b"YM1:B"]

    await with_task(body)


async def test_inbox_keeps_one_kind():
    inbox = Inbox()
    inbox.put(0, 7)
    inbox.put(SCAN, b"YM1:A")
    inbox.put(2, 9)
    inbox.clear(SCAN)
    assert await inbox.get(10) == (SCAN, b"YM1:A")
    assert await inbox.get(10) is None
    inbox.put(SCAN, b"YM1:B")
    inbox.clear()
    assert await inbox.get(10) is None
