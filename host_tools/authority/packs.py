"""The authority's pack: keys, revocations, scenes, rules and the rest, in a manifest signed by the root.

Parts are files named by their SHA-256; the manifest names them. It is signed anew, with the next version,
when a part has changed or when it has grown old; the lock of the folder keeps commands and a running
authority apart. A version is written down before it is used, so none is used twice.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from firmware.core import cose, pack, table
from firmware.core.errors import CoreError
from firmware.core.trust import IssuerKey, encode_issuer_key
from host_tools import clockpage, pki
from host_tools.authority import content
from host_tools.authority.eu_rules import Compiled
from host_tools.authority.keys import DAY_S, ROLES, Keys
from host_tools.authority.revocations import LOG_FILE, Revocations, Revoked
from host_tools.authority.trust import Certificates
from host_tools.files import FileTrouble, locked, read_limited, stamp, write_private
from host_tools.packfile import PackTrouble, open_manifest

#: A handheld that hears nothing for this long says that it cannot decide.
LIFE_S = 7 * DAY_S
#: A pack older than this is signed anew, so that what handhelds hold is rarely near its end.
RENEW_S = DAY_S // 2
#: Files of the folder that go into packs.
INPUTS = (
    LOG_FILE,
    content.RULES_FILE,
    content.INTERVALS_FILE,
    content.ROSTER_FILE,
    content.SEALING_FILE,
    content.CONFIG_FILE,
)
#: Parts that no manifest names any more stay for who is still fetching them.
KEPT_PARTS_S = DAY_S


class UnknownRoot(PackTrouble):
    """Somebody pins a root that was never this authority's."""


@dataclass(frozen=True)
class Issued:
    """A signed manifest, opened."""

    data: bytes
    manifest: pack.Manifest

    @property
    def version(self) -> int:
        """Only goes up."""
        return self.manifest.version


class PackBook:
    """The pack and what goes into it, in `folder`."""

    def __init__(self, folder: Path, keys: Keys, certificates: Certificates) -> None:
        self._folder = folder
        self._keys = keys
        self._certificates = certificates
        self._manifest_file = folder / "manifest.cose"
        self._version_file = folder / "version"
        self._parts_folder = folder / "parts"
        self.revocations = Revocations(folder)
        self._seen: object = None
        self._issued: Issued | None = None
        self._wrapped: dict[bytes, bytes] = {}

    def current(self, now_unix: int) -> Issued:
        """The pack as it stands, signed anew where that is due. Raises PackTrouble, FileTrouble."""
        with locked(self._folder):
            seen = self._inputs(now_unix)
            if self._issued and seen == self._seen and self._fresh(self._issued, now_unix):
                return self._issued
            parts = self._collect(now_unix)
            issued = self._on_disk()
            if issued is None or not self._fresh(issued, now_unix) or not _lists(issued.manifest, parts):
                issued = self._sign(parts, now_unix)
            self._seen, self._issued, self._wrapped = seen, issued, {}
            return issued

    def manifest(self, now_unix: int, root_kid: bytes | None = None) -> bytes:
        """The manifest for who pins the root of this kid, the one in force by default.

        Who pins an earlier one gets it wrapped in that root's word for the one in force. Raises UnknownRoot.
        """
        issued = self.current(now_unix)
        roots = self._keys.roots
        if root_kid is None or root_kid == roots[-1].kid:
            return issued.data
        for old in roots[:-1]:
            if old.kid == root_kid:
                if root_kid not in self._wrapped:
                    sign = pki.signer(self._keys.root_private(old))
                    self._wrapped[root_kid] = pack.encode_rotation(issued.data, roots[-1].key, old.key, sign)
                return self._wrapped[root_kid]
        raise UnknownRoot("this root was never this authority's")

    def part(self, digest: bytes) -> bytes | None:
        """The part of this SHA-256; None where there is none."""
        path = self._parts_folder / digest.hex()
        try:
            return read_limited(path, pack.MAX_PACKAGE)
        except FileTrouble:
            if path.exists():
                raise
            return None

    def package(self, now_unix: int, kinds: set[int] | None = None) -> bytes:
        """The pack as one file, with all its parts or those of `kinds`. Raises PackTrouble if it is too long.

        Once the root has changed the manifest is wrapped: holders of the root before and of this one take it.
        """
        issued = self.current(now_unix)
        roots = self._keys.roots
        data = self.manifest(now_unix, roots[-2].kid if len(roots) > 1 else None)
        parts = [
            self.part(digest) or b""
            for kind, _, digest in issued.manifest.parts()
            if kinds is None or kind in kinds
        ]
        try:
            return pack.encode_package(data, parts)
        except CoreError as e:
            raise PackTrouble(f"the package cannot be made: {e}") from e

    # What goes into it -----------------------------------------------------------------------------------

    def withdraw_key(self, kid: bytes, now_unix: int) -> None:
        """Stop an issuer key at once: out of the keys, into the revocations. Raises PackTrouble."""
        own = [*self._keys.trusted(now_unix), *self._keys.withdrawn]
        if kid not in {entry.kid for entry in own} | {entry.kid for entry in self._certificates.entries()}:
            raise PackTrouble("no key of this kid is trusted")
        self.revocations.add([Revoked("key", kid)], now_unix)
        self._keys.withdraw(kid, now_unix)

    def keep_roster(self, csv_file: Path) -> int:
        """Take the roster of a CSV file; how many people are in it. Raises FileTrouble."""
        with locked(self._folder):
            return content.keep_roster(
                self._folder, read_limited(csv_file, content.ROSTER_LIMIT_BYTES), str(csv_file)
            )

    def keep_pin(self, keys: str) -> None:
        """Have handhelds ask for this PIN, six of the keys 1, 2 and 3. Raises FileTrouble."""
        with locked(self._folder):
            content.keep_pin(self._folder, keys)

    def keep_sealing_key(self, public: bytes) -> None:
        """Take the key x‖y that handhelds shall seal their journals for."""
        path = self._folder / content.SEALING_FILE
        with locked(self._folder):
            if not path.exists() or read_limited(path, 1_024) != public.hex().encode():
                write_private(path, public.hex().encode())

    def keep_rules(self, rules: Compiled, value_sets: dict[str, list[str]]) -> None:
        """Take rules in place of the notice's. Raises FileTrouble."""
        with locked(self._folder):
            content.keep_rules(self._folder, rules, value_sets)

    def keep_intervals(self, days: Sequence[int]) -> None:
        """Take other days between tests of the key groups into the notice's rules."""
        with locked(self._folder):
            content.keep_intervals(self._folder, days)

    def keep_default_rules(self) -> None:
        """The notice's rules again."""
        with locked(self._folder):
            (self._folder / content.RULES_FILE).unlink(missing_ok=True)

    def issuer_keys(self, now_unix: int) -> list[IssuerKey]:
        """Own and imported keys that are not withdrawn."""
        own = [
            IssuerKey(
                entry.kid,
                cose.ES256,
                entry.key,
                ROLES[entry.label].name,
                entry.not_before_unix,
                entry.not_after_unix,
                list(ROLES[entry.label].kinds),
            )
            for entry in self._keys.trusted(now_unix)
        ]
        gone = {revoked.identity for revoked in self.revocations.all() if revoked.kind == "key"}
        return [key for key in own + self._certificates.entries() if key.kid not in gone]

    def _collect(self, now_unix: int) -> dict[int, bytes]:
        """Every part by its kind. Raises PackTrouble where one is beyond its limit."""
        parts: dict[int, bytes | None] = {
            pack.KEYS: table.encode_book(
                (key.kid, encode_issuer_key(key)) for key in self.issuer_keys(now_unix)
            ),
            **self.revocations.parts(),
            pack.SCENES: content.scenes_part(),
            **content.rules_parts(self._folder),
            pack.ROSTER: content.roster_part(self._folder),
            pack.SEALING_KEY: content.sealing_part(self._folder),
            pack.CONFIG: content.config_part(self._folder),
        }
        found = {kind: data for kind, data in sorted(parts.items()) if data is not None}
        for kind, data in found.items():
            if len(data) > pack.limit_of(kind):
                raise PackTrouble(f"part {kind} has {len(data)} bytes, {pack.limit_of(kind)} are allowed")
        return found

    def _inputs(self, now_unix: int) -> object:
        """Differs whenever what goes into the pack may differ."""
        files = [self._folder / name for name in INPUTS] + self._certificates.files()
        return (
            [(entry.kid, entry.not_after_unix) for entry in self._keys.trusted(now_unix)],
            self._keys.root_kid,
            [(path.name, stamp(path)) for path in files],
        )

    # Signing ---------------------------------------------------------------------------------------------

    @staticmethod
    def _fresh(issued: Issued, now_unix: int) -> bool:
        return 0 <= now_unix - issued.manifest.issued_unix < RENEW_S

    def _on_disk(self) -> Issued | None:
        """The manifest that was signed last, None where the root in force did not sign it."""
        if not self._manifest_file.exists():
            return None
        data = read_limited(self._manifest_file)
        try:
            opened = open_manifest(data, self._keys.root_public)
        except PackTrouble:
            return None
        if any(self.part(digest) is None for _, _, digest in opened.manifest.parts()):
            return None
        return Issued(data, opened.manifest)

    def _sign(self, parts: dict[int, bytes], now_unix: int) -> Issued:
        for data in parts.values():
            path = self._parts_folder / hashlib.sha256(data).hexdigest()
            if not path.exists():
                write_private(path, data)
        version = self._last_version() + 1
        # A crash from here on costs a version number, nothing else.
        write_private(self._version_file, b"%d" % version)
        try:
            data = pack.encode_manifest(
                version,
                now_unix,
                now_unix + LIFE_S,
                parts.items(),
                self._keys.root_public,
                pki.signer(self._keys.root),
            )
        except CoreError as e:
            raise PackTrouble(f"the pack cannot be made: {e}") from e
        write_private(self._manifest_file, data)
        issued = Issued(data, open_manifest(data, self._keys.root_public).manifest)
        self._sweep({digest.hex() for _, _, digest in issued.manifest.parts()})
        return issued

    def _last_version(self) -> int:
        """The version that was given out last."""
        return int(read_limited(self._version_file, 32)) if self._version_file.exists() else 0

    def _sweep(self, named: set[str]) -> None:
        """Remove parts that nobody fetches any more."""
        oldest_s = clockpage.now() - KEPT_PARTS_S
        for path in self._parts_folder.iterdir():
            if path.name not in named and path.stat().st_mtime < oldest_s:
                path.unlink(missing_ok=True)


def _lists(manifest: pack.Manifest, parts: dict[int, bytes]) -> bool:
    """Whether `manifest` lists exactly these parts."""
    return list(manifest.parts()) == [
        (kind, len(data), hashlib.sha256(data).digest()) for kind, data in parts.items()
    ]
