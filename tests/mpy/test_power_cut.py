"""Power cuts at every erase and program of a day's work on a real VfsLfs2, clean and torn.

A day is a list of windows. Each window runs once undisturbed, which tells how many erases and programs it
takes, and then once for each of them with the power failing there; a second cut hits the start that follows.
After every cut: the file system mounts, nothing promised or acknowledged is lost, no sequence has two
contents, settings and pack are the old or the new ones.
"""

import os

import pack_rig as rig
import ramflash

from firmware.core import cbor
from firmware.core.pack import PackError
from firmware.core.record import GENESIS, chain
from firmware.services.journal import Journal, JournalError
from firmware.services.packs import PackStore
from firmware.services.settings import Settings, SettingsError

BLOCKS = 40
SEGMENT_BYTES = 900

# a append, k let the server take a batch and acknowledge it, K everything; s settings, t pack
MORNING = ("aas", "aaaa", "ak", "aaat", "aaK", "a", "ttss", "aaaaaaaa", "kaka", "Ka", "aaaaaK", "Ksat")
NOON = (
    "aaaaaa",
    "aaaaaa",
    "aaaaaa",
    "k",
    "aaaaaa",
    "kk",
    "aaaaaa",
    "kakakak",
    "aaaaaa",
    "K",
    "aK",
    "aaaaaaK",
    "st",
)
DAY = MORNING + NOON + MORNING


def drive(steps):
    try:
        while True:
            next(steps)
    except StopIteration as end:
        return end.value


class World:
    """What the outside knows: records promised and on the server, settings and lists it chose."""

    def __init__(self):
        self.promised = {}
        self.server = {}
        self.server_chain = GENESIS
        self.underway = None
        self.made = 0
        self.settings = [("", 2)]
        self.pack = [0]

    def copy(self):
        other = World()
        other.promised = dict(self.promised)
        other.server = dict(self.server)
        other.server_chain = self.server_chain
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
        self.journal = Journal("/flash/journal", 65536, SEGMENT_BYTES)
        self.journal.open()

    def run(self, work):
        for what in work:
            if what == "a":
                self.append()
            elif what == "s":
                self.save()
            elif what == "t":
                self.install()
            else:
                self.sync(3 if what == "k" else 1000)

    def append(self):
        world = self.world
        world.made += 1
        seq = self.journal.next_seq
        # no two records are alike, so that a sequence given twice shows
        record = cbor.dumps({1: seq, 2: world.made, 3: "record"[: world.made % 7] * (world.made % 23)})
        assert seq not in world.promised and seq not in world.server
        world.underway = (seq, record)
        self.journal.append(record)
        world.promised[seq] = record
        world.underway = None

    def sync(self, count):
        world = self.world
        first, before, records = self.journal.batch(count, 100_000)
        held = len(world.server)
        assert first <= held + 1, "a gap on the server"
        value = before
        for i in range(len(records)):
            seq = first + i
            value = chain(value, records[i])
            if seq <= held:
                assert world.server[seq] == records[i], "a sequence with two contents"
            else:
                if seq == held + 1 == first:
                    assert before == world.server_chain
                world.server[seq] = records[i]
                world.server_chain = value
        self.journal.acknowledge(len(world.server))

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
        journal = self.journal
        assert journal.acked <= len(world.server), "acknowledged what the server does not hold"
        first, _, records = journal.batch(100_000, 10_000_000)
        assert len(records) == journal.pending
        held = {first + i: records[i] for i in range(len(records))}
        for seq in world.promised:
            if seq > journal.acked:
                assert held.get(seq) == world.promised[seq], "a promised record is lost"
        for seq in held:
            expected = world.promised.get(seq) or (world.underway and world.underway[1])
            assert held[seq] == expected, "a record that nobody wrote"
        world.promised.update(held)
        return len(held)


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
    except (ramflash.PowerCut, JournalError, SettingsError, PackError):
        # closing a file on a flash without power fails in turn and hides the cut
        pass
    assert flash.dead, "no cut at %d" % at
    device.journal.close()
    again = ramflash.RamFlash(BLOCKS, flash.data)
    again.cut_at = at % 3 + 1
    again.torn = torn
    try:
        boot(again, world)
    except (ramflash.PowerCut, JournalError, OSError):
        assert again.dead
    last = ramflash.RamFlash(BLOCKS, flash.data)
    device = boot(last, world)
    device.check()
    if len(world.settings) > 1 and device.settings.get("place") == world.settings[-1][0]:
        Tally.newer += 1
    else:
        Tally.older += 1
    world.underway = None
    world.pack = [device.packs.version]
    # and the day goes on
    device.run("aKsta")
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
        device.journal.close()
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
    assert Tally.points > 1000 and Tally.newer and Tally.older
    assert "flash" not in os.listdir("/")
