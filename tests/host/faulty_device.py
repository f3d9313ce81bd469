"""Run by MicroPython, faulty_device.py CONFIG.json: a handheld without a door writes records and syncs them.

Journal, sealing, settings, key store and sync are the firmware's own; the clock counts requests, and only the
pauses of sync are shorter. Prints "w SEQUENCE HEX" before a record is written, "k SEQUENCE" once it is kept,
"sync: ..." where an exchange failed, and "done SEQUENCE" when all is acknowledged after `finish` came to be.
Where `cut_at` is not 0 the power goes in the middle of that erase or program, and the script ends with 9.
"""

import asyncio
import json
import os
import random
import sys
from binascii import hexlify, unhexlify

import cryptolib
from verify_batch import GENERATOR, engine_named, finish

from firmware.core import record
from firmware.core.p256_comb import Secrets, build_table_steps
from firmware.services import http, sync
from firmware.services.journal import Journal
from firmware.services.keystore import Keystore
from firmware.services.sealing import Sealing
from firmware.services.settings import Settings

BLOCK_BYTES = 4096
BLANK = b"\xff" * BLOCK_BYTES
#: Pauses as the firmware has them, but a thousandth: what is tested is what it does, not how long it waits.
BACKOFF_MS = (1, 2, 5, 15, 60)
IDLE_INTERVAL_MS = 30
SETTLE_MS = 1
HANDSHAKE_POLL_MS = 1
#: With fewer records than this waiting, another party comes.
MOST_PENDING = 90


class FileFlash:
    """NOR flash in a file, which outlives the process; its power can be cut at an erase or program."""

    def __init__(self, path, cut_at):
        self._file = open(path, "r+b")  # noqa: SIM115
        self.blocks = self._file.seek(0, 2) // BLOCK_BYTES
        self._left = cut_at

    def readblocks(self, block, buffer, offset=0):
        self._file.seek(block * BLOCK_BYTES + offset)
        self._file.readinto(buffer)

    def writeblocks(self, block, data, offset):
        self._file.seek(block * BLOCK_BYTES + offset)
        assert self._file.read(len(data)) == BLANK[: len(data)], "programmed twice"
        self._write(block, data, offset)

    def ioctl(self, operation, argument):
        if operation == 4:
            return self.blocks
        if operation == 6:
            self._write(argument, BLANK, 0)
        return 0

    def _write(self, block, data, offset):
        self._left -= 1
        self._file.seek(block * BLOCK_BYTES + offset)
        if not self._left:
            self._file.write(memoryview(data)[: len(data) // 2])
            self._file.close()
            sys.exit(9)
        self._file.write(data)


class Nvs:
    """An esp32.NVS that holds the secret."""

    def __init__(self, secret):
        self._secret = secret

    def get_blob(self, key, buffer):
        buffer[:] = self._secret
        return len(self._secret)


class Clock:
    """A second for every request: pauses are that short here that the real one would tell them all alike."""

    def __init__(self, unix):
        self._unix = unix

    def now_unix(self):
        self._unix += 1
        return self._unix

    def server_time(self, unix):
        return True


class NoPacks:
    """No trust data is wanted here."""

    version = 0


class Wifi:
    """Always there; the network behind it is the proxy's affair."""

    online = True


def passage(sequence, device, dice):
    """Any record: short ones, and such with all that a venue keeps."""
    fields = {
        record.SEQ: sequence,
        record.TIME: 1_790_000_000 + sequence,
        record.CLOCK: 0,
        record.DEVICE: device,
        record.PLACE: "龙岩市图书馆" * dice.randint(1, 5),
        record.SCENE: "registered_venue",
        record.DIRECTION: 0,
        record.KIND: 1,
        record.VERDICT: dice.randint(0, 2),
        record.REASONS: [],
        record.MASK: 1,
    }
    if dice.randint(0, 2):
        fields[record.SUB] = os.urandom(16)
        fields[record.CTI] = os.urandom(8)
        fields[record.COLOUR] = 0
        fields[record.TEMPERATURE] = [3412, 2150, 3640]
    return record.encode(fields)


async def write(journal, device, dice, ended):
    """People come, alone and in parties, as long as it goes on; housekeeping comes between them."""
    while not ended():
        if journal.pending < dice.randint(1, MOST_PENDING):
            first = journal.next_seq
            party = [passage(first + n, device, dice) for n in range(dice.randint(1, 5))]
            for n, data in enumerate(party):
                print("w", first + n, hexlify(data).decode())
            journal.append_all(party)
            for n in range(len(party)):
                print("k", first + n)
            if not dice.randint(0, 9):
                # A quiet hour: sync asks with nothing to send.
                while journal.pending and not ended():
                    await asyncio.sleep_ms(5)
                await asyncio.sleep_ms(3 * IDLE_INTERVAL_MS)
        elif not dice.randint(0, 9):
            finish(journal.tend_steps())
        await asyncio.sleep_ms(dice.randint(0, 12))


async def run(config):
    settings = Settings(config["folder"])
    settings.update(
        {
            "device_id": config["device"],
            "server_url": config["url"],
            "ca_der": unhexlify(config["ca"]),
        }
    )
    dice = random
    dice.seed(config["seed"])
    engine = engine_named(config["engine"])
    sealing = Sealing(
        Secrets(engine, finish(build_table_steps(engine, GENERATOR, 1))), cryptolib.aes, os.urandom
    )
    sealing.use(unhexlify(config["sealing_key"]), unhexlify(config["kid"]))
    clock = Clock(config["unix"])
    journal = Journal(
        FileFlash(config["flash"], config["cut_at"]), sealing, lambda: config["device"], lambda: 0
    )
    journal.open()
    finish(journal.tend_steps())
    sync.BACKOFF_MS = BACKOFF_MS
    sync.IDLE_INTERVAL_MS = IDLE_INTERVAL_MS
    sync.SETTLE_MS = SETTLE_MS
    http._HANDSHAKE_POLL_MS = HANDSHAKE_POLL_MS
    sync.TIMEOUT_MS = config["timeout_ms"]
    keystore = Keystore(Nvs(unhexlify(config["secret"])))
    vault = sync.Vault(settings, keystore, journal, NoPacks(), clock)
    task = asyncio.create_task(sync.Sync(vault, Wifi(), b"chip", "test", "/none").run(lambda: None))

    def ended():
        # A task that has ended is a failure of its own.
        return task.done() or exists(config["finish"])

    await write(journal, config["device"], dice, ended)
    while journal.pending and not task.done():
        await asyncio.sleep_ms(5)
    if task.done():
        await task
    print("done", journal.next_seq - 1)


def exists(path):
    try:
        os.stat(path)
    except OSError:
        return False
    return True


if __name__ == "__main__":
    with open(sys.argv[1]) as file:
        asyncio.run(run(json.load(file)))
