"""Power cuts at every erase and program while settings and packs change on a real VfsLfs2, clean and torn.

The journal has its own flash: test_ring_cut.py.

A day is a list of windows. Each window runs once undisturbed, which tells how many erases and programs it
takes, and then once for each of them with the power failing there; a second cut hits the start that follows.
After every cut: the file system mounts, settings and pack are the old or the new ones.
"""

import os

import pack_rig as rig
import ramflash

from firmware.core.pack import PackError
from firmware.services.packs import PackStore
from firmware.services.settings import Settings, SettingsError

BLOCKS = 40

# s settings, t pack
DAY = ("s", "t", "ss", "ttss", "st", "tst", "ts", "stst", "sst", "tts", "s", "tt")


def drive(steps):
    try:
        while True:
            next(steps)
    except StopIteration as end:
        return end.value


class World:
    """What the outside knows: settings and packs it chose."""

    def __init__(self):
        self.made = 0
        self.settings = [("", 2)]
        self.pack = [0]

    def copy(self):
        other = World()
        other.made = self.made
        other.settings = self.settings[-1:]
        other.pack = self.pack[-1:]
        return other


class Device:
    """The stores as the handheld opens them at a start."""

    def __init__(self, world):
        self.world = world
        self.settings = Settings("/flash")
        if not self.settings.get("root_key"):
            self.settings.update({"root_key": rig.ROOT.public})
        self.packs = PackStore("/flash/pack", self.settings, rig.verify_steps)
        drive(self.packs.load_steps())

    def run(self, work):
        for what in work:
            if what == "s":
                self.save()
            else:
                self.install()

    def save(self):
        world = self.world
        world.made += 1
        value = ("place %d" % world.made, world.made % 3)
        world.settings.append(value)
        self.settings.update({"place": value[0], "direction": value[1]})

    def install(self):
        world = self.world
        version = world.pack[-1] + 1
        world.pack.append(version)
        rig.install(self.packs, version)
        drive(self.packs.check_steps())

    def check(self):
        world = self.world
        assert self.settings.bad == []
        found = (self.settings.get("place"), self.settings.get("direction"))
        assert found in world.settings, found
        version = rig.issuer_of(self.packs) if self.packs.current else 0
        assert version == self.packs.version
        assert version in world.pack, version


class Tally:
    points = 0
    newer = 0
    older = 0


def boot(flash, world):
    ramflash.mount(flash)
    return Device(world)


def cut_once(base, world, work, at, torn):
    """One window with the power failing at erase or program number `at`, then at the next start, then not."""
    flash = ramflash.RamFlash(BLOCKS, bytearray(base))
    device = boot(flash, world)
    flash.operations = 0
    flash.cut_at = at
    flash.torn = torn
    try:
        device.run(work)
    except (ramflash.PowerCut, SettingsError, PackError):
        # closing a file on a flash without power fails in turn and hides the cut
        pass
    assert flash.dead, "no cut at %d" % at
    again = ramflash.RamFlash(BLOCKS, flash.data)
    again.cut_at = at % 3 + 1
    again.torn = torn
    try:
        boot(again, world)
    except (ramflash.PowerCut, OSError):
        assert again.dead
    last = ramflash.RamFlash(BLOCKS, flash.data)
    device = boot(last, world)
    device.check()
    if len(world.settings) > 1 and device.settings.get("place") == world.settings[-1][0]:
        Tally.newer += 1
    else:
        Tally.older += 1
    world.pack = [device.packs.version]
    # and the day goes on
    device.run("st")
    ramflash.unmount()
    boot(ramflash.RamFlash(BLOCKS, flash.data), world).check()
    Tally.points += 1


def whole_day(torn):
    flash = ramflash.RamFlash(BLOCKS)
    ramflash.format(flash)
    base = bytes(flash.data)
    world = World()
    for work in DAY:
        # undisturbed, to count and to get to the next window
        flash = ramflash.RamFlash(BLOCKS, bytearray(base))
        after = world.copy()
        device = boot(flash, after)
        flash.operations = 0
        device.run(work)
        operations = flash.operations
        device.check()
        ramflash.unmount()
        assert operations, work
        for at in range(1, operations + 1):
            try:
                cut_once(base, world.copy(), work, at, torn)
            except Exception:
                print("window %s, cut at %d of %d, torn %s" % (work, at, operations, torn))
                raise
        base = bytes(flash.data)
        world = after.copy()


def test_every_cut_clean():
    whole_day(False)


def test_every_cut_torn():
    whole_day(True)


def test_zz_enough_points():
    ramflash.unmount()
    print("%d cut points, settings new %d, old %d" % (Tally.points, Tally.newer, Tally.older))
    assert Tally.points > 700 and Tally.newer and Tally.older
    assert "flash" not in os.listdir("/")
