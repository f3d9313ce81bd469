"""Three keys to ground with pull-ups: sampling decides, and of a tap that nobody sampled its edges do."""

import asyncio
import time

if False:
    from typing import Callable, Protocol

    class Pin(Protocol):
        """What the driver needs of machine.Pin."""

        @property
        def IRQ_FALLING(self) -> int: ...  # noqa: D102

        @property
        def IRQ_RISING(self) -> int: ...  # noqa: D102

        def value(self) -> int: ...  # noqa: D102

        def irq(self, handler: "Callable[[object], None]", trigger: int) -> object: ...  # noqa: D102


NO = 0
MIDDLE = 1
YES = 2

_SAMPLE_MS = 5
#: A level counts after so many equal samples: 25 ms.
_STABLE_SAMPLES = 5
#: A level that begins and ends while nobody samples counts after so long. An interrupt may be as late as the
#: longest piece of native code takes, 20 ms, and a glitch shall not grow to a tap by that.
_TAP_MS = 40
_QUEUE_LIMIT = 8


class Keys:
    """The keys no, middle, yes, in this order, on pins that read 0 while pressed."""

    def __init__(self, pins: "tuple[Pin, ...]") -> None:
        self._pins = pins
        self._edge = asyncio.ThreadSafeFlag()
        self._pressed = [False] * len(pins)
        self._counts = [0] * len(pins)
        self._queue: "list[int]" = []
        self._filled = asyncio.Event()
        self._task: "asyncio.Task[None] | None" = None
        # By key: the level at its last edge, and when that was. What ended after 40 ms: twice the key, and 1
        # where that was a press.
        self._levels = [1] * len(pins)
        self._since_ms = [time.ticks_ms()] * len(pins)
        self._ended: "list[int]" = []
        for key, pin in enumerate(pins):
            pin.irq(self._handler(key, pin), pin.IRQ_FALLING | pin.IRQ_RISING)

    def stuck(self) -> bool:
        """Whether a key is down now; at power-on this means that one is jammed or shorted."""
        return any(pin.value() == 0 for pin in self._pins)

    async def next(self) -> int:
        """Wait for the next press: 0 no, 1 middle, 2 yes. A key that is held counts once.

        Presses are sampled from the first call on; eight are kept, later ones are dropped.
        """
        if self._task is None:
            self._ended = []
            self._task = asyncio.create_task(self._watch())
        while not self._queue:
            self._filled.clear()
            await self._filled.wait()
        return self._queue.pop(0)

    def clear(self) -> None:
        """Forget the presses that nobody has taken."""
        self._settle()
        self._queue = []

    def _handler(self, key: int, pin: "Pin") -> "Callable[[object], None]":
        """What runs at each edge of a pin: between two bytecodes, so it only notes what `_settle` reads."""

        def on_edge(_: object) -> None:
            level = pin.value()
            if level != self._levels[key]:
                now_ms = time.ticks_ms()
                if (
                    time.ticks_diff(now_ms, self._since_ms[key]) >= _TAP_MS
                    and len(self._ended) < 2 * _QUEUE_LIMIT
                ):
                    self._ended.append(2 * key + level)
                self._levels[key] = level
                self._since_ms[key] = now_ms
            self._edge.set()

        return on_edge

    def _settle(self) -> None:
        """Count what began and ended since the last sample."""
        while self._ended:
            ended = self._ended.pop(0)
            self._now(ended >> 1, ended & 1 == 1)

    async def _watch(self) -> None:
        """Sample from each edge on until every key has kept its level for 25 ms."""
        counts = self._counts
        while True:
            quiet = 0
            while quiet < _STABLE_SAMPLES:
                quiet += 1
                self._settle()
                for key, pin in enumerate(self._pins):
                    if (pin.value() == 0) == self._pressed[key]:
                        counts[key] = 0
                        continue
                    quiet = 0
                    counts[key] += 1
                    if counts[key] >= _STABLE_SAMPLES:
                        self._now(key, not self._pressed[key])
                await asyncio.sleep_ms(_SAMPLE_MS)
            await self._edge.wait()

    def _now(self, key: int, pressed: bool) -> None:
        """A key is pressed, or is not, for certain."""
        if pressed and not self._pressed[key] and len(self._queue) < _QUEUE_LIMIT:
            self._queue.append(key)
            self._filled.set()
        self._pressed[key] = pressed
        self._counts[key] = 0
