# heap: 96M
"""A hundred thousand revocations on a real VfsLfs2: what a lookup reads, and what it takes of the heap.

The heap is that large only to build the table.
"""

import gc
import os

import pack_rig as rig
import ramflash

from firmware.core import pack
from firmware.core.table import encode_table, key_of

COUNT = 100_000
# What a lookup may take. Most of it are objects, half as large on the ESP32: there it is less than 2 kB.
ROOM = 2560


class Counting:
    """An open part that counts its reads."""

    reads = 0
    longest = 0

    def __init__(self, file):
        self._file = file
        self.seek = file.seek
        self.close = file.close

    def read(self, length):
        Counting.reads += 1
        Counting.longest = max(Counting.longest, length)
        return self._file.read(length)


def subject(number):
    return b"subject %d" % number


def installed():
    """A store with 100,000 revocations, and changes that add one and take one back."""
    flash = ramflash.RamFlash(300)
    ramflash.format(flash)
    ramflash.mount(flash)
    rig.provision()
    base = encode_table(((pack.revocation_key(pack.SUBJECT, subject(i)), b"") for i in range(COUNT)), 0)
    changes = [(pack.revocation_key(pack.SUBJECT, subject(7)), b"\0")]
    changes.append((pack.revocation_key(pack.CODE, b"lost"), b"\1"))
    changes.extend((key_of(str(i)), b"\1") for i in range(1000))
    parts = rig.parts_of(1)[:1]
    parts.append((pack.REVOCATIONS, base))
    parts.append((pack.REVOCATION_CHANGES, encode_table(changes, 1)))
    packs = rig.started()
    before = os.statvfs("/flash")[3]
    rig.install(packs, 1, parts)
    assert len(base) == 800_012
    print(
        "%d revocations: %d bytes, %d blocks of flash" % (COUNT, len(base), before - os.statvfs("/flash")[3])
    )
    return flash, packs


def test_lookups():
    flash, packs = installed()
    view = packs.current
    view._open_part = lambda length, digest: Counting(packs._open(length, digest))
    revoked = view.revoked
    # Those in the changes come first, and decide.
    assert not revoked(pack.SUBJECT, subject(7)) and revoked(pack.CODE, b"lost")
    assert revoked(pack.SUBJECT, subject(8)) and not revoked(pack.CODE, subject(8)), "of its kind only"
    worst = total = worst_blocks = total_blocks = lookups = 0
    for i in range(0, COUNT, 331):
        for identity, expected in ((subject(i), i != 7), (subject(COUNT + i), False)):
            Counting.reads = flash.reads = 0
            assert revoked(pack.SUBJECT, identity) is expected
            lookups += 1
            total += Counting.reads
            total_blocks += flash.reads
            worst = max(worst, Counting.reads)
            worst_blocks = max(worst_blocks, flash.reads)
    print(
        "reads of both tables: %d at worst, %.1f on average; of the block device: %d and %.1f"
        % (worst, total / lookups, worst_blocks, total_blocks / lookups)
    )
    assert worst <= 20 and total <= 5 * lookups and total_blocks <= 25 * lookups
    assert Counting.longest <= 256 and view.damaged == 0
    view.close()
    gc.collect()
    closed = gc.mem_alloc()
    view._open_part = packs._open
    assert not revoked(pack.SUBJECT, subject(COUNT))
    gc.collect()
    held = gc.mem_alloc() - closed
    # A heap that has nothing else left.
    ballast = [None] * 2000
    ballast[0] = bytearray(ROOM)
    at = 1
    for step in (1 << 22, 1 << 16, 4096, 512, 64, 16):
        try:
            while at < len(ballast):
                ballast[at] = bytearray(step)
                at += 1
        except MemoryError:
            pass
    ballast[0] = None
    gc.collect()
    left = gc.mem_free()
    for i in range(20):
        found = revoked(pack.SUBJECT, b"nobody %d" % i)
        if found or view.damaged:
            break
    ballast = None
    assert i == 19 and not found and left <= ROOM + 256
    print("a lookup does with %d bytes of heap, %d more hold the two files open" % (left, held))
    assert held <= 2048
    view.close()
    ramflash.unmount()
