"""The board: chips on their buses and pins, and the messages by which the interpreter drives them."""

from __future__ import annotations

import errno
import json
import struct
import zlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from simulator import protocol as p
from simulator import wiring
from simulator.devices import ds3231, mlx90614
from simulator.devices.battery import Battery
from simulator.devices.buzzer import Buzzer
from simulator.devices.ds3231 import DS3231
from simulator.devices.gm65 import GM65
from simulator.devices.keys import Keys
from simulator.devices.led import Led
from simulator.devices.mlx90614 import MLX90614
from simulator.devices.st7789 import ST7789
from simulator.devices.vibration import Vibration
from simulator.nvs import Nvs, NvsError
from simulator.ports import BusError, I2CBus, UartPort
from simulator.radio import Radio
from simulator.relay import Relay
from simulator.sound import I2SPort
from simulator.timebase import Handle
from simulator.trace import Trace
from simulator.wear import Wear
from simulator.wires import Wires

if TYPE_CHECKING:
    from simulator.world import World

Answer = bytes | None | Awaitable[bytes]


class Session(Protocol):
    """The interpreter that runs on the board at the moment."""

    def event(self, kind: int, unit: int, value: int) -> None:
        """Send an event."""

    def serial(self, unit: int, data: bytes) -> None:
        """Hand over received bytes."""

    def restart(self, cause: int) -> None:
        """Kill it and start anew."""


def chip_id_of(name: str) -> bytes:
    """The 6 bytes burnt into the chip of a profile: another chip for each name."""
    return b"\x7c\xdf\xa1" + zlib.crc32(name.encode()).to_bytes(4, "big")[:3]


class Board:
    """One board in one profile. `panel_drawn` and `panel_changed` may be set to follow the display."""

    def __init__(self, world: World, profile: Path) -> None:
        time = world.clock
        self.time = time
        self._world = world
        self._profile = profile
        self.session: Session | None = None
        self.panel_drawn: Callable[[int, int, int, int], None] | None = None
        self.panel_changed: Callable[[], None] | None = None
        self.chip_id = chip_id_of(profile.name)
        self._levels: dict[int, int] = {}
        self._inputs: dict[int, int] = {}
        self._timers: dict[int, Handle] = {}
        self._watchdog: Handle | None = None
        self._watchdog_s = 0.0
        self._cut_at = 0
        self.clock_difference_s = 0
        self.trace = Trace()
        self._plugged = {"gm65": True, "mlx90614": True, "ds3231": True}

        self.uart = UartPort(time, self._to_scanner, world.note)
        self._zones_file = zones = profile / "scanner.bin"
        self.scanner = GM65(
            time,
            self._from_scanner,
            world.note,
            saved=zones.read_bytes() if zones.exists() else None,
            on_save=self._save_zones,
        )
        self.i2c = I2CBus()
        self.thermometer = MLX90614(time, self._temperatures)
        self._rtc_file = profile / "rtc.json"
        stored = json.loads(self._rtc_file.read_text("utf-8")) if self._rtc_file.exists() else {}
        self.clock = DS3231(**stored, now=time.unix, on_change=self.save_clock)
        self.panel = ST7789(self._drawn, self._changed)
        self.keys = Keys(time, self._contact)
        self.buzzer = Buzzer(world.note)
        self.led = Led(world.note)
        self.vibration = Vibration(world.note)
        self.i2s = I2SPort(time, world.note, self._i2s_sent, profile / "rom.img")
        self.battery = Battery(
            lambda: world.battery_mv, lambda: self.scanner.scanning, divider=wiring.BATTERY_DIVIDER
        )
        self.backlight = 0
        self.nvs = Nvs(profile / "nvs.json")
        self.wear = Wear(profile)
        self.relay = Relay()
        time.slow.append(lambda: self.relay.busy)
        self.radio = Radio(time, self._link)
        self.wires = Wires(self)
        for chip in self._plugged:
            self.plug(chip, True)
        self._operations: dict[int, Callable[[int, int, bytes], Answer]] = {
            p.PIN_OUT: self._pin_out,
            p.PIN_IN: self._pin_in,
            p.PWM: self._pwm,
            **self.wires.operations(),
            **self.i2s.operations(),
            p.ADC: self._adc,
            p.WDT_START: self._watchdog_start,
            p.WDT_FEED: lambda unit, aux, data: self._watchdog_feed(),
            p.TIMER: self._timer,
            p.RTC_SET: self._rtc_set,
            p.NVS: lambda unit, aux, data: self.nvs.handle(unit, data),
            p.WLAN: lambda unit, aux, data: self.radio.handle(unit, aux, data),
            p.ADDRESS: self._address,
            p.FLASH_ERASE: self._erased,
        }

    # Messages

    def handle(self, operation: int, unit: int, aux: int, data: bytes) -> Answer:
        """Do what a message asks. Raises OSError with the number that the firmware shall see."""
        action = self._operations.get(operation)
        if action is None:
            raise OSError(errno.EINVAL)
        try:
            return action(unit, aux, data)
        except (BusError, NvsError) as e:
            raise OSError(e.number, "") from e

    def _pin_out(self, pin: int, level: int, data: bytes) -> None:
        self._inputs.pop(pin, None)
        self._levels[pin] = level
        self._apply(pin, level)

    def _apply(self, pin: int, level: int) -> None:
        if pin == wiring.PANEL_CS:
            self.panel.select(level == 0)
        elif pin == wiring.PANEL_DC:
            self.panel.data_command(level != 0)
        elif pin == wiring.PANEL_RESET:
            self.panel.reset_pin(level != 0)
        elif pin == wiring.SCANNER_POWER:
            self._scanner_supply()
        elif pin == wiring.VIBRATION:
            self.vibration.drive(level != 0)
        elif pin == wiring.AMPLIFIER:
            self.i2s.enable(level != 0)
        elif pin in (wiring.BUZZER, wiring.PANEL_BACKLIGHT, *wiring.LED):
            self._drive(pin, 0, 65536 if level else 0)

    def _pin_in(self, pin: int, pull: int, data: bytes) -> bytes:
        self._inputs[pin] = pull
        return bytes((self._input_level(pin),))

    def _input_level(self, pin: int) -> int:
        for key, number in wiring.KEYS.items():
            if number == pin and self.keys.closed(key):
                return 0
        return 1 if self._inputs.get(pin) == 2 else 0  # open: the pull-up, or nothing that could hold it up

    def _contact(self, key: str, closed: bool) -> None:
        pin = wiring.KEYS[key]
        self._world.note("key", {"key": key, "closed": closed})
        if pin in self._inputs and self.session:
            self.session.event(p.EV_LEVEL, pin, self._input_level(pin))

    def check_key(self, key: str) -> None:
        """Raises ValueError for a key that is not there."""
        if key not in wiring.KEYS:
            raise ValueError(f"no key {key!r}")

    def _pwm(self, pin: int, aux: int, data: bytes) -> None:
        hz, duty = struct.unpack("<II", data)
        self._drive(pin, hz, duty if hz else 0)

    def _drive(self, pin: int, hz: int, duty: int) -> None:
        if pin == wiring.BUZZER:
            self.buzzer.drive(hz, duty)
        elif pin in wiring.LED:
            self.led.drive(wiring.LED[pin], duty)
        elif pin == wiring.VIBRATION:
            self.vibration.drive(duty > 0)
        elif pin == wiring.PANEL_BACKLIGHT:
            level = min(100, (duty * 100 + 32768) // 65536)
            if level != self.backlight:
                self.backlight = level
                self._world.note("backlight", {"percent": level})
                self._changed()

    def _drawn(self, x: int, y: int, w: int, h: int) -> None:
        self._world.note("frame", {"x": x, "y": y, "w": w, "h": h})
        if self.panel_drawn:
            self.panel_drawn(x, y, w, h)

    def _changed(self) -> None:
        if self.panel_changed:
            self.panel_changed()

    @property
    def spi_bytes(self) -> int:
        """Bytes that went to the display since the simulator's start."""
        return self.wires.spi_bytes

    def data_selected(self) -> bool:
        """Whether the D/C line of the display says data."""
        return bool(self._levels.get(wiring.PANEL_DC))

    def panel_region(self, x: int, y: int, w: int, h: int) -> bytes:
        """What a person sees there, RGB565 high byte first; black without backlight."""
        return self.panel.region(x, y, w, h) if self.backlight else bytes(w * h * 2)

    def _to_scanner(self, data: bytes, baud: int) -> None:
        if self._plugged["gm65"]:
            self.scanner.receive(data, baud)

    def _from_scanner(self, data: bytes, baud: int, done: Callable[[], None] | None) -> None:
        if self._plugged["gm65"]:
            self.uart.line.send(data, baud, done)

    def _save_zones(self, zones: bytes) -> None:
        self._zones_file.write_bytes(zones)

    def _i2s_sent(self, unit: int, count: int) -> None:
        if self.session:
            self.session.event(p.EV_I2S_SENT, unit, count)

    def _scanner_supply(self) -> None:
        self.scanner.power(self._plugged["gm65"] and bool(self._levels.get(wiring.SCANNER_POWER)))

    def _erased(self, unit: int, sector: int, data: bytes) -> bytes:
        return bytes((self.wear.erased(unit, sector),))

    def _adc(self, pin: int, aux: int, data: bytes) -> bytes:
        return struct.pack("<I", self.battery.microvolts() if pin == wiring.BATTERY else 0)

    def _temperatures(self) -> tuple[int, int]:
        skin, ambient = self._world.skin_centi_c, self._world.ambient_centi_c
        return (ambient if skin is None else skin), ambient

    def _watchdog_start(self, unit: int, aux: int, data: bytes) -> bytes:
        self._watchdog_s = struct.unpack("<I", data)[0] / 1000
        self._watchdog_feed()
        return b""

    def _watchdog_feed(self) -> None:
        if self._watchdog:
            self._watchdog.cancel()
        if self._watchdog_s:
            self._watchdog = self.time.call_later(self._watchdog_s, self._bite)

    def _bite(self) -> None:
        if self.session:
            self.session.restart(p.WDT_RESET)

    def _timer(self, unit: int, generation: int, data: bytes) -> None:
        old = self._timers.pop(generation, None)
        if old:
            old.cancel()
        period_ms, periodic = struct.unpack("<IB", data)
        if period_ms:
            self._timers[generation] = self.time.call_later(
                period_ms / 1000, self._timer_due, unit, generation, period_ms, periodic
            )

    def _timer_due(self, unit: int, generation: int, period_ms: int, periodic: int) -> None:
        del self._timers[generation]
        if self.session:
            self.session.event(p.EV_TIMER, unit, generation)
            if periodic:
                self._timer(unit, generation, struct.pack("<IB", period_ms, 1))

    def _rtc_set(self, unit: int, aux: int, data: bytes) -> None:
        self.clock_difference_s = struct.unpack("<q", data)[0]

    async def _relayed(self, host: str, port: int) -> bytes:
        return struct.pack("<H", await self.relay.port(host, port))

    def _address(self, unit: int, port: int, data: bytes) -> Awaitable[bytes]:
        if not self.radio.up:
            raise OSError(-202, "")
        return self._relayed(data.decode("utf-8", "replace"), port)

    def _link(self, up: bool) -> None:
        self.relay.link(up)
        self._world.note("link", {"up": up})

    # Life

    def reset(self) -> None:
        """The chip restarts: its peripherals and pins are as after power-on, the other chips keep their
        power."""
        for handle in (*self._timers.values(), self._watchdog):
            if handle:
                handle.cancel()
        self._timers.clear()
        self._watchdog = None
        self._watchdog_s = 0.0
        self._inputs.clear()
        self._levels.clear()
        self.wires.spi_ready = False
        self.uart.stop()
        self.i2c.wired = False
        self._scanner_supply()  # its switch is a pin
        for pin in (wiring.BUZZER, wiring.PANEL_BACKLIGHT, *wiring.LED):
            self._drive(pin, 0, 0)
        self.vibration.drive(False)
        self.i2s.reset()
        self.relay.close()
        self.radio.reset()
        self.nvs.reload()

    def power_off(self) -> None:
        """The battery is out: everything volatile is gone. The clock has its own cell."""
        self.reset()
        self.wear.save()
        self.panel.power_off()
        self.clock_difference_s = 0

    def plug(self, chip: str, there: bool) -> None:
        """Put a chip on the board or take it off. Raises ValueError."""
        if chip not in self._plugged:
            raise ValueError(f"no chip {chip!r} to unplug")
        self._plugged[chip] = there
        if chip == "gm65":
            if not there:
                self.uart.line.clear()
            self._scanner_supply()
        elif chip == "mlx90614":
            self.thermometer.power()
            self._attach(mlx90614.ADDRESS, self.thermometer, there)
        else:
            self._attach(ds3231.ADDRESS, self.clock, there)

    def _attach(self, address: int, chip: Any, there: bool) -> None:
        if there:
            self.i2c.chips[address] = chip
        else:
            self.i2c.chips.pop(address, None)

    def set_fault(self, chip: str, fault: str | None) -> None:
        """Make a chip misbehave; see `World.i2c_fault`. Raises ValueError."""
        allowed = {"mlx90614": ("nak", "bad_pec", "flag", "ffff"), "ds3231": ("nak",), "bus": ("stuck",)}
        if chip not in allowed or fault not in (None, *allowed[chip]):
            raise ValueError(f"no fault {fault!r} of {chip!r}")
        if chip == "mlx90614":
            self.thermometer.fault = fault
        elif chip == "ds3231":
            self.clock.fault = fault
        else:
            self.i2c.stuck = fault is not None

    def plugged(self, chip: str) -> bool:
        """Whether a chip is on the board."""
        return self._plugged[chip]

    def save_clock(self) -> None:
        """Keep the battery-backed clock's state in the profile."""
        clock = self.clock
        state = {"offset_s": clock.offset_s, "stopped": clock.stopped, "drift_ppm": clock.drift_ppm}
        self._rtc_file.write_text(json.dumps(state), "utf-8")
