"""What brings a token onto this handheld: a file by cable, or a QR code; firmware/services/sync.py uses it.

Both are the same provisioning (docs/formats.md). A code is too small for the CA's certificate and holds its
SHA-256.
"""

import os

from firmware.core.base45 import decode
from firmware.core.errors import CoreError
from firmware.core.message import MAX_PROVISIONING_BYTES, parse_provisioning
from firmware.services.files import read_limited
from firmware.services.http import HttpError, split_url
from firmware.services.keystore import KeystoreError
from firmware.services.settings import SettingsError

if False:
    from typing import Callable

    from firmware.core.message import Provisioning
    from firmware.services.keystore import Keystore
    from firmware.services.settings import Settings

_PREFIX = 4  # "YE1:"
#: Characters of a code that are looked at.
MAX_CODE = 1_024


class Enrolment:
    """Takes provisioning to the file at `path`; its Wi-Fi holds from then on, its root key where none was."""

    def __init__(self, settings: "Settings", keystore: "Keystore", path: str) -> None:
        self._settings = settings
        self._keystore = keystore
        self._path = path
        self._data = b""
        #: Called when a code has brought such a file.
        self.on_given: "Callable[[], None] | None" = None

    @property
    def enrolled(self) -> bool:
        """Whether there is an identity that a new one would replace."""
        try:
            return self._keystore.secret() is not None
        except KeystoreError:
            # Nobody knows: ask for the PIN.
            return True

    def start(self) -> None:
        """Take root key and Wi-Fi from a fresh file, so that both hold before the first exchange."""
        try:
            self._hold(parse_provisioning(read_limited(self._path, MAX_PROVISIONING_BYTES)))
        except OSError:
            return
        except (CoreError, SettingsError) as e:
            print("provisioning:", e)

    def read(self, text: bytes) -> "tuple[str, str] | None":
        """The server's host and the network's name in a scanned code, None where it is none.

        `accept` takes it.
        """
        self._data = b""
        try:
            if len(text) > MAX_CODE:
                return None
            data = decode(text[_PREFIX:])
            given = parse_provisioning(data)
            host = split_url(given.server_url)[0]
        except (CoreError, HttpError):
            return None
        self._data = data
        return host[:32], given.wifi_ssid

    def accept(self) -> bool:
        """Keep what was read last, and enrol with it; False where the flash failed."""
        try:
            with open(self._path + ".new", "wb") as file:
                file.write(self._data)
                file.flush()
            os.rename(self._path + ".new", self._path)
            self._hold(parse_provisioning(self._data))
        except (OSError, CoreError, SettingsError) as e:
            print("provisioning:", e)
            return False
        if self.on_given:
            self.on_given()
        return True

    def _hold(self, given: "Provisioning") -> None:
        """Raises SettingsError."""
        changes: "dict[str, object]" = {}
        if not self.enrolled:
            # With an identity the old root holds until the new one is whole.
            changes["root_key"] = given.root_key
        if given.wifi_ssid:
            changes["wifi_ssid"] = given.wifi_ssid
            changes["wifi_key"] = given.wifi_key
        if changes:
            self._settings.update(changes)
