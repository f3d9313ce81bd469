"""``machine.UART``: methods loaded at their first use."""

import _sim


def deinit(self) -> None:
    """Stop receiving."""
    _sim.post(0x0C, self._id)


def readline(self, n: int = -1) -> object:
    """A line, or what there is of it, or None."""
    waiting = self.any()
    if not waiting:
        return None
    end = self._s.recv(waiting, _sim.native_socket.MSG_PEEK).find(b"\n")
    return self._take(end + 1 if end >= 0 else waiting)


def flush(self) -> None:
    """Wait until the last byte has left."""
    _sim.call(0x88, self._id)


def txdone(self) -> bool:
    """Whether the last byte has left; it has when this returns."""
    self.flush()
    return True


def irq(self, handler: object = None, trigger: int = 0, hard: bool = False) -> object:
    """Call `handler` when received bytes pause; other triggers act alike."""
    if handler is None:
        _sim.uarts.pop(self._id, None)
    else:
        _sim.uarts[self._id] = (handler, self)
