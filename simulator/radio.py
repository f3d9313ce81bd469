"""The Wi-Fi station as the firmware sees it, and the air around it: one network that can come and go."""

from __future__ import annotations

import struct
from collections.abc import Callable

from simulator import protocol as p
from simulator.timebase import Handle, Timebase

SSID, KEY = "yima", "yima-door-2020"
IDLE, CONNECTING, GOT_IP, NO_AP, WRONG_KEY, BEACON_LOST = 1000, 1001, 1010, 201, 202, 200
JOIN_S = 0.35
RETRY_S = 1.0


class Radio:
    """The station. ``link(up)`` is called when the address comes or goes."""

    def __init__(self, time: Timebase, link: Callable[[bool], None]) -> None:
        self._time = time
        self._link = link
        self._air = True
        self._active = False
        self._wanted: tuple[str, str] | None = None
        self._handle: Handle | None = None
        self.status = IDLE
        self.rssi = -55

    @property
    def up(self) -> bool:
        """Whether the station has an address."""
        return self.status == GOT_IP

    @property
    def air(self) -> bool:
        """Whether the network is in reach."""
        return self._air

    @air.setter
    def air(self, there: bool) -> None:
        if there == self._air:
            return
        self._air = there
        if not there and self.up:
            self._become(BEACON_LOST)
        if self._wanted:
            self._try(RETRY_S)

    def reset(self) -> None:
        """The chip restarted."""
        self._active = False
        self._leave()

    def handle(self, operation: int, aux: int, data: bytes) -> bytes:
        """One message of the bridge."""
        if operation == p.WLAN_ACTIVE:
            if aux < 2:
                self._active = bool(aux)
                if not aux:
                    self._leave()
            return bytes((self._active,))
        if operation == p.WLAN_CONNECT:
            if not self._active:
                raise OSError(0x3002)
            ssid, key = data.split(b"\0", 1)
            if ssid:
                self._wanted = (ssid.decode("utf-8", "replace"), key.decode("utf-8", "replace"))
            if not self.up:
                self._become(CONNECTING)
                self._try(JOIN_S)
        elif operation == p.WLAN_DISCONNECT:
            self._leave()
        elif operation == p.WLAN_STATUS:
            return struct.pack("<hb", self.status, self.rssi)
        elif operation == p.WLAN_SCAN:
            return SSID.encode() if self._air and self._active else b""
        return b""

    def _leave(self) -> None:
        self._wanted = None
        if self._handle:
            self._handle.cancel()
            self._handle = None
        self._become(IDLE)

    def _become(self, status: int) -> None:
        was, self.status = self.up, status
        if was != self.up:
            self._link(self.up)

    def _try(self, delay: float) -> None:
        if self._handle:
            self._handle.cancel()
        self._handle = self._time.call_later(delay, self._joined)

    def _joined(self) -> None:
        self._handle = None
        if not self._wanted:
            return
        if not self._air:  # it looks again when the network is back; see `air`
            self._become(NO_AP)
        elif self._wanted != (SSID, KEY):
            self._become(NO_AP if self._wanted[0] != SSID else WRONG_KEY)
        else:
            self._become(GOT_IP)
