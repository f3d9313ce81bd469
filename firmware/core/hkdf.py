"""HKDF (RFC 5869) with SHA-256: turns a secret that is not evenly random into keys."""

from firmware.core.hmac256 import hmac_sha256

_HASH = 32
MAX_BYTES = 255 * _HASH


def hkdf_sha256(secret: bytes, salt: bytes, info: bytes, length: int) -> bytes:
    """`length` bytes, 1 to 8160, of key material out of `secret`, bound to `info`.

    An empty `salt` stands for 32 zero bytes, as the RFC says. Raises ValueError for another length.
    """
    if not 0 < length <= MAX_BYTES:
        raise ValueError("length")
    key = hmac_sha256(salt, secret)
    block = b""
    blocks = []
    for number in range(1, (length + _HASH - 1) // _HASH + 1):
        block = hmac_sha256(key, block, info, bytes((number,)))
        blocks.append(block)
    return b"".join(blocks)[:length]
