"""``machine.I2C`` and ``machine.SPI``."""

import struct

import _sim


class I2C:
    """A bus master. NAK is OSError(ENODEV), as on the ESP32."""

    __getattr__ = _sim.rare_method

    def __init__(
        self, id: int = 0, *, scl: object = None, sda: object = None, freq: int = 400000, timeout: int = 50000
    ) -> None:
        self._id = id
        _sim.call(0x84, id, 0, struct.pack("<BBI", _sim.number(sda) & 255, _sim.number(scl) & 255, freq))

    def writeto(self, addr: int, buf: object, stop: bool = True) -> int:
        """Write; the number of acknowledged bytes."""
        return struct.unpack("<H", _sim.call(0x82, self._id, addr | (256 if stop else 0), buf))[0]

    def readfrom(self, addr: int, nbytes: int, stop: bool = True) -> bytes:
        """Read `nbytes`."""
        return _sim.call(0x83, self._id, addr | (256 if stop else 0), struct.pack("<H", nbytes))

    def readfrom_into(self, addr: int, buf: object, stop: bool = True) -> None:
        """Read as many bytes as `buf` holds."""
        buf[:] = self.readfrom(addr, len(buf), stop)

    def _register(self, addr: int, memaddr: int, addrsize: int) -> None:
        self.writeto(addr, memaddr.to_bytes(addrsize // 8, "big"), False)

    def readfrom_mem_into(self, addr: int, memaddr: int, buf: object, *, addrsize: int = 8) -> None:
        """As `readfrom_mem`, into `buf`."""
        self._register(addr, memaddr, addrsize)
        self.readfrom_into(addr, buf)

    def writeto_mem(self, addr: int, memaddr: int, buf: object, *, addrsize: int = 8) -> None:
        """Register write."""
        self.writeto(addr, memaddr.to_bytes(addrsize // 8, "big") + bytes(buf))


class SPI:
    """A bus master; nothing on the simulated board talks back."""

    MSB = 0
    LSB = 1
    CONTROLLER = 0

    __getattr__ = _sim.rare_method

    def __init__(self, id: int = 1, baudrate: int = 1000000, **options: object) -> None:
        self._id = id
        self._options = {"polarity": 0, "phase": 0, "sck": None, "mosi": None, "baudrate": baudrate}
        self.init(**options)

    def init(self, baudrate: int = -1, **options: object) -> None:
        """Set what is given; a baud rate becomes 80 MHz divided by a whole number, never above what was
        asked."""
        o = self._options
        o.update(options)
        if baudrate != -1:
            o["baudrate"] = baudrate
        hz = min(80000000, o["baudrate"])
        o["baudrate"] = 80000000 // ((80000000 + hz - 1) // hz)
        pins = _sim.number(o["sck"]) & 255, _sim.number(o["mosi"]) & 255
        _sim.call(0x85, self._id, 0, struct.pack("<IBBBB", o["baudrate"], o["polarity"], o["phase"], *pins))

    def write(self, buf: object) -> None:
        """Send `buf`."""
        _sim.post(5, self._id, 0, buf)
