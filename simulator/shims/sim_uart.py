"""``machine.UART``: bytes come on a socket of their own, so that polls and asyncio sleep in the operating
system."""

import io
import select
import struct

import _sim

_PEEK = _sim.native_socket.MSG_PEEK


class UART(io.IOBase):
    """A serial port. Reads answer None when there is nothing, as on the ESP32."""

    INV_TX, INV_RX, RTS, CTS = 32, 4, 2, 1
    IRQ_RX, IRQ_RXIDLE, IRQ_BREAK = 1, 4096, 128
    _ports: dict = {}  # the receiving socket of each port outlives the object, like the hardware

    __getattr__ = _sim.rare_method

    def __init__(self, id: int, baudrate: int = 115200, **options: object) -> None:
        self._id = id
        self._set = {"tx": 17, "rx": 18, "rxbuf": 256, "txbuf": 256, "timeout": 0, "timeout_char": 2}
        if id not in UART._ports:
            UART._ports[id] = _sim.connect(2, id)
            UART._ports[id].setblocking(False)
        self._s = UART._ports[id]
        self._p = select.poll()
        self._p.register(self._s, select.POLLIN)
        self.init(baudrate, **options)

    def init(
        self, baudrate: int = 0, bits: int = 8, parity: object = None, stop: int = 1, **options: object
    ) -> None:
        """Set what is given; bytes received so far are lost."""
        s = self._set
        s.update(options)
        if baudrate:
            s["baudrate"] = baudrate
        pins = [p if isinstance(p, int) else p.id for p in (s["tx"], s["rx"])]
        _sim.call(
            0x87, self._id, 0, struct.pack("<IBBI", s["baudrate"], pins[0], pins[1], max(s["rxbuf"], 129))
        )
        while self._take(512):
            pass

    def _take(self, n: int) -> object:
        try:
            data = self._s.recv(n)
        except OSError:
            return None
        if not data:
            _sim.die()
        _sim.post(7, self._id, len(data))
        return data

    def any(self) -> int:
        """Bytes that wait to be read; 1024 for any number above, since counting takes a copy in the heap."""
        if not self._p.poll(0):
            return 0
        n = len(self._s.recv(128, _PEEK))
        return n if n < 128 else len(self._s.recv(1024, _PEEK))

    def read(self, n: object = None) -> object:
        """Up to `n` bytes, or all there are; waits `timeout` ms for the first and `timeout_char` for the
        next."""
        every = n is None or n < 0
        limit = n
        if every:
            limit = self.any() or (1 if self._set["timeout"] else 0)
        result = None
        wait = self._set["timeout"]
        while limit > 0:
            if wait and not self._p.poll(wait):
                break
            data = self._take(limit)
            if not data:
                break
            result = result + data if result else data
            limit -= len(data)
            if every:
                limit = limit or self.any()
            wait = self._set["timeout_char"] if self._set["timeout"] else 0
        return result

    def readinto(self, buf: object, n: object = None) -> object:
        """Read into `buf`; how many, or None."""
        wait = self._set["timeout"]
        if wait and not self._p.poll(wait):
            return None
        got = self._s.readinto(buf) if n is None else self._s.readinto(buf, n)
        if got == 0 and len(buf):
            _sim.die()
        if got:
            _sim.post(7, self._id, got)
        return got

    def write(self, buf: object, *rest: object) -> int:
        """Send; returns at once, the bytes leave at the baud rate."""
        if isinstance(buf, str):
            buf = buf.encode()
        _sim.post(6, self._id, 0, buf)
        return len(buf)

    def ioctl(self, request: int, argument: int) -> int:
        """What poll and asyncio ask of a stream."""
        if request == 10:
            return self._s.fileno()
        if request == 3:
            ready = self._p.poll(0)
            return (argument & 4) | (ready[0][1] & argument if ready else 0)
        return 0 if request in (1, 4) else -22
