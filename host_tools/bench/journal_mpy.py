"""Runs under MicroPython: what a day at the door costs the flash, by each way to keep a journal.

Arguments: RECORDS. Prints JSON: per way erases and programmed bytes a record; times and sizes of sealing.
Every record is durable before the next, and every one is acknowledged by itself, as it is with Wi-Fi.
"""

import json
import os
import sys
import time

import cryptolib
import vfs

from firmware.core import message, record
from firmware.core.seal import Segment, SegmentKey
from firmware.services.journal import Journal

if False:
    from typing import Generator

BLOCK_BYTES = 4096
#: The journal's partition, host_tools/device/partitions.csv.
SECTORS = 448
START_UNIX = 1_800_000_000
DEVICE = "yima-4f2a91"
CHAIN = bytes(32)


class CountingFlash:
    """NOR flash in memory behind MicroPython's block interface; counts what wears it."""

    def __init__(self, blocks: int) -> None:
        self._data = bytearray(b"\xff" * (blocks * BLOCK_BYTES))
        self._blocks = blocks
        self.erases = 0
        self.programmed = 0
        self.programs = 0

    def readblocks(self, block: int, buffer: memoryview, offset: int = 0) -> None:
        """Fill the buffer."""
        start = block * BLOCK_BYTES + offset
        buffer[:] = memoryview(self._data)[start : start + len(buffer)]

    def writeblocks(self, block: int, data: "bytes | memoryview", offset: "int | None" = None) -> None:
        """Program; without an offset the block is erased before."""
        if offset is None:
            self.ioctl(6, block)
        start = block * BLOCK_BYTES + (offset or 0)
        self.programmed += len(data)
        self.programs += 1
        self._data[start : start + len(data)] = data

    def ioctl(self, operation: int, argument: int) -> int:
        """4: blocks, 5: their size, 6: erase one."""
        if operation == 4:
            return self._blocks
        if operation == 5:
            return BLOCK_BYTES
        if operation == 6:
            self.erases += 1
            start = argument * BLOCK_BYTES
            self._data[start : start + BLOCK_BYTES] = b"\xff" * BLOCK_BYTES
        return 0


class Keys:
    """Stands for the sealing service: keys without the curve, which the flash does not feel."""

    kid = b"benchkey"
    ready = True

    def prepare_steps(self) -> "Generator[None, None, bool]":
        """Nothing to prepare."""
        yield None
        return True

    def begin(self, device: str, first: int) -> Segment:
        """A segment under a random key."""
        key = SegmentKey(os.urandom(16), os.urandom(64), os.urandom(13), self.kid)
        return Segment(cryptolib.aes, key, device, first)


def passage(
    sequence: int,
    device: str = DEVICE,
    unix: int = 0,
    sub: bytes = bytes(range(16)),
    cti: bytes = bytes(range(8)),
) -> bytes:
    """A record of a venue that stores who came: the longest common kind; `unix` 0 for half a minute each."""
    return record.encode(
        {
            record.SEQ: sequence,
            record.TIME: unix or START_UNIX + 29 * sequence,
            record.CLOCK: 0,
            record.DEVICE: device,
            record.PLACE: "龙岩市图书馆",
            record.SCENE: "registered_venue",
            record.DIRECTION: 0,
            record.SUB: sub,
            record.KIND: 1,
            record.CTI: cti,
            record.COLOUR: 0,
            record.VERDICT: 0,
            record.REASONS: [],
            record.TEMPERATURE: [3412, 2150, 3640],
            record.MASK: 1,
        }
    )


def ring(count: int) -> "tuple[CountingFlash, Journal]":
    """The sealed journal on the ring of its partition."""
    flash = CountingFlash(SECTORS)
    log = Journal(flash, Keys(), lambda: DEVICE, lambda: 0)  # type: ignore[arg-type]
    log.open()
    for _ in range(count):
        log.append(passage(log.next_seq))
        log.acknowledge(log.next_seq - 1)
        for _ in log.tend_steps():
            pass
    return flash, log


def appended(count: int) -> CountingFlash:
    """A file of records on LittleFS, flushed after each, a new one after 16 KiB, and a cursor file."""
    flash = _mounted()
    segment = 0
    file = open("/bench/segment0", "wb")
    for sequence in range(1, count + 1):
        data = bytes(6) + passage(sequence)
        if file.tell() + len(data) > 16_384:
            file.close()
            os.remove("/bench/segment%d" % segment)
            segment += 1
            file = open("/bench/segment%d" % segment, "wb")
        file.write(data)
        file.flush()
        _write("/bench/ack.new", "wb", bytes(44))
        os.rename("/bench/ack.new", "/bench/ack")
    file.close()
    vfs.umount("/bench")
    return flash


def merged(count: int) -> CountingFlash:
    """A small file for each record, every sixteen of them written together into one, and a cursor file."""
    flash = _mounted()
    os.mkdir("/bench/new")
    for sequence in range(1, count + 1):
        _write("/bench/new/%d" % sequence, "wb", passage(sequence))
        if sequence % 16 == 0:
            parts = []
            for number in range(sequence - 15, sequence + 1):
                with open("/bench/new/%d" % number, "rb") as file:
                    parts.append(file.read())
            _write("/bench/segment%d" % (sequence // 1600), "ab", b"".join(parts))
            for number in range(sequence - 15, sequence + 1):
                os.remove("/bench/new/%d" % number)
        _write("/bench/ack.new", "wb", bytes(44))
        os.rename("/bench/ack.new", "/bench/ack")
    vfs.umount("/bench")
    return flash


def _mounted() -> CountingFlash:
    flash = CountingFlash(SECTORS)
    vfs.VfsLfs2.mkfs(flash)  # type: ignore[arg-type]
    vfs.mount(vfs.VfsLfs2(flash), "/bench")  # type: ignore[abstract, arg-type]
    flash.erases = flash.programmed = 0
    return flash


def _write(path: str, mode: str, data: bytes) -> None:
    with open(path, mode) as file:
        file.write(data)


def sealing(count: int) -> "dict[str, object]":
    """Time to seal a record, and what records take on the wire in the handheld's batches."""
    segment = Keys().begin(DEVICE, 1)
    records = [passage(sequence) for sequence in range(1, count + 1)]
    start = time.ticks_us()
    for sequence in range(1, count + 1):
        segment.seal(sequence, CHAIN, records[sequence - 1])
    seal_us = time.ticks_diff(time.ticks_us(), start) / count
    log = Journal(CountingFlash(SECTORS), Keys(), lambda: DEVICE, lambda: 0)  # type: ignore[arg-type]
    log.open()
    for _ in range(count):
        log.append(passage(log.next_seq))
    wire = 0
    while log.pending:
        first, before, items = log.batch(100, 4096)
        request = message.encode_sync_request(DEVICE, bytes(32), first, before, items, 1, 1, bytes(16), True)
        wire += len(request)
        log.acknowledge(first + len([item for item in items if item[:2] != b"\xd8\x60"]) - 1)
    return {"seal_us": seal_us, "wire_bytes": wire / count, "record_bytes": len(records[-1])}


def main(count: int) -> None:
    """Measure and print."""
    figures: "dict[str, object]" = sealing(500)
    for name, flash in (("ring", ring(count)[0]), ("appended", appended(count)), ("merged", merged(count))):
        figures[name] = [flash.erases / count, flash.programmed / count]
    print(json.dumps(figures))


if __name__ == "__main__":
    main(int(sys.argv[1]))
