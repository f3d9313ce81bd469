"""Loudspeaker behind a class D amplifier with I2S input (MAX98357A), driven in the background.

The amplifier is off between two clips: its pin SD_MODE is low, so that neither hiss nor current remains.
While a clip runs, I2S empties its buffer by itself, and sends silence when nobody fills it in time.
"""

import asyncio

if False:
    from typing import Callable, Protocol

    class Pin(Protocol):
        """What the driver needs of machine.Pin."""

        def value(self, __x: int) -> None: ...  # noqa: D102

    class I2S(Protocol):
        """What the driver needs of machine.I2S in TX mode."""

        def write(self, __buf: "bytes | bytearray | memoryview") -> int: ...  # noqa: D102

        def deinit(self) -> None: ...  # noqa: D102


#: Filled in one go: 128 samples, 16 ms at 8 kHz.
BLOCK_BYTES = 256
#: Of I2S: what is not yet heard when the last block is handed over, 128 ms at 8 kHz.
BUFFER_BYTES = 2_048
_TAIL_MS = 150


class Speaker:
    """Plays one thing after the other; the amplifier is on only meanwhile."""

    def __init__(self, start: "Callable[[], I2S]", enable: "Pin") -> None:
        """`start` opens I2S with a buffer of `BUFFER_BYTES`, and may raise OSError; `enable` is SD_MODE."""
        self._start = start
        self._enable = enable
        self._i2s: "I2S | None" = None
        self._task: "asyncio.Task[None] | None" = None
        enable.value(0)

    def play(self, fill: "Callable[[bytearray], int]", after_ms: int = 0) -> None:
        """Play what `fill` puts into blocks of `BLOCK_BYTES` until it answers 0, in place of what plays.

        Returns at once; begins after `after_ms`. Needs a running event loop.
        """
        self.stop()
        self._task = asyncio.create_task(self._play(fill, after_ms))

    def stop(self) -> None:
        """Silence, at once."""
        if self._task is not None:
            self._task.cancel()
            self._task = None
        self._close()

    def _close(self) -> None:
        self._enable.value(0)
        if self._i2s is not None:
            self._i2s.deinit()
            self._i2s = None

    async def _play(self, fill: "Callable[[bytearray], int]", after_ms: int) -> None:
        await asyncio.sleep_ms(after_ms)
        try:
            block = bytearray(BLOCK_BYTES)
            self._i2s = i2s = self._start()
            writer = asyncio.StreamWriter(i2s, {})
            self._enable.value(1)
            while True:
                size = fill(block)
                if not size:
                    break
                # Waits for room before each write; `write` would not wait the first time.
                writer.out_buf = memoryview(block)[:size]  # type: ignore[attr-defined]
                await writer.drain()
            await asyncio.sleep_ms(_TAIL_MS)
        except (OSError, MemoryError) as e:
            # Speech is an extra: the screen and the buzzer have said it already.
            print("speaker:", e)
        self._close()
        self._task = None
