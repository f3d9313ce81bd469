"""AES-CCM-16-64-128 (RFC 9053 section 4.2): CCM of NIST SP 800-38C and RFC 3610 with a nonce of 13 bytes, a
tag of 8, and so at most 65,535 bytes of plaintext. Encryption only: a handheld never opens what it sealed.

The AES comes in from outside as a factory that is called like MicroPython's ``cryptolib.aes``:
``aes(key, 1)`` for ECB, ``aes(key, 2, iv)`` for CBC, each with a method ``encrypt(data)`` for whole blocks.
The tag is the last block of one CBC run, and the key stream one ECB run over counters: two calls a message,
however long it is.
"""

from firmware.core.errors import CoreError

if False:
    from typing import Callable, Protocol

    class Cipher(Protocol):
        """AES under one key in one mode."""

        def encrypt(self, __data: "bytes | bytearray") -> bytes:
            """Encrypt whole blocks of 16 bytes."""

    Aes = Callable[..., Cipher]


KEY_BYTES = 16
NONCE_BYTES = 13
TAG_BYTES = 8
MAX_PLAINTEXT = 0xFFFF
#: Longer data would take another form of length (RFC 3610 section 2.2).
MAX_DATA = 0xFEFF

_ECB = 1
_CBC = 2
_BLOCK = 16
#: Flags of the first block: data to authenticate there is, (TAG_BYTES - 2) / 2, 2 bytes of length - 1.
_DATA_FLAG = 0x40
_FLAGS = 0x19
_COUNTER_FLAGS = 0x01


class CcmError(CoreError):
    """A key, nonce or message of a length that this mode does not have."""


def encrypt(aes: "Aes", key: bytes, nonce: bytes, data: bytes, plaintext: bytes) -> bytes:
    """The ciphertext of `plaintext`, as long as it is, and the tag over it and `data`. Raises CcmError.

    Never use a nonce twice under one key: whoever sees both messages knows their difference, and can forge.
    """
    if len(key) != KEY_BYTES or len(nonce) != NONCE_BYTES:
        raise CcmError("key or nonce length")
    if len(plaintext) > MAX_PLAINTEXT or len(data) > MAX_DATA:
        raise CcmError("message length")
    size = len(plaintext)
    # Built in place, for a list of blocks would be a heap of garbage.
    held = (len(data) + 2 + 15 & -16) if data else 0
    text = bytearray(_BLOCK + held + (size + 15 & -16))
    text[0] = _FLAGS | (_DATA_FLAG if data else 0)
    text[1:14] = nonce
    _put(text, 14, size)
    if data:
        _put(text, 16, len(data))
        text[18 : 18 + len(data)] = data
    text[_BLOCK + held : _BLOCK + held + size] = plaintext
    tag = aes(key, _CBC, bytes(_BLOCK)).encrypt(text)[-_BLOCK:][:TAG_BYTES]
    counters = bytearray(_BLOCK + (size + 15 & -16))
    for at in range(0, len(counters), _BLOCK):
        counters[at] = _COUNTER_FLAGS
        counters[at + 1 : at + 14] = nonce
        _put(counters, at + 14, at // _BLOCK)
    stream = memoryview(aes(key, _ECB).encrypt(counters))
    return _xor(plaintext, stream[_BLOCK:]) + _xor(tag, stream)


def _put(buffer: bytearray, at: int, number: int) -> None:
    """Two bytes, big-endian."""
    buffer[at] = number >> 8
    buffer[at + 1] = number & 0xFF


def _xor(one: bytes, other: memoryview) -> bytes:
    """`one` xor as much of `other`."""
    size = len(one)
    mixed = int.from_bytes(one, "big") ^ int.from_bytes(other[:size], "big")
    return mixed.to_bytes(size, "big")
