"""``machine.SPI``: methods loaded at their first use."""


def read(self, nbytes: int, write: int = 0) -> bytes:
    """No chip answers: zeros."""
    return bytes(nbytes)


def readinto(self, buf: object, write: int = 0) -> None:
    """No chip answers: zeros."""
    buf[:] = bytes(len(buf))


def write_readinto(self, write_buf: object, read_buf: object) -> None:
    """Send; no chip answers."""
    self.write(write_buf)
    self.readinto(read_buf)


def deinit(self) -> None:
    """Nothing to release."""
