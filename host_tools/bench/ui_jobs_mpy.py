"""What the drawing figures draw; runs under MicroPython on our displayio and under CPython on Blinka's.

A job's `prepare` brings the screen to where it begins, its `draw` is what is measured.
"""

from drivers.displayio import Display
from firmware.services.status import Status
from firmware.ui.fonts import Fonts
from firmware.ui.screens import Bar, Screens

if False:
    from typing import Any

#: A bus that carries people in and out has everything that a verdict can show.
_PLACE = ("图书馆 南门", "场馆", 0)
NAMES = ("full", "verdict", "clock_tick", "battery_tick", "checking", "measure", "countdown")


class Nowhere:
    """A panel that forgets."""

    def open_window(self, x: int, y: int, width: int, height: int) -> None:
        """Anywhere."""

    def write(self, pixels: "Any") -> None:
        """Sent is sent."""

    def close_window(self) -> None:
        """Done."""


class Held:
    """A display that refreshes when it is told to, and not whenever a screen says so."""

    def __init__(self, display: "Any") -> None:
        self.display = display
        self.root_group = None

    def refresh(self) -> bool:
        """Not yet."""
        return True


class Scene:
    """The screens on a panel; everything that the jobs do."""

    def __init__(self, assets: str, panel: "Any") -> None:
        self._display = Display(panel)
        self._held = Held(self._display)
        self._screens = Screens(self._held, Fonts(assets), "zh")
        self._display.root_group = self._held.root_group
        self._status = Status(3, True, 600, "14:07")

    def refresh(self) -> None:
        """Send what has changed."""
        self._display.refresh()

    def bar(self, percent: int = 64) -> Bar:
        """The bar on top."""
        return Bar(_PLACE[0], _PLACE[1], _PLACE[2], percent, True)

    def idle(self, clock_text: str, percent: int = 64) -> None:
        """The idle screen."""
        self._status.clock_text = clock_text
        self._status.present = 57
        self._screens.idle(self.bar(percent), 311, self._status, ("key_direction", "key_menu", ""))

    def checking(self) -> None:
        """A code has been read."""
        self._screens.checking(self.bar())

    def measure(self) -> None:
        """The thermometer has just begun."""
        self._screens.measure(
            self.bar(),
            "headline_code_valid",
            "张*三",
            "3418",
            None,
            None,
            0,
            "hint_forehead",
            0,
            True,
        )

    def verdict(self) -> None:
        """Somebody may come in."""
        self._screens.verdict(self.bar(), 0, [0], "张*三", "3418", 3642, 2)

    def countdown(self, permille: int) -> None:
        """The white line under it."""
        self._screens.countdown(permille)


class Job:
    """One of NAMES."""

    def __init__(self, name: str, assets: str, panel: "Any") -> None:
        self._name = name
        self._scene = Scene(assets, panel)

    def prepare(self, turn: int) -> None:
        """Bring the screen to where the drawing begins; what is drawn waits to be sent."""
        scene, name = self._scene, self._name
        if name == "full":
            scene.checking()
        elif name == "checking":
            scene.idle("14:07")
        elif name == "verdict":
            scene.measure()
        elif name == "measure":
            scene.checking()
        elif name == "countdown":
            scene.verdict()
            scene.countdown(1000)
        else:
            scene.idle("14:06", 64)
        scene.refresh()
        if name == "full":
            scene.idle("14:07")
        elif name == "checking":
            scene.checking()
        elif name == "verdict":
            scene.verdict()
        elif name == "measure":
            scene.measure()
        elif name == "countdown":
            scene.countdown(980)
        elif name == "clock_tick":
            scene.idle("14:07")
        else:
            scene.idle("14:06", 63)

    def draw(self) -> None:
        """Draw and send it."""
        self._scene.refresh()
