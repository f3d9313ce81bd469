"""The one clock of the handheld: Unix seconds that only move forward, and whether they can be relied on.

Sources, best first: the server's time, the battery-backed clock chip, the floor. The floor is a time that
has surely passed: the day of this release, then what journal and pack tell. Between readings the
chip's millisecond ticks carry the time on. Only this file knows that MicroPython on the ESP32 counts from
2000 and other ports from 1970.
"""

import time

from drivers.ds3231 import RtcError

if False:
    from typing import Callable

    from drivers.ds3231 import DS3231

    Calendar = tuple[int, int, int, int, int, int, int, int]

#: The server is followed forward from this difference on; less is the way of the answer through the network.
FORWARD_S = 2
#: The server may be this much behind before that is a conflict.
BACKWARD_S = 60
#: From here on nobody knows which of the two is wrong, and this clock is not to be trusted.
DISTRUST_S = 300
#: A clock chip this far past the floor is not right either.
HORIZON_S = 20 * 365 * 86400
#: China Standard Time, for what people read.
LOCAL_OFFSET_S = 8 * 3600
_EPOCH_2000_S = 946684800


def epoch_offset_s() -> int:
    """Unix time of this interpreter's time zero."""
    return _EPOCH_2000_S if time.gmtime(0)[0] == 2000 else 0


class Clock:
    """Starts from the clock chip if that is sound, else from `floor_unix` and not trusted.

    `set_system_time` takes (year, month, day, weekday, hours, minutes, seconds, subseconds) in UTC, as
    ``machine.RTC().datetime`` does; TLS checks certificates against that clock. A chip that does not answer
    or cannot be written is `chip_ok` False and the clock goes on without it.
    """

    def __init__(
        self, rtc: "DS3231", set_system_time: "Callable[[Calendar], object]", floor_unix: int
    ) -> None:
        self._rtc = rtc
        self._set_system_time = set_system_time
        self._epoch_s = epoch_offset_s()
        self._floor_unix = self._release_unix = floor_unix
        # The time that the server told last in conflict with this clock, 0 for none, and the ticks then.
        self._told_unix = 0
        self._told_ticks = time.ticks_ms()
        self._ticks = time.ticks_ms()
        self._left_ms = 0
        #: Whether a verdict may rest on this clock.
        self.trusted = False
        #: Whether the server's time was behind ours by more than a minute when it last told it. By more than
        #: five, this clock is not trusted until somebody with the PIN decides, or the server's catches up.
        self.conflict = False
        #: Whether the clock chip answered when it was last spoken to.
        self.chip_ok = True
        self._unix = floor_unix
        told = self._read_chip()
        if told is not None and floor_unix <= told <= floor_unix + HORIZON_S:
            self._unix = told
            self.trusted = True
        self._set_system()

    def now_unix(self) -> int:
        """The time; never less than at any call before, but for `obey_server`."""
        self.tick()
        return self._unix

    def sure_unix(self) -> int:
        """The time, 0 where nobody is sure of it."""
        return self.now_unix() if self.trusted else 0

    def tick(self) -> None:
        """Take the ticks over before they wrap: at least every six days, better every few seconds."""
        ticks = time.ticks_ms()
        passed_ms = time.ticks_diff(ticks, self._ticks)
        self._ticks = ticks
        if passed_ms <= 0:
            # Less than nothing means that no tick came for half a wrap: the time stands rather than going
            # back.
            return
        self._left_ms += passed_ms
        self._unix += self._left_ms // 1000
        self._left_ms %= 1000

    def server_time(self, unix: int) -> bool:
        """The server, over a connection that was checked, says what time it is. True if it was believed."""
        now_unix = self.now_unix()
        if unix < now_unix - BACKWARD_S or unix > self._floor_unix + HORIZON_S:
            self.conflict = True
            if self._release_unix <= unix <= now_unix:
                self._told_unix = unix
                self._told_ticks = time.ticks_ms()
                if unix < now_unix - DISTRUST_S:
                    self.trusted = False
            return False
        self.conflict = False
        self._told_unix = 0
        if unix > now_unix + FORWARD_S:
            self._unix = unix
            self._left_ms = 0
        elif self.trusted:
            return True
        self.trusted = True
        self._set_system()
        self._write_chip()
        return True

    def obey_server(self) -> bool:
        """Go back to the time that the server told, because somebody with the PIN says so; False without one.

        The only way back there is: a chip that ran ahead would otherwise hold the handheld up until its time
        comes.
        """
        if not self._told_unix:
            return False
        passed_ms = time.ticks_diff(time.ticks_ms(), self._told_ticks)
        self._unix = self._told_unix + max(0, passed_ms) // 1000
        self._floor_unix = self._release_unix
        self._left_ms = 0
        self._told_unix = 0
        self.conflict = False
        self.trusted = True
        self._set_system()
        self._write_chip()
        return True

    def raise_floor(self, unix: int) -> None:
        """`unix` has surely passed: a record or a pack was made then."""
        self._floor_unix = max(self._floor_unix, unix)
        if self.now_unix() < unix:
            if self._unix < unix - BACKWARD_S:
                self.trusted = False
            self._unix = unix
            self._left_ms = 0
            self._set_system()

    def text(self) -> str:
        """The time of day for the screen, "14:05"; "--:--" if the clock is not trusted."""
        now_unix = self.now_unix()
        if not self.trusted:
            return "--:--"
        minutes = (now_unix + LOCAL_OFFSET_S) % 86400 // 60
        return "%02d:%02d" % (minutes // 60, minutes % 60)

    def days_since(self, unix: int) -> int:
        """Midnights here between then and now, as people count "two days ago"; 0 for the future."""
        here = (self.now_unix() + LOCAL_OFFSET_S) // 86400
        return max(0, here - (unix + LOCAL_OFFSET_S) // 86400)

    def _set_system(self) -> None:
        year, month, day, hour, minute, second, weekday = time.gmtime(self._unix - self._epoch_s)[:7]
        self._set_system_time((year, month, day, weekday, hour, minute, second, 0))

    def _read_chip(self) -> "int | None":
        try:
            told = self._rtc.read_unix()
        except RtcError:
            self.chip_ok = False
            return None
        return told

    def _write_chip(self) -> None:
        try:
            self._rtc.write_unix(self._unix)
        except RtcError:
            self.chip_ok = False
            return
        self.chip_ok = True
