from binascii import unhexlify

from firmware.core.inflate import InflateError, inflate_zlib

# zlib.compress(b"yima " * 12 + b"!", 9) of CPython, and zlib.compress(b"stored", 0).
PACKED = unhexlify("78daabcccc4d54a8248f500400b65415e2")
STORED = unhexlify("7801010600f9ff73746f726564093c0292")
TEXT = b"yima " * 12 + b"!"


def refused(data, limit=16384):
    try:
        inflate_zlib(data, limit)
    except InflateError:
        return True
    return False


def adler32(data):
    """RFC 1950 section 8.2."""
    a, b = 1, 0
    for byte in data:
        a = (a + byte) % 65521
        b = (b + a) % 65521
    return b << 16 | a


def stored(data):
    """A zlib stream of one stored block (RFC 1951 section 3.2.4)."""
    size = len(data)
    head = b"\x78\x01\x01" + bytes([size & 255, size >> 8, ~size & 255, ~size >> 8 & 255])
    return head + data + adler32(data).to_bytes(4, "big")


def test_streams_of_zlib():
    assert inflate_zlib(STORED, 100) == b"stored"
    assert inflate_zlib(PACKED, 100) == TEXT


def test_sizes_around_the_windows():
    for size in (0, 1, 511, 512, 513, 4095, 4096, 4097, 16383, 16384):
        data = bytes([i * 7 & 255 for i in range(size)])
        assert inflate_zlib(stored(data), 16384) == data


def test_limit():
    assert inflate_zlib(PACKED, len(TEXT)) == TEXT
    assert refused(PACKED, len(TEXT) - 1)
    assert refused(stored(bytes(16385)))
    assert inflate_zlib(stored(b""), 0) == b""


def test_truncated():
    for cut in range(len(PACKED)):
        assert refused(PACKED[:cut]), cut


def test_checksums_that_end_in_zeros_or_ones_are_not_made_up():
    """A reader that takes missing bytes for zeros or ones would not miss them."""
    for tail in (b"\0", b"\xff"):
        found = 0
        for i in range(700):
            data = stored(bytes([i & 255, i >> 8]))
            if data[-1:] == tail:
                found += 1
                assert refused(data[:-1])
        assert found
    assert refused(stored(b"")[:-1]) and refused(stored(b"")[:-4])


def test_trailing_bytes():
    assert refused(PACKED + b"\0")
    assert refused(PACKED + PACKED[-4:])


def test_any_bit_changed():
    for bit in range(8 * len(PACKED)):
        changed = bytearray(PACKED)
        changed[bit >> 3] ^= 1 << (bit & 7)
        try:
            out = inflate_zlib(bytes(changed), 16384)
        except InflateError:
            continue
        # Some bits of zlib mean nothing (level, padding, a match's extra bits): the content must be the same.
        assert out == TEXT, bit


def test_headers():
    for head in ("0000", "7800", "ad87", "79da", "88da", "78bb", "7820"):
        assert refused(unhexlify(head) + PACKED[2:]), head
