"""``machine.ADC``: methods loaded at their first use."""


def read_u16(self) -> int:
    """0 to 65535 for 0 to 3.1 V."""
    return min(65535, self.read_uv() * 65535 // 3100000)


def read(self) -> int:
    """0 to 4095."""
    return self.read_u16() >> 4


def atten(self, atten: int) -> None:
    """The range is that of 11 dB, always."""
