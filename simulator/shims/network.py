"""``network.WLAN``, station only; the radio itself is simulator/radio.py."""

import struct

import _sim


def __getattr__(name: str) -> object:
    return getattr(_sim.rare("network"), name)


class WLAN:
    """The station; every object is the same one."""

    IF_STA = 0
    IF_AP = 1
    __getattr__ = _sim.rare_method

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
