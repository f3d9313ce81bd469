"""The GM65's wire format: frames against figures of the manual, and any stream in any chunks."""

import random

from drivers.gm65_frames import (
    EMBEDDED,
    PAYLOAD_LIMIT,
    READ,
    REPLY,
    SAVE,
    TEXT,
    WRITE,
    Frames,
    command,
    crc16,
)

ACK = bytes((0x02, 0x00, 0x00, 0x01, 0x00, 0x33, 0x31))
ALPHABET = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"


def reply(data):
    """A reply frame as the module makes it."""
    body = bytes((0, len(data))) + data
    crc = crc16(body)
    return b"\x02\x00" + body + bytes((crc >> 8, crc & 0xFF))


def text(length):
    return bytes(ALPHABET[random.getrandbits(16) % 45] for _ in range(length))


def noise(length):
    return bytes(random.getrandbits(8) for _ in range(length))


def feed_all(stream, chunk_of):
    """All events of a stream that arrives in chunks of chunk_of() bytes."""
    frames = Frames()
    events = []
    at = 0
    while at < len(stream):
        size = chunk_of()
        events.extend(frames.feed(stream[at : at + size]))
        at += size
    return events, frames


def test_checksum_is_the_manuals():
    # Recomputed figures of the manual's own examples.
    assert crc16(bytes((7, 1, 0, 0x0A, 1))) == 0xEE8A
    assert crc16(bytes((9, 1, 0, 0, 0))) == 0xDEC8
    assert crc16(bytes((8, 2, 0, 0x2A, 0x39, 1))) == 0xA7EA
    assert crc16(b"123456789") == 0x31C3  # the catalogue's check value of CRC-16/XMODEM


def test_checksum_equals_the_standard_library():
    import binascii

    if not hasattr(binascii, "crc_hqx"):
        return  # MicroPython has none; CPython runs this one
    random.seed(1)
    for _ in range(300):
        data = noise(random.getrandbits(8) % 64)
        assert crc16(data) == binascii.crc_hqx(data, 0)


def test_commands_are_the_manuals():
    assert command(READ, 0x000A, b"\x01") == bytes.fromhex("7E00070100 0A01EE8A".replace(" ", ""))
    assert command(SAVE, 0, b"\x00") == bytes.fromhex("7E0009010000 00DEC8".replace(" ", ""))
    assert command(WRITE, 0x002A, b"\x39\x01") == bytes.fromhex("7E000802002A3901A7EA")


def test_replies_of_the_manual():
    frames = Frames()
    assert frames.feed(ACK) == [(REPLY, b"\x00")]
    assert frames.feed(bytes.fromhex("020000013EE4AC")) == [(REPLY, b"\x3e")]
    assert frames.feed(bytes.fromhex("0200000239 01C14C".replace(" ", ""))) == [(REPLY, b"\x39\x01")]
    assert not frames.open


def test_a_reply_with_a_wrong_checksum_is_no_reply():
    for at in range(4, 7):
        for bit in range(8):
            bad = bytearray(ACK)
            bad[at] ^= 1 << bit
            assert [e for e in Frames().feed(bytes(bad)) if e[0] != TEXT] == []


def test_acknowledgement_and_text_in_one_read():
    frames = Frames()
    assert frames.feed(ACK + b"hello world\r\n") == [(REPLY, b"\x00"), (TEXT, b"hello world")]
    assert frames.feed(ACK + b"YM1:ABC\r") == [(REPLY, b"\x00"), (TEXT, b"YM1:ABC")]


def test_a_late_text_before_and_around_an_acknowledgement():
    frames = Frames()
    assert frames.feed(b"LATE\r" + ACK) == [(TEXT, b"LATE"), (REPLY, b"\x00")]
    assert frames.feed(b"LA" + ACK + b"TE\r") == [(EMBEDDED, b"\x00"), (TEXT, b"LATE")]


def test_only_the_tail_is_taken_off():
    assert Frames().feed(b" YM1:A 3 \r") == [(TEXT, b" YM1:A 3 ")]
    assert Frames().feed(b"  \r") == [(TEXT, b"  ")]


def test_empty_texts_are_dropped():
    assert Frames().feed(b"\r\r\n\r\n\nA\r") == [(TEXT, b"\nA")]


def test_the_start_of_a_reply_may_be_text():
    assert Frames().feed(b"A\x02B\r") == [(TEXT, b"A\x02B")]
    assert Frames().feed(b"A\x02\r") == [(TEXT, b"A\x02")]
    assert Frames().feed(b"\x02\x02\x00" + ACK + b"\r") == [(EMBEDDED, b"\x00"), (TEXT, b"\x02\x02\x00")]
    assert Frames().feed(b"\x02\x00\x00\xff\r") == [(TEXT, b"\x02\x00\x00\xff")]


def test_the_limit():
    frames = Frames()
    longest = text(PAYLOAD_LIMIT)
    assert frames.feed(longest + b"\r") == [(TEXT, longest)]
    for more in (1, 2, 5000):
        ((kind, content),) = frames.feed(longest + b"X" * more + b"\r")
        assert kind == TEXT and content == longest + b"X"
    assert frames.feed(b"NEXT\r") == [(TEXT, b"NEXT")]


def test_reset_forgets():
    frames = Frames()
    for half in (b"YM1:ABC", ACK[:5], b"AB\x02", b"X" * 5000):
        assert frames.feed(half) == []
        assert frames.open
        frames.reset()
        assert not frames.open and not frames.in_text
        assert frames.feed(b"DEF\r" + ACK) == [(TEXT, b"DEF"), (REPLY, b"\x00")]


def test_any_chunking_gives_the_same():
    random.seed(2)
    for round_number in range(60):
        stream = b""
        for _ in range(random.getrandbits(3) + 1):
            stream += random.choice(
                (
                    ACK,
                    reply(noise(1)),
                    reply(noise(2)),
                    text(random.getrandbits(7)) + b"\r",
                    text(3) + ACK + text(2) + b"\r\n",
                    noise(random.getrandbits(6)),
                    ACK[: random.getrandbits(3)],
                    bytes(random.choice((0, 2, 13, 10, 1)) for _ in range(24)),
                )
            )
        whole, _ = feed_all(stream, lambda: 4096)
        single, _ = feed_all(stream, lambda: 1)
        assert whole == single, (round_number, stream)
        for _ in range(4):
            chunked, _ = feed_all(stream, lambda: random.getrandbits(4) + 1)
            assert whole == chunked, (round_number, stream)


def test_clean_streams_come_out_as_they_went_in():
    random.seed(3)
    for _ in range(40):
        expected = []
        stream = b""
        for _ in range(12):
            if random.getrandbits(1):
                data = noise(1 + random.getrandbits(1))
                expected.append((REPLY, data))
                stream += reply(data)
            else:
                content = text(1 + random.getrandbits(8))
                expected.append((TEXT, content))
                stream += content + b"\r"
        events, frames = feed_all(stream, lambda: random.getrandbits(6) + 1)
        assert events == expected
        assert not frames.open


def test_noise_never_hangs_nor_grows():
    random.seed(4)
    for alphabet in (None, (0, 2), (2,), (0, 1, 2, 13), (65,)):
        frames = Frames()
        for _ in range(16):
            data = noise(256) if alphabet is None else bytes(random.choice(alphabet) for _ in range(256))
            for kind, content in frames.feed(data):
                assert kind in (REPLY, TEXT, EMBEDDED) and len(content) <= PAYLOAD_LIMIT + 1
        assert len(frames._text) <= PAYLOAD_LIMIT + 1 and len(frames._head) <= 8
        # What comes after it: at worst the first code is spoilt, the second never is.
        events = frames.feed(b"FIRST\rSECOND\r" + ACK)
        assert events[-2:] == [(TEXT, b"SECOND"), (REPLY, b"\x00")]


class NoMemory(bytearray):
    """Stands for a text's buffer where the heap is full."""

    def extend(self, data):
        raise MemoryError


def test_a_text_without_memory_is_dropped_as_a_whole():
    frames = Frames()
    frames._text = NoMemory()
    assert frames.feed(b"LOST") == [] and frames.in_text
    assert frames.feed(b"LOST TOO\rNEXT\r" + ACK) == [(TEXT, b"NEXT"), (REPLY, b"\x00")]
    assert not frames.open
