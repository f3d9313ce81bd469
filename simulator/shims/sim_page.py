"""The simulator's clock, for an interpreter into whose memory nothing can be mapped: read anew each time."""

import struct


class Page:
    """The cells of host_tools/clockpage.py."""

    def __init__(self, path: str) -> None:
        self._file = open(path, "rb")
        self._cell = bytearray(8)

    def __getitem__(self, index: int) -> int:
        """The value of one cell."""
        self._file.seek(8 * index)
        self._file.readinto(self._cell)
        return struct.unpack("=q", self._cell)[0]
