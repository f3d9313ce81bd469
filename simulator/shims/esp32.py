"""``esp32.NVS``: small values outside the file system. Errors carry the ESP-IDF's numbers."""

import _sim


def __getattr__(name: str) -> object:
    return getattr(_sim.rare("esp32"), name)


class NVS:
    """One namespace. Values are safe after `commit`; keys have at most 15 characters."""

    __getattr__ = _sim.rare_method

    def __init__(self, namespace: str) -> None:
        self._namespace = self._name(namespace)

    def _name(self, key: str) -> bytes:
        name = key.encode()
        if not 0 < len(name) <= 15:
            raise OSError(-0x1109)
        return name

    def _call(self, operation: int, key: str, kind: bytes, value: bytes = b"") -> bytes:
        return _sim.call(0x8C, operation, 0, self._namespace + b"\0" + self._name(key) + b"\0" + kind + value)

    def set_blob(self, key: str, value: object) -> None:
        """Store bytes."""
        self._call(0, key, b"b", bytes(value))

    def get_blob(self, key: str, buffer: object) -> int:
        """Read into `buffer`; the length. OSError if there is none or the buffer is too small."""
        value = self._call(1, key, b"b")
        if len(value) > len(buffer):
            raise OSError(-0x110C)
        buffer[: len(value)] = value
        return len(value)

    def erase_key(self, key: str) -> None:
        """Remove a value; OSError if there is none."""
        self._call(2, key, b"")

    def commit(self) -> None:
        """Make what was set last."""
        _sim.call(0x8C, 3)
