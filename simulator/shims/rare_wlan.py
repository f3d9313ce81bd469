"""``network.WLAN``: methods loaded at their first use."""

import _sim
import machine


def scan(self) -> list:
    """(ssid, bssid, channel, rssi, security, hidden) of what is in the air."""
    ssid = _sim.call(0x8D, 4)
    return [(ssid, b"\x02\0\0\0\0\x01", 6, -55, 3, False)] if ssid else []


def ifconfig(self, config: object = None) -> object:
    """Address, mask, gateway, name server."""
    if self.isconnected():
        return ("192.168.4.17", "255.255.255.0", "192.168.4.1", "192.168.4.1")
    return ("0.0.0.0",) * 4  # noqa: S104


def ipconfig(self, what: object = None, **options: object) -> object:
    """The address, as (address, mask)."""
    return self.ifconfig()[:2]


def config(self, what: object = None, **options: object) -> object:
    """Read one option by name, or set some by keyword."""
    if what is None:
        self._options.update(options)
        return None
    if what == "mac":
        return machine.unique_id()
    if what in ("hostname", "dhcp_hostname"):
        return _sim.rare("network").station[0]
    return self._options[what]
