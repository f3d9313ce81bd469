"""Run by both interpreters, seal_batch.py FILE native|portable: one segment a line, all in hex.

server-key kid device first random-seed record,record,…  →  head sealed,sealed,… chain-value
"""

import sys
from binascii import hexlify, unhexlify

sys.path.insert(0, __file__[: __file__.rfind("/host/")] + "/unit")

from aes import aes
from verify_batch import GENERATOR, engine_named, finish

from firmware.core import ring_format, seal
from firmware.core.hmac256 import sha256
from firmware.core.p256_comb import Secrets, build_table_steps


def main(path, name):
    engine = engine_named(name)
    secrets = Secrets(engine, finish(build_table_steps(engine, GENERATOR, 1)))
    with open(path) as lines:
        for line in lines:
            server, kid, device, first, seed, records = line.rstrip("\n").split(" ")
            state = [unhexlify(seed)]

            def random(size, state=state):
                state[0] = sha256(state[0])
                return state[0][:size]

            key = finish(seal.new_key_steps(secrets, unhexlify(server), unhexlify(kid), random))
            segment = seal.Segment(aes, key, unhexlify(device).decode(), int(first))
            chain = sha256(unhexlify(seed))
            sequence = int(first)
            out = []
            head = segment.head
            for record in records.split(","):
                sealed = segment.seal(sequence, chain, unhexlify(record))
                chain = ring_format.chain(chain, head, sealed)
                head = b""
                sequence += 1
                out.append(hexlify(sealed).decode())
            print(hexlify(segment.head).decode(), ",".join(out), hexlify(chain).decode())


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
