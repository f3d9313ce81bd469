"""Disturbed wires: flips bits of what passes, now and then, the same way in every run."""

from __future__ import annotations

import random

SEED = 20201
MOST_PER_MILLE = 1000


class Noise:
    """Noise on one line; `per_mille` of the bytes get one wrong bit."""

    def __init__(self) -> None:
        self._random = random.Random(SEED)  # noqa: S311 - noise, no secret
        self.per_mille = 0
        self.hits = 0
        """Bytes that were changed so far."""

    def strikes(self, count: int = 1) -> bool:
        """Whether something in a transfer of `count` bytes goes wrong."""
        if not self.per_mille or not count:
            return False
        hit = self._random.random() > (1 - self.per_mille / 1000) ** count
        self.hits += hit
        return hit

    def through(self, data: bytes) -> bytes:
        """What arrives of `data`."""
        if not self.per_mille:
            return data
        out = bytearray(data)
        for at in range(len(out)):
            if self._random.random() < self.per_mille / 1000:
                out[at] ^= 1 << self._random.randrange(8)
                self.hits += 1
        return bytes(out)
