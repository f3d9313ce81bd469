"""What scenarios change around the handheld, and what they break on it: done, and undone."""

from __future__ import annotations

from typing import Any

from host_tools.demo_stage import Stage
from simulator.scenario import Step

HEALTHY_SKIN_CENTI_C = 3470
AMBIENT_CENTI_C = 2400
BATTERY_MV = 3980
VERBS = ("world", "unplug", "plug", "fault", "noise")


class Surroundings:
    """The surroundings of one handheld on a stage."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._reach = {"wifi": True, "server": True}
        self._undo: dict[str, dict[str, Any]] = {}

    @property
    def online(self) -> bool:
        """Whether records can reach the server."""
        return all(self._reach.values())

    async def change(self, step: Step) -> None:
        """A line of one of VERBS, such as ``world wifi off`` or ``fault bus stuck``."""
        name, value = (*step.words, "")[:2]
        if step.verb == "world":
            await self._world(name, value)
        elif step.verb == "fault":
            self._undo[f"fault {name}"] = {"chip": name, "fault": None}
            await self._stage.faults(chip=name, fault=None if value == "none" else value)
        elif step.verb == "noise":
            self._undo[f"noise {name}"] = {f"{name}_noise_per_mille": 0}
            await self._stage.faults(**{f"{name}_noise_per_mille": int(value)})
        else:
            # Plugging in what is in would be a loose contact.
            self._undo.pop(f"plug {name}", None)
            if step.verb == "unplug":
                self._undo[f"plug {name}"] = {"plug": name}
            await self._stage.faults(**{step.verb: name})

    async def _world(self, name: str, value: str) -> None:
        if name in self._reach:
            self._reach[name] = value == "on"
            await self._stage.set_world(**{name: self._reach[name]})
        elif name == "battery":
            await self._stage.set_world(battery_mv=round(float(value) * 1000))
        else:
            centi_c = None if value == "none" else round(float(value) * 100)
            await self._stage.set_world(**{f"{name}_centi_c": centi_c})

    async def heal(self) -> None:
        """Nothing is broken, everything in reach, nobody has a fever."""
        self._reach = dict.fromkeys(self._reach, True)
        await self._stage.set_world(
            wifi=True,
            server=True,
            skin_centi_c=HEALTHY_SKIN_CENTI_C,
            ambient_centi_c=AMBIENT_CENTI_C,
            battery_mv=BATTERY_MV,
        )
        while self._undo:
            await self._stage.faults(**self._undo.popitem()[1])
