"""The pack in force; a new one takes its place only as a whole, and only if it is newer.

    FOLDER/manifest        the manifest in force
    FOLDER/manifest.new    a good manifest whose parts are still coming
    FOLDER/XXXX...         parts, see packfiles.py

Parts come first, each under a name made of its hash, while the old pack stays in force. Then one rename puts
the new manifest in force; then root key and version go to the settings, which the next start makes good where
the power failed in between. The version there is a floor: without the manifest there is no way back either.

A manifest is verified at every start, and the parts' hashes are checked: a file on flash is not trusted for
lying there. Long parts have their turn in `check_steps`, after the start.
"""

import os

from firmware.core import pack
from firmware.core.hmac256 import sha256
from firmware.core.pack import (
    EXPIRED,
    FOREIGN_ROOT,
    MAX_MANIFEST,
    OLDER,
    PART_MISSING,
    STORAGE,
    Manifest,
    PackError,
    limit_of,
    open_steps,
)
from firmware.core.packview import Pack
from firmware.services.files import read_limited, remove
from firmware.services.packfiles import (
    UNFINISHED,
    PartSink,
    digest_steps,
    part_name,
    size_of,
)
from firmware.services.settings import SettingsError

if False:
    from typing import BinaryIO, Callable, Generator

    from firmware.services.settings import Settings

    VerifySteps = Callable[[bytes, bytes, bytes], Generator[None, None, bool]]

#: Parts up to this length have their hash checked before anything is scanned, and the keys always.
MAX_CHECKED_FIRST = 65_536


class PackStore:
    """The pack in `folder`; `settings` hold "root_key" and "pack_floor".

    Methods raise PackError with the reason where they refuse; the pack in force stays in force then.
    """

    def __init__(self, folder: str, settings: "Settings", verify_steps: "VerifySteps") -> None:
        self._folder = folder
        self._settings = settings
        self._verify_steps = verify_steps
        self._staged: "Manifest | None" = None
        self._staged_digest = b""
        #: Digests of parts whose hash was not checked since the start.
        self._unchecked: "list[bytes]" = []
        self._untidy = False
        #: The pack in force, None before the first one came. It may have expired since, or parts of it may
        #: be damaged: see its `expires_unix` and `damaged`.
        self.current: "Pack | None" = None
        #: Called with a pack that has just come into force.
        self.on_installed: "Callable[[Pack], None] | None" = None

    @property
    def root_key(self) -> bytes:
        """The key x‖y that the next pack must be signed by, empty before provisioning."""
        key: bytes = self._settings.get("root_key")
        return key

    @property
    def version(self) -> int:
        """The version to tell the server: 0 where there is no pack, or a part of it must come again."""
        current = self.current
        return 0 if current is None or current.damaged else current.version

    def load_steps(self) -> "Generator[None, None, Pack | None]":
        """Take up the pack on flash, in slices; returns it, None where there is none."""
        self.current = None
        self._staged = None
        try:
            os.mkdir(self._folder)
        except OSError:
            pass  # it is there, or the first write will tell
        try:
            data = read_limited(self._path("manifest"), MAX_MANIFEST)
        except OSError:
            return None
        manifest = yield from self._open_steps(data)
        if manifest.version < int.from_bytes(self._settings.get("pack_floor"), "big"):
            raise PackError(OLDER)
        current = Pack(manifest, self._open)
        self._unchecked = []
        for kind, length, digest in current.parts():
            if not limit_of(kind):
                continue
            if size_of(self._path(part_name(digest))) != length:
                current.damaged |= 1 << kind
            elif length > MAX_CHECKED_FIRST and kind != pack.KEYS:
                self._unchecked.append(digest)
            else:
                yield from self._check_steps(current, kind, digest)
        self.current = current
        self._remember(manifest)
        # While a newer pack is coming, what came of it stays.
        self._untidy = size_of(self._path("manifest.new")) < 0
        self.tidy()
        return current

    def stage_steps(self, data: bytes, now_unix: "int | None") -> "Generator[None, None, Manifest]":
        """Verify a manifest that came from outside and make ready for its parts, in slices; returns it.

        With `now_unix` None the clock is not known and expiry is not judged.
        """
        digest = sha256(data)
        manifest = self._staged
        if manifest is None or digest != self._staged_digest:
            manifest = yield from self._open_steps(data)
        current = self.current
        least = int.from_bytes(self._settings.get("pack_floor"), "big")
        if current is not None and not current.damaged:
            # The same version may come again where it is not whole.
            least = max(least, current.version + 1)
        if manifest.version < least:
            raise PackError(OLDER, "version %d" % manifest.version)
        if now_unix is not None and manifest.expires_unix <= now_unix:
            raise PackError(EXPIRED)
        if current is not None:
            for kind, _, listed in current.parts():
                if current.damaged >> kind & 1:
                    remove(self._path(part_name(listed)))
        if manifest is not self._staged:
            self._staged = None
            try:
                with open(self._path("manifest.new"), "wb") as file:
                    file.write(data)
                    file.flush()
            except OSError as e:
                remove(self._path("manifest.new"))
                raise PackError(STORAGE, "error %d" % (e.errno or 0)) from None
            self._staged = manifest
            self._staged_digest = digest
            self._untidy = True
            self.tidy()
        return manifest

    def missing(self, manifest: Manifest) -> "list[tuple[int, int, bytes]]":
        """Kind, length and SHA-256 of the parts of a staged manifest that are not here."""
        found = []
        for part in manifest.parts():
            kind, length, digest = part
            if limit_of(kind) and size_of(self._path(part_name(digest))) != length:
                found.append(part)
        return found

    def sink(self, length: int, digest: bytes) -> PartSink:
        """Where the bytes of a missing part go."""
        return PartSink(self._path(part_name(digest)), length, digest)

    def commit(self, manifest: Manifest) -> Pack:
        """Put a staged manifest in force, whose parts are all here; returns it as the pack that it is now."""
        if self._staged is not manifest:
            raise PackError(STORAGE, "another pack came")
        if self.missing(manifest):
            raise PackError(PART_MISSING)
        try:
            os.rename(self._path("manifest.new"), self._path("manifest"))
        except OSError as e:
            raise PackError(STORAGE, "error %d" % (e.errno or 0)) from None
        self._staged = None
        if self.current is not None:
            self.current.close()
        self.current = Pack(manifest, self._open)
        kept = [digest for _, _, digest in manifest.parts()]
        self._unchecked = [digest for digest in self._unchecked if digest in kept]
        self._remember(manifest)
        self._untidy = True
        if self.on_installed:
            self.on_installed(self.current)
        return self.current

    def install_steps(self, data: bytes, now_unix: "int | None") -> "Generator[None, None, Pack]":
        """Put a manifest in force whose parts are all here already, in slices."""
        manifest = yield from self.stage_steps(data, now_unix)
        return self.commit(manifest)

    def check_steps(self) -> "Generator[None, None, None]":
        """Check the hash of one more long part, in slices; remove what nobody needs any more."""
        self.tidy()
        current = self.current
        if current is None or not self._unchecked:
            return
        digest = self._unchecked[-1]
        for kind, _, listed in current.parts():
            if listed == digest:
                yield from self._check_steps(current, kind, digest)
        if digest in self._unchecked:
            self._unchecked.remove(digest)

    def tidy(self) -> None:
        """Remove the files of packs that are not in force and not coming."""
        if not self._untidy:
            return
        self._untidy = False
        needed = ["manifest"]
        if self._staged:
            needed.append("manifest.new")
        for manifest in (self.current, self._staged):
            if manifest:
                needed.extend([part_name(digest) for _, _, digest in manifest.parts()])
        try:
            for name in os.listdir(self._folder):
                end = len(name) - len(UNFINISHED)
                if (name[:end] if name.endswith(UNFINISHED) else name) not in needed:
                    remove(self._path(name))
        except OSError as e:
            print("pack: error %d" % (e.errno or 0))

    def _open_steps(self, data: bytes) -> "Generator[None, None, Manifest]":
        if len(self.root_key) != 64:
            raise PackError(FOREIGN_ROOT, "no root key")
        return (yield from open_steps(data, self.root_key, self._verify_steps))

    def _check_steps(self, current: Pack, kind: int, digest: bytes) -> "Generator[None, None, None]":
        """Hold a part against its hash; one that is damaged is removed, so that it comes again."""
        path = self._path(part_name(digest))
        try:
            found = yield from digest_steps(path)
        except OSError:
            found = b""
        if found != digest:
            print("pack: part %d damaged" % kind)
            current.damaged |= 1 << kind
            remove(path)

    def _remember(self, manifest: Manifest) -> None:
        """Keep root key and version of the pack in force."""
        version = manifest.version.to_bytes(4, "big")
        try:
            self._settings.update({"root_key": manifest.root_key, "pack_floor": version})
        except SettingsError as e:
            # The manifest is in force all the same; the next start tries again.
            print("pack:", e)

    def _open(self, length: int, digest: bytes) -> "BinaryIO":
        file: "BinaryIO" = open(self._path(part_name(digest)), "rb")
        return file

    def _path(self, name: str) -> str:
        return self._folder + "/" + name
