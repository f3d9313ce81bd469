"""``machine.I2C``: methods loaded at their first use."""


def writevto(self, addr: int, vector: object, stop: bool = True) -> int:
    """Write several buffers as one."""
    return self.writeto(addr, b"".join(vector), stop)


def readfrom_mem(self, addr: int, memaddr: int, nbytes: int, *, addrsize: int = 8) -> bytes:
    """Register read with a repeated start."""
    self._register(addr, memaddr, addrsize)
    return self.readfrom(addr, nbytes)


def scan(self) -> list:
    """Addresses that acknowledge."""
    found = []
    for addr in range(8, 0x78):
        try:
            self.writeto(addr, b"")
        except OSError:
            continue
        found.append(addr)
    return found


def deinit(self) -> None:
    """Nothing to release."""
