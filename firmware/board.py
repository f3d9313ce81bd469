"""The reference board: pins, buses and the driver of every chip.

The only file above the drivers that imports `machine`; docs/wiring.md holds the same table for people.
"""

import esp32
import machine
import network

from drivers.battery import Battery
from drivers.buzzer import Buzzer
from drivers.displayio import Display
from drivers.ds3231 import DS3231
from drivers.gm65 import GM65
from drivers.keys import Keys
from drivers.led import Led
from drivers.mlx90614 import Thermometer
from drivers.speaker import BUFFER_BYTES, Speaker
from drivers.st7789 import ST7789
from drivers.vibration import Vibration

#: Longest time without a feed before the watchdog resets the board. A TLS handshake blocks for seconds.
WATCHDOG_MS = 30_000
#: Samples a second of the spoken clips.
VOICE_HZ = 8_000


class Board:
    """A plain record of ready driver objects; nothing here talks to a chip before it is asked to."""

    def __init__(self) -> None:
        pin = machine.Pin
        uart = machine.UART(1, 9600, tx=pin(17), rx=pin(18), rxbuf=4096)
        self.scanner = GM65(uart, power=pin(2, pin.OUT, value=1))
        i2c = machine.I2C(0, sda=pin(8), scl=pin(9), freq=100_000)
        self.thermometer = Thermometer(i2c)
        self.rtc = DS3231(i2c)
        spi = machine.SPI(1, baudrate=40_000_000, sck=pin(12), mosi=pin(11), miso=None)
        self.panel = ST7789(
            spi, pin(10, pin.OUT, value=1), pin(13, pin.OUT), pin(14, pin.OUT, value=1), machine.PWM(pin(21))
        )
        self.display = Display(self.panel)
        self.keys = Keys(tuple(pin(n, pin.IN, pin.PULL_UP) for n in (4, 5, 6)))
        self.buzzer = Buzzer(machine.PWM(pin(7)))
        self.led = Led(machine.PWM(pin(38)), machine.PWM(pin(39)), machine.PWM(pin(40)))
        self.vibration = Vibration(pin(41, pin.OUT, value=0))
        self.speaker = Speaker(self._start_i2s, pin(47, pin.OUT, value=0))
        self.battery = Battery(machine.ADC(pin(1), atten=machine.ADC.ATTN_11DB))
        self.nvs = esp32.NVS("yima")
        #: The journal's partition, see docs/wiring.md and firmware/services/ring.py.
        self.journal = esp32.Partition.find(esp32.Partition.TYPE_DATA, label="journal")[0]
        self.wlan = network.WLAN(network.WLAN.IF_STA)
        self.chip_id = machine.unique_id()

    def _start_i2s(self) -> machine.I2S:
        """The loudspeaker's bus, for one clip."""
        pin = machine.Pin
        return machine.I2S(
            0,
            sck=pin(15),
            ws=pin(16),
            sd=pin(42),
            mode=machine.I2S.TX,
            bits=16,
            format=machine.I2S.MONO,
            rate=VOICE_HZ,
            ibuf=BUFFER_BYTES,
        )

    def start_watchdog(self) -> machine.WDT:
        """Start the watchdog; on this chip it cannot be stopped again."""
        return machine.WDT(timeout=WATCHDOG_MS)

    def set_system_time(self, calendar: "tuple[int, int, int, int, int, int, int, int]") -> None:
        """Set the chip's own clock, which TLS checks certificates against.

        `calendar` is (year, month, day, weekday, hours, minutes, seconds, subseconds) in UTC.
        """
        machine.RTC().datetime(calendar)

    def restart(self) -> None:
        """Reset the board."""
        machine.reset()
