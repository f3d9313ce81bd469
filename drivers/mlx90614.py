"""Infrared thermometer MLX90614: Adafruit's library over a bus adapter that checks what the library does not.

The library reads two bytes and trusts them. The chip sends a third, the PEC: CRC-8 (polynomial 0x07, start 0)
over every byte of the transfer with both address bytes, and it marks a measurement that it does not stand by
with bit 15 (Melexis MLX90614 data sheet rev 13, chapter 8.4). Keep 0.2 s between reads: a busy clock line
disturbs the sensor.
"""

import errno
import time

from adafruit_mlx90614 import MLX90614

if False:
    from typing import Protocol

    class I2C(Protocol):
        """What the driver needs of machine.I2C, at 100 kHz or less."""

        def readfrom_mem_into(self, __addr: int, __memaddr: int, __buf: bytearray) -> None: ...  # noqa: D102


#: Kinds of `ThermometerError`.
NAK = "no answer"
PEC = "wrong checksum"
FLAG = "error flag"
RANGE = "impossible value"

_ADDRESS = 0x5A
_AMBIENT = 0x06
#: These registers hold temperatures, where bit 15 says "error"; in others it is data.
_TEMPERATURES = (0x06, 0x07, 0x08)
_TRIES = 3
_PAUSE_MS = 10
#: The range of the chip's linearised output, raw 0x27AD to 0x7FFF.
_MIN_CENTI_C = -7001
_MAX_CENTI_C = 38219


class ThermometerError(OSError):
    """The thermometer gave nothing that can be used; `kind` says why."""

    def __init__(self, kind: str) -> None:
        super().__init__(errno.EIO, kind)
        self.kind = kind

    def __str__(self) -> str:
        """In plain words."""
        return "thermometer: " + self.kind


def crc8(data: "bytes | bytearray") -> int:
    """The packet error code of SMBus: polynomial 0x07, start 0, most significant bit first."""
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc << 1 ^ 0x07) & 0xFF if crc & 0x80 else crc << 1
    return crc


class SmbusI2C:
    """A machine.I2C as the `busio.I2C` of Adafruit's libraries, for word reads over SMBus and nothing else.

    Raises ThermometerError of kind NAK, PEC or FLAG after three tries 10 ms apart.
    """

    def __init__(self, i2c: "I2C") -> None:
        self._i2c = i2c
        self._locked = False
        #: Address byte, command, address byte, low byte, high byte, PEC.
        self._packet = bytearray(6)
        self._word = bytearray(3)

    def try_lock(self) -> bool:
        """Take the lock, unless it is taken."""
        if self._locked:
            return False
        self._locked = True
        return True

    def unlock(self) -> None:
        """Give the lock back."""
        self._locked = False

    def writeto(self, address: int, buffer: bytes, *, start: int = 0, end: "int | None" = None) -> None:
        """Look whether the chip is there: the library's probe, an empty write, which this chip does not know.

        A word is read instead. Other writes are refused with ENOTSUP: the field never writes its EEPROM.
        """
        if len(buffer[start:end]):
            raise OSError(errno.EOPNOTSUPP)
        try:
            self._read_word(address, _AMBIENT)
        except ThermometerError as e:
            # A chip that answers wrongly is there; the read that follows says what is wrong.
            if e.kind == NAK:
                raise

    def readfrom_into(
        self, address: int, buffer: bytearray, *, start: int = 0, end: "int | None" = None
    ) -> None:
        """The library's second probe; the chip has no read without a command."""
        raise OSError(errno.ENODEV)

    def writeto_then_readfrom(
        self,
        address: int,
        out_buffer: bytes,
        in_buffer: bytearray,
        *,
        out_start: int = 0,
        out_end: "int | None" = None,
        in_start: int = 0,
        in_end: "int | None" = None,
    ) -> None:
        """Read Word: the command is the first byte out, two bytes come in."""
        word = self._read_word(address, out_buffer[out_start])
        in_buffer[in_start : in_start + 2] = word[:2]

    def _read_word(self, address: int, register: int) -> bytearray:
        """The checked low and high byte of a register, and the PEC."""
        kind = NAK
        for count in range(_TRIES):
            if count:
                time.sleep_ms(_PAUSE_MS)
            try:
                # Command and repeated start in one transfer, as the chip asks for.
                self._i2c.readfrom_mem_into(address, register, self._word)
            except OSError:
                kind = NAK
                continue
            packet = self._packet
            packet[0] = address << 1
            packet[1] = register
            packet[2] = address << 1 | 1
            packet[3:6] = self._word
            # With its PEC at the end the whole packet's checksum is 0.
            if crc8(packet):
                kind = PEC
            elif register in _TEMPERATURES and self._word[1] & 0x80:
                kind = FLAG
            else:
                return self._word
        raise ThermometerError(kind)


class Thermometer:
    """The MLX90614 on `i2c`. It may be absent, and come back: each call tries anew."""

    def __init__(self, i2c: "I2C") -> None:
        self._bus = SmbusI2C(i2c)
        self._sensor: "MLX90614 | None" = None

    def probe(self) -> None:
        """Raise ThermometerError unless the chip answers with a plausible value."""
        self.read_centi_c()

    def read_centi_c(self) -> "tuple[int, int]":
        """Object and ambient temperature in hundredths of a degree Celsius; takes 2 ms, 45 ms if it fails.

        Raises ThermometerError.
        """
        if self._sensor is None:
            try:
                self._sensor = MLX90614(self._bus, _ADDRESS)
            except ValueError:
                raise ThermometerError(NAK) from None
        ambient = self._centi_c(self._sensor.ambient_temperature)
        return self._centi_c(self._sensor.object_temperature), ambient

    def _centi_c(self, celsius: float) -> int:
        centi_c = round(celsius * 100)
        if not _MIN_CENTI_C <= centi_c <= _MAX_CENTI_C:
            raise ThermometerError(RANGE)
        return centi_c
