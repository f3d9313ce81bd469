"""Run by both interpreters: one line "secret digest" in hex each, answered by "signature nonce next-nonce".

sign_batch.py FILE native|portable
"""

import os
import sys
from binascii import hexlify, unhexlify

from verify_batch import GENERATOR, engine_named, finish

from firmware.core.p256_comb import Secrets, build_table_steps
from firmware.core.rfc6979 import nonces, sign_steps


def main(path, name):
    engine = engine_named(name)
    secrets = Secrets(engine, finish(build_table_steps(engine, GENERATOR, 1)))
    with open(path) as lines:
        for line in lines:
            secret, digest = line.rstrip("\n").split(" ")
            signature = finish(sign_steps(secrets, int(secret, 16), unhexlify(digest), os.urandom))
            candidates = nonces(int(secret, 16), unhexlify(digest))
            print(hexlify(signature).decode(), "%x %x" % (next(candidates), next(candidates)))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
