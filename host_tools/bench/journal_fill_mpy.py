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

from firmware.core import p256, record
from firmware.core.p256_comb import Secrets, build_table_steps
from firmware.core.p256_portable import PortableEngine
from firmware.services.journal import Journal
from firmware.services.sealing import Sealing
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


def passage(sequence: int, device: str, unix: int) -> bytes:
    """A record of a venue that stores who came, with a person and a code of its own."""
    return record.encode(
        {
            record.SEQ: sequence,
            record.TIME: unix,
            record.CLOCK: 0,
            record.DEVICE: device,
            record.PLACE: "龙岩市图书馆",
            record.SCENE: "registered_venue",
            record.DIRECTION: 0,
            record.SUB: os.urandom(16),
            record.KIND: 1,
            record.CTI: os.urandom(8),
            record.COLOUR: 0,
            record.VERDICT: 0,
            record.REASONS: [],
            record.TEMPERATURE: [3412, 2150, 3640],
            record.MASK: 1,
        }
    )


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
        journal.append(passage(journal.next_seq, device, unix + number))
        for _ in journal.tend_steps():
            pass
    print(journal.next_seq - 1)


main(sys.argv[1], sys.argv[2], unhexlify(sys.argv[3]), unhexlify(sys.argv[4]), int(sys.argv[5]))
