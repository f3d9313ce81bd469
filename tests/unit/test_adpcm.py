"""IMA ADPCM against answers of CPython's ``audioop.adpcm2lin`` (tests/host/test_speech.py asks it itself)."""

import hashlib

from firmware.core import adpcm

#: SHA-256 of what audioop makes of `noise(4096)`.
ANSWER = "adcdb19f7a1cb8bbadd5de73dcb4284a9322bac252b54c71574ecfe77a7a6600"


def noise(count):
    """Bytes of a linear congruential generator: the same everywhere."""
    value = 1
    out = bytearray()
    for _ in range(count):
        value = (value * 1103515245 + 12345) & 0x7FFFFFFF
        out.append(value >> 16 & 255)
    return bytes(out)


def decoded(data, piece=None):
    state = adpcm.start()
    out = b""
    at = 0
    while at < len(data):
        count = min(piece or len(data), len(data) - at)
        block = bytearray(4 * count)
        adpcm.decode(data, at, count, state, adpcm.STEPS, block)
        out += bytes(block)
        at += count
    return out


def test_as_audioop_decodes():
    found = decoded(noise(4096))
    assert len(found) == 16384
    assert "".join(["%02x" % byte for byte in hashlib.sha256(found).digest()]) == ANSWER


def test_pieces_give_the_whole():
    data = noise(700)
    whole = decoded(data)
    for piece in (1, 7, 64, 699):
        assert decoded(memoryview(data), piece) == whole


def test_the_loudest_and_the_quietest_stay_within_16_bits():
    assert decoded(b"\x77" * 200)[-2:] == b"\xff\x7f"
    assert decoded(b"\xff" * 200)[-2:] == b"\x00\x80"
    assert decoded(b"\x80\x08" * 200)[-2:] == b"\x00\x00"


def test_room_beyond_what_is_asked_stays_as_it_is():
    block = bytearray(b"\xaa" * 12)
    adpcm.decode(b"\x12\x34\x56", 1, 2, adpcm.start(), adpcm.STEPS, block)
    assert bytes(block[8:]) == b"\xaa" * 4 and bytes(block[:8]) != b"\xaa" * 8
