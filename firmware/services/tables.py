"""Tables that make signatures of known issuers cheap to check, built when nothing else is to be done.

A table is 8 KiB, takes as long to build as some five verifications, and is kept as a file of its own:

    FOLDER/KID.tab    the table (firmware/core/p256_comb.py), then SHA-256 of name, scale, key and table

KID is `trust.kid_of_key` of the key, in hex. A table is as good as a public key: after every start a file is
used only once its hash was found right, and built anew if it is not. It is written beside its place, renamed
into it and read back. Memory never holds a table: it comes out of the engine 512 bytes at a time, and a
verification reads the 32 points that it needs, eight at a time.

There is one engine, and whoever begins last has it: a verification takes it from a build, which is begun
again later, and from another verification, which goes on the long way. That is `p256.verify_steps`, also for
keys without a table and where flash or memory fail: it needs next to nothing, but takes many times as long.
"""

import asyncio
import hashlib
import os
from binascii import hexlify

from firmware.core import p256
from firmware.core.cose import ES256
from firmware.core.p256 import P256Error
from firmware.core.p256_comb import SUB_TABLE, Verifier, write_table_steps
from firmware.core.trust import kid_of_key

if False:
    from typing import BinaryIO, Callable, Generator

    from firmware.core.p256_comb import Engine, Table
    from firmware.core.packview import Pack
    from firmware.services.packs import PackStore

#: So many issuers' tables are kept on flash; the keys of others are checked the long way.
MAX_TABLES = 16
#: Pause between two looks at whether there is a table to build, and twice as long after each failure.
LOOK_MS = 250
#: So often is one pack tried again where flash or memory fail; then with the next, or the next start.
MAX_FAILURES = 6
_HASH_BYTES = 32
_CHUNK_BYTES = 512
_NAME = b"yima table 1"


class TablesError(Exception):
    """The tables could not be brought in line with the pack."""


class Tables:
    """Verifies with the tables in `folder`; `generator` is the table of the curve's generator."""

    def __init__(self, folder: str, engine: "Engine", generator: "Table") -> None:
        self._folder = folder
        self._engine = engine
        self._verifier = Verifier(engine, generator)
        #: Names of the files whose hash was right.
        self._sound: "list[str]" = []

    def verify_steps(
        self, public_key: bytes, digest: bytes, signature: bytes
    ) -> "Generator[None, None, bool]":
        """Like `p256.verify_steps`: the same answers, sooner where there is a table."""
        name = _file_name(public_key)
        if name in self._sound:
            try:
                # Open as long as it takes: to find a file again would cost as many reads as its points.
                with self._open(name) as file:
                    good: bool = yield from self._verifier.verify_read_steps(
                        lambda numbers, room: _read(file, numbers, room), public_key, digest, signature
                    )
                return good
            except (OSError, MemoryError, P256Error):
                pass  # flash or memory fail, or another has the engine now: the long way needs none of them
        good = yield from p256.verify_steps(public_key, digest, signature)
        return good

    def _open(self, name: str) -> "BinaryIO":
        """A table's file. Raises OSError."""
        file: "BinaryIO" = open(self._folder + "/" + name, "rb")
        return file

    def _check_steps(self, name: str, public_key: bytes) -> "Generator[None, None, bool]":
        """Whether there is a file with the sound table of a key; in slices. Raises MemoryError."""
        if name in self._sound:
            return True
        try:
            if os.stat(self._folder + "/" + name)[6] != SUB_TABLE + _HASH_BYTES:
                return False
            with self._open(name) as file:
                table = bytearray(_CHUNK_BYTES)
                hasher = _hasher(public_key, self._engine.scale)
                for _ in range(SUB_TABLE // _CHUNK_BYTES):
                    file.readinto(table)
                    hasher.update(table)
                    yield None
                if file.read(_HASH_BYTES) != hasher.digest():
                    return False
        except OSError:
            return False
        self._sound.append(name)
        return True

    def keep_steps(self, current: "Pack | None", root_key: bytes = b"") -> "Generator[None, None, None]":
        """Bring the files in line with a pack, in slices: build what is missing, remove the rest.

        The table of the root key x‖y is for the next pack. Without a pack nothing is removed.

        Raises TablesError where flash or memory do not suffice, P256Error where a verification took the
        engine.
        """
        wanted: "dict[str, bytes]" = {}
        if root_key:
            wanted[_file_name(root_key)] = root_key
        for issuer in current.issuer_keys() if current else ():
            yield None
            if len(wanted) < MAX_TABLES and issuer.alg == ES256 and len(issuer.key) == 64:
                wanted[_file_name(issuer.key)] = issuer.key
        try:
            for name in self._files():
                # Keys that a damaged pack does not list may be needed again.
                if name not in wanted and current and not current.damaged:
                    os.remove(self._folder + "/" + name)
                    if name in self._sound:
                        self._sound.remove(name)
                    yield None
            for name in wanted:
                sound = yield from self._check_steps(name, wanted[name])
                if not sound:
                    yield from self._build_steps(name, wanted[name])
        except MemoryError:
            raise TablesError("tables: no memory to build one") from None
        except OSError as e:
            raise TablesError("tables: not kept, error %d" % (e.errno or 0)) from None

    def _files(self) -> "list[str]":
        """The names in the folder, which is made where it is missing. Raises OSError."""
        try:
            return os.listdir(self._folder)
        except OSError:
            os.mkdir(self._folder)
            return []

    def _build_steps(self, name: str, public_key: bytes) -> "Generator[None, None, None]":
        """Build a key's table on flash. Raises OSError, MemoryError, TablesError, P256Error."""
        try:
            p256.check_public_key(public_key)
        except P256Error:
            return  # nothing signed with it can be good
        hasher = _hasher(public_key, self._engine.scale)
        with open(self._folder + "/new", "wb") as file:

            def write(piece: bytearray) -> None:
                hasher.update(piece)
                file.write(piece)

            yield from write_table_steps(self._engine, public_key, 1, write)
            file.write(hasher.digest())
        os.rename(self._folder + "/new", self._folder + "/" + name)
        sound = yield from self._check_steps(name, public_key)
        if not sound:
            raise TablesError("tables: flash does not hold one")
        print("tables: one built")

    async def run(self, packs: "PackStore", idle: "Callable[[], bool]") -> None:
        """The task: whenever there is a new pack and `idle()`, bring the tables in line with it.

        What flash or memory refuse is tried again, later each time and `MAX_FAILURES` times at most: a table
        that is missing only costs time.
        """
        done: object = self  # which is no pack, nor None: the root's table comes before the first pack
        failures = 0
        while True:
            await asyncio.sleep_ms(LOOK_MS << failures)
            current = packs.current
            if current is done:
                failures = 0
                continue
            if (current is None and not packs.root_key) or not idle():
                continue
            try:
                if await self._keep(current, packs.root_key, idle):
                    done = current
            except TablesError as e:
                print(e)
                failures += 1
                if failures > MAX_FAILURES:
                    done = current

    async def _keep(self, current: "Pack | None", root_key: bytes, idle: "Callable[[], bool]") -> bool:
        """`keep_steps` as long as `idle()`; whether that was to its end. Raises TablesError."""
        steps = self.keep_steps(current, root_key)
        try:
            for _ in steps:
                if not idle():
                    return False
                await asyncio.sleep_ms(0)
        except P256Error:
            return False  # a verification has the engine
        finally:
            steps.close()  # and with it the file
        return True


def _read(file: "BinaryIO", numbers: bytes, room: bytearray) -> None:
    """Put points of a table into the room, one after the other. Raises OSError."""
    view = memoryview(room)
    for i, number in enumerate(numbers):
        file.seek(number << 6)
        if file.readinto(view[64 * i : 64 * i + 64]) != 64:
            raise OSError(5)


def _file_name(public_key: bytes) -> str:
    return hexlify(kid_of_key(public_key)).decode() + ".tab"


def _hasher(public_key: bytes, scale: int) -> "hashlib.sha256":
    """SHA-256 over what belongs before a table: the engine's scale tells whose table it is."""
    return hashlib.sha256(_NAME + scale.to_bytes(34, "big") + public_key)
