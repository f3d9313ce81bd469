"""adpcm_native.decode gives what adpcm.decode gives, where native code runs."""

import random

from firmware.core import adpcm
from firmware.core.adpcm_native import decode


def test_any_bytes_in_any_pieces():
    random.seed(4)
    for turn in range(300):
        data = bytes([random.getrandbits(8) for _ in range(1 + random.getrandbits(8))])
        if turn % 5 == 0:
            data = bytes([random.choice((0x77, 0xFF, 0x00, 0x88))]) * 300
        one, two = adpcm.start(), adpcm.start()
        at = 0
        while at < len(data):
            count = min(1 + random.getrandbits(6), len(data) - at)
            expected, found = bytearray(4 * count + 4), bytearray(4 * count + 4)
            adpcm.decode(data, at, count, one, adpcm.STEPS, expected)
            decode(memoryview(data), at, count, two, adpcm.STEPS, found)
            assert found == expected and one == two, (turn, at)
            at += count
