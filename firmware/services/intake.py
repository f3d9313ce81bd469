"""Packs that do not come over the network: a package file that a cable brought, or a sheet of QR pictures.

The file is ``DATA/inbox.ypk``; it is removed when it was taken, renamed ``inbox.bad`` when it was refused. A
sheet's pieces go to ``DATA/sheet`` in the order in which they are scanned, for a file that only grows costs
the flash least; where each one lies is remembered in a byte per frame.
"""

import asyncio
import os
import struct

from firmware.core.pack import MALFORMED, PACKAGE_HEAD, PART_HEAD, STORAGE, PackError, package_head
from firmware.core.sheet import SheetError, parse_frame
from firmware.services.files import remove
from firmware.services.packfiles import size_of
from firmware.services.slices import exhaust

if False:
    from typing import Callable

    from firmware.services.packs import PackStore

LOOK_MS = 3_000
_CHUNK_BYTES = 512
#: A frame that did not come yet; 127 is the highest place there is.
_NONE = 0xFF


class Intake:
    """Looks for packages in `folder`, and collects the frames of a sheet; a restart begins the sheet anew."""

    def __init__(self, packs: "PackStore", folder: str, now: "Callable[[], int | None]") -> None:
        self._packs = packs
        self._folder = folder
        self._now = now
        # Set id, count, length and size of pieces of the sheet that is being collected.
        self._sheet = b""
        # Per frame its place in the sheet's file, in pieces.
        self._places = bytearray()
        self._have = 0
        #: Why the last pack was refused (firmware.core.pack), 0 if it was not.
        self.refused = 0
        remove(folder + "/sheet")

    @property
    def progress(self) -> "tuple[int, int]":
        """How many frames of the sheet are there, and of how many; (0, 0) before the first."""
        return self._have, len(self._places)

    def take(self, text: bytes) -> "tuple[int, int]":
        """Take a scanned frame; how many frames are there, and of how many.

        A frame of another sheet begins anew. What is no frame, or does not read, changes nothing; (0, 0)
        where there is nothing yet, or the flash failed. A whole sheet is installed at the next look.
        """
        path = self._folder + "/sheet"
        try:
            name, index, count, piece = parse_frame(text)
            if name != self._sheet:
                self._clear()
                self._sheet = name
                self._places = bytearray(b"\xff" * count)
            if self._places[index] == _NONE:
                with open(path, "ab") as file:
                    file.write(piece)
                    # The last piece may be short; every place is equally long.
                    file.write(bytes(struct.unpack(">H", name[-2:])[0] - len(piece)))
                self._places[index] = self._have
                self._have += 1
        except SheetError as e:
            print("sheet:", e)
        except OSError as e:
            print("sheet: error %d" % (e.errno or 0))
            self._clear()
        return self.progress

    async def run(self) -> None:
        """The task: look for packs, and check a long part of the one in force, every few seconds."""
        while True:
            await self.look()
            await exhaust(self._packs.check_steps())
            await asyncio.sleep_ms(LOOK_MS)

    async def look(self) -> None:
        """Install what came by file or by sheet since the last look, if anything did."""
        inbox = self._folder + "/inbox."
        length = size_of(inbox + "ypk")
        if length >= 0:
            await self._install(inbox + "ypk", length, 0)
            if self.refused:
                remove(inbox + "bad")
                try:
                    os.rename(inbox + "ypk", inbox + "bad")
                except OSError:
                    pass  # what cannot be renamed cannot stay either
            remove(inbox + "ypk")
        if 0 < self._have == len(self._places):
            length, piece_bytes = struct.unpack(">IH", self._sheet[6:])
            await self._install(self._folder + "/sheet", length, piece_bytes)
            self._clear()

    async def _install(self, path: str, end: int, piece_bytes: int) -> None:
        """Take manifest and missing parts out of a package of `end` bytes and put the pack in force."""
        packs = self._packs
        sink = None
        try:
            length = package_head(self._read(path, 0, PACKAGE_HEAD, piece_bytes), False)[1]
            at = PACKAGE_HEAD + length
            data = self._read(path, PACKAGE_HEAD, length, piece_bytes)
            manifest = await exhaust(packs.stage_steps(data, self._now()))
            while at < end:
                digest, length = package_head(self._read(path, at, PART_HEAD, piece_bytes), True)
                at += PART_HEAD
                if (length, digest) in [(size, wanted) for _, size, wanted in packs.missing(manifest)]:
                    sink = packs.sink(length, digest)
                    while sink.offset < length:
                        piece = min(_CHUNK_BYTES, length - sink.offset, end - at - sink.offset)
                        if piece <= 0:
                            raise PackError(MALFORMED, "package cut short")
                        sink.write(self._read(path, at + sink.offset, piece, piece_bytes))
                        await asyncio.sleep_ms(0)
                    await exhaust(sink.finish_steps())
                at += length
            if at != end:
                raise PackError(MALFORMED, "package cut short")
            packs.commit(manifest)
            self.refused = 0
            print("intake: pack %d" % manifest.version)
        except OSError as e:
            self.refused = STORAGE
            print("intake: error %d" % (e.errno or 0))
        except PackError as e:
            self.refused = e.reason
            print("intake:", e)
        finally:
            if sink is not None:
                sink.close()

    def _read(self, path: str, at: int, length: int, piece_bytes: int) -> bytes:
        """So many bytes of a package, whose pieces, if any, lie as they were scanned. Raises OSError."""
        found = b""
        with open(path, "rb") as file:
            while length > 0:
                count = length
                place = at
                if piece_bytes:
                    count = min(length, piece_bytes - at % piece_bytes)
                    if at // piece_bytes >= len(self._places):
                        break
                    place = self._places[at // piece_bytes] * piece_bytes + at % piece_bytes
                file.seek(place)
                found += file.read(count)
                at += count
                length -= count
        return found

    def _clear(self) -> None:
        """Forget the sheet."""
        self._sheet = b""
        self._places = bytearray()
        self._have = 0
        remove(self._folder + "/sheet")
