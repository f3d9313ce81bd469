"""Pack a folder into a ROMFS image, the read-only file system that MicroPython runs bytecode from in place.

A module in ROMFS costs the handheld no RAM for its bytecode and constants. The image is what
``mpremote romfs deploy`` writes to the board; mpremote's own writer makes it.
"""

from __future__ import annotations

from pathlib import Path

from mpremote.romfs import VfsRomWriter


def pack(folder: Path) -> bytes:
    """The image of everything below `folder`, in sorted order: the same files give the same bytes."""
    writer = VfsRomWriter()
    _add(writer, folder)
    return bytes(writer.finalise())


def _add(writer: VfsRomWriter, folder: Path) -> None:
    for path in sorted(folder.iterdir()):
        if path.is_dir():
            writer.opendir(path.name)
            _add(writer, path)
            writer.closedir()
        else:
            writer.mkfile(path.name, path.read_bytes())
