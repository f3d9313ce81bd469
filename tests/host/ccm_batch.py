"""Run by both interpreters, ccm_batch.py FILE: "key nonce data plaintext" in hex → CCM, and HKDF of it."""

import sys
from binascii import hexlify, unhexlify

sys.path.insert(0, __file__[: __file__.rfind("/host/")] + "/unit")

from aes import aes

from firmware.core import ccm
from firmware.core.hkdf import hkdf_sha256


def main(path):
    with open(path) as lines:
        for line in lines:
            key, nonce, data, plaintext = [unhexlify(part) for part in line.rstrip("\n").split(" ")]
            sealed = ccm.encrypt(aes, key, nonce, data, plaintext)
            material = hkdf_sha256(plaintext, nonce, data, 1 + len(plaintext) % 100)
            print(hexlify(sealed).decode(), hexlify(material).decode())


if __name__ == "__main__":
    main(sys.argv[1])
