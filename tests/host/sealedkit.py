"""A handheld on paper that seals: the firmware's own segments, with keys agreed by `cryptography`."""

from __future__ import annotations

import secrets

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from fleetkit import PaperHandheld

from firmware.core import ring_format
from firmware.core.hkdf import hkdf_sha256
from firmware.core.seal import Segment, SegmentKey, kdf_context
from host_tools.server.sealing_keys import public_of


class _Aes:
    """AES as MicroPython's cryptolib has it."""

    def __init__(self, key: bytes, mode: int, iv: bytes = b"") -> None:
        self._inner = Cipher(algorithms.AES(key), modes.ECB() if mode == 1 else modes.CBC(iv)).encryptor()

    def encrypt(self, data: bytes) -> bytes:
        return self._inner.update(data)


class SealedHandheld(PaperHandheld):
    """Seals every record in the segment that `begin` began last."""

    def __init__(self, device_id: str, secret: bytes) -> None:
        super().__init__(device_id, secret)
        self.sealed: list[bytes] = []
        self.heads: list[bytes] = []
        self.segment: Segment | None = None

    def begin(self, public: bytes, kid: bytes) -> None:
        """A new segment from the next record on."""
        ephemeral = ec.generate_private_key(ec.SECP256R1())
        peer = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), b"\x04" + public)
        key = hkdf_sha256(ephemeral.exchange(ec.ECDH(), peer), b"", kdf_context(kid), 16)
        given = SegmentKey(key, public_of(ephemeral), secrets.token_bytes(13), kid)
        self.segment = Segment(_Aes, given, self.id, len(self.records) + 1)

    def append(self, raw: bytes) -> None:
        assert self.segment is not None
        sequence = len(self.records) + 1
        before = self.chains[-1]
        sealed = self.segment.seal(sequence, before, raw)
        begins = self.segment.head if self.segment.first == sequence else b""
        self.records.append(raw)
        self.sealed.append(sealed)
        self.heads.append(self.segment.head)
        self.chains.append(ring_format.chain(before, begins, sealed))

    def items(self, first: int = 1, last: int | None = None) -> list[bytes]:
        """Sealed records with the heads that a batch has."""
        found: list[bytes] = []
        head = b""
        for index in range(first - 1, len(self.records) if last is None else last):
            if self.heads[index] != head:
                head = self.heads[index]
                found.append(head)
            found.append(self.sealed[index])
        return found

    def sends(self, first: int = 1, last: int | None = None) -> bytes:
        """A sync request with sealed records."""
        return self.request(first, records=self.items(first, last))
