"""What a pack in force says, looked up where its parts lie; nothing but the manifest is in memory."""

from firmware.core import cbor, pack, trust
from firmware.core.certlogic_read import Packed
from firmware.core.errors import CoreError
from firmware.core.pack import Manifest
from firmware.core.scene import Scene, parse_scene
from firmware.core.table import KEY_BYTES, Table, key_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from firmware.core.table import File


class Pack(Manifest):
    """A manifest in force with its parts; `open_part` opens one by length and SHA-256, or raises OSError.

    No lookup raises. One that fails because flash or part are damaged finds nothing and sets the part's bit
    (`1 << kind`) in `damaged`: whoever decides on what was found looks there last, and lets nobody pass.
    Revocations stay open between lookups, as every scan has some; `close` ends that. The issuer keys found
    last stay in memory, as nearly everybody's code is signed with the same one.
    """

    __slots__ = ("_held", "_kid", "_open_part", "_recent", "damaged")

    def __init__(self, manifest: Manifest, open_part: "Callable[[int, bytes], File]") -> None:
        super().__init__(manifest.version, manifest.issued_unix, manifest.expires_unix, manifest.entries)
        self._open_part = open_part
        self._held: "dict[int, Table]" = {}
        self._kid = b""
        self._recent: "list[trust.IssuerKey]" = []
        self.damaged = 0

    def close(self) -> None:
        """Close what is open. A later lookup opens it again."""
        for kind in list(self._held):
            self._held.pop(kind).file.close()

    def find(self, kid: bytes) -> "list[trust.IssuerKey]":
        """The issuer keys of this kid: none, one, or, as 8 bytes may meet by chance, several."""
        # A kid of another length is a stranger's; no key has it, and the table is none the worse for it.
        if len(kid) != KEY_BYTES:
            return []
        if kid == self._kid and not self.damaged >> pack.KEYS & 1:
            return self._recent
        found = self._look(pack.KEYS, kid, trust.parse_issuer_key)
        if found:  # a stranger's code does not drive out the key that the next one needs
            self._kid, self._recent = kid, found
        return found

    def issuer_keys(self) -> "Iterator[trust.IssuerKey]":
        """All issuer keys, one at a time; no file stays open in between."""
        index = 0
        while True:
            found = self._look(pack.KEYS, index, trust.parse_issuer_key)
            if not found:
                return
            yield found[0]
            index += 1

    def revoked(self, what: int, identity: bytes) -> bool:
        """Whether a subject, code or key (pack.SUBJECT, CODE, KEY) is revoked."""
        key = pack.revocation_key(what, identity)
        changed = self._look(pack.REVOCATION_CHANGES, key, None)
        if changed:
            return bool(changed[-1] != b"\0")
        return bool(self._look(pack.REVOCATIONS, key, None))

    def scene(self, id: str) -> "Scene | None":
        """The scene of this id."""
        found = self._look(pack.SCENES, key_of(id), parse_scene)
        return found[-1] if found else None

    def scene_ids(self) -> "list[str]":
        """The scenes' ids in the order of the menu."""
        ranks: "list[tuple[int, str]]" = []
        while True:
            found = self._look(pack.SCENES, len(ranks), parse_scene)
            if not found:
                return [id for _, id in sorted(ranks)]
            ranks.append((found[0].rank, found[0].id))

    def rules(self) -> "Iterator[bytes]":
        """All rule records in their order. To be gone through at once: a file is open meanwhile."""
        entry = self.part(pack.RULES)
        if entry and not self.damaged >> pack.RULES & 1:
            try:
                file = self._open_part(*entry)
                try:
                    table = Table(file, entry[0])
                    for index in range(table.count):
                        yield table.blob(table.record(index)[8:])
                finally:
                    file.close()
            except (OSError, CoreError):
                self.damaged |= 1 << pack.RULES

    def value_set(self, name: str) -> "Packed | None":
        """A value set as it lies in the pack, for decoded it takes ten times as much; None without one."""
        found = self._look(pack.VALUE_SETS, key_of(name), Packed)
        return found[-1] if found else None

    def text(self, number: int, language: str) -> "tuple[str, str] | None":
        """A reason's text and advice in "zh" or "en"."""
        found = self._look(pack.TEXTS, pack.text_key(number, 1 if language == "en" else 0), bytes.decode)
        if not found:
            return None
        reason, _, advice = found[-1].partition("\n")
        return reason, advice

    def role(self, sub: bytes) -> int:
        """What the roster says of a subject: pack.STAFF, NEW, RETURNING, or VISITOR of everybody else."""
        found = self._look(pack.ROSTER, key_of(sub), None)
        return found[-1][0] if found and found[-1] else pack.VISITOR

    def sealing_key(self) -> "tuple[bytes, bytes] | None":
        """The server's key for sealing records, x‖y, and its kid."""
        found = self._look(pack.SEALING_KEY, None, None)
        return (found[0][:64], found[0][64:]) if found and len(found[0]) == 72 else None

    def config(self) -> object:
        """The unit's settings, decoded; None without any."""
        found = self._look(pack.CONFIG, None, cbor.loads)
        return found[0] if found else None

    def _look(
        self, kind: int, key: "bytes | int | None", parse: "Callable[[bytes], Any] | None"
    ) -> "list[Any]":
        """What stands in the part of a kind under a key, at a record's number, or (None) in all of it.

        With `parse` the part is a book, or no table at all, and its blobs are parsed.
        """
        found: "list[Any]" = []
        entry = self.part(kind)
        if entry is None or self.damaged >> kind & 1:
            return found
        file = None
        try:
            table = self._held.get(kind)
            if table is None:
                file = self._open_part(*entry)
                if key is None:
                    data = file.read(min(entry[0], pack.limit_of(pack.CONFIG)))
                    return [parse(data) if parse else data]
                table = Table(file, entry[0])
                if kind == pack.REVOCATIONS or kind == pack.REVOCATION_CHANGES:
                    self._held[kind] = table
                    file = None
            if isinstance(key, bytes):
                values = table.find(key)
            elif key is not None and key < table.count:
                values = [table.record(key)[8:]]
            else:
                values = []
            for value in values:
                found.append(parse(table.blob(value)) if parse else value)
        except (OSError, CoreError, ValueError):
            # ValueError: text that is not UTF-8, a file that was closed meanwhile
            self.damaged |= 1 << kind
            found = []
        finally:
            if file is not None:
                file.close()
        return found
