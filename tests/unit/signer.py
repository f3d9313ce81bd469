"""A textbook ECDSA signer for tests that run under MicroPython too, where there is no other.

Never for anything real: nothing about it is constant in time.
"""

from firmware.core import p256
from firmware.core.hmac256 import sha256


def times(scalar, x=p256.GX, y=p256.GY):
    """scalar · (x, y), affine."""
    point = (1, 1, 0)
    for bit in range(255, -1, -1):
        point = p256._double(*point)
        if scalar >> bit & 1:
            point = p256._add(*point, x, y)
    inverse = p256.inverse(point[2], p256.P)
    zz = inverse * inverse % p256.P
    return point[0] * zz % p256.P, point[1] * zz * inverse % p256.P


class Signer:
    """A private key made from a number."""

    def __init__(self, number):
        self.private = int.from_bytes(sha256(b"test key", str(number).encode()), "big") % p256.N
        x, y = times(self.private)
        self.public = x.to_bytes(32, "big") + y.to_bytes(32, "big")

    def sign(self, data):
        """r‖s over SHA-256 of `data`."""
        e = int.from_bytes(sha256(data), "big")
        k = int.from_bytes(sha256(b"nonce", self.public, data), "big") % p256.N
        r = times(k)[0] % p256.N
        s = p256.inverse(k, p256.N) * (e + r * self.private) % p256.N
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def run(steps):
    """What a generator of slices returns."""
    while True:
        try:
            assert next(steps) is None
        except StopIteration as e:
            return e.value
