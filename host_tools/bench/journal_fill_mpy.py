"""Runs under MicroPython: queue records in a handheld's journal, as days without a network would.

Arguments: IMAGE DEVICE KEY KID COUNT, the file of the journal's partition, the handheld's id, and the
server's sealing key in hex digits. The journal goes on where it stands; sealing is the firmware's own. Prints
the last sequence.
"""

import os
import sys
import time
from binascii import unhexlify

import cryptolib

from firmware.core import p256
from firmware.core.p256_comb import Secrets, build_table_steps
from firmware.core.p256_portable import PortableEngine
from firmware.services.journal import Journal
from firmware.services.sealing import Sealing
from host_tools.bench.journal_mpy import passage
from host_tools.bench.kit_mpy import finish

BLOCK_BYTES = 4096
GENERATOR = p256.GX.to_bytes(32, "big") + p256.GY.to_bytes(32, "big")


class FileFlash:
    """NOR flash in a file behind MicroPython's block interface."""

    def __init__(self, path: str) -> None:
        self._file = open(path, "r+b")
        self._blocks = self._file.seek(0, 2) // BLOCK_BYTES

    def readblocks(self, block: int, buffer: memoryview, offset: int = 0) -> None:
        """Fill the buffer."""
        self._file.seek(block * BLOCK_BYTES + offset)
        self._file.readinto(buffer)

    def writeblocks(self, block: int, data: "bytes | memoryview", offset: int) -> None:
        """Program what was erased."""
        self._file.seek(block * BLOCK_BYTES + offset)
        self._file.write(data)

    def ioctl(self, operation: int, argument: int) -> int:
        """4: blocks, 6: erase one."""
        if operation == 4:
            return self._blocks
        if operation == 6:
            self._file.seek(argument * BLOCK_BYTES)
            self._file.write(b"\xff" * BLOCK_BYTES)
        return 0


def main(path: str, device: str, key: bytes, kid: bytes, count: int) -> None:
    """Fill and print."""
    engine = PortableEngine()
    secrets = Secrets(engine, finish(build_table_steps(engine, GENERATOR, 1)))
    sealing = Sealing(secrets, cryptolib.aes, os.urandom)
    sealing.use(key, kid)
    journal = Journal(FileFlash(path), sealing, lambda: device, lambda: 0)
    journal.open()
    unix = int(time.time()) - count
    for number in range(count):
        # A person and a code of its own each.
        journal.append(passage(journal.next_seq, device, unix + number, os.urandom(16), os.urandom(8)))
        for _ in journal.tend_steps():
            pass
    print(journal.next_seq - 1)


main(sys.argv[1], sys.argv[2], unhexlify(sys.argv[3]), unhexlify(sys.argv[4]), int(sys.argv[5]))
