"""The trust list in force, on flash and in memory; a new one takes its place only as a whole and only if it
is newer.

A list is verified against the root key before it is written and again at every start: a file on flash is not
trusted for lying there. The new list is written beside the old one and renamed over it.
"""

import os

from firmware.core import trust
from firmware.core.trust import TrustError, TrustList

if False:
    from typing import Callable, Generator

    VerifySteps = Callable[[bytes, bytes, bytes], Generator[None, None, bool]]

INVALID = 1
OLDER = 2
EXPIRED = 3
STORAGE = 4


class TrustStoreError(Exception):
    """A list that is not taken; the one in force stays. `kind` is INVALID, OLDER, EXPIRED or STORAGE."""

    def __init__(self, kind: int, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class TrustStore:
    """`path` holds the signed list; `root_key` is x‖y of the authority's key, empty before provisioning."""

    def __init__(self, path: str, root_key: bytes, verify_steps: "VerifySteps") -> None:
        self._path = path
        self._new_path = path[: path.rfind("/") + 1] + "trust.new"
        self._root_key = root_key
        self._verify_steps = verify_steps
        #: The list in force, None before the first one came. It may have expired since: see its
        # `expires_unix`.
        self.current: "TrustList | None" = None

    def load_steps(self) -> "Generator[None, None, TrustList | None]":
        """Take up the list on flash, in slices of work; returns it, None where there is none.

        Raises TrustStoreError where the file is not sound; there is no list in force then.
        """
        self.current = None
        try:
            os.remove(self._new_path)
        except OSError:
            pass  # nothing was left half written
        try:
            length = os.stat(self._path)[6]
        except OSError:
            return None
        if length > trust.MAX_BYTES:
            raise TrustStoreError(INVALID, "trust list: too long")
        try:
            with open(self._path, "rb") as file:
                data = file.read()
        except OSError as e:
            raise TrustStoreError(STORAGE, "trust list does not read: error %d" % (e.errno or 0)) from None
        self.current = yield from self._open_steps(data)
        return self.current

    def install_steps(self, data: bytes, now_unix: "int | None") -> "Generator[None, None, TrustList]":
        """Verify a list that came from outside, keep it and put it in force, in slices of work; returns it.

        With `now_unix` None the clock is not known and expiry is not judged. Raises TrustStoreError.
        """
        new = yield from self._open_steps(data)
        if self.current is not None and new.version <= self.current.version:
            raise TrustStoreError(OLDER, "trust list: version %d is not newer" % new.version)
        if now_unix is not None and new.expires_unix <= now_unix:
            raise TrustStoreError(EXPIRED, "trust list: expired")
        try:
            with open(self._new_path, "wb") as file:
                file.write(data)
                file.flush()
            os.rename(self._new_path, self._path)
        except OSError as e:
            self._discard()
            raise TrustStoreError(STORAGE, "trust list not saved: error %d" % (e.errno or 0)) from None
        self.current = new
        return new

    def _open_steps(self, data: bytes) -> "Generator[None, None, TrustList]":
        if len(self._root_key) != 64:
            raise TrustStoreError(INVALID, "trust list: no root key")
        try:
            return (yield from trust.open_steps(data, self._root_key, self._verify_steps))
        except TrustError as e:
            raise TrustStoreError(INVALID, "trust list: " + str(e)) from None

    def _discard(self) -> None:
        try:
            os.remove(self._new_path)
        except OSError:
            pass  # the next start tries again
