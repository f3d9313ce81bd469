"""Run by both interpreters: one line "public-key digest signature" in hex each, answered by 1 or 0.

verify_batch.py FILE
"""

import sys
from binascii import unhexlify

from firmware.core import p256


def main(path):
    with open(path) as lines:
        for line in lines:
            public_key, digest, signature = [unhexlify(field) for field in line.rstrip("\n").split(" ")]
            print(1 if p256.verify(public_key, digest, signature) else 0)


if __name__ == "__main__":
    main(sys.argv[1])
