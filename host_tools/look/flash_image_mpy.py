"""Runs under MicroPython: what lies on a flash image, as one line of JSON. Argument: IMAGE, a copy.

The bytes of small files are told in base64, of parts of packs only the SHA-256.
"""

import binascii
import hashlib
import json
import os
import sys

import vfs

BLOCK_BYTES = 4096
SMALL = (
    "/data/settings.0",
    "/data/settings.1",
    "/data/crash.txt",
    "/data/pack/manifest",
    "/data/pack/manifest.new",
)
PACK = "/data/pack/"
MOST_FILES = 500


class FileFlash:
    """Flash in a file, for reading."""

    def __init__(self, path: str) -> None:
        self._file = open(path, "rb")
        self._blocks = self._file.seek(0, 2) // BLOCK_BYTES

    def readblocks(self, block: int, buffer: bytearray, offset: int = 0) -> None:
        """Fill `buffer` from `offset` bytes into `block`."""
        self._file.seek(block * BLOCK_BYTES + offset)
        self._file.readinto(buffer)

    def writeblocks(self, block: int, buffer: bytes, offset: "int | None" = None) -> None:
        """Nothing is written here."""
        raise OSError(30)

    def ioctl(self, operation: int, argument: int) -> "int | None":
        """Block count (4), block size (5)."""
        if operation == 4:
            return self._blocks
        if operation == 5:
            return BLOCK_BYTES
        return 0


def _digest(path: str) -> str:
    hasher = hashlib.sha256()
    with open(path, "rb") as file:
        while True:
            data = file.read(BLOCK_BYTES)
            if not data:
                return binascii.hexlify(hasher.digest()).decode()
            hasher.update(data)


def main(image: str) -> None:
    """Mount, walk, tell."""
    vfs.mount(vfs.VfsLfs2(FileFlash(image)), "/device", readonly=True)
    sizes: "dict[str, int]" = {}
    files: "dict[str, str]" = {}
    digests: "dict[str, str]" = {}
    folders = [""]
    while folders and len(sizes) < MOST_FILES:
        folder = folders.pop()
        for entry in os.ilistdir("/device" + folder + "/"):
            path = folder + "/" + entry[0]
            if entry[1] & 0x4000:
                folders.append(path)
                continue
            sizes[path] = entry[3]
            if path in SMALL:
                with open("/device" + path, "rb") as file:
                    files[path] = binascii.b2a_base64(file.read(BLOCK_BYTES)).decode().strip()
            elif path.startswith(PACK):
                digests[path] = _digest("/device" + path)
    room = os.statvfs("/device")
    print(
        json.dumps({"sizes": sizes, "files": files, "digests": digests, "room": (room[0], room[2], room[3])})
    )


main(sys.argv[1])
