"""The authority's keys: one root that signs packs, issuers that sign codes; all locked by a passphrase.

``ring.json`` lists them with their public halves and times, oldest first; the private halves lie in files of
their own beside it. A running authority notices when a command changes the ring.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec

from firmware.core.trust import kid_of_key
from host_tools import pki
from host_tools.authority.locked_key import Passphrases, find_passphrases, load_key, load_or_create_key
from host_tools.files import FileTrouble, locked, read_limited, stamp, write_private

#: The authority's name inside codes: the ISO 3166-2 code of its province keeps the picture small.
ISSUER = "CN-FJ"
#: A neighbour whose keys are not in the pack: its codes are "issuer unknown".
NEIGHBOUR = "CN-GD"
KIND_LIVE = 1
KIND_PRINTED = 2
KIND_EU = 3
KIND_PLACE = 4
DAY_S = 86_400
#: An issuer key counts from before it was made, because the town shows papers printed some days ago.
BACKDATE_S = 7 * DAY_S
VALID_DAYS = 365
RING_FILE = "ring.json"


@dataclass(frozen=True)
class Role:
    """What the issuers of a label are called, what they may sign, and for how long the last code of a key
    that was replaced can still be shown."""

    name: str
    kinds: tuple[int, ...]
    overlap_s: int


ROLES = {
    "live": Role(ISSUER, (KIND_LIVE,), 2 * DAY_S),
    "printed": Role(ISSUER, (KIND_PRINTED,), 91 * DAY_S),
    "place": Role(ISSUER, (KIND_PLACE,), VALID_DAYS * DAY_S),
    "neighbour": Role(NEIGHBOUR, (KIND_LIVE, KIND_PRINTED), 0),
}
#: The labels whose keys go into packs.
TRUSTED = ("live", "printed", "place")


@dataclass(frozen=True)
class Entry:
    """A key of the ring; `label` is "root" or one of ROLES, `public` x‖y in hex."""

    label: str
    file: str
    public: str
    not_before_unix: int
    not_after_unix: int
    withdrawn_unix: int | None = None

    @property
    def key(self) -> bytes:
        """x‖y."""
        return bytes.fromhex(self.public)

    @property
    def kid(self) -> bytes:
        """The 8 bytes that name this key."""
        return kid_of_key(self.key)


@dataclass(frozen=True)
class Issuer:
    """One signing key: what it may sign (`kinds`) and when (`not_before_unix` to `not_after_unix`)."""

    name: str
    key: ec.EllipticCurvePrivateKey
    kinds: tuple[int, ...]
    not_before_unix: int
    not_after_unix: int

    @property
    def public(self) -> bytes:
        """x‖y."""
        return pki.public_bytes(self.key.public_key())

    @property
    def kid(self) -> bytes:
        """The 8 bytes that a code names its key by."""
        return kid_of_key(self.public)


class Keys:
    """All keys in one folder, made on first use; files are readable by their owner only.

    `live` signs codes on phones, `printed` those on paper, `place` the codes on walls: a stolen printing key
    forges no live code. Raises FileTrouble where a key cannot be opened.
    """

    def __init__(self, folder: Path, now_unix: int, passphrases: Passphrases | None = None) -> None:
        self._folder = folder
        self._ring_file = folder / RING_FILE
        self._stamp: tuple[int, int, int] | None = None
        self._ring: list[Entry] = []
        self._private: dict[str, ec.EllipticCurvePrivateKey] = {}
        with locked(folder):
            self._passphrases = passphrases or find_passphrases(folder)
            self._read()
            self._complete(now_unix)
            self._lock_all()

    @property
    def passphrases(self) -> Passphrases:
        """What locks the keys; for the stand-in of a foreign issuer, whose key lies in the same folder."""
        return self._passphrases

    @property
    def root(self) -> ec.EllipticCurvePrivateKey:
        """The key that signs packs."""
        return self._open(self.roots[-1])

    @property
    def root_public(self) -> bytes:
        """The root key that handhelds and servers pin, x‖y."""
        return self.roots[-1].key

    @property
    def root_kid(self) -> bytes:
        """The root key's kid, in the header of what it signs."""
        return self.roots[-1].kid

    @property
    def roots(self) -> list[Entry]:
        """All roots there ever were, the one in force last."""
        return [entry for entry in self._current() if entry.label == "root"]

    def root_private(self, entry: Entry) -> ec.EllipticCurvePrivateKey:
        """The private half of one of `roots`: earlier ones vouch for the one in force."""
        return self._open(entry)

    @property
    def live(self) -> Issuer:
        """Signs codes on phones."""
        return self._issuer("live")

    @property
    def printed(self) -> Issuer:
        """Signs codes on paper."""
        return self._issuer("printed")

    @property
    def place(self) -> Issuer:
        """Signs the codes on walls and in buses that set a handheld's place and scene."""
        return self._issuer("place")

    @property
    def neighbour(self) -> Issuer:
        """Signs what this authority's handhelds do not trust."""
        return self._issuer("neighbour")

    def trusted(self, now_unix: int) -> list[Entry]:
        """The authority's own issuer keys that codes may still be signed with or shown from."""
        return [
            entry
            for entry in self._current()
            if entry.label in TRUSTED and entry.withdrawn_unix is None and entry.not_after_unix > now_unix
        ]

    @property
    def withdrawn(self) -> list[Entry]:
        """Own issuer keys that were withdrawn."""
        return [entry for entry in self._current() if entry.withdrawn_unix is not None]

    def rotate_issuer(self, label: str, now_unix: int) -> Issuer:
        """A new key for `label`; codes of the old one count until the last of them has expired."""
        if label not in ROLES:
            raise FileTrouble(f"no issuer is called {label}: {', '.join(ROLES)}")
        with locked(self._folder):
            self._read()
            until = now_unix + ROLES[label].overlap_s
            self._ring = [
                replace(entry, not_after_unix=min(entry.not_after_unix, until))
                if entry.label == label
                else entry
                for entry in self._ring
            ]
            self._add(label, now_unix)
            self._write()
        return self._issuer(label)

    def withdraw(self, kid: bytes, now_unix: int) -> bool:
        """Stop an own issuer key at once, with a new one in its place if it was in use; False for others."""
        with locked(self._folder):
            self._read()
            found = [e for e in self._ring if e.kid == kid and e.label in ROLES and e.withdrawn_unix is None]
            if not found:
                return False
            self._ring = [replace(e, withdrawn_unix=now_unix) if e in found else e for e in self._ring]
            self._complete(now_unix)
            self._write()
        return True

    def rotate_root(self, now_unix: int) -> bytes:
        """A new root key, x‖y. Packs for who pins an earlier one are wrapped in a message signed by that."""
        with locked(self._folder):
            self._read()
            self._add("root", now_unix)
            self._write()
        return self.root_public

    # The ring --------------------------------------------------------------------------------------------

    def _issuer(self, label: str) -> Issuer:
        entry = [e for e in self._current() if e.label == label and e.withdrawn_unix is None][-1]
        role = ROLES[label]
        return Issuer(role.name, self._open(entry), role.kinds, entry.not_before_unix, entry.not_after_unix)

    def _open(self, entry: Entry) -> ec.EllipticCurvePrivateKey:
        key = self._private.get(entry.file)
        if key is None:
            path = self._folder / entry.file
            key = load_key(path, self._passphrases)
            if pki.public_bytes(key.public_key()) != entry.key:
                raise FileTrouble(f"{path}: not the key that {RING_FILE} knows")
            self._private[entry.file] = key
        return key

    def _current(self) -> list[Entry]:
        """The ring, read again where another process has changed it."""
        if self._stamp != stamp(self._ring_file):
            self._read()
        return self._ring

    def _read(self) -> None:
        self._stamp = stamp(self._ring_file)
        self._ring = []
        if self._stamp is None:
            return
        try:
            listed = json.loads(read_limited(self._ring_file))
            self._ring = [Entry(**fields) for fields in listed]
            if not isinstance(listed, list) or any(len(entry.key) != 64 for entry in self._ring):
                raise ValueError("key")
        except (ValueError, TypeError, RecursionError) as e:
            raise FileTrouble(f"{self._ring_file}: not a list of keys") from e

    def _write(self) -> None:
        write_private(
            self._ring_file, json.dumps([asdict(entry) for entry in self._ring], indent=1).encode() + b"\n"
        )
        self._stamp = stamp(self._ring_file)
        # Others read the root's public half from here; a crash before this line is mended at the next start.
        self._publish_root()

    def _publish_root(self) -> None:
        public = self._ring_roots()[-1].public.encode()
        path = self._folder / "root.pub"
        if not path.exists() or read_limited(path) != public:
            write_private(path, public)

    def _ring_roots(self) -> list[Entry]:
        return [entry for entry in self._ring if entry.label == "root"]

    def _complete(self, now_unix: int) -> None:
        """Have a root, and a key in use for every label."""
        in_use = {entry.label for entry in self._ring if entry.withdrawn_unix is None}
        missing = [label for label in ("root", *ROLES) if label not in in_use]
        for label in missing:
            self._add(label, now_unix)
        if missing:
            self._write()
        else:
            self._publish_root()

    def _add(self, label: str, now_unix: int) -> None:
        """A new key for `label`; the first one takes over a file of earlier versions."""
        count = sum(entry.label == label for entry in self._ring)
        stem = label if label == "root" else f"issuer-{label}"
        name = f"{stem}.key" if count == 0 else f"{stem}.{count + 1}.key"
        key = load_or_create_key(self._folder / name, self._passphrases)
        self._private[name] = key
        since = self._folder / f"{stem}.since"
        made_unix = now_unix - BACKDATE_S
        if count == 0 and since.exists():
            made_unix = int(read_limited(since, 32))
        self._ring.append(
            Entry(
                label,
                name,
                pki.public_bytes(key.public_key()).hex(),
                made_unix,
                made_unix + BACKDATE_S + VALID_DAYS * DAY_S,
            )
        )

    def _lock_all(self) -> None:
        """Open every key once: what an earlier version or passphrase left is locked anew."""
        for entry in self._ring:
            self._open(entry)
        for path in self._folder.rglob("*.key"):
            if b"PRIVATE KEY-----" in read_limited(path, 16_384):
                load_key(path, self._passphrases)
        if self._passphrases.obsolete:
            self._passphrases.obsolete.unlink(missing_ok=True)
