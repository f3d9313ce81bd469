"""The device's secret, in the chip's NVS partition and not in a file: on a board with flash encryption that
partition is encrypted, and a copy of the file system does not hold it.
"""

if False:
    import esp32

SECRET_BYTES = 32
_KEY = "secret"
#: ESP_ERR_NVS_NOT_FOUND, 0x1102 in ESP-IDF's nvs.h, as MicroPython raises it.
_NOT_FOUND = -0x1102


class KeystoreError(Exception):
    """The NVS does not read or write, or holds something else. The message holds no secret."""


class Keystore:
    """Reads and writes the secret in `nvs`, an ``esp32.NVS`` of our namespace."""

    def __init__(self, nvs: "esp32.NVS") -> None:
        self._nvs = nvs
        self._secret: "bytes | None" = None

    def secret(self) -> "bytes | None":
        """The 32 bytes from enrolment, None before it. Raises KeystoreError."""
        if self._secret is None:
            buffer = bytearray(SECRET_BYTES)
            try:
                length = self._nvs.get_blob(_KEY, buffer)
            except OSError as e:
                if e.errno == _NOT_FOUND:
                    return None
                raise KeystoreError("key store does not read: error %d" % (e.errno or 0)) from None
            if length != SECRET_BYTES:
                raise KeystoreError("secret of %d bytes" % length)
            self._secret = bytes(buffer)
        return self._secret

    def set_secret(self, secret: bytes) -> None:
        """Keep a new secret, durably. Raises KeystoreError."""
        if len(secret) != SECRET_BYTES:
            raise KeystoreError("secret of %d bytes" % len(secret))
        try:
            self._nvs.set_blob(_KEY, secret)
            self._nvs.commit()
        except OSError as e:
            raise KeystoreError("key store does not write: error %d" % (e.errno or 0)) from None
        self._secret = secret

    def erase(self) -> None:
        """Forget the secret; the device must enrol again. Raises KeystoreError."""
        self._secret = None
        try:
            self._nvs.erase_key(_KEY)
            self._nvs.commit()
        except OSError as e:
            if e.errno != _NOT_FOUND:
                raise KeystoreError("key store does not write: error %d" % (e.errno or 0)) from None
