"""Packs whose parts are in memory: on a desk, in a test. A handheld reads them from flash."""

from firmware.core import pack, trust
from firmware.core.hmac256 import sha256
from firmware.core.pack import Manifest
from firmware.core.packview import Pack
from firmware.core.table import encode_book

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


class Memory:
    """Bytes that look like an open file."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def seek(self, offset: int) -> int:
        """Go to a byte."""
        self._at = offset
        return offset

    def read(self, length: int) -> bytes:
        """So many bytes from there, fewer at the end."""
        data = self._data[self._at : self._at + length]
        self._at += len(data)
        return data

    def close(self) -> None:
        """Nothing to close."""


def in_memory(manifest: Manifest, parts: "Iterable[bytes]") -> Pack:
    """A pack whose parts are in memory; one that the manifest names and that is not there is damaged."""
    held = {sha256(data): data for data in parts}

    def open_part(length: int, digest: bytes) -> Memory:
        if digest not in held:
            raise OSError(2)
        return Memory(held[digest])

    return Pack(manifest, open_part)


def manifest_of(parts: "Iterable[tuple[int, bytes]]", expires_unix: int = 0xFFFFFFFF) -> Manifest:
    """An unsigned manifest, version 1, over (kind, bytes) parts."""
    entries = [pack.encode_entry(kind, len(data), sha256(data)) for kind, data in parts]
    return Manifest(1, 0, expires_unix, b"".join(entries))


def keys_only(keys: "Iterable[trust.IssuerKey]", expires_unix: int = 0xFFFFFFFF) -> Pack:
    """A pack of issuer keys and nothing else. Raises TrustError for a key that no pack can hold."""
    book = encode_book([(key.kid, trust.encode_issuer_key(key)) for key in keys])
    return in_memory(manifest_of([(pack.KEYS, book)], expires_unix), [book])
