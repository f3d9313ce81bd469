"""The device's secret, in the chip's NVS partition and not in a file: on a board with flash encryption that
partition is encrypted, and a copy of the file system does not hold it.

Each secret is kept with the *tag* of the token that it was enrolled with; the one whose tag the settings name
is in force. So a new identity is made ready beside the old one, and one write to the settings, where the
device id stands, puts both in force. Those of before have no tag.
"""

import os

from firmware.core.hmac256 import sha256
from firmware.core.message import SECRET_BYTES

if False:
    import esp32

TAG_BYTES = 8
_KEYS = ("secret", "secret2")
#: The key that this handheld made for an enrolment, behind the token's tag.
_ENROLMENT = "enrol"
_LOCAL = "local"
LOCAL_BYTES = 16
#: ESP_ERR_NVS_NOT_FOUND, 0x1102 in ESP-IDF's nvs.h, as MicroPython raises it.
_NOT_FOUND = -0x1102


class KeystoreError(Exception):
    """The NVS does not read or write, or holds something else. The message holds no secret."""


def tag_of(token: bytes) -> bytes:
    """What names a token without telling it."""
    return sha256(token)[:TAG_BYTES]


class Keystore:
    """Reads and writes secrets in `nvs`, an ``esp32.NVS`` of our namespace; `tag` is the one in force."""

    def __init__(self, nvs: "esp32.NVS", tag: bytes = b"") -> None:
        self._nvs = nvs
        self._tag = tag
        self._secret: "bytes | None" = None

    def secret(self) -> "bytes | None":
        """The 32 bytes from enrolment, None before it. Raises KeystoreError."""
        if self._secret is None:
            at = self._find(self._tag)
            if at is not None:
                self._secret = self._read(at)[:SECRET_BYTES]
        return self._secret

    def set_secret(self, secret: bytes) -> None:
        """Another secret instead of the one in force, durably: after a power cut it is one of them.

        Raises KeystoreError.
        """
        self._write(self._find(self._tag) or _KEYS[0], secret, self._tag)
        self._secret = secret

    def stage(self, secret: bytes, tag: bytes) -> None:
        """Keep a secret for an identity that is not in force yet, durably. Raises KeystoreError."""
        self._write(_KEYS[self._find(self._tag) == _KEYS[0]], secret, tag)

    def use(self, tag: bytes) -> None:
        """The settings name another tag now."""
        self._tag = tag
        self._secret = None

    def enrolment_key(self, tag: bytes) -> bytes:
        """The key for enrolling with the token of this tag: the same over a restart. Raises KeystoreError."""
        kept = self._read(_ENROLMENT)
        if kept[:TAG_BYTES] != tag:
            kept = tag + os.urandom(SECRET_BYTES)
            self._set(_ENROLMENT, kept)
        return kept[TAG_BYTES:]

    def local_key(self) -> bytes:
        """16 random bytes of this chip alone, for what nobody else shall read. Raises KeystoreError."""
        kept = self._read(_LOCAL)
        if len(kept) != LOCAL_BYTES:
            kept = os.urandom(LOCAL_BYTES)
            self._set(_LOCAL, kept)
        return kept

    def erase(self) -> None:
        """Forget the secret; the device must enrol again. Raises KeystoreError."""
        self._secret = None
        for key in _KEYS:
            try:
                self._nvs.erase_key(key)
                self._nvs.commit()
            except OSError as e:
                if e.errno != _NOT_FOUND:
                    raise _failed(e) from None

    def _find(self, tag: bytes) -> "str | None":
        """Where the secret with this tag lies."""
        for key in _KEYS:
            kept = self._read(key)
            if len(kept) not in (0, SECRET_BYTES, SECRET_BYTES + TAG_BYTES):
                raise KeystoreError("secret of %d bytes" % len(kept))
            if kept and kept[SECRET_BYTES:] == tag:
                return key
        return None

    def _read(self, key: str) -> bytes:
        """A blob, empty where there is none."""
        buffer = bytearray(SECRET_BYTES + TAG_BYTES)
        try:
            return bytes(buffer[: self._nvs.get_blob(key, buffer)])
        except OSError as e:
            if e.errno == _NOT_FOUND:
                return b""
            raise KeystoreError("key store does not read: error %d" % (e.errno or 0)) from None

    def _write(self, key: str, secret: bytes, tag: bytes) -> None:
        if len(secret) != SECRET_BYTES:
            raise KeystoreError("secret of %d bytes" % len(secret))
        self._set(key, secret + tag)

    def _set(self, key: str, value: bytes) -> None:
        try:
            self._nvs.set_blob(key, value)
            self._nvs.commit()
        except OSError as e:
            raise _failed(e) from None


def _failed(error: OSError) -> KeystoreError:
    return KeystoreError("key store does not write: error %d" % (error.errno or 0))
