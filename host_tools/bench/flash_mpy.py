"""Runs under MicroPython: what a verification with the firmware's own table store reads and allocates.

    flash_mpy.py FOLDER WAY

Keeps a table as services/tables.py does, in LittleFS on a flash in memory with the geometry of the board's,
and verifies once. Prints how many reads of the flash that took, how many bytes these were, the bytes
allocated, and the size of the table. WAY is as for verify_mpy.py.
"""

import gc
import os
import sys

import vfs

from firmware.core import cose, trust
from firmware.core.packmemory import keys_only
from firmware.services.tables import Tables
from host_tools.bench.kit_mpy import engine_named, finish, read

BLOCK_BYTES = 4096
BLOCKS = 64
#: Digests and other additions to a file of tables are shorter than this.
_SUB_TABLE = 8192


class CountingFlash:
    """A block device in memory that counts its reads."""

    def __init__(self) -> None:
        self.data = memoryview(bytearray(b"\xff" * (BLOCKS * BLOCK_BYTES)))
        self.reads = 0
        self.bytes = 0

    def readblocks(self, block: int, buffer: bytearray, offset: int = 0) -> None:
        """Read and count."""
        self.reads += 1
        self.bytes += len(buffer)
        at = block * BLOCK_BYTES + offset
        buffer[:] = self.data[at : at + len(buffer)]

    def writeblocks(self, block: int, buffer: bytearray, offset: "int | None" = None) -> None:
        """Write; LittleFS has erased before."""
        at = block * BLOCK_BYTES + (offset or 0)
        self.data[at : at + len(buffer)] = buffer

    def ioctl(self, operation: int, argument: int) -> "int | None":
        """Count and size of blocks; everything else is done."""
        return {4: BLOCKS, 5: BLOCK_BYTES}.get(operation, 0)


def main(folder: str, way: str) -> None:
    """Print the four numbers."""
    flash = CountingFlash()
    generator = read(folder, way.split("-")[0] + ".g")
    vector = read(folder, "vectors")[:160]
    key, digest, signature = vector[:64], vector[64:96], vector[96:]
    vfs.VfsLfs2.mkfs(flash)
    vfs.mount(vfs.VfsLfs2(flash), "/flash")
    kid = trust.kid_of_key(key)
    issuer = trust.IssuerKey(kid, cose.ES256, key, "", 0, 0xFFFFFFFF, [trust.KIND_DCC], None)
    tables = Tables("/flash/tables", engine_named(way)[0], generator)
    finish(tables.keep_steps(keys_only([issuer])))
    stored = sum([entry[3] for entry in os.ilistdir("/flash/tables")])
    if not finish(tables.verify_steps(key, digest, signature)):
        sys.exit("a good signature was refused")
    flash.reads = flash.bytes = 0
    gc.collect()
    gc.disable()
    before = gc.mem_alloc()
    finish(tables.verify_steps(key, digest, signature))
    allocated = gc.mem_alloc() - before
    print(flash.reads, flash.bytes, allocated, stored // _SUB_TABLE * _SUB_TABLE)


main(sys.argv[1], sys.argv[2])
