"""Sealing records for the server's eyes only (docs/formats.md, "Sealed journal").

A *segment* is a run of records under one key. The key is agreed by ECDH-ES + HKDF-256 (RFC 9053 section
6.3.1) between the server's sealing key and a key pair that is made for this segment and forgotten at once;
what is kept of it is the public half, in the segment's *head*, a COSE_Encrypt (RFC 9052 section 5.1) of
nothing. Every record is a COSE_Encrypt0 under that key with AES-CCM-16-64-128: the head's IV is the context
IV, the record's sequence the Partial IV (section 3.1), so no nonce comes twice. The external data binds
device, segment, sequence and the chain value before the record.

The key lives in memory and nowhere else: a handheld that was switched off cannot open what it sealed.
"""

from firmware.core import cbor, ccm
from firmware.core.errors import CoreError
from firmware.core.hkdf import hkdf_sha256
from firmware.core.p256 import N

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from firmware.core.ccm import Aes
    from firmware.core.p256_comb import Secrets

#: Header parameters and values (RFC 9052 section 3.1, RFC 9053 sections 4.2, 6.3.1 and 7.1); RANGE is ours.
ALG = 1
KID = 4
IV = 5
EPHEMERAL_KEY = -1
RANGE = -65537
AES_CCM_16_64_128 = 10
ECDH_ES_HKDF_256 = -25
TAG_ENCRYPT = 96

PUBLIC_BYTES = 64
KID_BYTES = 8
MAX_DEVICE = 32
MAX_RECORD = 512
#: What a sealed record has more than its plaintext, at most, and how long a head can be.
OVERHEAD = 23
MAX_SEALED = MAX_RECORD + OVERHEAD
MAX_HEAD = 192
MAX_SEQUENCE = 0xFFFFFFFE

#: The protected header of a record, {ALG: AES_CCM_16_64_128}.
RECORD_PROTECTED = b"\xa1\x01\x0a"
#: A record up to its Partial IV, {6: the sequence}; and what it authenticates up to its external data.
_RECORD_START = b"\x83\x43" + RECORD_PROTECTED + b"\xa1\x06\x44"
_ENC_STRUCTURE = b"\x83\x68Encrypt0\x43" + RECORD_PROTECTED
_TRIES = 8  # for random numbers; each fails once in 2**32


class SealError(CoreError):
    """A segment cannot be begun, or a record cannot be sealed in it."""


class SegmentKey:
    """What a new segment needs: its key, the public half of the ephemeral pair, the IV, the server's kid."""

    __slots__ = ("iv", "key", "kid", "public")

    def __init__(self, key: bytes, public: bytes, iv: bytes, kid: bytes) -> None:
        self.key = key
        self.public = public
        self.iv = iv
        self.kid = kid


def new_key_steps(
    secrets: "Secrets", server_key: bytes, kid: bytes, random: "Callable[[int], bytes]"
) -> "Generator[None, None, SegmentKey]":
    """Agree on a key with the server, whose public key is x‖y and is named `kid` (8 bytes); in slices.

    `random(n)` gives n fresh random bytes, os.urandom for one. Raises P256Error for no public key, or where
    another computation took the engine; SealError where `random` gives nothing of use.
    """
    secret = _below_n(random)
    public = yield from secrets.public_key_steps(secret, _below_n(random))
    shared = yield from secrets.shared_secret_steps(secret, server_key, _below_n(random))
    key = hkdf_sha256(shared, b"", kdf_context(kid), ccm.KEY_BYTES)
    return SegmentKey(key, public, random(ccm.NONCE_BYTES), kid)


def recipient_protected(kid: bytes) -> bytes:
    """The protected header of the recipient: the server, by its sealing key."""
    return cbor.dumps({ALG: ECDH_ES_HKDF_256, KID: kid})


def kdf_context(kid: bytes) -> bytes:
    """The COSE_KDF_Context (RFC 9053 section 5.2): which algorithm the key is for, 128 bits, and for whom.

    More is not needed: nobody ever gets the same secret twice, and each record names what it belongs to.
    """
    nobody = [None, None, None]
    return cbor.dumps([AES_CCM_16_64_128, nobody, nobody, [8 * ccm.KEY_BYTES, recipient_protected(kid)]])


class Segment:
    """A segment that records are sealed in; `head` has to be kept before the first of them.

    It belongs to `device` and begins with the sequence `first`. Raises SealError.
    """

    def __init__(self, aes: "Aes", key: SegmentKey, device: str, first: int) -> None:
        if not 0 < len(device.encode()) <= MAX_DEVICE or not 0 < first <= MAX_SEQUENCE:
            raise SealError("segment out of range")
        self._aes = aes
        self._key = key.key
        self._iv = int.from_bytes(key.iv, "big")
        self._place = b"\x84" + cbor.dumps(device) + cbor.head(0, first)
        self._last = first - 1
        self.kid = key.kid
        self.device = device
        self.first = first
        protected = cbor.dumps({ALG: AES_CCM_16_64_128, RANGE: [device, first]})
        data = cbor.dumps(["Encrypt", protected, b""])
        cose_key = {1: 2, -1: 1, -2: key.public[:32], -3: key.public[32:]}
        recipient = [recipient_protected(key.kid), {EPHEMERAL_KEY: cose_key}, b""]
        tag = ccm.encrypt(aes, key.key, key.iv, data, b"")
        self.head = cbor.dumps(cbor.Tag(TAG_ENCRYPT, [protected, {IV: key.iv}, tag, [recipient]]))

    def seal(self, sequence: int, chain_before: bytes, record: bytes) -> bytes:
        """The record sealed, a COSE_Encrypt0 without tag. Sequences only go up: a nonce must not come twice.

        So whoever could not store a sealed record has to begin another segment. Raises SealError.
        """
        if not self._last < sequence <= MAX_SEQUENCE or not 0 < len(record) <= MAX_RECORD:
            raise SealError("record out of range")
        self._last = sequence
        # Put together by hand, for it is done for every person at the door. Enc_structure first.
        outside = b"".join(
            (self._place, cbor.head(0, sequence), cbor.head(2, len(chain_before)), chain_before)
        )
        data = b"".join((_ENC_STRUCTURE, cbor.head(2, len(outside)), outside))
        nonce = (self._iv ^ sequence).to_bytes(ccm.NONCE_BYTES, "big")
        ciphertext = ccm.encrypt(self._aes, self._key, nonce, data, record)
        partial = sequence.to_bytes(4, "big")
        return b"".join((_RECORD_START, partial, cbor.head(2, len(ciphertext)), ciphertext))


def _below_n(random: "Callable[[int], bytes]") -> int:
    """A random number from 1 to N - 1."""
    for _ in range(_TRIES):
        number = int.from_bytes(random(32), "big")
        if 0 < number < N:
            return number
    raise SealError("random numbers")
