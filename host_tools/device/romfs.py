"""Pack a folder into a ROMFS image, the read-only file system that MicroPython runs bytecode from in place.

A module in ROMFS costs the handheld no RAM for its bytecode and constants. The image is what
``mpremote romfs deploy`` writes to the board; mpremote's own writer makes it.
"""

from __future__ import annotations

from pathlib import Path

from mpremote.romfs import VfsRomWriter


def pack(folder: Path, aligned: bytes = b"") -> bytes:
    """The image of everything below `folder`, in sorted order: the same files give the same bytes.

    `aligned` is the content of a file that shall begin at a multiple of 4 bytes, for native code to read.
    """
    for padding in range(16):
        writer = VfsRomWriter()
        # Records without a name, which nobody finds. The image's header evens out its whole length, so what
        # comes behind the file counts as well as what comes before it.
        if padding & 7:
            writer.mkdata(bytes(padding & 7))
        _add(writer, folder)
        if padding & 8:
            writer.mkdata(b"\0")
        image = bytes(writer.finalise())
        if image.find(aligned) & 3 == 0:
            return image
    raise ValueError("no place for the aligned file")


def _add(writer: VfsRomWriter, folder: Path) -> None:
    for path in sorted(folder.iterdir()):
        if path.is_dir():
            writer.opendir(path.name)
            _add(writer, path)
            writer.closedir()
        else:
            writer.mkfile(path.name, path.read_bytes())
