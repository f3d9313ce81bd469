"""The settings of this handheld, in two slots of which the sound one with the higher counter is in force.

A change writes the other slot, so whenever the power fails the settings are the old or the new ones. Which
settings there are, their limits and the slot's layout: firmware/core/schema.py.
"""

import os

from firmware.core import cbor, schema
from firmware.core.cbor import CborError
from firmware.core.schema import SETTINGS, SchemaError

if False:
    from typing import Any


class SettingsError(Exception):
    """A change that is not allowed or could not be kept; the old settings hold. Names keys only."""


class Settings:
    """All settings, read once; `directory` holds ``settings.0`` and ``settings.1``."""

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self._counter = 0
        self._slot = 1
        self._values = schema.defaults(SETTINGS)
        #: Keys whose stored value did not fit and that fell back to the default; "*" where no slot was sound.
        self.bad: list[str] = []
        self._load()

    def get(self, key: str) -> "Any":
        """The value in force. Raises SettingsError for a key that does not exist."""
        if key not in self._values:
            raise SettingsError("no setting " + key)
        return self._values[key]

    def update(self, changes: "dict[str, Any]") -> None:
        """Change some settings together, durably: after a power cut all of them hold or none.

        Raises SettingsError for an unknown key, a value out of its limits, or a flash that does not write.
        """
        values = dict(self._values)
        for key, value in changes.items():
            try:
                fits = schema.field_of(SETTINGS, key).takes(value)
            except SchemaError as e:
                raise SettingsError(str(e)) from None
            if not fits:
                raise SettingsError("value of " + key)
            values[key] = value
        if values == self._values and self._counter and not self.bad:
            return
        try:
            data = schema.encode_slot(self._counter + 1, cbor.dumps(values))
        except (SchemaError, CborError) as e:
            raise SettingsError(str(e)) from None
        slot = 1 - self._slot
        try:
            with open(self._path(slot), "wb") as file:
                file.write(data)
                file.flush()
        except OSError as e:
            raise SettingsError("settings not saved: error %d" % (e.errno or 0)) from None
        self._values = values
        self._counter += 1
        self._slot = slot
        self.bad = []

    def _load(self) -> None:
        stored: object = {}
        found = 0
        for slot in (0, 1):
            data = self._read(slot)
            if data is None:
                continue
            found += 1
            try:
                counter, payload = schema.parse_slot(data)
                decoded = cbor.loads(payload)
            except (SchemaError, CborError):
                continue
            if counter > self._counter:
                self._counter = counter
                self._slot = slot
                stored = decoded
        if found == 2 and not self._counter:
            # One broken slot alone is the very first save, cut short.
            self.bad = ["*"]
            return
        self._values, self.bad = schema.cleaned(SETTINGS, stored)

    def _read(self, slot: int) -> "bytes | None":
        try:
            if os.stat(self._path(slot))[6] > schema.MAX_SLOT_BYTES:
                return b""
            with open(self._path(slot), "rb") as file:
                data: bytes = file.read()
        except OSError:
            return None
        return data

    def _path(self, slot: int) -> str:
        return "%s/settings.%d" % (self._directory, slot)
