import binascii
import struct

from firmware.core import base45, sheet
from firmware.core.hmac256 import sha256
from firmware.core.sheet import SheetError, encode_frames, parse_frame

DATA = bytes(i * 7 & 255 for i in range(2345))


def refused(text):
    try:
        parse_frame(text)
    except SheetError:
        return True
    return False


def frame(set_id=b"abcd", index=0, count=1, length=5, piece=b"12345", crc=None):
    data = set_id + struct.pack(">HHI", index, count, length) + piece
    return (
        b"YS1:"
        + base45.encode(data + struct.pack(">I", binascii.crc32(data) if crc is None else crc)).encode()
    )


def test_round_trip():
    for size in (1, 5, 599, 600, 601, 1200, 2345):
        for piece_bytes in (600, 300, 77):
            data = DATA[:size]
            texts = encode_frames(data, piece_bytes)
            assert len(texts) == (size + piece_bytes - 1) // piece_bytes
            joined = bytearray(size)
            for index in range(len(texts) - 1, -1, -1):
                name, number, count, piece = parse_frame(texts[index].encode())
                assert (number, count) == (index, len(texts))
                whole = piece_bytes if size > piece_bytes else size
                assert name == sha256(data)[:4] + struct.pack(">HIH", count, size, whole)
                joined[number * whole : number * whole + len(piece)] = piece
            assert bytes(joined) == data


def test_a_frame_fits_a_picture():
    # QR version 23 at level M holds 1,059 alphanumeric characters.
    text = encode_frames(bytes(600))[0]
    assert len(text) == 4 + 924 and all(c in base45.ALPHABET for c in text[4:])


def test_limits():
    assert len(encode_frames(bytes(sheet.MAX_BYTES))) == sheet.MAX_FRAMES
    for data, piece_bytes in ((bytes(sheet.MAX_BYTES + 1), 600), (b"", 600), (b"x", 0), (b"x", 601)):
        try:
            encode_frames(data, piece_bytes)
        except SheetError:
            continue
        assert False, (len(data), piece_bytes)


def test_what_is_no_frame():
    good = encode_frames(DATA)[1].encode()
    assert not refused(good)
    for bad in (
        b"",
        b"YM1:" + good[4:],
        good[:-1],
        good[:-3],
        good + b"000",
        good.lower(),
        b"YS1:" + b"0" * 930,
    ):
        assert refused(bad), bad[:9]
    for i in range(4, len(good), 31):
        other = b"1" if good[i : i + 1] != b"1" else b"2"
        assert refused(good[:i] + other + good[i + 1 :]), i


def test_numbers_that_do_not_fit():
    assert not refused(frame())
    assert not refused(frame(index=0, count=2, length=6)) and not refused(frame(index=1, count=2, length=10))
    assert refused(frame(crc=0))
    assert refused(frame(piece=b"")) and refused(frame(piece=bytes(601), length=601))
    assert refused(frame(index=1)) and refused(frame(count=0)) and refused(frame(count=129, length=129 * 5))
    assert refused(frame(length=6)) and refused(frame(length=4))
    assert refused(frame(index=0, count=2, length=5)) and refused(frame(index=0, count=2, length=11))
    assert refused(frame(index=1, count=2, length=9)), "the last piece is longer than the one before"
    assert refused(frame(index=1, count=2, length=5)) and refused(frame(index=2, count=3, length=10))
    assert refused(frame(index=1, count=2, length=0xFFFFFFFF))
