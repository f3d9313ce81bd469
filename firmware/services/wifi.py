"""Keep the Wi-Fi joined: one task, backoff, never in the way of a scan."""

import asyncio

from firmware.services.settings import Settings

if False:
    from typing import Callable

    import network

#: A join takes a few seconds on a good day; after this it has failed.
JOIN_TIMEOUT_MS = 15_000
#: Pauses between attempts; the last one stays.
BACKOFF_MS = (1_000, 2_000, 5_000, 15_000, 60_000)
CHECK_MS = 1_000


class Wifi:
    """Joins the network of the settings and joins again after it was lost."""

    def __init__(self, wlan: "network.WLAN", settings: Settings) -> None:
        self._wlan = wlan
        self._settings = settings
        #: Called after each join: whoever waits for the network need not wait any longer.
        self.on_join: "Callable[[], None]" = _nobody

    @property
    def online(self) -> bool:
        """Whether the handheld has an address now."""
        return bool(self._wlan.isconnected())

    async def run(self, beat: "Callable[[], None]") -> None:
        """The task: join, watch, join again. Without a network name it sleeps."""
        failures = 0
        while True:
            beat()
            name = self._settings.get("wifi_ssid")
            if not name:
                await asyncio.sleep_ms(CHECK_MS)
                continue
            if await self._join(name, self._settings.get("wifi_key")):
                failures = 0
                self.on_join()
                while self.online:
                    beat()
                    await asyncio.sleep_ms(CHECK_MS)
            else:
                await asyncio.sleep_ms(BACKOFF_MS[min(failures, len(BACKOFF_MS) - 1)])
                failures += 1

    async def _join(self, name: str, key: str) -> bool:
        """One attempt to join; the radio is left idle where it fails."""
        try:
            self._wlan.active(True)
            if not self.online:
                self._wlan.connect(name, key)
            for _ in range(JOIN_TIMEOUT_MS // 250):
                if self.online:
                    return True
                await asyncio.sleep_ms(250)
            self._wlan.disconnect()
        except OSError:
            # The driver is out of memory or still busy with the last attempt: the next one may go.
            pass
        return False


def _nobody() -> None:
    """Nobody waits for the network yet."""
