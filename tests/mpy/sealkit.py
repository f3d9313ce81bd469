"""Segments for the journal's tests: real sealing, but keys from a counter instead of the curve."""

import cryptolib

from firmware.core import cbor
from firmware.core.hmac256 import sha256
from firmware.core.seal import SealError, Segment, SegmentKey

DEVICE = "device-0001"
KID = b"sealkey1"


class QuickSealing:
    """Stands for firmware.services.sealing.Sealing; every key can be made again from the public half."""

    made = 0

    def __init__(self, kid=KID, ready=True):
        self.kid = kid
        self.ready = ready
        self.prepared = 0
        self.begun = 0

    def prepare_steps(self):
        self.prepared += 1
        self.ready = True
        yield None
        return True

    def begin(self, device, first):
        if not self.kid:
            raise SealError("no sealing key")
        self.begun += 1
        QuickSealing.made += 1
        return Segment(cryptolib.aes, _key(sha256(b"%d" % QuickSealing.made), self.kid), device, first)


class OpenSealing(QuickSealing):
    """Seals nothing: records can be read where they lie."""

    def begin(self, device, first):
        segment = QuickSealing.begin(self, device or "none", first)
        segment.seal = lambda sequence, chain, record: record
        segment.device = device
        return segment


def _key(noise, kid):
    return SegmentKey(noise[:16], noise + noise, noise[16:29], kid)


def reseal(head, sequence, chain, record):
    """Whether the record begins the segment of this head, and how it is sealed there."""
    protected, _, _, recipients = cbor.loads(head).value
    device, first = cbor.loads(protected)[-65537]
    noise = recipients[0][1][-1][-2]
    segment = Segment(cryptolib.aes, _key(noise, cbor.loads(recipients[0][0])[4]), device, first)
    assert segment.head == head
    return first == sequence, segment.seal(sequence, chain, record)
