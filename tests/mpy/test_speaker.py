# heap: 300k
"""The loudspeaker's driver with a bus that takes its time, and what the voice puts into it."""

import asyncio
import binascii
import io
import struct

from fakes import FakePin

from drivers.speaker import BLOCK_BYTES, BUFFER_BYTES, Speaker
from firmware.core import adpcm, reasons
from firmware.core.decision import Decision
from firmware.ui.voice import Voice, words_of

_POLL = 3
_POLL_WR = 4


class FakeI2S(io.IOBase):
    """Takes `room` bytes and no more until `drain` is called."""

    def __init__(self):
        self.room = BUFFER_BYTES
        self.data = b""
        self.open = True

    def write(self, buf):
        assert self.open, "written after deinit"
        count = min(len(buf), self.room)
        self.room -= count
        self.data += bytes(buf[:count])
        return count

    def ioctl(self, request, argument):
        if request == _POLL:
            return argument & _POLL_WR if self.room else 0
        return -22

    def deinit(self):
        self.open = False


class Rig:
    def __init__(self, fail=None):
        self.buses = []
        self.fail = fail
        self.enable = FakePin(1)
        self.speaker = Speaker(self._start, self.enable)

    def _start(self):
        if self.fail:
            raise self.fail
        self.buses.append(FakeI2S())
        return self.buses[-1]

    async def drained(self, bus, count):
        """Let the bus send until so many bytes have gone; all that was sent."""

        def sent():
            bus.room = BUFFER_BYTES
            return len(bus.data) >= count

        await until(sent)
        return bus.data


async def until(condition):
    """Wait for it, not for a time."""
    for _ in range(3000):
        if condition():
            return
        await asyncio.sleep_ms(1)
    raise AssertionError("never")


def source(blocks):
    """A `fill` that gives so many blocks, each of another byte."""
    given = [0]

    def fill(block):
        if given[0] == blocks:
            return 0
        given[0] += 1
        block[:] = bytes([given[0]]) * len(block)
        return len(block)

    return fill


async def test_off_until_something_plays_and_afterwards():
    rig = Rig()
    assert rig.enable.level == 0 and not rig.buses
    rig.speaker.play(source(20))
    assert not rig.buses, "the caller waited for the bus"
    await until(lambda: rig.buses)
    bus = rig.buses[0]
    assert rig.enable.level == 1
    data = await rig.drained(bus, 20 * BLOCK_BYTES)
    assert data == b"".join([bytes([n + 1]) * BLOCK_BYTES for n in range(20)])
    await until(lambda: not bus.open)
    assert rig.enable.level == 0


async def test_a_full_buffer_lets_the_others_run():
    rig = Rig()
    rig.speaker.play(source(200))
    await until(lambda: rig.buses and len(rig.buses[0].data) == BUFFER_BYTES)
    await asyncio.sleep_ms(20)
    assert len(rig.buses[0].data) == BUFFER_BYTES
    rig.speaker.stop()


async def test_stop_is_at_once_and_final():
    rig = Rig()
    rig.speaker.play(source(200))
    await until(lambda: rig.buses and rig.buses[0].data)
    bus = rig.buses[0]
    rig.speaker.stop()
    assert rig.enable.level == 0 and not bus.open
    sent = len(bus.data)
    bus.room = BUFFER_BYTES
    await asyncio.sleep_ms(20)
    assert len(bus.data) == sent
    rig.speaker.stop()


async def test_stop_before_the_start():
    rig = Rig()
    rig.speaker.play(source(3), 30)
    rig.speaker.stop()
    await asyncio.sleep_ms(60)
    assert not rig.buses


async def test_the_newest_wins():
    rig = Rig()
    rig.speaker.play(source(200))
    await until(lambda: rig.buses)
    rig.speaker.play(source(2))
    await until(lambda: len(rig.buses) == 2)
    assert not rig.buses[0].open
    assert await rig.drained(rig.buses[1], 2 * BLOCK_BYTES) == b"\x01" * BLOCK_BYTES + b"\x02" * BLOCK_BYTES
    rig.speaker.stop()


async def test_no_memory_for_the_bus_is_silence():
    for error in (OSError(12), MemoryError()):
        rig = Rig(error)
        rig.speaker.play(source(3))
        await asyncio.sleep_ms(20)
        assert rig.enable.level == 0
        rig.fail = None
        rig.speaker.play(source(1))
        await until(lambda rig=rig: rig.buses and rig.buses[0].data)
        rig.speaker.stop()


def clip_file(clips):
    at = 8 + 8 * len(clips)
    index = body = b""
    for name, clip in clips:
        index += struct.pack(">HHI", binascii.crc32(name.encode()) & 0xFFFF, len(clip), at + len(body))
        body += clip
    return memoryview(struct.pack(">3sBHH", b"YV1", len(clips), 8000, 0) + index + body)


class Collector:
    """A speaker that plays everything at once."""

    def __init__(self):
        self.heard = b""
        self.after_ms = None
        self.stops = 0

    def play(self, fill, after_ms=0):
        self.after_ms = after_ms
        self.heard = b""
        block = bytearray(BLOCK_BYTES)
        while True:
            size = fill(block)
            assert size <= len(block) and size % 2 == 0
            if not size:
                return
            self.heard += bytes(block[:size])

    def stop(self):
        self.stops += 1


def alone(clip):
    out = bytearray(4 * len(clip))
    adpcm.decode(clip, 0, len(clip), adpcm.start(), adpcm.STEPS, out)
    return bytes(out)


ONE = bytes(range(1, 251))
TWO = bytes(range(255, 30, -1))


def voice(on=True):
    speaker = Collector()
    made = Voice(clip_file((("say_one", ONE), ("say_two", TWO))), speaker, adpcm.decode)
    made.on = on
    return made, speaker


def test_clips_one_after_the_other_with_a_pause():
    made, speaker = voice()
    made.say(("one", "nothing_of_that", "two"), 250)
    assert speaker.after_ms == 250
    first, second = alone(ONE), alone(TWO)
    assert speaker.heard.startswith(first)
    rest = speaker.heard[len(first) :]
    silence = len(rest) - len(rest.lstrip(b"\0"))
    assert 1000 <= silence <= 2000, silence
    start = rest.find(second[:40])
    assert start > 0 and rest[start : start + len(second)] == second
    made.say(("two",))
    assert speaker.heard[: len(second)] == second, "the second begins like the first"


def test_what_has_no_clip_is_not_said():
    made, speaker = voice()
    made.say(("other",))
    assert speaker.after_ms is None and speaker.stops == 1
    made.say(())
    assert speaker.after_ms is None


def test_switched_off_it_says_nothing_and_silences():
    made, speaker = voice(on=False)
    made.say(("one",))
    assert speaker.after_ms is None and speaker.stops == 1


def test_words_of_a_verdict():
    def decided(*found):
        return [Decision(None, list(found))]

    assert words_of(reasons.PASS, decided(), False) == ("pass",)
    assert words_of(reasons.PASS, decided(), True) == ("out",)
    assert words_of(reasons.STOP, decided(reasons.STALE, reasons.FEVER), False) == ("stop", "fever")
    assert words_of(reasons.ATTENTION, decided(reasons.STALE), True) == ("attention", "stale")
    # Of a party nobody is pointed at.
    both = decided(reasons.FEVER) + decided()
    assert words_of(reasons.STOP, both, False) == ("stop",)
    # A reason of signed rules has no clip.
    assert words_of(reasons.STOP, decided(1001), False) == ("stop", "reason_1001")
