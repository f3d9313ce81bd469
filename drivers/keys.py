"""Three keys to ground with pull-ups: an edge wakes, sampling decides."""

import asyncio

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
_QUEUE_LIMIT = 8


class Keys:
    """The keys no, middle, yes, in this order, on pins that read 0 while pressed."""

    def __init__(self, pins: "tuple[Pin, ...]") -> None:
        self._pins = pins
        self._edge = asyncio.ThreadSafeFlag()
        self._pressed = [False] * len(pins)
        self._queue: "list[int]" = []
        self._filled = asyncio.Event()
        self._task: "asyncio.Task[None] | None" = None
        for pin in pins:
            pin.irq(self._on_edge, pin.IRQ_FALLING | pin.IRQ_RISING)

    def stuck(self) -> bool:
        """Whether a key is down now; at power-on this means that one is jammed or shorted."""
        return any(pin.value() == 0 for pin in self._pins)

    async def next(self) -> int:
        """Wait for the next press: 0 no, 1 middle, 2 yes. A key that is held counts once.

        Presses are sampled from the first call on; eight are kept, later ones are dropped.
        """
        if self._task is None:
            self._task = asyncio.create_task(self._watch())
        while not self._queue:
            self._filled.clear()
            await self._filled.wait()
        return self._queue.pop(0)

    def clear(self) -> None:
        """Forget the presses that nobody has taken."""
        self._queue = []

    def _on_edge(self, pin: object) -> None:
        """In interrupt context: no allocation."""
        self._edge.set()

    async def _watch(self) -> None:
        """Sample from each edge on until every key has kept its level for 25 ms."""
        counts = [0] * len(self._pins)
        while True:
            quiet = 0
            while quiet < _STABLE_SAMPLES:
                quiet += 1
                for key, pin in enumerate(self._pins):
                    if (pin.value() == 0) == self._pressed[key]:
                        counts[key] = 0
                        continue
                    quiet = 0
                    counts[key] += 1
                    if counts[key] >= _STABLE_SAMPLES:
                        counts[key] = 0
                        self._pressed[key] = not self._pressed[key]
                        if self._pressed[key]:
                            self._put(key)
                await asyncio.sleep_ms(_SAMPLE_MS)
            await self._edge.wait()

    def _put(self, key: int) -> None:
        if len(self._queue) < _QUEUE_LIMIT:
            self._queue.append(key)
            self._filled.set()
