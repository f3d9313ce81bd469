"""QR module GM65-S / GM861: zones, framed commands, scanning modes, output, sleep, from the maker's manual.

The frame is ``7E 00 | type | length | address (2, big-endian) | data | CRC (2)``, CRC-16/XMODEM over type to
data, ``AB CD`` for "do not check". Answers are ``02 00 00 | length | data | CRC``. The module says nothing to
a wrong CRC, an incomplete frame (400 ms) or a wrong baud rate.
"""

from __future__ import annotations

import binascii
from collections.abc import Callable

from simulator.devices.wire import resample
from simulator.timebase import Handle, Timebase

READ, WRITE, SAVE, HEARTBEAT = 0x07, 0x08, 0x09, 0x0A
FRAME_TIMEOUT_S = 0.4
START_S = 0.5
"""From power to the first answer. The manual gives no figure; drivers in the field wait up to 3 s."""
DECODE_S = 0.08
ACK_S = 0.004
MAX_PAYLOAD = 7089
TAILS = (b"\r", b"\r\n", b"\t", b"")

# Zones that the model acts upon; the others only remember.
Z_MODE, Z_TRIGGER, Z_SETUP, Z_INTERVAL, Z_TIMEOUT = 0x00, 0x02, 0x03, 0x05, 0x06
Z_OUTPUT, Z_DECODE_SOUND, Z_SAME, Z_BAUD, Z_SYMBOLS = 0x0D, 0x0E, 0x13, 0x2A, 0x2C
Z_QR, Z_TAIL, Z_AIM, Z_POWER, Z_IDENTITY = 0x3F, 0x60, 0xD0, 0xD9, 0xE0
MANUAL, COMMAND, CONTINUOUS, INDUCTION = 0, 1, 2, 3

_COMMON = {
    0x02: 0x00, 0x03: 0x00, 0x04: 0x04, 0x05: 0x0A, 0x06: 0x32, 0x07: 0x01, 0x08: 0x2C, 0x0A: 0x6A,
    0x0B: 0x3C, 0x0C: 0x01, 0x0E: 0x04, 0x13: 0x00, 0x2A: 0x39, 0x2B: 0x01, 0x2C: 0x02, 0x33: 0x01,
    0x3F: 0x01, 0x54: 0x01, 0x55: 0x01, 0x60: 0x01, 0xE1: 0x01, 0xE2: 0x64, 0xE3: 20, 0xE4: 5, 0xE5: 22,
}  # fmt: skip
FACTORY = {
    "gm65s": {**_COMMON, 0x00: 0xD6, 0x0D: 0xA0, 0xE0: 0x05},
    "gm861": {**_COMMON, 0x00: 0xD6, 0x0D: 0xA1, 0xE0: 0x07},
}
"""Zones as they leave the factory. Many GM861 come with their output routed to USB: no data on the UART
ever."""


def crc16(data: bytes) -> bytes:
    """CRC-16/XMODEM, big-endian."""
    return binascii.crc_hqx(data, 0).to_bytes(2, "big")


def answer(data: bytes) -> bytes:
    """The module's reply frame around `data`."""
    body = bytes((0, 0, len(data) & 0xFF)) + data
    return b"\x02" + body + crc16(body)


class GM65:
    """The module. ``send(data, baud, done)`` puts bytes on its TX line; ``note(kind, data)`` tells the
    world."""

    def __init__(
        self,
        time: Timebase,
        send: Callable[[bytes, int, Callable[[], None] | None], None],
        note: Callable[[str, dict[str, object]], None],
        *,
        model: str = "gm65s",
        saved: bytes | None = None,
        on_save: Callable[[bytes], None] | None = None,
    ) -> None:
        self._time = time
        self._send = send
        self._note = note
        self._model = model
        self._on_save = on_save
        self._saved = bytearray(saved) if saved and len(saved) == 256 else self._factory()
        self.zones = bytearray(self._saved)
        self.decode_s = DECODE_S
        self.late_decodes = False  # a stop while it decodes comes too late: the payload follows the answer
        self.stubborn_2c = False  # firmware 0x87 acknowledges a write to zone 2C and keeps the old value
        self._on = False
        self._ready = False
        self._asleep = False
        self._input = bytearray()
        self._head_at = 0.0
        self._view: bytes | None = None
        self._shown = 0  # counts pictures, so that "the same code again" can be told from a new one
        self._reads_left = 0
        self._scanning = False
        self._emitting = 0
        self._last: tuple[bytes, float] | None = None
        self._handles: dict[str, Handle] = {}

    def _factory(self) -> bytearray:
        zones = bytearray(256)
        for zone, value in FACTORY[self._model].items():
            zones[zone] = value
        return zones

    # Power

    def power(self, on: bool) -> None:
        """Supply on or off. Unsaved settings are lost; the first answer comes `START_S` later."""
        if on == self._on:
            return
        self._on = on
        self._ready = self._asleep = False
        self._aim(False)
        self._input.clear()
        for handle in self._handles.values():
            handle.cancel()
        self._handles.clear()
        if on:
            self.zones[:] = self._saved
            self._later("start", START_S, self._started)

    def _started(self) -> None:
        self._ready = True
        self._look()

    def _later(self, name: str, delay: float, callback: Callable[[], None]) -> None:
        self._stop(name)
        self._handles[name] = self._time.call_later(delay, callback)

    def _stop(self, name: str) -> None:
        handle = self._handles.pop(name, None)
        if handle:
            handle.cancel()

    @property
    def baud(self) -> int:
        """The line's rate from the divisor in zones 2A and 2B."""
        return self._baud_of(self.zones)

    @staticmethod
    def _baud_of(zones: bytearray) -> int:
        return 3_000_000 // max(1, int.from_bytes(zones[Z_BAUD : Z_BAUD + 2], "little"))

    @property
    def mode(self) -> int:
        """Manual, command, continuous or induction."""
        return self.zones[Z_MODE] & 3

    @property
    def scanning(self) -> bool:
        """Whether the camera is looking for a code."""
        return self._scanning

    def _aim(self, on: bool) -> None:
        if on != self._scanning:
            self._scanning = on
            self._note("aim", {"on": on})

    # Commands

    def receive(self, data: bytes, baud: int) -> None:
        """Bytes on the module's RX line, sent at `baud`."""
        if not self._on or not self._ready:
            return
        if self._asleep:  # any byte wakes it, and it starts anew
            self.power(False)
            self.power(True)
            return
        now = self._time.time()
        if self._input and now - self._head_at > FRAME_TIMEOUT_S:
            self._input.clear()
        for byte in resample(data, baud, self.baud):
            if not self._input:
                self._head_at = now
                if byte != 0x7E:
                    continue
            elif len(self._input) == 1 and byte != 0x00:
                self._input.clear()
                if byte != 0x7E:
                    continue
            self._input.append(byte)
            if len(self._input) >= 4 and len(self._input) == 8 + (self._input[3] or 256):
                frame = bytes(self._input[2:])
                self._input.clear()
                self._command(frame)

    def _command(self, frame: bytes) -> None:
        body, check = frame[:-2], frame[-2:]
        if check not in (b"\xab\xcd", crc16(body)):
            return
        kind, address, data = body[0], int.from_bytes(body[2:4], "big"), body[4:]
        if kind == READ and len(data) == 1 and address < 256:
            self._reply(bytes(self.zones[address : address + (data[0] or 256)]))
        elif kind == WRITE and address < 256:
            self._write(address, data)
        elif kind == SAVE and address == 0:
            if data == b"\x00":
                self._save(self.zones)
            elif data == b"\xff":
                self._save(self._factory())
                self.zones[:] = self._saved
            self._reply(b"\x00")
        elif kind == HEARTBEAT and self._model == "gm861":
            self._transmit(b"\x03" + answer(b"\x00")[1:], ACK_S)

    def _save(self, zones: bytearray) -> None:
        self._saved[:] = zones
        self._saved[Z_TRIGGER] = 0
        if self._on_save:
            self._on_save(bytes(self._saved))

    def _reply(self, data: bytes) -> None:
        self._transmit(answer(data), ACK_S)

    def _transmit(self, data: bytes, delay: float) -> None:
        baud = self.baud  # an acknowledgement leaves at the rate of the moment it was caused
        self._time.call_later(delay, self._put, data, baud)

    def _put(self, data: bytes, baud: int) -> None:
        if self._on:
            self._send(data, baud, None)

    def _write(self, address: int, data: bytes) -> None:
        self._reply(b"\x00")
        if address == Z_POWER and data:
            self._power_command(data[0])
            return
        for zone, value in enumerate(data, address):
            if zone > 255 or zone >= Z_IDENTITY or (zone == Z_SYMBOLS and self.stubborn_2c):
                continue
            self.zones[zone] = value
            if zone == Z_TRIGGER:
                self._trigger(bool(value & 1))
        if address <= Z_MODE:
            self._stop("interval")
            self._aim(False)
            self._look()

    def _power_command(self, value: int) -> None:
        if value == 0xA5:
            self._asleep = True
            self._aim(False)
        elif value in (0x50, 0x55):
            self._save(self._factory())
            self._time.call_later(ACK_S * 2, self._restart)
        elif value == 0x56:
            self._save(self.zones)

    def _restart(self) -> None:
        if self._on:
            self.power(False)
            self.power(True)

    def see_setup_code(self, zone: int, value: int) -> bool:
        """One of the maker's printed setup codes passes the camera; obeyed unless zone 3 forbids it."""
        if not (self._ready and self._scanning) or self.zones[Z_SETUP] & 2:
            return False
        self.zones[zone] = value
        self._save(self.zones)
        return True

    # Scanning

    def show(self, payload: bytes, reads: int = 1) -> None:
        """A code comes into view; it stays until read `reads` times, or `hide`."""
        self._view = payload[:MAX_PAYLOAD]
        self._reads_left = reads
        self._shown += 1
        self._look()

    def hide(self) -> None:
        """The code leaves the view."""
        self._view = None

    @property
    def viewing(self) -> bool:
        """Whether a code is in view."""
        return self._view is not None

    def _trigger(self, start: bool) -> None:
        if self.mode != COMMAND:
            return
        self._aim(start)
        self._stop("timeout")
        if not start and self.late_decodes and "decode" in self._handles:
            self._aim(True)
            return
        self._stop("decode")
        if start:
            if self.zones[Z_TIMEOUT]:
                self._later("timeout", self.zones[Z_TIMEOUT] / 10, self._timed_out)
            self._look()

    def _timed_out(self) -> None:
        self._aim(False)
        self.zones[Z_TRIGGER] &= ~1 & 0xFF
        failed = b""
        if self.zones[Z_TAIL] & 0x10:
            failed += b"RF"
        if self.zones[Z_TRIGGER] & 0x40:
            failed = b"F" + failed
        if failed and not self.zones[Z_OUTPUT] & 3:
            self._send(failed, self.baud, None)

    def _look(self) -> None:
        if self.mode in (CONTINUOUS, INDUCTION) and self._ready:
            self._aim(True)
        if self._scanning and self._ready and self._view is not None and "decode" not in self._handles:
            self._later("decode", self.decode_s, self._decoded)

    def _decoded(self) -> None:
        self._handles.pop("decode", None)
        if not self._scanning or self._view is None or not self.zones[Z_QR] & 1:
            return
        payload, now = self._view, self._time.time()
        same = self.zones[Z_SAME]
        if self.mode != COMMAND and same & 0x80 and self._last and self._last[0] == payload:
            limit = (same & 0x7F) / 10
            if not limit or now - self._last[1] < limit:
                self._later("interval", max(0.1, self.zones[Z_INTERVAL] / 10), self._look)
                return
        self._last = (payload, now)
        self._reads_left -= 1
        if self._reads_left <= 0:
            self._view = None
        if self.mode == COMMAND:
            self._aim(False)
            self.zones[Z_TRIGGER] &= ~1 & 0xFF
            self._stop("timeout")
        else:
            self._later("interval", max(0.1, self.zones[Z_INTERVAL] / 10), self._look)
        if self.zones[Z_MODE] & 0x40 and self.zones[Z_DECODE_SOUND] & 0x04:
            self._note("scanner_beep", {})
        self._emit(payload)

    def _emit(self, payload: bytes) -> None:
        self._note("scanner_decoded", {"bytes": len(payload)})
        if self.zones[Z_OUTPUT] & 3:  # routed to USB, which the board does not have
            return
        data = self._encoded(payload)
        if self.zones[Z_AIM] & 0x80:
            data = b"]Q1" + data
        tail = self.zones[Z_TAIL]
        if tail & 0x80:
            data = b"\x03" + len(data).to_bytes(2, "big") + data
        elif tail & 1:
            data += TAILS[tail >> 5 & 3]
        if self.zones[Z_TRIGGER] & 0x40:
            data = b"S" + data
        size = len(data)
        self._send(data, self.baud, lambda: self._note("uart_last_byte", {"bytes": size}))

    def _encoded(self, payload: bytes) -> bytes:
        """Output encoding, zone 0D bits 3-2: GBK rewrites what was UTF-8; 8-bit data that is neither
        stays."""
        if self.zones[Z_OUTPUT] >> 2 & 3 == 0:
            try:
                return payload.decode("utf-8").encode("gbk")
            except UnicodeError:
                return payload
        return payload
