"""Run by both interpreters: one line "secret peer blind" in hex each, answered by "public-key shared-secret".

ecdh_batch.py FILE native|portable
"""

import sys
from binascii import hexlify, unhexlify

from verify_batch import GENERATOR, engine_named, finish

from firmware.core.p256_comb import Secrets, build_table_steps


def main(path, name):
    engine = engine_named(name)
    secrets = Secrets(engine, finish(build_table_steps(engine, GENERATOR, 1)))
    with open(path) as lines:
        for line in lines:
            secret, peer, blind = line.rstrip("\n").split(" ")
            public = finish(secrets.public_key_steps(int(secret, 16), int(blind, 16)))
            shared = finish(secrets.shared_secret_steps(int(secret, 16), unhexlify(peer), int(blind, 16)))
            print(hexlify(public).decode(), hexlify(shared).decode())


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
