"""Packs that do not come over the network: a package file that a cable brought, or a sheet of QR pictures.

The file is ``DATA/inbox.ypk``; it is removed when it was taken, renamed ``inbox.bad`` when it was refused. A
sheet's pieces go to ``DATA/sheet`` in the order in which they are scanned, for a file that only grows costs
the flash least; where each one lies is remembered in a byte per frame.
"""

import asyncio
import os

from firmware.core.pack import (
    MALFORMED,
    PACKAGE_HEAD,
    PART_HEAD,
    STORAGE,
    PackError,
    parse_package_head,
    parse_part_head,
)
from firmware.core.sheet import SheetError, parse_frame
from firmware.services.packfiles import PartFile, remove, size_of
from firmware.services.slices import exhaust

if False:
    from typing import Callable

    from firmware.core.packview import Source
    from firmware.services.packs import PackStore

LOOK_MS = 3_000
_CHUNK_BYTES = 512
#: A frame that did not come yet; 127 is the highest place there is.
_NONE = 0xFF


async def install_package(packs: "PackStore", source: "Source", now_unix: "int | None") -> None:
    """Take manifest and missing parts out of a package file and put the pack in force. Raises PackError."""
    try:
        length = parse_package_head(source.read_at(0, PACKAGE_HEAD))
        manifest = await exhaust(packs.stage_steps(source.read_at(PACKAGE_HEAD, length), now_unix))
        at = PACKAGE_HEAD + length
        while at < source.length:
            digest, length = parse_part_head(source.read_at(at, PART_HEAD))
            at += PART_HEAD
            if (length, digest) in [(size, wanted) for _, size, wanted in packs.missing(manifest)]:
                await _copy(packs, source, at, length, digest)
            at += length
        if at != source.length:
            raise PackError(MALFORMED, "package cut short")
    except OSError as e:
        raise PackError(STORAGE, "error %d" % (e.errno or 0)) from None
    packs.commit(manifest)


async def _copy(packs: "PackStore", source: "Source", at: int, length: int, digest: bytes) -> None:
    """One part to its place. Raises PackError, OSError."""
    sink = packs.sink(length, digest)
    try:
        while sink.offset < length:
            data = source.read_at(at + sink.offset, min(_CHUNK_BYTES, length - sink.offset))
            if not data:
                raise PackError(MALFORMED, "package cut short")
            sink.write(data)
            await asyncio.sleep_ms(0)
    finally:
        sink.close()
    await exhaust(sink.finish_steps())


class Sheet:
    """Collects the frames of one sheet in the file at `path`; a restart begins anew."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._set_id = b""
        # Per frame its place in the file, in pieces.
        self._places = bytearray()
        self._piece_bytes = 0
        self._have = 0
        #: Length of the file that the sheet makes.
        self.length = 0
        remove(path)

    @property
    def complete(self) -> bool:
        """Whether all frames are there."""
        return 0 < self._have == len(self._places)

    def take(self, text: bytes) -> "tuple[int, int]":
        """Take a scanned frame; how many frames are there, and of how many.

        A frame of another sheet begins anew. What is no frame, or does not read, changes nothing; (0, 0)
        where there is nothing yet, or the flash failed.
        """
        try:
            frame = parse_frame(text)
        except SheetError as e:
            print("sheet:", e)
            return self._have, len(self._places)
        last = frame.index == frame.count - 1
        piece_bytes = frame.offset // frame.index if last and frame.index else len(frame.piece)
        if (frame.set_id, frame.count, frame.length, piece_bytes) != (
            self._set_id,
            len(self._places),
            self.length,
            self._piece_bytes,
        ):
            self.clear()
            self._set_id = frame.set_id
            self._places = bytearray(b"\xff" * frame.count)
            self._piece_bytes = piece_bytes
            self.length = frame.length
        if self._places[frame.index] == _NONE:
            try:
                with open(self._path, "ab") as file:
                    file.write(frame.piece)
                    # The last piece may be short; every place is equally long.
                    file.write(bytes(piece_bytes - len(frame.piece)))
            except OSError as e:
                print("sheet: error %d" % (e.errno or 0))
                self.clear()
                return 0, 0
            self._places[frame.index] = self._have
            self._have += 1
        return self._have, len(self._places)

    def read_at(self, offset: int, length: int) -> bytes:
        """So many bytes of the file that the sheet makes, fewer at its end. Raises OSError."""
        end = min(offset + length, self.length)
        found = []
        with open(self._path, "rb") as file:
            while offset < end:
                index, skip = offset // self._piece_bytes, offset % self._piece_bytes
                count = min(end - offset, self._piece_bytes - skip)
                file.seek(self._places[index] * self._piece_bytes + skip)
                found.append(file.read(count))
                offset += count
        return b"".join(found)

    def close(self) -> None:
        """Nothing stays open between two reads."""

    def clear(self) -> None:
        """Forget what came."""
        self._set_id = b""
        self._places = bytearray()
        self._piece_bytes = self._have = self.length = 0
        remove(self._path)


class Intake:
    """Looks for packs in `folder` and on the sheet."""

    def __init__(self, packs: "PackStore", folder: str, now: "Callable[[], int | None]") -> None:
        self._packs = packs
        self._inbox = folder + "/inbox."
        self._now = now
        self.sheet = Sheet(folder + "/sheet")
        #: Why the last pack was refused (firmware.core.pack), 0 if it was not.
        self.refused = 0

    async def run(self) -> None:
        """The task: look for packs, and check a long part of the one in force, every few seconds."""
        while True:
            await self.look()
            await exhaust(self._packs.check_steps())
            await asyncio.sleep_ms(LOOK_MS)

    async def look(self) -> None:
        """Install what came by file or by sheet since the last look, if anything did."""
        length = size_of(self._inbox + "ypk")
        if length >= 0:
            if await self._install(PartFile, self._inbox + "ypk", length):
                remove(self._inbox + "ypk")
            else:
                remove(self._inbox + "bad")
                try:
                    os.rename(self._inbox + "ypk", self._inbox + "bad")
                except OSError:
                    remove(self._inbox + "ypk")
        if self.sheet.complete:
            await self._install(lambda path, length: self.sheet, "", 0)
            self.sheet.clear()

    async def _install(self, open_source: "Callable[[str, int], Source]", path: str, length: int) -> bool:
        try:
            source = open_source(path, length)
            try:
                await install_package(self._packs, source, self._now())
            finally:
                source.close()
        except OSError as e:
            self.refused = STORAGE
            print("intake: error %d" % (e.errno or 0))
            return False
        except PackError as e:
            self.refused = e.reason
            print("intake:", e)
            return False
        self.refused = 0
        print("intake: pack installed")
        return True
