"""What the authority has revoked: subjects, codes and keys, and how that reaches handhelds in small parts.

``revocations.log`` has one line per change, appended and synced: time, ``+`` or ``-``, kind, identity in hex.
A crash can leave half a line at its end, which counts for nothing and is cut off by the next change.

Handhelds hold a *base*, a sorted table, and the *changes* since it. The base is written anew only when the
changes would grow beyond CHANGES_LIMIT: a day's revocations cost every handheld a few hundred bytes.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from firmware.core import pack, table
from host_tools.files import FileTrouble, locked, read_limited, stamp, write_private

LOG_FILE = "revocations.log"
KINDS = {"subject": pack.SUBJECT, "code": pack.CODE, "key": pack.KEY}
#: Bytes of what is revoked: sub, cti, kid.
SIZES = {"subject": 16, "code": 8, "key": 8}
CHANGES_LIMIT = 4_096
#: Entries that fit into the base at 8 bytes each.
LIMIT = (pack.limit_of(pack.REVOCATIONS) - table.HEADER_BYTES) // table.KEY_BYTES
LOG_LIMIT_BYTES = 64 * 1_048_576
ADDED, REMOVED = b"\x01", b"\x00"


@dataclass(frozen=True)
class Revoked:
    """A revoked subject, code or key."""

    kind: str
    identity: bytes

    @property
    def key(self) -> bytes:
        """Its key in the tables."""
        return pack.revocation_key(KINDS[self.kind], self.identity)


def parse(kind: str, text: str) -> Revoked:
    """`text` in hex as an identity of `kind`. Raises FileTrouble."""
    try:
        identity = bytes.fromhex(text)
    except ValueError as e:
        raise FileTrouble(f"a {kind} is revoked by {2 * SIZES[kind]} hex digits") from e
    if len(identity) != SIZES[kind]:
        raise FileTrouble(f"a {kind} is revoked by {2 * SIZES[kind]} hex digits")
    return Revoked(kind, identity)


class Revocations:
    """The log in `folder`, and the two parts made of it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._log = folder / LOG_FILE
        self._base_file = folder / "revocations.base"
        self._stamp: tuple[int, int, int] | None = None
        self._revoked: dict[Revoked, int] = {}

    def all(self) -> dict[Revoked, int]:
        """What is revoked now, and since when. Raises FileTrouble."""
        self._read()
        return dict(self._revoked)

    def add(self, wanted: list[Revoked], now_unix: int) -> int:
        """Revoke; how many were not revoked before. Raises FileTrouble where the table is full."""
        with locked(self._folder):
            self._read()
            new = [revoked for revoked in dict.fromkeys(wanted) if revoked not in self._revoked]
            if len(self._revoked) + len(new) > LIMIT:
                raise FileTrouble(f"the pack has room for {LIMIT} revocations")
            self._append("+", new, now_unix)
        return len(new)

    def remove(self, wanted: list[Revoked], now_unix: int) -> int:
        """Take back; how many of them were revoked."""
        with locked(self._folder):
            self._read()
            gone = [revoked for revoked in dict.fromkeys(wanted) if revoked in self._revoked]
            self._append("-", gone, now_unix)
        return len(gone)

    def parts(self) -> dict[int, bytes]:
        """The base and, where there are any, the changes since it, by kind of part. Call under a lock."""
        now = {revoked.key for revoked in self.all()}
        base = self._base()
        then = set(_keys(base))
        added, removed = now - then, then - now
        if len(added) + len(removed) > CHANGES_LIMIT:
            base = table.encode_table([(key, b"") for key in now], 0)
            write_private(self._base_file, base)
            return {pack.REVOCATIONS: base}
        parts = {pack.REVOCATIONS: base}
        if added or removed:
            rows = [(key, ADDED) for key in added] + [(key, REMOVED) for key in removed]
            parts[pack.REVOCATION_CHANGES] = table.encode_table(rows, 1)
        return parts

    def _base(self) -> bytes:
        if self._base_file.exists():
            return read_limited(self._base_file, pack.limit_of(pack.REVOCATIONS))
        return table.encode_table([], 0)

    def _append(self, sign: str, changed: list[Revoked], now_unix: int) -> None:
        if not changed:
            return
        lines = "".join(f"{now_unix} {sign} {r.kind} {r.identity.hex()}\n" for r in changed)
        new = not self._log.exists()
        with os.fdopen(os.open(self._log, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), "r+b") as file:
            # What a crash left half-written goes.
            file.seek(_whole(read_limited(self._log, LOG_LIMIT_BYTES)))
            file.truncate()
            file.write(lines.encode())
            file.flush()
            os.fsync(file.fileno())
        if new:
            _sync_folder(self._folder)
        self._read()

    def _read(self) -> None:
        """Bring what we know up to what the log says."""
        if not self._log.exists():
            self._revoked = {}
            return
        seen = stamp(self._log)
        if seen == self._stamp:
            return
        content = read_limited(self._log, LOG_LIMIT_BYTES)
        revoked: dict[Revoked, int] = {}
        for number, line in enumerate(content[: _whole(content)].decode("ascii", "replace").splitlines(), 1):
            try:
                when, sign, kind, identity = line.split(" ")
                entry = Revoked(kind, bytes.fromhex(identity))
                if kind not in KINDS or sign not in ("+", "-"):
                    raise ValueError("kind")
                if sign == "+":
                    revoked[entry] = int(when)
                else:
                    revoked.pop(entry, None)
            except ValueError as e:
                raise FileTrouble(f"{self._log}: line {number} cannot be read") from e
        self._revoked = revoked
        self._stamp = seen


def _whole(content: bytes) -> int:
    """How many bytes of the log are whole lines."""
    return content.rfind(b"\n") + 1


def _keys(base: bytes) -> list[bytes]:
    """The keys of a base table."""
    start, size = table.HEADER_BYTES, table.KEY_BYTES
    return [base[at : at + size] for at in range(start, len(base), size)]


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
