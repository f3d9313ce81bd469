"""The files of a pack's parts, named by what is in them: a part that is there was whole when it got its name.

FOLDER/XXXXXXXXXXXXXXXX        a part; the first 8 bytes of its SHA-256 in hex
FOLDER/XXXXXXXXXXXXXXXX.part   as much of it as came until now
"""

import hashlib
import os
from binascii import hexlify

from firmware.core.pack import PART_DAMAGED, PART_MISSING, PART_TOO_LARGE, STORAGE, PackError
from firmware.services.files import remove

if False:
    from typing import Generator

UNFINISHED = ".part"
#: A flush costs the flash a block; a cut costs what came since.
_FLUSH_BYTES = 16_384
_CHUNK_BYTES = 512


def part_name(digest: bytes) -> str:
    """The file name of the part with this SHA-256."""
    return hexlify(digest[:8]).decode()


def size_of(path: str) -> int:
    """A file's length, -1 where there is none."""
    try:
        length: int = os.stat(path)[6]
    except OSError:
        return -1
    return length


def digest_steps(path: str) -> "Generator[None, None, bytes]":
    """The SHA-256 of a file, in slices. Raises OSError."""
    hasher = hashlib.sha256()
    chunk = memoryview(bytearray(_CHUNK_BYTES))
    with open(path, "rb") as file:
        while True:
            count = file.readinto(chunk)
            if not count:
                break
            hasher.update(chunk[:count])
            yield None
    digest: bytes = hasher.digest()
    return digest


class PartSink:
    """Takes a part of `length` bytes in pieces, from `offset` on: behind what came before a cut.

    Every method raises PackError; after one the part is begun anew.
    """

    def __init__(self, path: str, length: int, digest: bytes) -> None:
        self._path = path
        self._length = length
        self._digest = digest
        self.offset = max(0, size_of(path + UNFINISHED))
        if self.offset > length:
            remove(path + UNFINISHED)
            self.offset = 0
        try:
            self._file = open(path + UNFINISHED, "ab")
        except OSError as e:
            raise PackError(STORAGE, "error %d" % (e.errno or 0)) from None

    def write(self, data: "bytes | bytearray | memoryview") -> None:
        """The next bytes."""
        before = self.offset // _FLUSH_BYTES
        if self.offset + len(data) > self._length:
            raise PackError(PART_TOO_LARGE)
        try:
            self._file.write(data)
            self.offset += len(data)
            if self.offset // _FLUSH_BYTES != before:
                self._file.flush()
        except OSError as e:
            # A flash that took a piece badly, or is full: nothing of it stays.
            try:
                self._file.close()
            except OSError:
                pass  # it has failed already
            remove(self._path + UNFINISHED)
            raise PackError(STORAGE, "error %d" % (e.errno or 0)) from None

    def finish_steps(self) -> "Generator[None, None, None]":
        """Keep what came; if it is the whole part, check it as it lies on the flash and give it its name.

        In slices. PART_MISSING where it is not whole yet.
        """
        try:
            self._file.close()
            if self.offset < self._length:
                raise PackError(PART_MISSING, "cut short")
            digest = yield from digest_steps(self._path + UNFINISHED)
            if digest == self._digest:
                os.rename(self._path + UNFINISHED, self._path)
                return
        except OSError as e:
            raise PackError(STORAGE, "error %d" % (e.errno or 0)) from None
        remove(self._path + UNFINISHED)
        raise PackError(PART_DAMAGED)

    def close(self) -> None:
        """Keep what came."""
        try:
            self._file.close()
        except OSError:
            pass  # what did not reach the flash comes again
