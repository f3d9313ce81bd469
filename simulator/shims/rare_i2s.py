"""``machine.I2S``: loaded at its first use.

DMA is a count here: of the bytes that fit into it, which the board's side of the bus adds to as it sends
them.
"""

import io
import struct

import _sim

_MP_STREAM_POLL = 3
_POLL_WR = 4
_FRAMES = 256  # of one DMA buffer


class I2S(io.IOBase):
    """A transmitter. Writes block until something has polled the object: from then on they take what fits."""

    RX, TX = 1, 2
    MONO, STEREO = 0, 1

    def __init__(
        self,
        id: int,
        *,
        sck: object,
        ws: object,
        sd: object,
        mck: object = None,
        mode: int,
        bits: int,
        format: int,
        rate: int,
        ibuf: int,
    ) -> None:
        if not 0 <= id <= 1:
            raise ValueError("invalid id")
        if mode != I2S.TX:
            raise ValueError("invalid mode")
        if bits not in (16, 32):
            raise ValueError("invalid bits")
        if format not in (I2S.MONO, I2S.STEREO):
            raise ValueError("invalid format")
        if ibuf <= 0:
            raise ValueError("invalid ibuf")
        self._id = id
        self._frame = bits // 8 * (format + 1)
        self._polled = False
        buffers = max(2, ibuf // (_FRAMES * self._frame))
        _sim.room[0] = buffers * _FRAMES * self._frame
        pins = [_sim.number(pin) & 255 for pin in (sck, ws, sd)]
        _sim.call(0x92, id, 0, struct.pack("<BBBBBI", *pins, bits, format, rate))

    def write(self, buf: object) -> int:
        """Send; how many bytes were taken."""
        if self._id < 0:
            raise OSError(22)
        size = len(buf)
        if self._polled:
            size = min(size, _sim.room[0] // self._frame * self._frame)
        sent = 0
        while sent < size:
            count = min(size - sent, _sim.room[0])
            if count:
                _sim.room[0] -= count
                _sim.post(0x10, self._id, 0, memoryview(buf)[sent : sent + count])
                sent += count
            else:
                _sim.pump(-1)
        return size

    def ioctl(self, request: int, argument: int) -> int:
        """What poll and asyncio ask of a stream. Room comes with the events; asyncio waits for them, too."""
        if request == _MP_STREAM_POLL:
            self._polled = True
            return argument & _POLL_WR if self._id >= 0 and _sim.room[0] >= self._frame else 0
        return 0 if request in (1, 4) else -22

    def irq(self, handler: object) -> None:
        """Not modelled."""
        raise OSError(22)

    def deinit(self) -> None:
        """Stop."""
        if self._id >= 0:
            _sim.post(0x11, self._id)
            self._id = -1
