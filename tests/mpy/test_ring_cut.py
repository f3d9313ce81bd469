"""Power cuts at every erase and program of the journal's ring: never begun, half, done, scattered bits.

Days are made of windows: records, parties, exchanges with the server, erasing ahead, restarts. Each window
runs once undisturbed, which tells how many erases and programs it takes, and then for each of them in every
way with the power failing there; a second cut hits what comes after the start. After every cut: the journal
opens, nothing promised or acknowledged is lost, a party is there as a whole or not at all, no sequence has
two contents, and the server can follow the chain. YIMA_CUT_WINDOWS says how many windows there are.
"""

import os

import nor
from sealkit import DEVICE, QuickSealing, reseal

from firmware.core import cbor, ring_format
from firmware.core.record import GENESIS
from firmware.services.journal import Journal, JournalError, JournalFull

SECTORS = 6
WINDOWS = int(os.getenv("YIMA_CUT_WINDOWS") or "24")
#: Sealed records and chain values before them that were looked into: sealing once more takes its time.
SEALED = {}
WORK = "aaaaaaaapppkkkKtrs"


class Random:
    def __init__(self, seed):
        self.state = seed

    def below(self, n):
        self.state = (self.state * 1103515245 + 12345) & 0x7FFFFFFF
        return (self.state >> 8) % n


class World:
    """What the outside knows: records promised, records on the server, and what was under way."""

    def __init__(self):
        self.promised = {}
        self.server = {}
        self.chain = GENESIS
        self.underway = []
        self.made = 0

    def copy(self):
        other = World()
        other.promised = dict(self.promised)
        other.server = dict(self.server)
        other.chain = self.chain
        other.made = self.made
        return other

    def record(self, seq):
        # no two records are alike, so that a sequence given twice shows
        self.made += 1
        return cbor.dumps({1: seq, 2: self.made, 3: "record" * (self.made * 7 % 70)})


class Device:
    """The journal as the handheld opens it at a start."""

    def __init__(self, flash, world):
        self.flash = flash
        self.world = world
        self.sealing = QuickSealing(ready=world.made % 3 == 0)
        self.journal = Journal(flash, self.sealing, lambda: DEVICE, lambda: 0)
        self.journal.open()

    def run(self, work):
        for what in work:
            if what == "a":
                self.append(1)
            elif what == "p":
                self.append(2 + self.world.made % 5)
            elif what == "t":
                for _ in self.journal.tend_steps():
                    pass
            elif what == "r":
                self.__init__(self.flash, self.world)
            elif what == "s":
                self.sealing.kid = b"%08d" % self.world.made
            else:
                self.sync(3 if what == "k" else 1000)

    def append(self, count):
        world = self.world
        seq = self.journal.next_seq
        records = [world.record(seq + n) for n in range(count)]
        for n in range(count):
            assert seq + n not in world.promised and seq + n not in world.server, "a sequence given twice"
        world.underway = [(seq + n, records[n]) for n in range(count)]
        try:
            self.journal.append_all(records)
        except JournalFull:
            world.underway = []
            return
        for n in range(count):
            world.promised[seq + n] = records[n]
        world.underway = []

    def sync(self, count):
        world = self.world
        first, before, items = self.journal.batch(count, 100_000)
        held = len(world.server)
        assert first <= held + 1, "a gap on the server"
        for seq, record, after in self.opened(first, before, items):
            if seq <= held:
                assert world.server[seq] == record, "a sequence with two contents"
            else:
                if seq == held + 1 == first:
                    assert before == world.chain, "a fork"
                world.server[seq] = record
                world.chain = after
        self.journal.acknowledge(len(world.server))

    def opened(self, first, chain, items):
        """Sequence, plain record and chain value after it, of each: known records are sealed once more."""
        world = self.world
        known = dict(world.underway)
        out = []
        head = b""
        seq = first
        for item in items:
            if item[:2] == b"\xd8\x60":
                head = item
                continue
            record = world.promised.get(seq) or world.server.get(seq) or known.get(seq)
            assert record is not None, "a record that nobody wrote"
            if (item, chain) in SEALED:
                begins, plain = SEALED[item, chain]
                assert plain == record, "another record than was written"
            else:
                begins, sealed = reseal(head, seq, chain, record)
                assert sealed == item, "another record than was written"
                if len(SEALED) > 400:
                    SEALED.clear()
                SEALED[item, chain] = begins, record
            chain = ring_format.chain(chain, head if begins else b"", item)
            out.append((seq, record, chain))
            seq += 1
        return out

    def check(self):
        world = self.world
        journal = self.journal
        assert journal.acked <= len(world.server), "acknowledged what the server does not hold"
        first, before, items = journal.batch(100_000, 10_000_000)
        found = self.opened(first, before, items)
        assert len(found) == journal.pending
        assert (found[-1][2] if found else before) == journal.chain_value
        held = {seq: record for seq, record, _ in found}
        for seq in world.promised:
            if seq > journal.acked:
                assert held.get(seq) == world.promised[seq], "a promised record is lost"
        newer = [seq for seq, _ in world.underway if seq in held]
        assert len(newer) in (0, len(world.underway)), "part of a party"
        world.promised.update(held)
        world.underway = []
        return len(newer)


class Tally:
    points = 0
    kept = 0
    dropped = 0
    second = 0


def cut_once(base, world, work, at, way):
    """One window with the power failing at erase or program `at`, then after the next start, then not."""
    flash = nor.NorFlash(SECTORS, bytearray(base))
    try:
        device = Device(flash, world)
        flash.operations = 0
        flash.cut_at, flash.cut_way = at, way
        device.run(work)
        raise AssertionError("no cut at %d" % at)
    except (nor.PowerCut, JournalError):
        # a flash without power answers with errors from then on
        assert flash.dead
    again = nor.NorFlash(SECTORS, flash.data)
    device = Device(again, world)
    if world.underway:
        if device.check():
            Tally.kept += 1
        else:
            Tally.dropped += 1
    device.check()
    again.cut_at, again.cut_way = at % 4 + 1, (way + at) % 4
    try:
        device.run("apka")
    except (nor.PowerCut, JournalError):
        assert again.dead
        Tally.second += 1
    last = nor.NorFlash(SECTORS, flash.data)
    device = Device(last, world)
    device.check()
    # and the day goes on
    device.run("apKat")
    device.check()
    Device(nor.NorFlash(SECTORS, flash.data), world).check()
    Tally.points += 1


def test_every_cut():
    random = Random(2026)
    flash = nor.NorFlash(SECTORS)
    world = World()
    for number in range(WINDOWS):
        work = "".join([WORK[random.below(len(WORK))] for _ in range(3 + random.below(7))])
        if number % 9 == 8:
            work = "aaaaaaaaaaaaaaaaaaaa" + work
        base = bytes(flash.data)
        # undisturbed, to count and to get to the next window
        flash = nor.NorFlash(SECTORS, bytearray(base))
        after = world.copy()
        device = Device(flash, after)
        flash.operations = 0
        device.run(work)
        operations = flash.operations
        device.check()
        for at in range(1, operations + 1):
            for way in nor.WAYS:
                try:
                    cut_once(base, world.copy(), work, at, way)
                except Exception:
                    print("window %d %s, cut at %d of %d, way %d" % (number, work, at, operations, way))
                    raise
        world = after.copy()
        # far behind, nobody asks any more
        for seq in list(world.promised):
            if seq < len(world.server) - 300:
                del world.promised[seq]


def test_zz_enough_points():
    print(
        "%d cut points, %d second cuts; under way %d kept, %d dropped"
        % (Tally.points, Tally.second, Tally.kept, Tally.dropped)
    )
    assert Tally.points > 20 * WINDOWS and Tally.second and Tally.kept and Tally.dropped
