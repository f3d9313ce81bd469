# heap: 200k
"""The GM65 driver against a scripted module: reading, and everything that goes wrong meanwhile."""

import asyncio
import gc
import time

from fakes import FACTORY
from gm65_rig import build, nothing, read, refused, started

from drivers import gm65
from drivers.gm65 import NoModule


async def test_reads_a_code_and_rests():
    module, _, scanner = await started()
    task = asyncio.create_task(scanner.read())
    await asyncio.sleep_ms(50)
    assert module.scanning
    module.show(b"YM1:ABC 3 ")
    assert await asyncio.wait_for_ms(task, 1000) == b"YM1:ABC 3 ", "the space belongs to the code"
    await asyncio.sleep_ms(50)
    assert not module.scanning
    module.show(b"YM1:NEXT")
    assert await read(scanner) == b"YM1:NEXT"


async def test_text_right_behind_the_acknowledgement():
    module, _, scanner = await started()
    triggers = module.triggers
    for number in range(20):
        module.show(b"YM1:%d" % number)  # decoded the moment the trigger comes
        begun = time.ticks_ms()
        assert await read(scanner) == b"YM1:%d" % number
        assert time.ticks_diff(time.ticks_ms(), begun) < 120
    assert module.triggers == triggers + 20


async def test_the_longest_text_and_longer_ones():
    module, uart, scanner = await started()
    longest = b"YM1:" + b"A1B2C3D4" * 511 + b"XYZ "
    assert len(longest) == 4096
    for more in (b"", b"!", b"!" * 3000):
        module.show(longest + more)
        assert await read(scanner) == longest + more[:1]
        module.show(b"YM1:NEXT")
        assert await read(scanner) == b"YM1:NEXT"
    assert uart.overflowed == 0


async def test_noise():
    module, uart, scanner = await started()
    states = []
    scanner.on_state = states.append
    noise = bytes((i * 7919 >> 3 ^ i * 31) & 0xFF for i in range(4096)).replace(b"\r", b"\n")
    gc.collect()
    before = gc.mem_alloc()
    task = asyncio.create_task(scanner.read())
    await asyncio.sleep_ms(20)
    uart.deliver(noise, 115200)
    await asyncio.sleep_ms(800)
    assert not task.done()
    module.show(b"YM1:GOOD")
    assert await asyncio.wait_for_ms(task, 1000) == b"YM1:GOOD"
    # Noise with carriage returns gives texts that are no codes; each costs one read and no more.
    uart.deliver(b"\x00\xff\x02\x00\r\x81\r\r" * 512, 115200)
    for _ in range(4):
        module.show(b"YM1:STILL")  # the phone stays before the camera
        text = await read(scanner)
        if text == b"YM1:STILL":
            break
    assert text == b"YM1:STILL"
    gc.collect()
    assert gc.mem_alloc() - before < 12_000
    assert states == []


async def test_unplugged_in_the_middle_of_a_code():
    states = []
    module, _, scanner = await started(states.append)
    for _ in range(2):
        task = asyncio.create_task(scanner.read())
        await asyncio.sleep_ms(30)
        module.show(b"YM1:" + b"A" * 2000)
        await asyncio.sleep_ms(80)
        module.unplug()
        await nothing(task, 1200)
        assert states == [False]
        module.plug()
        module.show(b"YM1:NEXT")
        assert await asyncio.wait_for_ms(task, 4000) == b"YM1:NEXT"
        assert states == [False, True]
        states.clear()


async def test_power_loss_forgets_the_baud_rate():
    states = []
    module, uart, scanner = await started(states.append)
    task = asyncio.create_task(scanner.read())
    await asyncio.sleep_ms(30)
    for zone, value in FACTORY.items():
        module.saved[zone] = value
    module.unplug()
    module.plug()
    module.show(b"YM1:AGAIN")
    assert module.baud == 9584 and uart.baud == 115200
    assert await asyncio.wait_for_ms(task, 8000) == b"YM1:AGAIN"
    assert module.baud == 115384 and states == [False, True]


async def test_a_module_lost_at_boot_comes_later():
    states = []
    module, _, scanner = build(states.append, power=True)
    module.plugged = False
    await refused(scanner, NoModule)
    task = asyncio.create_task(scanner.read())
    await nothing(task, 300)
    module.plug()
    module.show(b"YM1:LATER")
    assert await asyncio.wait_for_ms(task, 8000) == b"YM1:LATER"
    assert states == [True]


async def test_lost_acknowledgements():
    states = []
    module, _, scanner = await started(states.append)
    module.drop_replies = 2
    task = asyncio.create_task(scanner.read())
    await asyncio.sleep_ms(500)
    module.show(b"YM1:A")
    assert await asyncio.wait_for_ms(task, 1000) == b"YM1:A"
    module.drop_replies = 1
    module.show(b"YM1:B")
    assert await read(scanner) == b"YM1:B"
    assert states == []


async def test_pause_stops_and_drops_a_late_text():
    module, _, scanner = await started()
    task = asyncio.create_task(scanner.read())
    await asyncio.sleep_ms(50)

    def late():
        if module.scanning:
            module.emit(b"YM1:LATE")  # its bytes leave before the acknowledgement does

    module.stop_hook = late
    scanner.pause()
    await nothing(task, 500)
    assert not module.scanning
    module.emit(b"YM1:LATER STILL")
    await nothing(task, 100)
    module.show(b"YM1:NEXT")
    scanner.resume()
    assert await asyncio.wait_for_ms(task, 1000) == b"YM1:NEXT"


async def test_a_text_that_lands_after_the_stop_is_dropped():
    module, _, scanner = await started()
    task = asyncio.create_task(scanner.read())
    await asyncio.sleep_ms(50)

    async def land():
        await asyncio.sleep_ms(12)
        module.emit(b"YM1:LANDED")

    module.stop_hook = lambda: asyncio.create_task(land())
    scanner.pause()
    scanner.resume()
    await nothing(task, 500)
    module.show(b"YM1:NEXT")
    assert await asyncio.wait_for_ms(task, 1000) == b"YM1:NEXT"


async def test_a_short_pause_counts():
    module, _, scanner = await started()
    task = asyncio.create_task(scanner.read())
    await asyncio.sleep_ms(50)
    triggers = module.triggers
    scanner.pause()
    scanner.resume()
    await nothing(task, 400)
    assert module.triggers == triggers + 1, "what was scanned before the pause must not come out after it"
    module.show(b"YM1:Z")
    assert await asyncio.wait_for_ms(task, 1000) == b"YM1:Z"


async def test_paused_before_the_read():
    module, _, scanner = await started()
    triggers = module.triggers
    scanner.pause()
    task = asyncio.create_task(scanner.read())
    await nothing(task, 300)
    assert module.triggers == triggers
    scanner.resume()
    module.show(b"YM1:Y")
    assert await asyncio.wait_for_ms(task, 1000) == b"YM1:Y"


async def test_a_cancelled_read_leaves_nothing_behind():
    module, _, scanner = await started()
    task = asyncio.create_task(scanner.read())
    await asyncio.sleep_ms(50)
    task.cancel()
    await asyncio.sleep_ms(10)
    module.show(b"YM1:STALE")
    await asyncio.sleep_ms(50)
    stops = module.stops
    task = asyncio.create_task(scanner.read())
    await nothing(task, 400)
    assert module.stops == stops + 1, "the first read's scan was ended before the second's began"
    module.show(b"YM1:FRESH")
    assert await asyncio.wait_for_ms(task, 1000) == b"YM1:FRESH"


async def test_triggers_again_when_the_module_gave_up():
    gm65._RETRIGGER_MS = 300
    try:
        module, _, scanner = await started()
        task = asyncio.create_task(scanner.read())
        await asyncio.sleep_ms(50)
        module.scanning = False
        module.show(b"YM1:PATIENT")
        assert await asyncio.wait_for_ms(task, 1500) == b"YM1:PATIENT"
    finally:
        gm65._RETRIGGER_MS = 3_000


async def test_a_code_that_crosses_a_trigger_leaves_the_module_at_rest():
    gm65._RETRIGGER_MS = 300
    try:
        module, _, scanner = await started()
        plain = module.receive
        task = asyncio.create_task(scanner.read())
        await asyncio.sleep_ms(50)

        def crossing(data, baud):
            if data[2] == 8 and data[6] == 1:
                module.scanning = False
                module.emit(b"YM1:CROSSED")  # was being sent when the trigger came
            plain(data, baud)

        module.receive = crossing
        assert await asyncio.wait_for_ms(task, 1500) == b"YM1:CROSSED"
        module.receive = plain
        assert not module.scanning
    finally:
        gm65._RETRIGGER_MS = 3_000


async def test_a_code_around_an_acknowledgement_leaves_the_module_at_rest():
    gm65._RETRIGGER_MS = 300
    try:
        module, uart, scanner = await started()
        plain = module.receive
        task = asyncio.create_task(scanner.read())
        await asyncio.sleep_ms(50)

        def crossing(data, baud):
            around = data[2] == 8 and data[6] == 1
            if around:
                uart.deliver(b"YM1:CRO", uart.baud)
            plain(data, baud)
            if around:
                uart.deliver(b"SSED\r", uart.baud, 4)

        module.receive = crossing
        assert await asyncio.wait_for_ms(task, 1500) == b"YM1:CROSSED"
        module.receive = plain
        assert not module.scanning
    finally:
        gm65._RETRIGGER_MS = 3_000


async def test_texts_without_an_end_bring_a_new_set_up():
    states = []
    module, _, scanner = await started(states.append)
    module.zones[0x60] = 0x00
    task = asyncio.create_task(scanner.read())
    for _ in range(2):
        await asyncio.sleep_ms(50)
        module.show(b"YM1:NO TAIL")
        await nothing(task, 500)
    await asyncio.sleep_ms(300)
    assert module.zones[0x60] == 0x01
    module.show(b"YM1:TAIL")
    assert await asyncio.wait_for_ms(task, 2000) == b"YM1:TAIL"
    assert states == []


async def test_the_loop_lives_on():
    # While a long code comes in, other tasks get their turns.
    module, _, scanner = await started()
    worst = 0

    async def ticking():
        nonlocal worst
        last = time.ticks_ms()
        while True:
            await asyncio.sleep_ms(1)
            now = time.ticks_ms()
            worst = max(worst, time.ticks_diff(now, last))
            last = now

    ticker = asyncio.create_task(ticking())
    module.show(b"YM1:" + b"B" * 3000)
    await read(scanner)
    ticker.cancel()
    assert worst < 100, worst
