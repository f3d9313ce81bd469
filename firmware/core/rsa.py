"""PS256 (RFC 8230): RSASSA-PSS with SHA-256, MGF1 with SHA-256, a salt of 32 bytes (RFC 8017 section 8.1.2).

Keys of 2048 to 4096 bits with an odd exponent from 3 to 2**32. Public data only: nothing is constant in time.
"""

from firmware.core.hmac256 import sha256

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator

_MIN_BYTES = 256
_MAX_BYTES = 512
_MAX_EXPONENT = 0xFFFFFFFF
_HASH = 32
_TRAILER = 0xBC


def supported(modulus: bytes, exponent: int | None) -> bool:
    """Whether `modulus` (big-endian, no zero byte in front) and `exponent` make a key that can be checked."""
    size = len(modulus)
    return (
        _MIN_BYTES <= size <= _MAX_BYTES
        and modulus[0] >= (0x80 if size == _MIN_BYTES else 1)
        and modulus[-1] & 1 == 1
        and exponent is not None
        and 3 <= exponent <= _MAX_EXPONENT
        and exponent & 1 == 1
    )


def verify_pss_steps(
    modulus: bytes, exponent: int, message_hash: bytes, signature: bytes
) -> "Generator[None, None, bool]":
    """Whether `signature` over a message of SHA-256 `message_hash` is good, in slices; never raises.

    Yields None before each multiplication and each reduction of the power; a key that is not `supported` and
    a wrong length answer False.
    """
    if not supported(modulus, exponent) or len(signature) != len(modulus) or len(message_hash) != _HASH:
        return False
    n = int.from_bytes(modulus, "big")
    s = int.from_bytes(signature, "big")
    if s >= n:
        return False
    power = s
    bit = 1
    while bit <= exponent >> 1:
        bit <<= 1
    # From the second highest bit of the exponent down.
    bit >>= 1
    while bit:
        yield None
        power *= power
        yield None
        power %= n
        if exponent & bit:
            yield None
            power *= s
            yield None
            power %= n
        bit >>= 1
    yield None
    # The encoded message has one bit less than the modulus, and with 8k + 1 of those one byte less.
    top = modulus[0] >> 1
    size = len(modulus) if top else len(modulus) - 1
    return _is_encoding(power, size, top or 0xFF, message_hash)


def _is_encoding(power: int, size: int, top: int, message_hash: bytes) -> bool:
    """EMSA-PSS-VERIFY (RFC 8017 section 9.1.2) of an encoded message of `size` bytes.

    `top` has all its bits within those that the first byte may use.
    """
    allowed = 1
    while allowed <= top:
        allowed <<= 1
    limit = allowed << 8 * (size - 1)
    if power >= limit or power & 0xFF != _TRAILER:
        return False
    block = (power >> 8 & (1 << 8 * _HASH) - 1).to_bytes(_HASH, "big")
    data_size = size - _HASH - 1
    mask = b"".join([sha256(block, i.to_bytes(4, "big")) for i in range((data_size + _HASH - 1) // _HASH)])
    data = power >> 8 * (_HASH + 1) ^ int.from_bytes(mask[:data_size], "big")
    data &= (allowed << 8 * (data_size - 1)) - 1
    # Zeros, then a one, then the salt: as a number, a one above the salt's bits.
    if data >> 8 * _HASH != 1:
        return False
    salt = (data & (1 << 8 * _HASH) - 1).to_bytes(_HASH, "big")
    return sha256(bytes(8), message_hash, salt) == block
