"""Opening packs on the host: what authority and fleet server both do."""

from __future__ import annotations

from dataclasses import dataclass

from firmware.core import pack
from firmware.core.errors import CoreError
from host_tools import pki


class PackTrouble(Exception):
    """A pack, or something meant for one, cannot be used; one plain line."""


@dataclass(frozen=True)
class Opened:
    """A manifest, and the key x‖y that signed it: another one than was asked for where the root changes."""

    manifest: pack.Manifest
    root_key: bytes


def open_manifest(data: bytes, root_public: bytes) -> Opened:
    """Check a manifest's signature, or those of a change of root, by the root key x‖y. Raises PackTrouble."""
    steps = pack.open_steps(data, root_public, pki.verify_steps)
    try:
        while True:
            next(steps)
    except StopIteration as done:
        manifest: pack.Manifest = done.value
        return Opened(manifest, manifest.root_key)
    except CoreError as e:
        raise PackTrouble(f"not a pack that the root key signed: {e}") from e
