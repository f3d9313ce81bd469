from firmware.core import ring_format
from firmware.core.hmac256 import sha256
from firmware.core.ring_format import RingError

CHAIN = bytes(range(32))


def raises(call, *args):
    try:
        call(*args)
    except RingError:
        return
    raise AssertionError("not refused")


def test_sector_head():
    head = ring_format.encode_sector(7, 1000, 999, 1_800_000_000, CHAIN)
    assert len(head) == ring_format.SECTOR_HEAD == 56
    assert ring_format.sector_number(head) == 7
    assert ring_format.sector_number(bytearray(head + b"more")) == 7
    assert ring_format.sector_fields(head) == (1000, 999, 1_800_000_000, CHAIN)
    for at in range(len(head)):
        for bit in (1, 0x80):
            bad = bytearray(head)
            bad[at] ^= bit
            assert ring_format.sector_number(bad) == 0, at
    for size in range(len(head)):
        assert ring_format.sector_number(head[:size]) == 0
    assert ring_format.sector_number(b"\xff" * 56) == 0 and ring_format.sector_number(bytes(56)) == 0


def test_sector_heads_that_there_are_not():
    raises(ring_format.encode_sector, 0, 1, 0, 0, CHAIN)
    raises(ring_format.encode_sector, 1, 1, 1, 0, CHAIN)
    raises(ring_format.encode_sector, 1, 0, 0, 0, CHAIN)
    raises(ring_format.encode_sector, 1, 1, 0, 0, CHAIN[1:])
    raises(ring_format.encode_sector, ring_format.MAX_NUMBER + 1, 1, 0, 0, CHAIN)


def test_frames():
    for size in (1, 2, 3, 4, 5, 100, 511, ring_format.MAX_CONTENT):
        content = bytes([i & 0xFF for i in range(size)])
        data = ring_format.frame(9, ring_format.RECORD, content)
        assert len(data) % 4 == 0 and len(data) == ring_format.frame_size(size)
        assert ring_format.frame_content(data[:8], len(data)) == size
        assert ring_format.frame_content(data[:8], len(data) - 1) == 0
        assert data[2] == ring_format.RECORD
        assert ring_format.frame_sound(9, data[:8], content)
        # what an erase left over of the sector that was there before
        assert not ring_format.frame_sound(9 - 8, data[:8], content)
        for at in range(8):
            for bit in (1, 0x80):
                bad = bytearray(data[:8])
                bad[at] ^= bit
                assert ring_format.frame_content(bad, 4000) != size or not ring_format.frame_sound(
                    9, bad, content
                )
        assert not ring_format.frame_sound(9, data[:8], content[:-1] + bytes([content[-1] ^ 1]))
    raises(ring_format.frame, 1, ring_format.RECORD, b"")
    raises(ring_format.frame, 1, ring_format.RECORD, bytes(ring_format.MAX_CONTENT + 1))
    raises(ring_format.frame, 1, ring_format.RECORD, b"x", ring_format.MAX_GROUP)
    assert ring_format.frame(1, ring_format.RECORD, b"x", 5)[3] == 5


def test_blank_flash_is_no_frame():
    assert ring_format.frame_content(b"\xff" * 8, 4000) == 0
    assert ring_format.frame_content(bytes(8), 4000) == 0
    assert ring_format.blank(b"\xff" * 300) and ring_format.blank(b"")
    assert not ring_format.blank(b"\xff\xfe\xff")


def test_chain():
    first = ring_format.chain(bytes(32), b"head", b"sealed")
    assert first == sha256(bytes(32) + b"head" + b"sealed")
    assert ring_format.chain(first, b"", b"next") == sha256(first + b"next")
