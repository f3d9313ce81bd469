from binascii import unhexlify

from firmware.core.inflate import InflateError, _adler32, inflate_zlib

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


def stored(data):
    """A zlib stream of one stored block (RFC 1951 section 3.2.4)."""
    size = len(data)
    head = b"\x78\x01\x01" + bytes([size & 255, size >> 8, ~size & 255, ~size >> 8 & 255])
    return head + data + _adler32(data).to_bytes(4, "big")


def test_streams_of_zlib():
    assert inflate_zlib(STORED, 100) == b"stored"
    assert inflate_zlib(PACKED, 100) == TEXT


def test_adler32():
    # Values of CPython's zlib.
    assert _adler32(b"") == 1
    assert _adler32(b"Wikipedia") == 0x11E60398
    assert _adler32(b"\xff" * 20000) == 0x9F51D664


def test_sizes_around_the_windows():
    for size in (0, 1, 2047, 2048, 2049, 16383, 16384):
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
