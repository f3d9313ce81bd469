"""base45_native.groups gives what portable_groups gives, where native code runs."""

import random

from firmware.core import base45
from firmware.core.base45_native import groups


def outcome(text, how):
    try:
        return base45.decode(text, how)
    except base45.Base45Error as e:
        return str(e)


def test_texts_of_all_lengths():
    random.seed(45)
    for length in range(200):
        data = bytes([random.getrandbits(8) for _ in range(length)])
        text = base45.encode(data).encode()
        assert base45.decode(text, groups) == data
        assert base45.decode(memoryview(b"HC1:" + text)[4:], groups) == data
        assert base45.decode(text.decode(), groups) == data


def test_all_that_is_refused_is_refused_alike():
    random.seed(46)
    seen = {}
    for i in range(20000):
        letters = base45.ALPHABET if i % 3 else base45.ALPHABET + "az\0\x7f!"
        text = "".join([random.choice(letters) for _ in range(random.getrandbits(4))]).encode()
        if i % 7 == 0 and text:
            text = text[:-1] + bytes([random.getrandbits(8)])
        want = outcome(text, None)
        assert outcome(text, groups) == want, text
        kind = want if type(want) is str else "good"
        seen[kind] = seen.get(kind, 0) + 1
    assert len(seen) == 4 and min(seen.values()) > 500, seen


def test_every_pair_and_the_highest_groups():
    every = bytes(range(256))
    for low in every:
        for middle in every:
            text = bytes((low, middle))
            assert outcome(text, groups) == outcome(text, None)
    for text in (b"FGW", b"GGW", b"FHW", b":::", b"U5", b"V5", b"::"):
        assert outcome(text, groups) == outcome(text, None)
