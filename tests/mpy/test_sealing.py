# heap: 400k
"""Segment keys on the real curve: made ready in slices, taken once, and given up for a signature."""

import os

import cryptolib
import nor

from firmware.core import cbor
from firmware.core.hkdf import hkdf_sha256
from firmware.core.p256 import GX, GY, P256Error
from firmware.core.p256_comb import Secrets, build_table_steps
from firmware.core.p256_portable import PortableEngine
from firmware.core.seal import SealError, kdf_context
from firmware.services.journal import SEGMENT_RECORDS, Journal, JournalError
from firmware.services.sealing import Sealing

GENERATOR = GX.to_bytes(32, "big") + GY.to_bytes(32, "big")
KID = b"server01"
SECRET = 0x1234567890ABCDEF


def finish(steps):
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


ENGINE = PortableEngine()
SECRETS = Secrets(ENGINE, finish(build_table_steps(ENGINE, GENERATOR, 1)))
SERVER = finish(SECRETS.public_key_steps(SECRET, 1))


def sealing():
    s = Sealing(SECRETS, cryptolib.aes, os.urandom)
    s.use(SERVER, KID)
    return s


def raises(kind, call, *args):
    try:
        call(*args)
    except kind:
        return
    raise AssertionError("%s was not raised" % kind)


def head_of(segment):
    protected, _, _, recipients = cbor.loads(segment.head).value
    cose_key = recipients[0][1][-1]
    return cbor.loads(protected)[-65537], cose_key[-2] + cose_key[-3]


def test_a_key_is_made_ready_and_taken_once():
    s = sealing()
    assert not s.ready and s.kid == KID
    slices = 0
    for _ in s.prepare_steps():
        slices += 1
    assert slices > 20 and s.ready
    assert finish(s.prepare_steps())
    segment = s.begin("device-1", 7)
    assert not s.ready
    (device, first), public = head_of(segment)
    assert (device, first, segment.first) == ("device-1", 7, 7)
    # without one that is ready it is made there and then, and it is another one
    other = s.begin("device-1", 8)
    assert head_of(other)[1] != public
    # the server agrees on the key that the handheld sealed with
    shared = finish(SECRETS.shared_secret_steps(SECRET, public, 1))
    assert hkdf_sha256(shared, b"", kdf_context(KID), 16) == segment._key


def test_without_a_server_key():
    s = Sealing(SECRETS, cryptolib.aes, os.urandom)
    assert not finish(s.prepare_steps())
    raises(SealError, s.begin, "device-1", 1)
    for key, kid in ((SERVER[:63], KID), (SERVER, b"short"), (b"", KID), (SERVER, b"")):
        raises(SealError, s.use, key, kid)
    raises(P256Error, s.use, bytes(64), KID)
    assert s.kid == b""


def test_a_new_server_key():
    s = sealing()
    finish(s.prepare_steps())
    s.use(SERVER, KID)
    assert s.ready
    other = finish(SECRETS.public_key_steps(SECRET + 1, 1))
    s.use(other, b"server02")
    assert not s.ready and s.begin("d", 1).kid == b"server02"
    # one that comes while a key is made for the one before
    steps = s.prepare_steps()
    for _ in range(5):
        next(steps)
    s.use(SERVER, KID)
    assert not finish(steps) and not s.ready
    assert finish(s.prepare_steps()) and s.begin("d", 1).kid == KID


def test_a_signature_takes_the_engine():
    s = sealing()
    steps = s.prepare_steps()
    for _ in range(5):
        next(steps)
    finish(SECRETS.public_key_steps(5, 1))
    assert not finish(steps) and not s.ready
    assert finish(s.prepare_steps())
    # and a record that cannot wait takes it from a signature
    s.begin("d", 1)
    steps = SECRETS.public_key_steps(5, 1)
    next(steps)
    s.begin("d", 1)
    raises(P256Error, finish, steps)


def test_random_numbers_that_are_none():
    s = Sealing(SECRETS, cryptolib.aes, lambda size: bytes(size))
    s.use(SERVER, KID)
    assert not finish(s.prepare_steps())
    raises(SealError, s.begin, "d", 1)


def test_the_journal_prepares_in_time():
    s = Sealing(SECRETS, cryptolib.aes, os.urandom)
    j = Journal(nor.NorFlash(6), s, lambda: "device-1", lambda: 0)
    j.open()
    for _ in j.tend_steps():
        pass
    raises(JournalError, j.append, cbor.dumps({1: 1}))
    s.use(SERVER, KID)
    for _ in j.tend_steps():
        pass
    assert s.ready
    for seq in range(1, SEGMENT_RECORDS + 3):
        j.append(cbor.dumps({1: seq}))
        if seq == SEGMENT_RECORDS // 2:
            assert not s.ready
            for _ in j.tend_steps():
                pass
            assert s.ready
    assert not s.ready
    heads = [i for i in j.batch(1000, 100_000)[2] if i[:2] == b"\xd8\x60"]
    assert [cbor.loads(cbor.loads(h).value[0])[-65537][1] for h in heads] == [1, SEGMENT_RECORDS + 1]
