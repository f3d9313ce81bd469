# heap: 200k
"""The GM65 driver against a scripted module: finding it and setting it up."""

import time

from gm65_rig import build, read, refused, started

from drivers import gm65
from drivers.gm65 import GM65, NoModule, SetupRefused


async def test_set_up_from_the_factory():
    module, uart, scanner = build()
    await scanner.start()
    z = module.zones
    assert (uart.baud, module.baud, scanner.baud) == (115200, 115384, 115200)
    assert z[0x00] & 0x43 == 0x01, "scan on command, no sound"
    assert z[0x03] == 0x02 and z[0x06] == 0 and z[0x0E] & 4 == 0
    assert z[0x0D] & 0x03 == 0 and z[0x0D] & 0x3C == 0x3C and z[0x0D] & 0x80, (
        "UART, UTF-8, the rest as it was"
    )
    assert z[0x2C] & 0x0F == 1 and z[0x3F] & 1 == 1 and z[0x60] == 0x01
    assert module.saves == 1 and module.saved == z
    assert scanner.refused == [] and not module.scanning


async def test_a_module_that_is_set_up_is_not_written_to():
    module, uart, _ = await started()
    module.writes.clear()
    module.saves = 0
    module.plug()
    begun = time.ticks_ms()
    again = GM65(uart)
    await again.start()
    assert module.writes == [] and module.saves == 0
    assert time.ticks_diff(time.ticks_ms(), begun) < 700


async def test_one_wrong_zone_is_mended_and_saved():
    for zone, value in ((0x0D, 0xA1), (0x60, 0x00), (0x03, 0x00)):
        module, uart, _ = await started()
        good = bytes(module.saved)
        module.saved[zone] = value
        module.plug()
        module.writes.clear()
        module.saves = 0
        await GM65(uart).start()
        assert module.writes and set(module.writes) == {zone}
        assert module.saves == 1
        assert module.saved[zone] & 0x3F == good[zone] & 0x3F and bytes(module.saved) == bytes(module.zones)


async def test_an_echoed_baud_change_and_a_lost_one():
    module, _, scanner = build()
    module.echo_baud = True
    await scanner.start()
    assert module.baud == 115384
    module, uart, scanner = build()
    plain = module._write

    def losing(address, payload):
        module.drop_replies += address == 0x2A
        plain(address, payload)

    module._write = losing
    await scanner.start()
    assert uart.baud == 115200 and module.baud == 115384


async def test_a_module_that_stays_slow_still_reads():
    module, uart, scanner = build()
    module.stubborn = (0x2A,)
    await scanner.start()
    assert uart.baud == 9600 == scanner.baud
    module.show(b"YM1:SLOW")
    assert await read(scanner) == b"YM1:SLOW"


async def test_57600_baud():
    module, uart, scanner = build()
    module.zones[0x2A:0x2C] = b"\x34\x00"
    await scanner.start()
    assert uart.baud == 115200 == scanner.baud


async def test_stubborn_zones():
    module, _, scanner = build()
    module.stubborn = (0x2C,)
    await scanner.start()
    assert scanner.refused == [0x2C]
    module.show(b"YM1:X")
    assert await read(scanner) == b"YM1:X"
    for zone in (0x00, 0x0D):
        module, _, scanner = build()
        module.stubborn = (zone,)
        assert "%04X" % zone in await refused(scanner, SetupRefused)


async def test_no_module():
    module, _, scanner = build()
    module.plugged = False
    assert "115200" in await refused(scanner, NoModule)


async def test_a_module_that_starts_slowly():
    module, _, scanner = build()
    module.start_ms = 2000
    module.plug()
    gm65._START_MS = 3_000
    try:
        await scanner.start()
    finally:
        gm65._START_MS = 200
    assert module.zones[0x60] == 1 and module.saves == 1


async def test_every_reply_too_late():
    # Each command is repeated before its answer comes, so that each is answered twice.
    module, uart, _ = await started()
    module.saved[0x0D], module.saved[0x60], module.saved[0x06] = 0xA1, 0x00, 0x55
    module.plug()
    module.latency_ms = 190
    scanner = GM65(uart)
    await scanner.start()
    assert module.zones[0x0D] == 0xBC and module.zones[0x60] == 1 and module.zones[0x06] == 0
    assert module.saved == module.zones and scanner.refused == []


async def test_late_replies_are_not_taken_for_the_next():
    # Every probe times out before its answer comes; the answers of the first ones must not shift the rest.
    module, _, scanner = build()
    module.latency_ms = 130
    await scanner.start()
    assert module.zones[0x0D] & 0x3F == 0x3C and module.zones[0x60] == 1 and module.zones[0x00] & 3 == 1
    assert module.saved == module.zones and scanner.refused == []
