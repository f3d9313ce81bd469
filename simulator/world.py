"""The surroundings of the handheld: who stands in front of it, how warm it is, whether Wi-Fi is in reach; and
what happens to it, as a list of events. Every change from outside goes through this object."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from PIL import Image

from simulator import camera
from simulator.clock import Clock
from simulator.devices import st7789

if TYPE_CHECKING:
    from simulator.board import Board
    from simulator.timebase import Handle

KEEP_EVENTS = 20_000
VIEW_S = 20.0
"""A picture that is not read leaves the camera's view after this time."""


class Event(NamedTuple):
    """Something that happened: milliseconds of the simulator's clock, kind, details, and its place in the
    sequence from 1."""

    t_ms: int
    kind: str
    data: dict[str, Any]
    number: int


class World:
    """One handheld's surroundings. All of it must be used from the event loop's thread."""

    def __init__(self, clock: Clock | None = None) -> None:
        self.clock = clock or Clock()
        self.skin_centi_c: int | None = 3420
        """Surface in front of the thermometer; None: nobody is there."""
        self.ambient_centi_c = 2400
        self.battery_mv = 3980
        self.events: deque[Event] = deque(maxlen=KEEP_EVENTS)
        self.last_picture: dict[str, Any] | None = None
        self._count = 0
        self._listeners: list[Callable[[Event], None]] = []
        self._board: Board | None = None
        self._leave: Handle | None = None

    def attach(self, board: Board) -> None:
        """The handheld is put into these surroundings."""
        self._board = board

    @property
    def board(self) -> Board:
        """The handheld's board."""
        assert self._board is not None  # noqa: S101
        return self._board

    # Events

    def note(self, kind: str, data: dict[str, Any]) -> None:
        """Something happened."""
        self._count += 1
        event = Event(self.clock.now_us // 1000, kind, data, self._count)
        self.events.append(event)
        for listener in tuple(self._listeners):
            listener(event)

    @property
    def last_event(self) -> int:
        """Number of the newest event, 0 for none."""
        return self._count

    def listen(self, listener: Callable[[Event], None]) -> Callable[[], None]:
        """Call `listener` at every event until the returned function is called."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def since(self, number: int) -> list[Event]:
        """Events newer than `number` that are still kept."""
        newest = self.last_event - number
        return list(self.events)[-newest:] if newest > 0 else []

    async def wait_for(
        self,
        kind: str,
        timeout_s: float = 10.0,
        *,
        after: int | None = None,
        where: Callable[[Event], bool] | None = None,
    ) -> Event:
        """The first event of a kind after number `after` (default: from now on). Raises TimeoutError."""
        arrived: asyncio.Future[Event] = asyncio.get_running_loop().create_future()

        def listener(event: Event) -> None:
            if event.kind == kind and not arrived.done() and (where is None or where(event)):
                arrived.set_result(event)

        for event in self.since(self.last_event if after is None else after):
            listener(event)
        stop = self.listen(listener)
        try:
            return await asyncio.wait_for(arrived, timeout_s)
        except asyncio.TimeoutError:
            raise TimeoutError(f"no event {kind!r} within {timeout_s} s") from None
        finally:
            stop()

    # Wi-Fi

    @property
    def wifi(self) -> bool:
        """Whether the network is in reach."""
        return self.board.radio.air

    @wifi.setter
    def wifi(self, there: bool) -> None:
        self.board.radio.air = there
        self.note("wifi", {"air": there})

    @property
    def server(self) -> bool:
        """Whether the servers behind the network answer."""
        return self.board.relay.served

    @server.setter
    def server(self, up: bool) -> None:
        self.board.relay.served = up
        self.note("server", {"up": up})

    # Camera

    async def show_picture(self, picture: bytes) -> dict[str, int]:
        """Hold a picture (PNG, JPEG) in front of the module: how many codes were found, and the first one's
        bytes."""
        payloads = await asyncio.to_thread(camera.decode, picture)
        if payloads:
            self.show_text(payloads[0])
        self.last_picture = {"found": len(payloads), "bytes": len(payloads[0]) if payloads else 0}
        self.note("picture", dict(self.last_picture))
        return {"found": len(payloads), "bytes": len(payloads[0]) if payloads else 0}

    def show_text(self, payload: bytes, reads: int = 1) -> None:
        """Hold a code with these bytes in front of the module; it leaves when read, or after `VIEW_S`."""
        if self._leave:
            self._leave.cancel()
        self.board.scanner.show(payload, reads)
        self._leave = self.clock.call_later(VIEW_S, self.board.scanner.hide)

    # Keys

    def press(self, key: str, hold_ms: int = 200, bounce: bool = True) -> None:
        """Push a key ("no", "middle", "yes") and let it go; returns at once."""
        self.board.check_key(key)
        self.board.keys.press(key, hold_ms / 1000, bounce)

    def hold(self, key: str, closed: bool) -> None:
        """Push a key and keep it pushed, or let it go."""
        self.board.check_key(key)
        self.board.keys.hold(key, closed)

    # Faults

    def unplug(self, chip: str) -> None:
        """Take a chip off the board: gm65, mlx90614 or ds3231."""
        self.board.plug(chip, False)
        self.note("fault", {"chip": chip, "state": "unplugged"})

    def plug(self, chip: str) -> None:
        """Put it back."""
        self.board.plug(chip, True)
        self.note("fault", {"chip": chip, "state": "plugged"})

    def i2c_fault(self, chip: str, fault: str | None) -> None:
        """mlx90614: nak, bad_pec, flag, ffff; ds3231: nak; "bus": stuck. None ends it."""
        self.board.set_fault(chip, fault)
        self.note("fault", {"chip": chip, "state": fault or "ok"})

    def uart_noise(self, data: bytes) -> None:
        """Bytes on the scanner's line that the scanner did not send."""
        self.board.uart.line.send(data, self.board.uart.baud or 9600)

    def noise(self, line: str, per_mille: int) -> None:
        """Disturb so many of 1,000 bytes on "uart" or "i2c"; 0 ends it. Raises ValueError."""
        lines = {"uart": self.board.uart.noise, "i2c": self.board.i2c.noise}
        if line not in lines:
            raise ValueError(f"no line {line!r}")
        lines[line].per_mille = per_mille
        self.note("fault", {"line": line, "noise_per_mille": per_mille})

    # What a person sees

    @property
    def led(self) -> tuple[int, int, int]:
        """Brightness of the LED's red, green and blue, 0 to 255."""
        return self.board.led.rgb

    def screenshot(self) -> Image.Image:
        """What the display shows: 240x320, RGB; black with the backlight off."""
        data = self.board.panel_region(0, 0, st7789.WIDTH, st7789.HEIGHT)
        image = Image.new("RGB", (st7789.WIDTH, st7789.HEIGHT))
        image.frombytes(rgb888(data))
        return image


def rgb888(data: bytes) -> bytes:
    """RGB565, high byte first, to three bytes a pixel."""
    out = bytearray(len(data) // 2 * 3)
    high, low = data[0::2], data[1::2]
    out[0::3] = high.translate(_RED)
    out[2::3] = low.translate(_BLUE)
    out[1::3] = bytes(_GREEN[(h & 7) << 3 | b >> 5] for h, b in zip(high, low, strict=True))
    return bytes(out)


_RED = bytes((v >> 3) * 255 // 31 for v in range(256))
_BLUE = bytes((v & 31) * 255 // 31 for v in range(256))
_GREEN = bytes(v * 255 // 63 for v in range(64))
