"""How a handheld hands over without a network, shows who it was, and changes its secret (docs/formats.md).

An *export* is a file of sync requests, framed so that a torn one shows; an *acknowledgement* is the server's
answer to it, on a file too.

Export, integers big-endian: ``"YX1\\n"``; per request its length (u32) and its bytes; then 0 (u32), how many
requests there are (u32), CRC-32 (u32) of all before.
"""

import binascii
import struct

from firmware.core import cbor, cose, shape
from firmware.core.errors import CoreError
from firmware.core.hmac256 import hmac_sha256
from firmware.core.message import MAX_REQUEST_BYTES

EXPORT_MAGIC = b"YX1\n"
#: Some more than a full journal's requests.
MAX_EXPORT_BYTES = 4_194_304
MAX_ACKNOWLEDGEMENT_BYTES = 256
_SEQ_MAX = 0xFFFFFFFF
_WORD = 4


class HandoverError(CoreError):
    """A file that is not of its form, is torn, or not for this device."""


def export_frame(request: bytes) -> bytes:
    """What stands before a request in an export: its length."""
    return struct.pack(">I", len(request))


def export_end(count: int, crc: int) -> bytes:
    """The end of an export of `count` requests, whose CRC-32 up to here is `crc`."""
    end = struct.pack(">II", 0, count)
    return end + struct.pack(">I", binascii.crc32(end, crc))


def parse_export(data: bytes) -> list[bytes]:
    """The requests in an export, nothing in them believed yet; raises HandoverError."""
    if len(data) > MAX_EXPORT_BYTES:
        raise HandoverError("longer than an export can be")
    if data[: len(EXPORT_MAGIC)] != EXPORT_MAGIC:
        raise HandoverError("not an export of a handheld")
    at, found = len(EXPORT_MAGIC), []
    while True:
        if at + _WORD > len(data):
            raise HandoverError("cut short")
        length = struct.unpack(">I", data[at : at + _WORD])[0]
        at += _WORD
        if not length:
            break
        if length > MAX_REQUEST_BYTES:
            raise HandoverError("a request is too long")
        if at + length > len(data):
            raise HandoverError("cut short")
        found.append(data[at : at + length])
        at += length
    if len(data) < at + 2 * _WORD:
        raise HandoverError("cut short")
    count, crc = struct.unpack(">II", data[at : at + 2 * _WORD])
    if len(data) != at + 2 * _WORD:
        raise HandoverError("bytes behind its end")
    if count != len(found) or crc != binascii.crc32(data[: at + _WORD]):
        raise HandoverError("damaged: its checksum is another one")
    return found


def encode_acknowledgement(device_id: str, secret: bytes, acknowledged: int, chain: bytes) -> bytes:
    """What the server holds of a device, told on a file: its last sequence without a gap, the chain there."""
    return cose.encode_mac0(secret, device_id.encode(), cbor.dumps({1: acknowledged, 2: chain}))


def parse_acknowledgement(data: bytes, device_id: str, secret: bytes) -> tuple[int, bytes]:
    """Sequence and chain value of an acknowledgement for this device; raises HandoverError for any other."""
    if len(data) > MAX_ACKNOWLEDGEMENT_BYTES:
        raise HandoverError("too long")
    try:
        mac0 = cose.parse_mac0(data)
        if mac0.kid != device_id.encode() or not mac0.verify(secret):
            raise HandoverError("not for this device")
        fields = shape.mapping(cbor.loads(mac0.payload), (1, 2))
        return shape.uint(fields[1], _SEQ_MAX), shape.octets(fields[2], 32)
    except (cose.CoseError, cbor.CborError, shape.ShapeError) as e:
        raise HandoverError(str(e)) from None


def enrol_proof(secret: bytes, token: bytes, chip_id: bytes, key: bytes) -> bytes:
    """What shows that a handheld that enrols is the one that holds this `secret`: HMAC 256/256."""
    return hmac_sha256(secret, b"yima enrol", token, key, chip_id)


def rolled_secret(secret: bytes, roll: bytes) -> bytes:
    """The secret that follows this one once the server has sent `roll`, 32 random bytes.

    Who only sees the exchange, without the secret before, does not learn the new one.
    """
    return hmac_sha256(secret, b"yima roll", roll)
