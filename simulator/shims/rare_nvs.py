"""``esp32.NVS``: methods loaded at their first use."""

import struct


def set_i32(self, key: str, value: int) -> None:
    """Store a signed 32-bit integer."""
    if not -0x80000000 <= value <= 0x7FFFFFFF:
        raise OverflowError
    self._call(0, key, b"i", struct.pack("<i", value))


def get_i32(self, key: str) -> int:
    """Read it; OSError if there is none."""
    return struct.unpack("<i", self._call(1, key, b"i"))[0]
