"""Where everything lies inside the state folder (``.yima`` by default)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

#: Offsets of the ports from ``--port-base``.
AUTHORITY_PORT = 1
DEVICES_PORT = 2
CONSOLE_PORT = 3
HANDHELD_PORT = 4
DEFAULT_PORT_BASE = 8700
HOST = "127.0.0.1"
#: Handhelds of one system; each has a port.
MOST_DEVICES = 16


@dataclass(frozen=True)
class State:
    """The paths of one state folder; nothing is created here."""

    root: Path

    @property
    def run_file(self) -> Path:
        """What a running `yima run` tells others: its addresses and the console key, as JSON."""
        return self.root / "run.json"

    @property
    def run_lock(self) -> Path:
        """Held for as long as a `yima run` uses this folder."""
        return self.root / "run.lock"

    @property
    def clock(self) -> Path:
        """The clock of a running system (host_tools/clockpage.py)."""
        return self.root / "clock"

    @property
    def log(self) -> Path:
        """One log file per child process."""
        return self.root / "log"

    @property
    def authority(self) -> Path:
        """Keys, imported certificates and packs of the authority."""
        return self.root / "authority"

    @property
    def root_public_key(self) -> Path:
        """The authority's root key as 128 hex digits, x‖y: all that others need of the authority's folder."""
        return self.authority / "root.pub"

    @property
    def server(self) -> Path:
        """Certificates, console key and database of the fleet server."""
        return self.root / "server"

    @property
    def handheld(self) -> Path:
        """The profile of the simulated handheld: flash image, key store, clock."""
        return self.root / "handheld"

    def handhelds(self, count: int) -> list[Path]:
        """The profiles of the first `count` simulated handhelds; the first is `handheld`."""
        others = (self.root / f"handheld-{number}" for number in range(2, count + 1))
        return [self.handheld, *others]

    @property
    def demo(self) -> Path:
        """What the demo keeps between two plays."""
        return self.root / "demo"
