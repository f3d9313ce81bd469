from aes import aes

from firmware.core import cbor, ccm, ring_format, seal
from firmware.core.p256 import GX, GY, P256Error
from firmware.core.p256_comb import Secrets, build_table_steps
from firmware.core.p256_portable import PortableEngine
from firmware.core.seal import SealError, Segment, SegmentKey

GENERATOR = GX.to_bytes(32, "big") + GY.to_bytes(32, "big")
KEY = SegmentKey(bytes(range(16)), bytes(range(64)), bytes(range(100, 113)), b"server01")


def finish(steps):
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def raises(kind, call, *args):
    try:
        call(*args)
    except kind:
        return
    raise AssertionError("not refused")


def test_head_as_published():
    segment = Segment(aes, KEY, "device-1", 300)
    value = cbor.loads(segment.head)
    assert value.number == 96
    protected, unprotected, ciphertext, recipients = value.value
    assert cbor.loads(protected) == {1: 10, -65537: ["device-1", 300]}
    assert unprotected == {5: KEY.iv} and len(ciphertext) == 8
    assert len(recipients) == 1
    inner, outer, nothing = recipients[0]
    assert cbor.loads(inner) == {1: -25, 4: b"server01"} and nothing == b""
    assert outer == {-1: {1: 2, -1: 1, -2: KEY.public[:32], -3: KEY.public[32:]}}
    assert cbor.loads(seal.RECORD_PROTECTED) == {1: 10}
    assert len(Segment(aes, KEY, "d" * 32, seal.MAX_SEQUENCE).head) <= seal.MAX_HEAD


def test_record_as_published():
    segment = Segment(aes, KEY, "device-1", 300)
    for size in (1, 15, 16, 17, 100, 240, 250, 512):
        sequence = 300 + size
        sealed = segment.seal(sequence, bytes(32), bytes(size))
        protected, unprotected, ciphertext = cbor.loads(sealed)
        assert protected == seal.RECORD_PROTECTED and unprotected == {6: sequence.to_bytes(4, "big")}
        assert len(ciphertext) == size + 8
        assert len(sealed) <= size + seal.OVERHEAD <= seal.MAX_SEALED
        partial = sequence.to_bytes(4, "big")
        nonce = KEY.iv[:9] + bytes([KEY.iv[9 + i] ^ partial[i] for i in range(4)])
        outside = cbor.dumps(["device-1", 300, sequence, bytes(32)])
        data = cbor.dumps(["Encrypt0", seal.RECORD_PROTECTED, outside])
        assert ciphertext == ccm.encrypt(aes, KEY.key, nonce, data, bytes(size))
    # it fits a frame, and a segment's head does with its first sequence
    assert seal.MAX_SEALED <= ring_format.MAX_CONTENT and seal.MAX_HEAD + 4 <= ring_format.MAX_CONTENT


def test_a_sequence_is_sealed_once():
    segment = Segment(aes, KEY, "device-1", 5)
    raises(SealError, segment.seal, 4, bytes(32), b"x")
    segment.seal(5, bytes(32), b"x")
    raises(SealError, segment.seal, 5, bytes(32), b"x")
    segment.seal(9, bytes(32), b"x")
    raises(SealError, segment.seal, 6, bytes(32), b"x")
    raises(SealError, segment.seal, 10, bytes(32), b"")
    raises(SealError, segment.seal, 10, bytes(32), bytes(513))
    raises(SealError, segment.seal, seal.MAX_SEQUENCE + 1, bytes(32), b"x")


def test_segments_that_there_are_not():
    raises(SealError, Segment, aes, KEY, "", 1)
    raises(SealError, Segment, aes, KEY, "d" * 33, 1)
    raises(SealError, Segment, aes, KEY, "d", 0)
    raises(SealError, Segment, aes, KEY, "d", seal.MAX_SEQUENCE + 1)


def test_new_key():
    engine = PortableEngine()
    secrets = Secrets(engine, finish(build_table_steps(engine, GENERATOR, 1)))
    server = finish(secrets.public_key_steps(12345, 1))
    count = 0

    def random(size):
        nonlocal count
        count += 1
        # the first is out of range and must be passed over
        return b"\xff" * size if count == 1 else bytes([count] * size)

    key = finish(seal.new_key_steps(secrets, server, b"server01", random))
    mine = int.from_bytes(b"\x02" * 32, "big")
    assert key.public == finish(secrets.public_key_steps(mine, 1))
    # the server's side of the agreement leads to the same key
    shared = finish(secrets.shared_secret_steps(12345, key.public, 1))
    assert key.key == seal.hkdf_sha256(shared, b"", seal.kdf_context(b"server01"), 16)
    assert key.kid == b"server01" and len(key.iv) == 13
    raises(SealError, finish, seal.new_key_steps(secrets, server, b"server01", lambda size: bytes(size)))
    raises(P256Error, finish, seal.new_key_steps(secrets, bytes(64), b"server01", random))
