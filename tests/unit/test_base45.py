from firmware.core import base45


def refused(text):
    try:
        base45.decode(text)
    except base45.Base45Error:
        return True
    return False


def test_examples_of_rfc_9285():
    # Sections 4.3 and 4.4.
    for data, text in ((b"AB", "BB8"), (b"Hello!!", "%69 VD92EX0"), (b"base-45", "UJCLQE7W581")):
        assert base45.encode(data) == text
        assert base45.decode(text) == data
        assert base45.decode(text.encode()) == data
    assert base45.decode("QED8WEX0") == b"ietf!"


def test_empty():
    assert base45.decode(b"") == b""
    assert base45.encode(b"") == ""


def test_limits_of_groups():
    assert base45.decode("FGW") == b"\xff\xff"
    assert refused("GGW")
    assert refused(":::")
    assert base45.decode("U5") == b"\xff"
    assert refused("V5")
    assert refused("::")


def test_dangling_character():
    assert refused("0")
    assert refused("BB80")


def test_characters_outside_the_alphabet():
    for bad in ("bb8", "B=8", "BB\n", "é00", "a0", "0a", "\x000", "00\x00", "ÿ00"):
        assert refused(bad), bad


def test_every_byte_pair_comes_back():
    for first in range(0, 256, 5):
        data = bytes([first, 0, 255 - first, 77, first])
        assert base45.decode(base45.encode(data)) == data
