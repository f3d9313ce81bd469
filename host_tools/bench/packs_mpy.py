"""Runs under MicroPython for packs.py: installs packs on a flash in memory that counts, and looks up.

Arguments: the revocations of the base, the folder of the parts. Prints one figure per line, name and number.
"""

import gc
import os
import sys
import time

import vfs

from firmware.core import pack
from firmware.core.hmac256 import sha256
from firmware.services.packs import PackStore

BLOCK_BYTES = 4096
BLOCKS = 640
LOOKUPS = 500


class Flash:
    """NOR flash behind the block-device interface, with counts."""

    def __init__(self) -> None:
        self._data = memoryview(bytearray(b"\xff" * (BLOCKS * BLOCK_BYTES)))
        self.reads = self.erases = self.programmed = 0

    def readblocks(self, block: int, buffer: bytearray, offset: int = 0) -> None:
        """Read."""
        self.reads += 1
        at = block * BLOCK_BYTES + offset
        buffer[:] = self._data[at : at + len(buffer)]

    def writeblocks(self, block: int, buffer: bytearray, offset: "int | None" = None) -> None:
        """Program; without an offset erase before."""
        if offset is None:
            self.ioctl(6, block)
            offset = 0
        at = block * BLOCK_BYTES + offset
        self._data[at : at + len(buffer)] = buffer
        self.programmed += len(buffer)

    def ioctl(self, operation: int, argument: int) -> int:
        """4 number of blocks, 5 their size, 6 erase one."""
        if operation == 4:
            return BLOCKS
        if operation == 5:
            return BLOCK_BYTES
        if operation == 6:
            self.erases += 1
            at = argument * BLOCK_BYTES
            self._data[at : at + BLOCK_BYTES] = b"\xff" * BLOCK_BYTES
        return 0


class Settings:
    """The two settings that a pack store keeps."""

    def __init__(self, root_key: bytes) -> None:
        self._values: "dict[str, bytes]" = {"root_key": root_key, "pack_floor": b""}

    def get(self, key: str) -> bytes:
        """One of them."""
        return self._values[key]

    def update(self, changes: "dict[str, bytes]") -> None:
        """Change them."""
        self._values.update(changes)


def _verify_steps(key: bytes, digest: bytes, signature: bytes) -> "object":
    """The bench of signatures is elsewhere."""
    yield None
    return True


def _drive(steps: "object") -> "object":
    try:
        while True:
            next(steps)  # type: ignore[call-overload]
    except StopIteration as end:
        return end.value


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        data: bytes = file.read()
    return data


def _install(packs: PackStore, folder: str) -> "list[str]":
    """A pack of a folder into force, its parts in the pieces that a network brings."""
    manifest = _drive(packs.stage_steps(_read(folder + "/manifest"), None))
    came = []
    for _, length, digest in packs.missing(manifest):  # type: ignore[arg-type]
        name = "".join("%02x" % byte for byte in digest)
        sink = packs.sink(length, digest)
        with open(folder + "/" + name, "rb") as file:
            while sink.offset < length:
                sink.write(file.read(512))
        _drive(sink.finish_steps())
        came.append(name)
    packs.commit(manifest)  # type: ignore[arg-type]
    _drive(packs.check_steps())
    return came


def main(base: str, update: str) -> None:
    """Install the pack in folder `base`, then the one in `update`; look revocations up."""
    flash = Flash()
    vfs.VfsLfs2.mkfs(flash)
    vfs.mount(vfs.VfsLfs2(flash), "/flash")
    packs = PackStore("/flash/pack", Settings(bytes(64)), _verify_steps)  # type: ignore[arg-type]
    _drive(packs.load_steps())
    for label, folder in (("pack_install", base), ("pack_update", update)):
        gc.collect()
        flash.erases = flash.programmed = 0
        started_us = time.ticks_us()
        _install(packs, folder)
        print(label + "_ms", time.ticks_diff(time.ticks_us(), started_us) / 1000)
        print(label + "_erases", flash.erases)
        print(label + "_programmed_bytes", flash.programmed)
    current = packs.current
    if current is None or current.revoked(pack.SUBJECT, b"first"):
        sys.exit("no pack in force")
    flash.reads = 0
    most = 0
    started_us = time.ticks_us()
    for i in range(LOOKUPS):
        before = flash.reads
        current.revoked(pack.SUBJECT, sha256(b"%d" % (i * 997))[:16])
        most = max(most, flash.reads - before)
    print("revocation_lookup_us", time.ticks_diff(time.ticks_us(), started_us) / LOOKUPS)
    print("revocation_lookup_block_reads", flash.reads / LOOKUPS)
    print("revocation_lookup_block_reads_most", most)
    entry = current.part(pack.REVOCATIONS)
    print("revocation_bytes", entry[0] if entry else 0)
    os.chdir("/")


main(sys.argv[1], sys.argv[2])
