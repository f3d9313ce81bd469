"""What a pack in force says, looked up where its parts lie; nothing but the manifest is in memory."""

from firmware.core import cbor, pack, trust
from firmware.core.certlogic_read import Packed
from firmware.core.errors import CoreError
from firmware.core.hmac256 import sha256
from firmware.core.pack import Manifest
from firmware.core.scene import Scene, parse_scene
from firmware.core.table import Book, Table, key_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any, Protocol

    class Source(Protocol):
        """A part's bytes; `length` of them."""

        length: int

        def read_at(self, offset: int, length: int) -> bytes:
            """So many bytes from there, fewer at the end. Raises OSError."""

        def close(self) -> None:
            """The end of reading."""


class Pack(Manifest):
    """A manifest in force with its parts; `open_part` opens one by length and SHA-256, or raises OSError.

    No lookup raises. One that fails because flash or part are damaged finds nothing and sets the part's bit
    (`1 << kind`) in `damaged`: whoever decides on what was found looks there last, and lets nobody pass.
    Revocations stay open between lookups, as every scan has some; `close` ends that.
    """

    __slots__ = ("_held", "_open_part", "damaged")

    def __init__(self, manifest: Manifest, open_part: "Callable[[int, bytes], Source]") -> None:
        super().__init__(manifest.version, manifest.issued_unix, manifest.expires_unix, manifest.entries)
        self._open_part = open_part
        self._held: "list[tuple[Table, Source] | None]" = [None, None]
        self.damaged = 0

    def close(self) -> None:
        """Close what is open. A later lookup opens it again."""
        for index, held in enumerate(self._held):
            if held is not None:
                self._held[index] = None
                held[1].close()

    def find(self, kid: bytes) -> "list[trust.IssuerKey]":
        """The issuer keys of this kid: none, one, or, as 8 bytes may meet by chance, several."""
        return self._look(pack.KEYS, _keys, kid) or []

    def issuer_keys(self) -> "Iterator[trust.IssuerKey]":
        """All issuer keys, one at a time; no file stays open in between."""
        index = 0
        while True:
            key = self._look(pack.KEYS, _key_at, index)
            if key is None:
                return
            yield key
            index += 1

    def revoked(self, what: int, identity: bytes) -> bool:
        """Whether a subject, code or key (pack.SUBJECT, CODE, KEY) is revoked."""
        key = pack.revocation_key(what, identity)
        changed = self._revocations(pack.REVOCATION_CHANGES, key)
        if changed:
            return changed[-1] != b"\0"
        return bool(self._revocations(pack.REVOCATIONS, key))

    def scene(self, id: str) -> "Scene | None":
        """The scene of this id."""
        scene: "Scene | None" = self._look(pack.SCENES, _scene, id)
        return scene

    def scene_ids(self) -> "list[str]":
        """The scenes' ids in the order of the menu."""
        return [id for _, id in sorted(self._look(pack.SCENES, _ranks, None) or [])]

    def rules(self) -> "Iterator[bytes]":
        """All rule records in their order. To be gone through at once: a file is open meanwhile."""
        entry = self._readable(pack.RULES)
        if entry:
            try:
                source = self._open_part(*entry)
                try:
                    book = Book(source.read_at, source.length)
                    for index in range(book.count):
                        yield book.blob_at(index)
                finally:
                    source.close()
            except (OSError, CoreError):
                self.damaged |= 1 << pack.RULES

    def value_set(self, name: str) -> "Packed | None":
        """A value set as it lies in the pack, for decoded it takes ten times as much; None without one."""
        found: "Packed | None" = self._look(pack.VALUE_SETS, _packed, key_of(name))
        return found

    def text(self, number: int, language: str) -> "tuple[str, str] | None":
        """A reason's text and advice in "zh" or "en"."""
        key = pack.text_key(number, 1 if language == "en" else 0)
        found: "tuple[str, str] | None" = self._look(pack.TEXTS, _text, key)
        return found

    def role(self, sub: bytes) -> int:
        """What the roster says of a subject: pack.STAFF, NEW, RETURNING, or VISITOR of everybody else."""
        found = self._look(pack.ROSTER, _values, key_of(sub))
        return found[-1][0] if found and found[-1] else pack.VISITOR

    def sealing_key(self) -> "tuple[bytes, bytes] | None":
        """The server's key for sealing records, x‖y, and its kid."""
        found: "tuple[bytes, bytes] | None" = self._look(pack.SEALING_KEY, _sealing_key, None)
        return found

    def config(self) -> object:
        """The unit's settings, decoded; None without any."""
        return self._look(pack.CONFIG, _config, None)

    def _revocations(self, kind: int, key: bytes) -> "list[bytes]":
        """The values under a key in REVOCATIONS or REVOCATION_CHANGES."""
        entry = self._readable(kind)
        if entry is None:
            return []
        try:
            held = self._held[kind - pack.REVOCATIONS]
            if held is None:
                source = self._open_part(*entry)
                held = Table(source.read_at, source.length), source
                self._held[kind - pack.REVOCATIONS] = held
            return held[0].find(key)
        except (OSError, CoreError):
            self.damaged |= 1 << kind
            return []

    def _readable(self, kind: int) -> "tuple[int, bytes] | None":
        return None if self.damaged >> kind & 1 else self.part(kind)

    def _look(self, kind: int, look: "Callable[[Source, Any], Any]", argument: "Any") -> "Any":
        """What `look` finds in the part of this kind; None where there is no such part, or it is damaged."""
        entry = self._readable(kind)
        if entry is None:
            return None
        try:
            source = self._open_part(*entry)
            try:
                return look(source, argument)
            finally:
                source.close()
        except (OSError, CoreError):
            self.damaged |= 1 << kind
            return None


class Memory:
    """A part held in memory, for a desk or a test."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.length = len(data)

    def read_at(self, offset: int, length: int) -> bytes:
        """So many bytes from there, fewer at the end."""
        return self._data[offset : offset + length]

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


def _values(source: "Source", key: bytes) -> "list[bytes]":
    return Table(source.read_at, source.length).find(key)


def _blobs(source: "Source", key: bytes) -> "list[bytes]":
    return Book(source.read_at, source.length).blobs(key)


def _keys(source: "Source", kid: bytes) -> "list[trust.IssuerKey]":
    return [trust.parse_issuer_key(blob) for blob in _blobs(source, kid)]


def _key_at(source: "Source", index: int) -> "trust.IssuerKey | None":
    book = Book(source.read_at, source.length)
    return trust.parse_issuer_key(book.blob_at(index)) if index < book.count else None


def _scene(source: "Source", id: str) -> "Scene | None":
    blobs = _blobs(source, key_of(id))
    return parse_scene(blobs[-1]) if blobs else None


def _ranks(source: "Source", _: None) -> "list[tuple[int, str]]":
    book = Book(source.read_at, source.length)
    found = []
    for index in range(book.count):
        scene = parse_scene(book.blob_at(index))
        found.append((scene.rank, scene.id))
    return found


def _packed(source: "Source", key: bytes) -> "Packed | None":
    blobs = _blobs(source, key)
    return Packed(blobs[-1]) if blobs else None


def _text(source: "Source", key: bytes) -> "tuple[str, str] | None":
    blobs = _blobs(source, key)
    if not blobs:
        return None
    try:
        reason, _, advice = blobs[-1].decode().partition("\n")
    except UnicodeError:
        raise pack.PackError(pack.MALFORMED, "text") from None
    return reason, advice


def _sealing_key(source: "Source", _: None) -> "tuple[bytes, bytes]":
    data = source.read_at(0, 73)
    if len(data) != 72:
        raise pack.PackError(pack.MALFORMED, "sealing key")
    return data[:64], data[64:]


def _config(source: "Source", _: None) -> object:
    if source.length > pack.limit_of(pack.CONFIG):
        raise pack.PackError(pack.MALFORMED, "config")
    return cbor.loads(source.read_at(0, source.length))
