"""The AES that the interpreter at hand has: cryptolib on MicroPython, `cryptography` on CPython."""

import sys

if sys.implementation.name == "micropython":
    from cryptolib import aes
else:
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    class aes:
        def __init__(self, key, mode, iv=b""):
            chosen = modes.ECB() if mode == 1 else modes.CBC(iv)
            self._cipher = Cipher(algorithms.AES(key), chosen).encryptor()

        def encrypt(self, data):
            return self._cipher.update(data)


__all__ = ["aes"]
