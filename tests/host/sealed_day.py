"""Run by MicroPython, sealed_day.py SERVER-KEY KID native|portable: a day of the sealed journal.

Prints lines "record HEX" for what was written down and "request HEX" for each exchange. The server's answers
are made up here: it holds all, or a part, or the answer is lost; and the handheld restarts now and then.
"""

import os
import sys
from binascii import hexlify, unhexlify

import cryptolib
import nor
from verify_batch import GENERATOR, engine_named, finish

from firmware.core import message, record
from firmware.core.p256_comb import Secrets, build_table_steps
from firmware.services.journal import Journal
from firmware.services.sealing import Sealing

DEVICE = "device-0001"
SECRET = bytes(range(32))


def fields(sequence, place):
    return {
        record.SEQ: sequence,
        record.TIME: 1_800_000_000 + sequence,
        record.CLOCK: 0,
        record.DEVICE: DEVICE,
        record.PLACE: place,
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


def main(server_key, kid, name):
    engine = engine_named(name)
    secrets = Secrets(engine, finish(build_table_steps(engine, GENERATOR, 1)))
    flash = nor.NorFlash(12)
    journal = None
    for round_number in range(40):
        if round_number % 5 == 0:
            sealing = Sealing(secrets, cryptolib.aes, os.urandom)
            sealing.use(server_key, kid)
            journal = Journal(flash, sealing, lambda: DEVICE, lambda: 0)
            journal.open()
        finish(journal.tend_steps())
        for size in (1, 1, 3, 1, 6, 2)[: 1 + round_number % 6]:
            first = journal.next_seq
            party = [
                record.encode(fields(first + n, "龙岩市图书馆" * (1 + (first + n) % 4))) for n in range(size)
            ]
            journal.append_all(party)
            for data in party:
                print("record", hexlify(data).decode())
        while journal.pending and round_number % 3 == 0:
            first, before, items = journal.batch(40, 2048)
            request = message.encode_sync_request(
                DEVICE, SECRET, first, before, items, 1_800_000_000, 1, os.urandom(16)
            )
            print("request", hexlify(request).decode())
            count = len([item for item in items if item[:2] != b"\xd8\x60"])
            if round_number % 6 == 0:
                break  # the answer was lost
            journal.acknowledge(first + count - 1)


if __name__ == "__main__":
    main(unhexlify(sys.argv[1]), unhexlify(sys.argv[2]), sys.argv[3])
