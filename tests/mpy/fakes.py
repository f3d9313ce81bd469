"""Small doubles of buses and chips that answer, or refuse, as the data sheets say."""

import errno
import io
import os
import sys
import time

_MP_STREAM_POLL = 3
_POLL_RD = 1


def add_libraries():
    """Put the installed CircuitPython libraries on sys.path; they lie beside the interpreter."""
    for prefix in (sys.executable.rsplit("/", 2)[0], os.getcwd() + "/.venv"):
        try:
            names = [entry[0] for entry in os.ilistdir(prefix + "/lib")]
        except OSError:
            continue
        for name in names:
            folder = prefix + "/lib/" + name + "/site-packages"
            if name.startswith("python3") and folder not in sys.path:
                sys.path.append(folder)


def crc_xmodem(data):
    """CRC-16, polynomial x^16 + x^12 + x^5 + 1, by long division: written differently from the driver's."""
    value = int.from_bytes(data, "big") << 16
    for bit in range(len(data) * 8 - 1, -1, -1):
        if value >> (bit + 16) & 1:
            value ^= 0x11021 << bit
    return value.to_bytes(2, "big")


def crc_smbus(data):
    """CRC-8, polynomial x^8 + x^2 + x + 1, by long division."""
    value = int.from_bytes(data, "big") << 8
    for bit in range(len(data) * 8 - 1, -1, -1):
        if value >> (bit + 8) & 1:
            value ^= 0x107 << bit
    return value


def same_baud(one, other):
    """Receivers put up with a few per cent."""
    return abs(one - other) * 100 < 3 * one


class FakeUart(io.IOBase):
    """A machine.UART with a module on its other end; what arrives too early for its buffer is lost."""

    def __init__(self, module):
        self.baud = 9600
        self._module = module
        self._rx = b""
        self._pending = []  # (when it has arrived, bytes)
        self._line_free_ms = 0
        self.overflowed = 0
        module.uart = self

    def init(self, baudrate, rxbuf):
        assert rxbuf >= 4096
        self.baud = baudrate
        self._rx = b""
        self._pending = []

    def deliver(self, data, baud, delay_ms=0):
        """From the module, at its pace."""
        if not same_baud(baud, self.baud):
            data = bytes((b ^ 0xA5) | 0x80 for b in data)  # any garbage
        now = time.ticks_ms()
        start = now + delay_ms
        if self._pending and time.ticks_diff(self._line_free_ms, start) > 0:
            start = self._line_free_ms
        step = max(1, baud // 10 // 200)
        for at in range(0, len(data), step):
            start += max(1, step * 10_000 // baud)
            self._pending.append((start, data[at : at + step]))
        self._line_free_ms = start

    def lose(self):
        """The cable breaks: what was on its way never comes."""
        self._take()
        self._pending = []

    def _take(self):
        now = time.ticks_ms()
        while self._pending and time.ticks_diff(self._pending[0][0], now) <= 0:
            self._rx += self._pending.pop(0)[1]
        if len(self._rx) > 4096:
            self.overflowed += len(self._rx) - 4096
            self._rx = self._rx[:4096]

    def any(self):
        self._take()
        return len(self._rx)

    def read(self, nbytes=-1):
        self._take()
        data = self._rx[:nbytes]
        self._rx = self._rx[nbytes:]
        return data or None

    def readinto(self, buf, nbytes=-1):
        data = self.read(len(buf)) if len(buf) else None
        if data:
            buf[: len(data)] = data
            return len(data)
        return None

    def readline(self):
        return None

    def write(self, buf):
        self._module.receive(bytes(buf), self.baud)
        return len(buf)

    def ioctl(self, request, argument):
        if request == _MP_STREAM_POLL:
            return argument & _POLL_RD if self.any() else 0
        return -errno.EINVAL  # there is no file descriptor behind this one


FACTORY = {0x00: 0xD6, 0x06: 0x32, 0x0D: 0xA1, 0x0E: 0x04, 0x2A: 0x39, 0x2B: 0x01, 0x2C: 0x02, 0x60: 0x01}


class FakeModule:
    """A GM65 as scripted: zones, silence for what is wrong, 400 ms of deafness after garbage."""

    def __init__(self):
        self.uart = None
        self.saved = bytearray(256)
        for zone, value in FACTORY.items():
            self.saved[zone] = value
        self.zones = bytearray(self.saved)
        self.plugged = True
        self.start_ms = 0
        self.latency_ms = 3
        self.stubborn = ()
        self.drop_replies = 0
        self.echo_baud = False
        self.scanning = False
        self.view = None
        self.stay = False
        self.triggers = 0
        self.stops = 0
        self.writes = []
        self.saves = 0
        self.stop_hook = None
        self._up_at = time.ticks_ms()
        self._deaf_until = None
        self._frame = b""

    @property
    def baud(self):
        return 3_000_000 // (self.zones[0x2A] | self.zones[0x2B] << 8)

    def value(self, level):
        """The power switch is a pin, too."""
        if level and not self.plugged:
            return
        if not level:
            self.scanning = False

    def unplug(self):
        self.plugged = False
        self.scanning = False
        self.uart.lose()

    def plug(self):
        """Power comes back: what was not saved is gone."""
        self.zones[:] = self.saved
        self.plugged = True
        self._up_at = time.ticks_add(time.ticks_ms(), self.start_ms)

    def receive(self, data, baud):
        now = time.ticks_ms()
        if not self.plugged or time.ticks_diff(now, self._up_at) < 0:
            return
        if not same_baud(baud, self.baud):
            self._deaf_until = time.ticks_add(now, 400)  # the garbage began like a frame
            return
        if self._deaf_until is not None and time.ticks_diff(self._deaf_until, now) > 0:
            return
        self._deaf_until = None
        assert data[:2] == b"\x7e\x00" and len(data) == 8 + data[3], data
        if crc_xmodem(data[2:-2]) != data[-2:]:
            return
        kind, address, payload = data[2], data[4] << 8 | data[5], data[6:-2]
        if kind == 7:
            self.reply(bytes(self.zones[address : address + payload[0]]))
        elif kind == 8:
            self._write(address, payload)
        elif kind == 9:
            assert address == 0 and payload == b"\x00"
            self.saves += 1
            self.saved[:] = self.zones
            self.reply(b"\x00")
        else:
            raise AssertionError("the driver sent command %d" % kind)

    def reply(self, data, baud=None):
        if self.drop_replies:
            self.drop_replies -= 1
            return
        body = bytes((0, len(data))) + data
        self.uart.deliver(b"\x02\x00" + body + crc_xmodem(body), baud or self.baud, self.latency_ms)

    def _write(self, address, payload):
        if address == 0x0002:
            if not payload[0] & 1 and self.stop_hook:
                self.stop_hook()
            self.reply(b"\x00")
            self.triggers += payload[0] & 1
            self.stops += 1 - (payload[0] & 1)
            self.scanning = bool(payload[0] & 1) and self.zones[0] & 3 == 1
            self._look()
            return
        self.writes.append(address)
        old = self.baud
        if address not in self.stubborn:
            self.zones[address : address + len(payload)] = payload
        self.reply(payload if self.echo_baud and address == 0x2A else b"\x00", old)

    def show(self, text, stay=False):
        """Hold a code before the camera until it is read, or until further notice."""
        self.view = text
        self.stay = stay
        self._look()

    def _look(self):
        if self.scanning and self.view is not None and self.plugged:
            self.scanning = False
            text = self.view
            if not self.stay:
                self.view = None
            self.emit(text)

    def emit(self, text):
        """The text of a code, with the tail that is set."""
        if self.zones[0x0D] & 3 == 0:
            self.uart.deliver(text + (b"\r" if self.zones[0x60] & 1 else b""), self.baud)


class FakeI2C:
    """Chips on an I2C bus: {address: object with read(register, count) and write(register, data)}."""

    def __init__(self, chips):
        self.chips = chips

    def _chip(self, address):
        if address not in self.chips:
            raise OSError(errno.ENODEV)
        return self.chips[address]

    def readfrom_mem_into(self, address, register, buf):
        buf[:] = self._chip(address).read(register, len(buf))

    def writeto_mem(self, address, register, buf):
        self._chip(address).write(register, bytes(buf))


class FakeThermometerChip:
    """MLX90614: words with their PEC; `words` are raw values, `replies` the next packets to send instead."""

    def __init__(self):
        self.words = {0x06: 0x3AD2, 0x07: 0x3C00}
        self.replies = []
        self.reads = 0

    def read(self, register, count):
        self.reads += 1
        if self.replies:
            reply = self.replies.pop(0)
            if reply is None:
                raise OSError(errno.ENODEV)
            if reply:
                return reply
        word = self.words[register].to_bytes(2, "little")
        return (word + bytes((crc_smbus(bytes((0xB4, register, 0xB5)) + word),)) + b"\xff" * count)[:count]


class FakePin:
    """An input with interrupts, and an output that remembers."""

    IRQ_RISING = 1
    IRQ_FALLING = 2

    def __init__(self, level=1):
        self.level = level
        self.handler = None
        self.history = []

    def irq(self, handler, trigger):
        assert trigger == 3
        self.handler = handler

    def value(self, x=None):
        if x is None:
            return self.level
        self.history.append((time.ticks_ms(), x))
        self.level = x
        return None

    def drive(self, level):
        """From outside."""
        if level != self.level:
            self.level = level
            if self.handler:
                self.handler(self)


class FakePwm:
    """A PWM channel as left by the ESP32's constructor: 5 kHz, half on."""

    def __init__(self):
        self.hz = 5000
        self.duty = 32768
        self.history = []

    def freq(self, value):
        self.hz = value

    def duty_u16(self, value):
        assert 0 <= value <= 65535
        self.duty = value
        self.history.append((time.ticks_ms(), self.hz if value else 0))
