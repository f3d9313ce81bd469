"""Non-volatile storage of the chip (``esp32.NVS``), in a file of the profile. What was not committed is
lost."""

from __future__ import annotations

import json
import os
from pathlib import Path

from simulator import protocol as p

NOT_FOUND, TYPE_MISMATCH, NO_SPACE = -0x1102, -0x1103, -0x1105
MAX_BYTES = 20_000
"""About what the 24 KiB partition holds."""


class NvsError(Exception):
    """An error with the ESP-IDF's number."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class Nvs:
    """Namespaces of keys with ``i`` (32-bit integer) or ``b`` (bytes) values."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._values: dict[str, str] = {}
        self.reload()

    def reload(self) -> None:
        """Back to what was committed, as after a reset."""
        self._values = json.loads(self._path.read_text("utf-8")) if self._path.exists() else {}

    def handle(self, operation: int, data: bytes) -> bytes:
        """One message of the bridge: ``namespace 0 key 0 kind value``. Raises NvsError."""
        if operation == p.COMMIT_NVS:
            self._commit()
            return b""
        namespace, key, rest = data.split(b"\0", 2)
        name = f"{namespace.decode('latin-1')}/{key.decode('latin-1')}"
        kind, value = rest[:1].decode("latin-1"), rest[1:]
        if operation == p.WRITE_NVS:
            self._values[name] = kind + value.hex()
            if sum(len(v) // 2 + 32 for v in self._values.values()) > MAX_BYTES:
                del self._values[name]
                raise NvsError(NO_SPACE)
            return b""
        stored = self._values.get(name)
        if stored is None:
            raise NvsError(NOT_FOUND)
        if operation == p.ERASE_NVS:
            del self._values[name]
            return b""
        if stored[0] != kind:
            raise NvsError(NOT_FOUND)
        return bytes.fromhex(stored[1:])

    def _commit(self) -> None:
        new = self._path.with_suffix(".new")
        with new.open("w", encoding="utf-8") as f:
            json.dump(self._values, f, indent=1, sort_keys=True)
            f.flush()
            os.fsync(f.fileno())
        new.replace(self._path)
