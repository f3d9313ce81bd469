"""Make or refresh the flash and ROM images of a simulated handheld from a built folder."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

BLOCK_BYTES = 4096
#: The journal's partition, as partitions.csv has it.
JOURNAL_BLOCKS = 0x1C0000 // BLOCK_BYTES
JOURNAL_IMAGE = "journal.img"
#: The reference board has 8 MB of flash; MicroPython gives its file system everything from 2 MB on.
DEFAULT_BLOCKS = 6 * 1024 * 1024 // BLOCK_BYTES
SCRIPT = Path(__file__).with_name("image_mpy.py")


class ImageError(Exception):
    """The image could not be made; the message says why."""


def prepare(
    image: Path, tree: Path, provisioning: bytes | None, micropython: str, blocks: int = DEFAULT_BLOCKS
) -> None:
    """Install `tree` (a folder made by host_tools.device.build) into the flash image file `image` and the ROM
    image ``rom.img`` beside it.

    A missing image is created blank with `blocks` blocks of 4,096 bytes, and the journal's partition
    ``journal.img`` with it. ``/data`` of an existing one is kept, and so is the journal.
    `provisioning` is written to ``/data/enrol.cbor`` where given. Raises ImageError.
    """
    image.parent.mkdir(parents=True, exist_ok=True)
    journal = image.with_name(JOURNAL_IMAGE)
    if not image.exists() or not journal.exists():
        # First, for a handheld whose flash is new must not go on in an old one's journal.
        _make_blank(journal, JOURNAL_BLOCKS)
    if not image.exists():
        _make_blank(image, blocks)
    with tempfile.TemporaryDirectory() as folder:
        arguments = [
            str(image.resolve()),
            str(image.stat().st_size // BLOCK_BYTES),
            str((tree / "flash").resolve()),
        ]
        if provisioning is not None:
            path = Path(folder) / "enrol.cbor"
            path.write_bytes(provisioning)
            arguments.append(str(path))
        try:
            result = subprocess.run(
                [micropython, "-X", "heapsize=16M", str(SCRIPT), *arguments],
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as e:
            raise ImageError(f"{image}: {e}") from e
    if not result.returncode:
        new = image.with_name("rom.new")
        new.write_bytes((tree / "rom.img").read_bytes())
        new.rename(image.with_name("rom.img"))
    else:
        raise ImageError(f"{image}: {(result.stdout + result.stderr).strip() or 'MicroPython failed'}")


def _make_blank(image: Path, blocks: int) -> None:
    blank = image.with_suffix(".new")
    with blank.open("wb") as file:
        for _ in range(blocks):
            file.write(b"\xff" * BLOCK_BYTES)
    blank.rename(image)
