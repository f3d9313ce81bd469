"""The files of a pack's parts, named by what is in them: a part that is there was whole when it got its name.

FOLDER/XXXXXXXXXXXXXXXX        a part; the first 8 bytes of its SHA-256 in hex
FOLDER/XXXXXXXXXXXXXXXX.part   as much of it as came until now
"""

import hashlib
import os
from binascii import hexlify
from errno import EBADF

from firmware.core.pack import PART_DAMAGED, PART_MISSING, PART_TOO_LARGE, STORAGE, PackError

if False:
    from typing import BinaryIO, Generator

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


def remove(path: str) -> None:
    """Remove a file if it is there."""
    try:
        os.remove(path)
    except OSError:
        pass  # not there, or a flash that fails: whoever needs the room will hear of it


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


class PartFile:
    """A part opened for reading; `length` is what the manifest says."""

    def __init__(self, path: str, length: int) -> None:
        self.length = length
        self._file: "BinaryIO | None" = open(path, "rb")

    def read_at(self, offset: int, length: int) -> bytes:
        """So many bytes from there, fewer at the end. Raises OSError."""
        file = self._file
        if file is None:
            raise OSError(EBADF)
        file.seek(offset)
        return file.read(length)

    def close(self) -> None:
        """The end of reading."""
        if self._file is not None:
            self._file.close()
            self._file = None


class PartSink:
    """Takes a part of `length` bytes in pieces, from `offset` on: behind what came before a cut.

    Every method raises PackError; after one the part is begun anew, or, for STORAGE, tried again later.
    """

    def __init__(self, path: str, length: int, digest: bytes) -> None:
        self._path = path
        self._length = length
        self._digest = digest
        self._unfinished = path + UNFINISHED
        self.offset = max(0, size_of(self._unfinished))
        if self.offset > length:
            remove(self._unfinished)
            self.offset = 0
        self._flushed = self.offset
        try:
            self._file = open(self._unfinished, "ab")
        except OSError as e:
            raise _storage(e) from None

    def write(self, data: "bytes | bytearray | memoryview") -> None:
        """The next bytes."""
        if self.offset + len(data) > self._length:
            raise PackError(PART_TOO_LARGE)
        try:
            self._file.write(data)
            self.offset += len(data)
            if self.offset - self._flushed >= _FLUSH_BYTES:
                self._file.flush()
                self._flushed = self.offset
        except OSError as e:
            self._give_up()
            raise _storage(e) from None

    def close(self) -> None:
        """Keep what came."""
        try:
            self._file.close()
        except OSError as e:
            raise _storage(e) from None

    def finish_steps(self) -> "Generator[None, None, None]":
        """Check the whole part as it lies on the flash and give it its name, in slices."""
        self.close()
        if self.offset < self._length:
            raise PackError(PART_MISSING, "cut short")
        try:
            digest = yield from digest_steps(self._unfinished)
            if digest == self._digest:
                os.rename(self._unfinished, self._path)
        except OSError as e:
            raise _storage(e) from None
        if digest != self._digest:
            remove(self._unfinished)
            raise PackError(PART_DAMAGED)

    def _give_up(self) -> None:
        """A flash that took a piece badly, or is full: nothing of it stays."""
        try:
            self._file.close()
        except OSError:
            pass  # it has failed already
        remove(self._unfinished)


def _storage(error: OSError) -> PackError:
    return PackError(STORAGE, "error %d" % (error.errno or 0))
