"""Run by both interpreters: one line "modulus exponent digest signature" each, answered by 1 or 0.

    rsa_batch.py FILE

The exponent is decimal, the rest in hex. Ends with an error if a slice yields anything.
"""

import sys
from binascii import unhexlify

from firmware.core import rsa


def verify(modulus, exponent, digest, signature):
    steps = rsa.verify_pss_steps(modulus, exponent, digest, signature)
    while True:
        try:
            assert next(steps) is None
        except StopIteration as e:
            return e.value


def main(path):
    with open(path) as lines:
        for line in lines:
            modulus, exponent, digest, signature = line.rstrip("\n").split(" ")
            good = verify(unhexlify(modulus), int(exponent), unhexlify(digest), unhexlify(signature))
            assert good is True or good is False
            print(1 if good else 0)


if __name__ == "__main__":
    main(sys.argv[1])
