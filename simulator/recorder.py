"""Writes down what a person does at the page as a scenario that `yima scenario` can play (docs/scenarios.md).

What is recorded are the things a scenario knows: who shows a code, texts held up, keys, temperature, Wi-Fi,
battery, servers, chips that are broken or unplugged, noise, jumps of the clock chip, power off and on, and
the verdicts, which become what must be. Keys that answer the handheld's own questions become words of the
`comes` line.
"""

from __future__ import annotations

import re
from typing import Any

from simulator.scenario import VERDICTS
from simulator.world import Event, World

HOLD_MS = 500
"""A key held longer than this is written as `hold`."""
BOUNCE_MS = 20
"""Contacts close and open several times within this time."""
MOST_LINES = 380
QUESTIONS = {"id_check": "id", "measure": "mask"}
"""What the handheld asks, and the word of a `comes` line that answers."""
_PLAIN = re.compile(r'[^"#\\\x00-\x1f]{1,300}')


class Recorder:
    """Records one handheld's session from `start` to `stop`."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._stop: Any = None
        self.lines: list[str] = []
        self._person: dict[str, str] | None = None
        self._asked = ""
        self._down: dict[str, int] = {}
        self._skin: int | None = None
        self._battery_mv = 0

    @property
    def on(self) -> bool:
        """Whether it records."""
        return self._stop is not None

    def start(self) -> None:
        """Begin anew."""
        self.stop()
        self.lines = []
        self._person, self._asked = None, ""
        self._down.clear()
        self._skin = self._world.skin_centi_c
        self._battery_mv = self._world.battery_mv
        self._stop = self._world.listen(self._event)

    def stop(self) -> None:
        """Record no more."""
        if self._stop:
            self._finish()
            self._stop()
            self._stop = None

    def text(self, title: str = "A recorded session") -> str:
        """The scenario so far."""
        return "\n".join([f"title {title}", "", *self.lines]) + "\n"

    # What was done; the web face says it, for the events do not know people

    def person(self, person: str, medium: str) -> None:
        """Somebody of the town held up a code."""
        if self.on:
            self._finish()
            self._person = {"person": person, "code": medium}

    def shown(self, text: bytes) -> None:
        """Something else was held up."""
        if not self.on:
            return
        self._finish()
        plain = text.decode("utf-8", "replace")
        if _PLAIN.fullmatch(plain):
            self._add(f'shows text "{plain}"')
        else:
            self._add(f"# a code with {len(text)} bytes was held up, which this language cannot write")

    # What happened

    def _event(self, event: Event) -> None:
        data = event.data
        if event.kind == "console":
            self._said(str(data.get("line", "")).strip())
        elif event.kind == "key":
            self._key(str(data["key"]), bool(data["closed"]), event.t_ms)
        elif event.kind == "wifi":
            self._line(f"world wifi {'on' if data['air'] else 'off'}")
        elif event.kind == "server":
            self._line(f"world server {'on' if data['up'] else 'off'}")
        elif event.kind == "world" and data["battery_mv"] != self._battery_mv:
            self._battery_mv = int(data["battery_mv"])
            self._line(f"world battery {self._battery_mv / 1000:.2f}")
        elif event.kind == "fault":
            self._fault(data)
        elif event.kind == "clock":
            shift_s = int(data["shift_s"])
            self._line(f"clock {'+' if shift_s >= 0 else '-'}{abs(shift_s)}s")
        elif event.kind == "power" and data.get("state") == "cut":
            self._line("power cycle")

    def _fault(self, data: dict[str, Any]) -> None:
        if "noise_per_mille" in data:
            self._line(f"noise {data['line']} {data['noise_per_mille']}")
        elif data.get("state") in ("plugged", "unplugged"):
            self._line(f"{'plug' if data['state'] == 'plugged' else 'unplug'} {data['chip']}")
        elif "chip" in data:
            self._line(f"fault {data['chip']} {'none' if data['state'] == 'ok' else data['state']}")

    def _said(self, line: str) -> None:
        word, _, rest = line.partition(" ")
        if word != "flow:":
            return
        what, _, number = rest.partition(" ")
        if what in QUESTIONS:
            self._asked = what
        elif what in ("verdict", "notice"):
            if self._person is not None and self._asked:
                self._person[QUESTIONS[self._asked]] = "none"
            self._asked = ""
            self._finish()
            known = what == "verdict" and number.isdigit() and int(number) < len(VERDICTS)
            self._add(f"verdict {VERDICTS[int(number)]}" if known else "notice")
            self._add("")

    def _key(self, key: str, closed: bool, t_ms: int) -> None:
        if closed:
            self._down.setdefault(key, t_ms)
            return
        began_ms = self._down.pop(key, None)
        if began_ms is None or t_ms - began_ms < BOUNCE_MS:
            return
        if self._person is not None and self._asked and key in ("yes", "no"):
            self._person[QUESTIONS[self._asked]] = key
            self._asked = ""
        elif t_ms - began_ms > HOLD_MS:
            self._line(f"hold {key} {t_ms - began_ms}")
        else:
            self._line(f"press {key}")

    def _line(self, line: str) -> None:
        self._finish()
        self._add(line)

    def _add(self, line: str) -> None:
        if len(self.lines) < MOST_LINES:
            self.lines.append(line)

    def _finish(self) -> None:
        """Write the `comes` line of the person in front of the handheld, now that all is known of it."""
        person, self._person = self._person, None
        if person is None:
            return
        words = ["comes", person.pop("person")]
        skin = self._world.skin_centi_c
        if skin is not None:
            person["skin"] = f"{skin / 100:.2f}"
        for name in ("code", "skin", "id", "mask"):
            if name in person:
                words += [name, person[name]]
        self._add(" ".join(words))
