"""The keys that handhelds seal their records for, and what was sealed, opened with them.

A folder holds ``KID.key``, PKCS #8 in PEM, readable by its owner only, one for each key that there ever was:
records sealed for an older one may still be on their way. ``current`` names the one to seal for from now on,
whose public half goes into the pack (``yima pack sealing-key``). Whoever loses this folder loses every record
that is still sealed.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from firmware.core.trust import kid_of_key
from host_tools.files import FileTrouble, create_private, locked, read_limited, write_private
from host_tools.server.opener import CannotOpenError, Followed, Head, Segment

_LIMIT_BYTES = 4_096
_CURRENT = "current"
#: Agreed segment keys that are kept: a handheld's next batch goes on in the segment of its last one.
MAX_SEGMENTS = 4_096


class SealingKeys:
    """The sealing keys in `folder`; the first use makes one. Methods raise FileTrouble."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._keys: dict[bytes, ec.EllipticCurvePrivateKey] = {}
        self._segments: OrderedDict[bytes, Segment] = OrderedDict()
        self._lock = threading.Lock()

    def public(self) -> tuple[bytes, bytes]:
        """Public key x‖y to seal for from now on, and its kid."""
        path = self._folder / _CURRENT
        with locked(self._folder):
            if not path.exists():
                self._new()
        kid = _kid_of(read_limited(path, _LIMIT_BYTES).decode("ascii", "replace").strip(), path)
        return public_of(self._private(kid)), kid

    def rotate(self) -> tuple[bytes, bytes]:
        """A new key takes over; what was sealed for older ones can still be opened. As `public`."""
        with locked(self._folder):
            self._new()
        return self.public()

    def open(self, place: Followed) -> bytes:
        """The record in plain. Raises CannotOpenError where no key of ours fits, or it was changed.

        Any number of threads may call it.
        """
        return self.segment(place.head).open(place.sealed, place.chain_before)

    def segment(self, head: Head) -> Segment:
        """What opens the records of a segment. Raises CannotOpenError where no key of ours fits.

        Any number of threads may call it.
        """
        with self._lock:
            segment = self._segments.get(head.data)
            if segment is None:
                try:
                    private = self._private(head.kid)
                except FileTrouble as e:
                    raise CannotOpenError(f"sealed for {head.kid.hex()}, which is no key of ours") from e
                segment = self._segments[head.data] = Segment(private, head)
                if len(self._segments) > MAX_SEGMENTS:
                    self._segments.popitem(last=False)
            else:
                self._segments.move_to_end(head.data)
        return segment

    def _new(self) -> None:
        private = ec.generate_private_key(ec.SECP256R1())
        name = kid_of_key(public_of(private)).hex()
        form = serialization.PrivateFormat.PKCS8
        pem = private.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
        # First the key, then its name: nothing is ever sealed for a key that is not kept.
        create_private(self._folder / f"{name}.key", pem)
        write_private(self._folder / _CURRENT, name.encode() + b"\n")

    def _private(self, kid: bytes) -> ec.EllipticCurvePrivateKey:
        if kid not in self._keys:
            path = self._folder / f"{kid.hex()}.key"
            try:
                loaded = serialization.load_pem_private_key(read_limited(path, _LIMIT_BYTES), None)
            except (ValueError, TypeError) as e:
                raise FileTrouble(f"{path}: no private key") from e
            if not isinstance(loaded, ec.EllipticCurvePrivateKey) or not isinstance(
                loaded.curve, ec.SECP256R1
            ):
                raise FileTrouble(f"{path}: not a key on P-256")
            if kid_of_key(public_of(loaded)) != kid:
                raise FileTrouble(f"{path}: another key than its name says")
            self._keys[kid] = loaded
        return self._keys[kid]


def public_of(private: ec.EllipticCurvePrivateKey) -> bytes:
    """The public key x‖y, 64 bytes."""
    numbers = private.public_key().public_numbers()
    return numbers.x.to_bytes(32, "big") + numbers.y.to_bytes(32, "big")


def _kid_of(name: str, path: Path) -> bytes:
    try:
        kid = bytes.fromhex(name)
    except ValueError:
        kid = b""
    if len(kid) != 8:
        raise FileTrouble(f"{path}: names no key")
    return kid
