"""QR module GM65 (GM65-S, GM861): set-up, trigger, reading, and recovery from whatever happens to its cable.

8N1 over a UART, frames as in drivers/gm65_frames.py. A command with a wrong CRC, or one that is not complete
after 400 ms, is met with silence (Grow GM65-S user manual, chapters 2, 3, 9).
"""

import asyncio
import time

from drivers.gm65_frames import EMBEDDED, PAYLOAD_LIMIT, READ, SAVE, TEXT, WRITE, Frames, command

if False:
    from typing import Callable, Protocol

    class Uart(Protocol):
        """What the driver needs of machine.UART; select.poll() must take it as well."""

        def init(self, *, baudrate: int, rxbuf: int) -> None: ...  # noqa: D102

        def any(self) -> int: ...  # noqa: D102

        def read(self, __nbytes: int) -> "bytes | None": ...  # noqa: D102

        def write(self, __buf: bytes) -> "int | None": ...  # noqa: D102

    class Switch(Protocol):
        """What the driver needs of the machine.Pin of the power switch."""

        def value(self, __x: int) -> None: ...  # noqa: D102


_ZONE_MODE = 0x0000
_ZONE_TRIGGER = 0x0002
_ZONE_BAUD = 0x002A

_FACTORY_BAUD = 9600
_FAST_BAUD = 115200
#: Most likely first: the one we save, the factory's, and that of a module set up by somebody else.
_BAUDS = (_FAST_BAUD, _FACTORY_BAUD, 57600)
#: Zone 0x002A: 3 MHz / baud, little-endian.
_FAST_DIVISOR = b"\x1a\x00"

#: (zone, mask, value, must hold). What must hold decides whether codes arrive at all. Some firmware
#: acknowledges writes to other zones and keeps the old value, which a scanner survives.
_SETTINGS = (
    (_ZONE_MODE, 0x7C, 0x14, False),  # light and aim while scanning, no sounds
    (_ZONE_MODE, 0x03, 0x01, True),  # scan on command
    (0x0003, 0x03, 0x02, False),  # printed set-up codes cannot change the module
    (0x0006, 0xFF, 0x00, False),  # a scan lasts until a code is read or the driver stops it
    (0x000D, 0x03, 0x00, True),  # output to the UART: factories ship this set to USB
    (0x000D, 0x3C, 0x3C, False),  # text in and out as UTF-8, not GBK
    (0x000E, 0x04, 0x00, False),  # no sound for a decoded code: the verdict has its own
    (0x0013, 0x80, 0x00, False),  # the same code may be read twice in a row
    (0x002C, 0x0F, 0x01, False),  # no kind of code, in any direction, but
    (0x003F, 0x01, 0x01, False),  # QR
    (0x0060, 0xFF, 0x01, True),  # text and CR, no prefix, suffix, code ID, "RF" text or packets
    (0x00B0, 0xFF, 0x00, False),  # the whole text
)

_CHUNK = 256
#: While bytes are coming the UART is looked at this often; at 115,200 baud that is 58 bytes.
_POLL_MS = 5
#: A module sends without pauses: a text or reply that stops for this long was cut off.
_GAP_MS = 250
#: Silence after which nothing is on its way any more.
_QUIET_MS = 30
#: The longest that `_settle` waits for that silence; a full text takes 4.3 s at 9,600 baud.
_SETTLE_MS = 5_000
_REPLY_MS = 150
_TRIES = 3
#: At a wrong baud the module may take what it hears for the start of a frame, and stays deaf for 400 ms.
_PROBE_MS = 120
_PROBE_TRIES = 5
#: A reply waits behind a text being sent: 4,096 bytes take 4.3 s at 9,600 baud.
_REPLY_BEHIND_TEXT_MS = 5_000
#: Modules answer up to 3 s after power-on.
_START_MS = 3_000
_SAVE_MS = 500
_POWER_OFF_MS = 200
#: The trigger is given again this often: it tells whether the module is alive, and wakes one that lost power.
_RETRIGGER_MS = 3_000
#: How long a wait can go on before it looks whether reading was paused.
_SLICE_MS = 200
_BACKOFF_MIN_MS = 250
_BACKOFF_MAX_MS = 2_000
#: So many texts in a row without an end mean that the module lost its settings.
_CUT_LIMIT = 2


class GM65Error(Exception):
    """Anything that the QR module does wrong; the message says it in plain words."""


class NoModule(GM65Error):
    """No answer: no power, no cable, or no module."""


class SetupRefused(GM65Error):
    """The module answers, but does not take a setting without which codes do not arrive."""


_START = command(WRITE, _ZONE_TRIGGER, b"\x01")
_STOP = command(WRITE, _ZONE_TRIGGER, b"\x00")


class GM65:
    """The QR module on `uart`, which is open at 9600 baud with a receive buffer of 4,096 bytes.

    `power` is the pin of its supply switch (high is on), where there is one. `on_state` is called with False
    when the module is lost and with True when it is back. One task at a time may be in `start` or `read`.
    """

    def __init__(
        self, uart: "Uart", power: "Switch | None" = None, on_state: "Callable[[bool], None] | None" = None
    ) -> None:
        self._uart = uart
        self._power = power
        self.on_state = on_state
        #: The baud rate in use.
        self.baud = _FACTORY_BAUD
        #: Zones that keep another value than asked for, but not one that matters.
        self.refused: "list[int]" = []
        self._stream = asyncio.StreamReader(uart)
        self._nothing = bytearray(0)
        self._frames = Frames()
        self._last_byte_ms = time.ticks_ms()
        self._reply: "bytes | None" = None
        #: Whether a wanted text had begun when that reply came.
        self._reply_late = False
        self._text: "bytes | None" = None
        #: Whether texts are wanted; others are late ones, and dropped.
        self._collecting = False
        #: Whether the module may be scanning.
        self._armed = False
        #: Whether the module is set up and answered last time.
        self._ready = False
        #: What the caller was told last.
        self._told_ok = True
        self._cut = 0
        self._pauses = 0
        self._running = asyncio.Event()
        self._running.set()

    async def start(self) -> None:
        """Find the module, bring it to 115,200 baud and set it up; takes 0.2 s to 5 s.

        Raises NoModule or SetupRefused. Settings are written, and saved in the module, where they differ.
        """
        self._told_ok = False
        await self._set_up()
        self._told_ok = True

    async def _set_up(self) -> None:
        self._ready = False
        self._collecting = False
        self._cut = 0
        if self._power is not None:
            self._power.value(1)
        await self._find()
        await self._stop()
        changed = await self._speed_up() if self.baud != _FAST_BAUD else False
        self.refused = []
        for zone, mask, value, must_hold in _SETTINGS:
            if await self._set(zone, mask, value, must_hold):
                changed = True
        if changed:
            await self._command(command(SAVE, 0, b"\x00"), 1, _SAVE_MS)
        self._ready = True

    async def read(self) -> bytes:
        """Scan until a code is read; returns its text without the tail, cut to PAYLOAD_LIMIT + 1 bytes.

        Waits as long as it takes, over pauses, and over the module being unplugged and coming back. Nothing
        that was scanned before the call is returned. Afterwards the module rests until the next call.
        """
        while True:
            await self._running.wait()
            try:
                if not self._ready:
                    await self._recover()
                text = await self._scan()
            except GM65Error:
                self._ready = False
                self._tell(False)
                continue
            if text is not None:
                return text

    def pause(self) -> None:
        """Let `read` stop scanning, and wait."""
        self._pauses += 1
        self._running.clear()

    def resume(self) -> None:
        """Let `read` go on."""
        self._running.set()

    def _tell(self, ok: bool) -> None:
        if ok != self._told_ok:
            self._told_ok = ok
            if self.on_state is not None:
                self.on_state(ok)

    async def _recover(self) -> None:
        """Try until the module works again."""
        backoff_ms = _BACKOFF_MIN_MS
        while True:
            try:
                await self._set_up()
            except GM65Error:
                self._tell(False)
                if self._power is not None:
                    self._power.value(0)
                    await asyncio.sleep_ms(_POWER_OFF_MS)
                    self._power.value(1)
                await asyncio.sleep_ms(backoff_ms)
                backoff_ms = min(2 * backoff_ms, _BACKOFF_MAX_MS)
            else:
                self._tell(True)
                return

    async def _scan(self) -> "bytes | None":
        """One scan; None if it was paused or must start anew. Raises NoModule if the module is gone."""
        pauses = self._pauses
        if self._armed:
            await self._stop()  # the last read was cancelled in the middle
        else:
            await self._settle()
        self._text = None
        self._collecting = True
        still_armed = False
        try:
            while self._text is None:
                if self._cut >= _CUT_LIMIT:
                    self._ready = False
                    return None
                still_armed = await self._trigger()
                if not await self._listen(pauses):
                    self._collecting = False
                    await self._stop()
                    return None
        finally:
            self._collecting = False
        text = self._text
        self._text = None
        self._cut = 0
        if still_armed:
            await self._stop()
        else:
            self._armed = False
        return text

    async def _trigger(self) -> bool:
        """Let the module scan; whether a text began before that, and so does not end this scan."""
        self._armed = True
        return not await self._command(_START, 1) or self._reply_late

    async def _listen(self, pauses: int) -> bool:
        """Wait for a text, until one was cut off, or until it is time to trigger again; False once paused."""
        cut = self._cut
        begun_ms = time.ticks_ms()
        while self._text is None and self._cut == cut:
            if self._pauses != pauses or not self._running.is_set():
                return False
            past_ms = time.ticks_diff(time.ticks_ms(), begun_ms) - _RETRIGGER_MS
            if past_ms >= 0 and (not self._frames.in_text or past_ms >= _REPLY_BEHIND_TEXT_MS):
                break
            await self._receive(_SLICE_MS)
        return True

    async def _stop(self) -> None:
        """End a scan, and drop what was still on its way."""
        await self._command(_STOP, 1)
        self._armed = False
        await self._settle(_QUIET_MS)

    async def _settle(self, quiet_ms: int = 0) -> None:
        """Drop what has arrived and what is arriving, until there is silence, for 5 s at most.

        `quiet_ms` is how long to listen if nothing is arriving now.
        """
        begun_ms = time.ticks_ms()
        if self._uart.any() or self._frames.open:
            quiet_ms = _QUIET_MS
        self._drain()
        while quiet_ms and time.ticks_diff(time.ticks_ms(), begun_ms) < _SETTLE_MS:
            await asyncio.sleep_ms(_POLL_MS)
            self._drain()
            if time.ticks_diff(time.ticks_ms(), self._last_byte_ms) >= quiet_ms:
                break
        self._frames.reset()

    async def _find(self) -> None:
        """Find the baud rate at which the module answers, within 3 s or a little more."""
        begun_ms = time.ticks_ms()
        probe = command(READ, _ZONE_MODE, b"\x01")
        while True:
            for baud in _BAUDS:
                self._set_baud(baud)
                if await self._repeat(probe, 1, _PROBE_TRIES, _PROBE_MS) is not None:
                    return
            if time.ticks_diff(time.ticks_ms(), begun_ms) >= _START_MS:
                raise NoModule("the QR module does not answer at 115200, 9600 or 57600 baud")

    async def _speed_up(self) -> bool:
        """Go to 115,200 baud; False if the module stays where it was, which works, only slower."""
        slow = self.baud
        frame = command(WRITE, _ZONE_BAUD, _FAST_DIVISOR)
        # The acknowledgement comes at the old rate, on some modules as an echo of the two bytes. If it is
        # lost, the new rate tells.
        await self._ask(frame, 0, _REPLY_MS, 0)
        probe = command(READ, _ZONE_BAUD, b"\x02")
        for baud in (_FAST_BAUD, slow):
            self._set_baud(baud)
            if await self._repeat(probe, 2, _PROBE_TRIES, _PROBE_MS) is not None:
                return baud == _FAST_BAUD
        raise NoModule("the QR module was lost while changing its baud rate")

    def _set_baud(self, baud: int) -> None:
        self._uart.init(baudrate=baud, rxbuf=PAYLOAD_LIMIT)
        self.baud = baud
        self._frames.reset()

    async def _set(self, zone: int, mask: int, value: int, must_hold: bool) -> bool:
        """Bring the bits `mask` of a zone to `value`; whether that changed it."""
        before = (await self._command(command(READ, zone, b"\x01"), 1))[0]
        if before & mask == value:
            return False
        await self._command(command(WRITE, zone, bytes((before & ~mask & 0xFF | value,))), 1)
        after = (await self._command(command(READ, zone, b"\x01"), 1))[0]
        if after & mask != value:
            if must_hold:
                raise SetupRefused("the QR module keeps zone 0x%04X at 0x%02X" % (zone, after))
            self.refused.append(zone)
        return after != before

    async def _command(self, frame: bytes, size: int, timeout_ms: int = _REPLY_MS) -> bytes:
        """Send a command up to three times; returns the reply's data of `size` bytes. Raises NoModule.

        A wanted text that arrives meanwhile ends the waiting: then b"" is returned.
        """
        reply = await self._repeat(frame, size, _TRIES, timeout_ms, _REPLY_BEHIND_TEXT_MS)
        if reply is None:
            raise NoModule("the QR module does not answer")
        return reply

    async def _repeat(
        self, frame: bytes, size: int, tries: int, timeout_ms: int, behind_text_ms: int = 0
    ) -> "bytes | None":
        """Send a command up to `tries` times; the reply's data, b"" as in `_command`, or None."""
        for count in range(tries):
            reply = await self._ask(frame, size, timeout_ms, behind_text_ms)
            if reply is not None:
                if count and not self._collecting:
                    # The repetitions are answered as well, and must not pass for answers to what comes next.
                    await asyncio.sleep_ms(count * timeout_ms + _QUIET_MS)
                return reply
        return None

    async def _ask(self, frame: bytes, size: int, timeout_ms: int, behind_text_ms: int) -> "bytes | None":
        """Send a command once; returns the reply's data, b"" as in `_command`, or None if none came in time.

        `size` is the reply's length, 0 for any; `behind_text_ms` is added to the time while a text arrives.
        """
        self._drain()
        self._reply = None
        self._uart.write(frame)
        begun_ms = time.ticks_ms()
        while True:
            if self._reply is not None and len(self._reply) == (size or len(self._reply)):
                return self._reply
            self._reply = None
            if self._collecting and self._text is not None:
                return b""
            left_ms = timeout_ms - time.ticks_diff(time.ticks_ms(), begun_ms)
            if left_ms <= 0 and (not self._frames.in_text or left_ms <= -behind_text_ms):
                return None
            await self._receive(max(left_ms, _POLL_MS))

    async def _receive(self, timeout_ms: int) -> None:
        """Wait for bytes, `timeout_ms` at most, and take them."""
        if not self._uart.any():
            if self._frames.open:
                if time.ticks_diff(time.ticks_ms(), self._last_byte_ms) >= _GAP_MS:
                    if self._frames.in_text:
                        self._cut += 1
                    self._frames.reset()
                await asyncio.sleep_ms(_POLL_MS)
            else:
                await self._readable(timeout_ms)
                if not self._uart.any():
                    await asyncio.sleep_ms(_POLL_MS)  # should a port call itself readable for no reason
        self._drain()

    async def _readable(self, timeout_ms: int) -> None:
        """Wait until the UART has something, `timeout_ms` at most; takes nothing, so nothing can be lost."""
        try:
            await asyncio.wait_for_ms(self._stream.readinto(self._nothing), timeout_ms)
        except asyncio.TimeoutError:
            pass

    def _drain(self) -> None:
        """Take what has arrived; at most one full receive buffer."""
        for _ in range(PAYLOAD_LIMIT // _CHUNK + 1):
            data = self._uart.read(_CHUNK) if self._uart.any() else None
            if not data:
                return
            self._last_byte_ms = time.ticks_ms()
            for kind, content in self._frames.feed(data):
                if kind != TEXT:
                    self._reply = content
                    self._reply_late = kind == EMBEDDED or self._text is not None
                elif self._collecting and self._text is None:
                    self._text = content
