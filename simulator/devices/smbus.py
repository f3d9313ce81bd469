"""What a chip on the I2C bus looks like to the bus, and the packet error code of SMBus."""

from __future__ import annotations

from typing import Protocol


def pec(data: bytes) -> int:
    """CRC-8, polynomial 07, start 0, over every byte of a transfer including both address bytes."""
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc << 1 ^ 0x107 if crc & 0x80 else crc << 1
    return crc & 0xFF


class I2CChip(Protocol):
    """A slave. None and 0 stand for "not acknowledged"."""

    def write(self, data: bytes, stop: bool, frequency: int) -> int | None:
        """Bytes after the address; how many were acknowledged, None if the address was not."""

    def read(self, count: int, stop: bool, frequency: int) -> bytes | None:
        """Answer a read, None if the address was not acknowledged."""
