# heap: 200k
"""The GM65 driver through seeded chaos: whatever happened, the next code is read."""

import asyncio
import gc
import random
import time

from gm65_rig import started

from drivers import gm65

ROUNDS = 60


def noise(length):
    return bytes(random.getrandbits(8) for _ in range(length))


async def mischief(module, uart, scanner):
    """One thing that goes wrong, or two."""
    what = random.getrandbits(8) % 10
    if what == 0:
        module.unplug()
        await asyncio.sleep_ms(random.getrandbits(8))
        module.plug()
    elif what == 1:
        uart.deliver(noise(random.getrandbits(10)), uart.baud)
    elif what == 2:
        module.drop_replies = 1 + random.getrandbits(2)
    elif what == 3:
        module.emit(b"YM1:LATE" * (1 + random.getrandbits(6)))
    elif what == 4:
        scanner.pause()
        await asyncio.sleep_ms(random.getrandbits(7))
        scanner.resume()
    elif what == 5:
        uart.deliver(b"\x02\x00\x00\x01\x00\x33\x31"[: 1 + random.getrandbits(2)], uart.baud)
    elif what == 6:
        uart.deliver(b"YM1:CUT" * 8, uart.baud)
    elif what == 7:
        module.latency_ms = random.getrandbits(7)
    elif what == 8:
        module.scanning = False
    else:
        uart.deliver(b"\x02\x00\x00\x01\x00\x33\x31", uart.baud)


async def test_whatever_happens_the_next_code_is_read():
    random.seed(65)
    gm65._RETRIGGER_MS = 600
    gm65._BACKOFF_MAX_MS = 300
    module, uart, scanner = await started()
    worst_ms = 0
    memory = None
    try:
        for number in range(ROUNDS):
            task = asyncio.create_task(scanner.read())
            await asyncio.sleep_ms(random.getrandbits(5))
            for _ in range(1 + random.getrandbits(1)):
                await mischief(module, uart, scanner)
                await asyncio.sleep_ms(random.getrandbits(5))
            if random.getrandbits(2) == 0 and not task.done():
                task.cancel()
                await asyncio.sleep_ms(random.getrandbits(5))
                task = asyncio.create_task(scanner.read())
            module.latency_ms = 3
            wanted = b"YM1:%d:" % number + b"Z" * random.getrandbits(10)
            begun = time.ticks_ms()
            module.show(wanted, stay=True)
            while True:
                try:
                    # A time-out that cancels the read is one more mischief.
                    text = await asyncio.wait_for_ms(task, 1500)
                except asyncio.TimeoutError:
                    text = None
                if text == wanted:
                    break
                assert time.ticks_diff(time.ticks_ms(), begun) < 12_000, (number, text and text[:20])
                task = asyncio.create_task(scanner.read())
            module.view = None
            worst_ms = max(worst_ms, time.ticks_diff(time.ticks_ms(), begun))
            gc.collect()
            if number == 10:
                memory = gc.mem_alloc()
        assert gc.mem_alloc() - memory < 12_000
        print("worst", worst_ms, "ms")
    finally:
        gm65._RETRIGGER_MS = 3_000
        gm65._BACKOFF_MAX_MS = 2_000
