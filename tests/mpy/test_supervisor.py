"""The supervisor: tasks that die, end and hang; the watchdog; the notes on flash and their limits."""

import asyncio
import os

import ramflash

from firmware.services import supervisor as module
from firmware.services.supervisor import Supervisor

NOTES = "/flash/crash.txt"
BUFFER = bytearray(24 * ramflash.BLOCK_BYTES)
module.CHECK_MS = 10


class Dog:
    def __init__(self):
        self.fed = 0

    def feed(self):
        self.fed += 1


class Bench:
    def __init__(self, keep=False):
        if not keep:
            self.flash = ramflash.RamFlash(24, BUFFER)
            ramflash.format(self.flash)
            ramflash.mount(self.flash)
        self.dog = Dog()
        self.restarts = 0
        self.supervisor = Supervisor(self.dog, NOTES, self.restart)

    def restart(self):
        self.restarts += 1

    async def watch(self, ms):
        """Run for so long or until the restart; how often the dog was fed after that is what matters."""
        try:
            await asyncio.wait_for_ms(self.supervisor.run(), ms)
        except asyncio.TimeoutError:
            pass


async def forever():
    while True:
        await asyncio.sleep_ms(5)


async def ends():
    await asyncio.sleep_ms(15)


class Secret(Exception):
    pass


def deep(n):
    if n:
        return deep(n - 1)
    raise Secret("张三 350800199001011234\n  File of his: private")


async def dies(n=3):
    await asyncio.sleep_ms(15)
    deep(n)


async def beats(supervisor, name, count):
    for _ in range(count):
        supervisor.beat(name)
        await asyncio.sleep_ms(10)
    await forever()


async def test_all_well():
    b = Bench()
    b.supervisor.spawn("quiet", forever())
    b.supervisor.spawn("loud", beats(b.supervisor, "loud", 1000), period_ms=60)
    await b.watch(300)
    assert b.restarts == 0 and b.dog.fed > 10
    assert b.supervisor.dead() == [] and b.supervisor.notes() == ""


async def test_critical_task_dies():
    b = Bench()
    b.supervisor.spawn("other", forever())
    b.supervisor.spawn("flow", dies())
    await b.watch(1000)
    assert b.restarts == 1
    fed = b.dog.fed
    await asyncio.sleep_ms(40)
    assert b.dog.fed == fed
    notes = b.supervisor.notes()
    assert notes.startswith("flow: Secret, after ")
    assert 'test_supervisor.py", line ' in notes and "in deep" in notes and "in dies" in notes
    assert "350800" not in notes and "private" not in notes


async def test_a_fault_has_a_code_that_tells_its_place():
    codes = []
    for n in (3, 3, 2):
        b = Bench()
        b.supervisor.spawn("other", forever())
        b.supervisor.spawn("flow", dies(n))
        await b.watch(1000)
        codes.append(b.supervisor.code)
        assert b.supervisor.notes().endswith("code %s\n" % codes[-1])
        # A task that dies after the one that counts does not change what was on the screen.
        b.supervisor._note("extra", "ended", None)
        assert b.supervisor.code == codes[-1]
    assert codes[0] == codes[1] != codes[2] and len(codes[0]) == 5 and codes[0][:1] == "F"


async def test_uncritical_task_dies():
    b = Bench()
    b.supervisor.spawn("other", forever())
    b.supervisor.spawn("extra", dies(), critical=False)
    await b.watch(150)
    assert b.restarts == 0 and b.supervisor.dead() == ["extra"]
    fed = b.dog.fed
    await b.watch(100)
    assert b.dog.fed > fed
    assert b.supervisor.notes().startswith("extra: Secret")


async def test_critical_task_returns():
    b = Bench()
    b.supervisor.spawn("flow", ends())
    await b.watch(1000)
    assert b.restarts == 1 and b.supervisor.notes().startswith("flow: ended")


async def test_task_is_cancelled_by_somebody():
    b = Bench()
    task = []

    async def flow():
        task.append(asyncio.current_task())
        await forever()

    b.supervisor.spawn("flow", flow())
    await asyncio.sleep_ms(10)
    task[0].cancel()
    await b.watch(1000)
    assert b.restarts == 1 and b.supervisor.notes().startswith("flow: ended")


async def test_task_hangs():
    b = Bench()
    b.supervisor.spawn("flow", beats(b.supervisor, "flow", 5), period_ms=60)
    await b.watch(1000)
    assert b.restarts == 1 and b.supervisor.notes().startswith("flow: hangs")


async def test_uncritical_task_hangs():
    b = Bench()
    b.supervisor.spawn("extra", beats(b.supervisor, "extra", 2), critical=False, period_ms=30)
    await b.watch(200)
    assert b.restarts == 0 and b.supervisor.dead() == ["extra"] and b.dog.fed > 5


async def test_dies_at_once():
    b = Bench()

    async def flow():
        raise OSError(19)

    b.supervisor.spawn("flow", flow())
    await b.watch(1000)
    assert b.restarts == 1 and b.supervisor.notes().startswith("flow: OSError 19, after 0 s")


async def test_stray_helper_is_noted():
    b = Bench()
    b.supervisor.spawn("flow", forever())
    helper = asyncio.create_task(dies())
    await b.watch(120)
    assert b.restarts == 0 and b.supervisor.notes().startswith("helper: Secret")
    assert helper.done()


async def test_notes_are_bounded_and_newest_stay():
    b = Bench()
    for i in range(30):
        b = Bench(keep=True)
        b.supervisor.spawn("flow%d" % i, dies(i))
        await b.watch(1000)
        assert b.restarts == 1
        assert os.stat(NOTES)[6] <= 2048
    notes = b.supervisor.notes()
    assert "flow29: Secret" in notes and "flow28" in notes and "flow1:" not in notes


async def test_recursion_without_end():
    b = Bench()

    async def flow():
        def again():
            return again() + 1

        again()

    b.supervisor.spawn("flow", flow())
    await b.watch(3000)
    assert b.restarts == 1 and os.stat(NOTES)[6] <= module.MAX_NOTE_BYTES
    assert b.supervisor.notes().startswith("flow: RuntimeError")


async def test_no_memory():
    b = Bench()
    hold = []

    async def flow():
        while True:
            hold.append(bytearray(1000))

    b.supervisor.spawn("flow", flow())
    try:
        await b.watch(3000)
    finally:
        hold.clear()
    assert b.restarts == 1


async def test_full_or_failing_flash_still_restarts():
    for full in (False, True):
        b = Bench()
        if full:
            ramflash.fill("/flash/filler", 0)
        else:
            b.flash.failing = True
        b.supervisor.spawn("flow", dies(30))
        await b.watch(1000)
        assert b.restarts == 1
        b.flash.failing = False


async def test_broken_notes_are_readable():
    b = Bench()
    with open(NOTES, "wb") as file:
        file.write(bytes(range(256)) * 40)
    assert len(b.supervisor.notes()) == 2048
    b.supervisor.spawn("flow", ends())
    await b.watch(500)
    assert b.restarts == 1 and "flow: ended" in b.supervisor.notes()
