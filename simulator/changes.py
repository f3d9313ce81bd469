"""What the web face takes as changes of the surroundings, faults and views: checked, then done."""

from __future__ import annotations

import os
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt

from host_tools.clockpage import FASTEST
from simulator.clock import LONGEST_JUMP_S
from simulator.handheld import Handheld
from simulator.optics import View
from simulator.world import World

FAULT_FIELDS = (
    "plugged",
    "faults",
    "clock_unix",
    "clock_stopped",
    "clock_offset_s",
    "clock_drift_ppm",
    "noise",
    "cut_loop",
    "wear",
)
"""What an answer to a change of faults holds."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class WorldChange(_Strict):
    """What may be changed around the handheld. Temperatures in 0.01 degrees Celsius; skin null: nobody
    there."""

    skin_centi_c: Annotated[StrictInt, Field(ge=-4000, le=30000)] | None = None
    ambient_centi_c: Annotated[StrictInt, Field(ge=-4000, le=8500)] | None = None
    battery_mv: Annotated[StrictInt, Field(ge=0, le=4500)] | None = None
    wifi: StrictBool | None = None
    server: StrictBool | None = None

    def apply(self, world: World) -> None:
        """Do it."""
        if "skin_centi_c" in self.model_fields_set:
            world.skin_centi_c = self.skin_centi_c
        if self.ambient_centi_c is not None:
            world.ambient_centi_c = self.ambient_centi_c
        if self.battery_mv is not None:
            world.battery_mv = self.battery_mv
        if self.wifi is not None:
            world.wifi = self.wifi
        if self.server is not None:
            world.server = self.server


class TimeChange(_Strict):
    """How fast time goes from now on, and how much of it passes at once first. Longer jumps are several."""

    speed: Annotated[StrictInt, Field(ge=0, le=FASTEST)] | None = None
    jump_s: Annotated[StrictInt, Field(ge=1, le=LONGEST_JUMP_S)] | None = None

    async def apply(self, world: World) -> None:
        """Do it; returns when the jump is done."""
        clock = world.clock
        if self.speed is not None:
            clock.speed = self.speed
        if self.jump_s is not None:
            await clock.jump(self.jump_s)
        world.note("time", {"speed": clock.speed, "jump_s": self.jump_s, "now_unix": round(clock.unix())})


class FaultChange(_Strict):
    """Faults; each field acts on its own."""

    unplug: Literal["gm65", "mlx90614", "ds3231"] | None = None
    plug: Literal["gm65", "mlx90614", "ds3231"] | None = None
    chip: Literal["mlx90614", "ds3231", "bus"] | None = None
    fault: Literal["nak", "bad_pec", "flag", "ffff", "stuck"] | None = None
    noise_bytes: Annotated[StrictInt, Field(ge=1, le=65536)] | None = None
    uart_noise_per_mille: Annotated[StrictInt, Field(ge=0, le=1000)] | None = None
    i2c_noise_per_mille: Annotated[StrictInt, Field(ge=0, le=1000)] | None = None
    cut_loop: StrictBool | None = None
    clock_drift_ppm: Annotated[StrictInt, Field(ge=-100_000, le=100_000)] | None = None
    cut_power_at: Annotated[StrictInt, Field(ge=0, le=65535)] | None = None
    flash_life: Annotated[StrictInt, Field(ge=1, le=10_000_000)] | None = None
    flash_fails: Literal["files", "journal"] | None = None
    flash_new: Literal[True] | None = None
    clock_stopped: StrictBool | None = None
    clock_shift_s: Annotated[StrictInt, Field(ge=-(10**9), le=10**9)] | None = None

    def apply(self, handheld: Handheld) -> None:
        """Do it. Raises ValueError."""
        world = handheld.world
        if self.unplug:
            world.unplug(self.unplug)
        if self.plug:
            world.plug(self.plug)
        if self.chip:
            world.i2c_fault(self.chip, self.fault)
        if self.noise_bytes:
            world.uart_noise(os.urandom(self.noise_bytes))
        if self.uart_noise_per_mille is not None:
            world.noise("uart", self.uart_noise_per_mille)
        if self.i2c_noise_per_mille is not None:
            world.noise("i2c", self.i2c_noise_per_mille)
        if self.cut_power_at is not None:
            handheld.cut_power_at(self.cut_power_at)
        if self.cut_loop is not None:
            handheld.cut_in_a_loop(self.cut_loop)
        self._apply_flash(handheld)
        self._apply_clock(handheld)

    def _apply_flash(self, handheld: Handheld) -> None:
        wear = handheld.board.wear
        if self.flash_new:
            wear.heal()
        if self.flash_life is not None:
            wear.life = self.flash_life
        if self.flash_fails:
            wear.wear_out_next(self.flash_fails)

    def _apply_clock(self, handheld: Handheld) -> None:
        clock = handheld.board.clock
        if self.clock_drift_ppm is not None:
            clock.drift_ppm = self.clock_drift_ppm
        if self.clock_stopped is not None:
            clock.stopped = self.clock_stopped
        if self.clock_shift_s is not None:
            clock.offset_s += self.clock_shift_s
            handheld.world.note("clock", {"shift_s": self.clock_shift_s})
        if {"clock_drift_ppm", "clock_stopped", "clock_shift_s"} & self.model_fields_set:
            handheld.board.save_clock()


class PhoneView(_Strict):
    """How a phone is held before the camera; see simulator/optics.py."""

    distance_mm: Annotated[StrictInt, Field(ge=40, le=600)] = 150
    turn: Annotated[StrictInt, Field(ge=-180, le=180)] = 0
    tilt: Annotated[StrictInt, Field(ge=-75, le=75)] = 0
    shake: Annotated[float, Field(ge=0, le=8)] = 0.0
    glare: Annotated[StrictInt, Field(ge=0, le=100)] = 0

    def view(self) -> View:
        """The same for the optics."""
        return View(self.distance_mm, self.turn, self.tilt, self.shake, self.glare)
