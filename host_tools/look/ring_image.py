"""Reads the image of a journal's partition: sectors, frames, sealed records in their places.

Needs no key and changes nothing; what `host_tools.server.sealing_keys` opens is `Frame.place`. Layout:
firmware/core/ring_format.py. An image that is being written shows at worst a torn last frame.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from firmware.core import ring_format
from firmware.core.ring_format import FRAME_HEAD, SECTOR_BYTES, SECTOR_HEAD
from host_tools.server.opener import Followed, Head, OpenerError, parse_head

#: More than the partition ever has (firmware's partitions.csv: 1.75 MiB).
MAX_IMAGE_BYTES = 16 << 20


class RingImageError(ValueError):
    """Not the image of such a partition."""


@dataclass(frozen=True)
class Frame:
    """One frame: where in its sector, kind (ring_format.HEAD, RECORD, ACKNOWLEDGED), bytes of its content.

    `sequence` is a record's own, the first of a segment, or what was acknowledged. `place` is what opens a
    record; None for other kinds, and where the segment's head is damaged.
    """

    offset: int
    kind: int
    more: int
    content: bytes
    sequence: int
    place: Followed | None = None


@dataclass(frozen=True)
class Sector:
    """A sector that holds something: its place in the partition, its number, what its head tells.

    `torn` bytes behind the last sound frame are neither blank nor a frame.
    """

    place: int
    number: int
    first: int
    acknowledged: int
    unix: int
    chain: bytes
    torn: int = 0
    frames: list[Frame] = field(default_factory=list)

    @property
    def used_bytes(self) -> int:
        """Bytes up to the end of the last sound frame."""
        if not self.frames:
            return SECTOR_HEAD
        return self.frames[-1].offset + ring_format.frame_size(len(self.frames[-1].content))


def read_ring(image: bytes) -> list[Sector]:
    """The sectors with a sound head in the order of their numbers. Raises RingImageError."""
    if len(image) % SECTOR_BYTES or len(image) > MAX_IMAGE_BYTES:
        raise RingImageError("no whole number of sectors")
    count = len(image) // SECTOR_BYTES
    found = []
    for place in range(count):
        data = image[place * SECTOR_BYTES : (place + 1) * SECTOR_BYTES]
        number = ring_format.sector_number(data[:SECTOR_HEAD])
        if number and number % count == place:
            found.append(_sector(place, number, data))
    return sorted(found, key=lambda sector: sector.number)


def _sector(place: int, number: int, data: bytes) -> Sector:
    first, acknowledged, unix, chain = ring_format.sector_fields(data[:SECTOR_HEAD])
    frames: list[Frame] = []
    offset = SECTOR_HEAD
    sequence, head, segment_first, head_data = first, None, 0, b""
    value = chain
    while offset + FRAME_HEAD <= SECTOR_BYTES:
        start = data[offset : offset + FRAME_HEAD]
        length = ring_format.frame_content(start, SECTOR_BYTES - offset)
        content = data[offset + FRAME_HEAD : offset + FRAME_HEAD + length]
        if not length or not ring_format.frame_sound(number, start, content):
            break
        kind, more = start[2], start[3]
        if kind == ring_format.RECORD:
            after = ring_format.chain(value, head_data if segment_first == sequence else b"", content)
            opens = Followed(sequence, content, head, value, after) if head else None
            frames.append(Frame(offset, kind, more, content, sequence, opens))
            value, sequence = after, sequence + 1
        elif kind == ring_format.HEAD and length > 8:
            segment_first, head_data = struct.unpack(">I", content[:4])[0], content[8:]
            head = _head(head_data)
            frames.append(Frame(offset, kind, more, content, segment_first))
        else:
            told = struct.unpack(">I", content)[0] if length == 4 else 0
            frames.append(Frame(offset, kind, more, content, told))
        offset += ring_format.frame_size(length)
    torn = len(data[offset:].rstrip(b"\xff"))
    return Sector(place, number, first, acknowledged, unix, chain, torn, frames)


def _head(data: bytes) -> Head | None:
    try:
        return parse_head(data)
    except OpenerError:
        return None
