"""Opening packs on the host: what authority and fleet server both do."""

from __future__ import annotations

from firmware.core import pack
from firmware.core.errors import CoreError
from host_tools import pki


class PackTrouble(Exception):
    """A pack, or something meant for one, cannot be used; one plain line."""


def open_manifest(data: bytes, root_public: bytes) -> pack.Opened:
    """Check a manifest's signature, or those of a change of root, by the root key x‖y. Raises PackTrouble."""
    steps = pack.open_steps(data, root_public, pki.verify_steps)
    try:
        while True:
            next(steps)
    except StopIteration as done:
        opened: pack.Opened = done.value
        return opened
    except CoreError as e:
        raise PackTrouble(f"not a pack that the root key signed: {e}") from e
