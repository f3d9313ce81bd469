"""A GM65 driver on a scripted module, and how the tests wait for it."""

import asyncio

from fakes import FakeModule, FakeUart

from drivers import gm65
from drivers.gm65 import GM65, GM65Error

# Waiting for a module that is not there shall not take the tests seconds.
gm65._START_MS = 200


def build(on_state=None, power=False):
    module = FakeModule()
    uart = FakeUart(module)
    return module, uart, GM65(uart, module if power else None, on_state)


#: Zones as the first set-up left them; later modules start with them, which takes a tenth of the time.
_set_up = []


async def started(on_state=None):
    module, uart, scanner = build(on_state)
    if _set_up:
        module.saved[:] = _set_up[0]
        module.plug()
    await scanner.start()
    if not _set_up:
        _set_up.append(bytes(module.saved))
    return module, uart, scanner


async def refused(scanner, kind):
    try:
        await scanner.start()
    except GM65Error as e:
        assert isinstance(e, kind), repr(e)
        return str(e)
    raise AssertionError("no error")


async def read(scanner, limit_ms=3000):
    return await asyncio.wait_for_ms(scanner.read(), limit_ms)


async def nothing(task, wait_ms):
    """A task goes on waiting."""
    await asyncio.sleep_ms(wait_ms)
    assert not task.done()
