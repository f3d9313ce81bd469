"""Opening a trust list on the host: what authority and fleet server both do."""

from __future__ import annotations

from firmware.core.errors import CoreError
from firmware.core.trust import TrustList, open_steps
from host_tools import pki


class TrustTrouble(Exception):
    """A certificate or a trust list cannot be used; one plain line."""


def open_list(data: bytes, root_public: bytes) -> TrustList:
    """Check a trust list's signature by the root key (x‖y), then parse it. Raises TrustTrouble."""
    steps = open_steps(data, root_public, pki.verify_steps)
    try:
        while True:
            next(steps)
    except StopIteration as done:
        opened: TrustList = done.value
        return opened
    except CoreError as e:
        raise TrustTrouble(f"not a trust list signed by the root key: {e}") from e
