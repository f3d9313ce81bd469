"""``network.WLAN``, station only; the radio itself is simulator/radio.py."""

import struct

import _sim

STA_IF = 0
AP_IF = 1
STAT_IDLE = 1000
STAT_CONNECTING = 1001
STAT_GOT_IP = 1010
STAT_NO_AP_FOUND = 201
STAT_WRONG_PASSWORD = 202
STAT_BEACON_TIMEOUT = 200
STAT_ASSOC_FAIL = 203
STAT_HANDSHAKE_TIMEOUT = 204
_hostname = ["mpy-esp32s3"]


def hostname(name: object = None) -> object:
    """The name of the station."""
    if name is None:
        return _hostname[0]
    _hostname[0] = name


def country(code: object = None) -> object:
    """The regulatory domain; has no effect."""
    return "CN"


class WLAN:
    """The station; every object is the same one."""

    IF_STA = 0
    IF_AP = 1

    def __init__(self, interface: int = 0) -> None:
        if interface != 0:
            raise OSError("only the station is simulated")
        self._options = {"reconnects": -1, "pm": 1, "txpower": 20}

    def active(self, on: object = None) -> object:
        """Whether the radio is on; or turn it on and off."""
        if on is None:
            return bool(_sim.call(0x8D, 0, 2)[0])
        return bool(_sim.call(0x8D, 0, 1 if on else 0)[0])

    def connect(self, ssid: object = None, key: object = None, *, bssid: object = None) -> None:
        """Start to join; see `status`. It joins again by itself when the network comes back."""
        data = b"%s\0%s" % (ssid or b"", key or b"")
        _sim.call(0x8D, 1, 0, data)

    def disconnect(self) -> None:
        """Leave and stay away."""
        _sim.call(0x8D, 2)

    def _state(self) -> tuple:
        return struct.unpack("<hb", _sim.call(0x8D, 3))

    def isconnected(self) -> bool:
        """Whether there is an address."""
        return self._state()[0] == 1010

    def status(self, what: object = None) -> object:
        """One of the STAT values; "rssi" in dBm while connected."""
        state, rssi = self._state()
        if what == "rssi":
            if state != 1010:
                raise OSError("Wifi Not Connected")
            return rssi
        return state

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
            import machine

            return machine.unique_id()
        if what in ("hostname", "dhcp_hostname"):
            return _hostname[0]
        return self._options[what]
