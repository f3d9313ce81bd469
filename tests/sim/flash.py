"""Looks into a flash image, and changes it, with MicroPython's own LittleFS while the handheld is off."""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path

from conftest import ROOT, micropython

_FRAME = """
import json, os, sys, vfs
class Image:
    def __init__(self, path):
        self.file = open(path, "r+b")
        self.blocks = self.file.seek(0, 2) // 4096
    def readblocks(self, block, buf, off=0):
        self.file.seek(block * 4096 + off)
        self.file.readinto(buf)
    def writeblocks(self, block, buf, off=None):
        self.file.seek(block * 4096 + (off or 0))
        self.file.write(buf)
    def ioctl(self, op, arg):
        if op == 3:
            self.file.flush()
        elif op == 4:
            return self.blocks
        elif op == 5:
            return 4096
        elif op == 6:
            self.file.seek(arg * 4096)
            self.file.write(b"\\xff" * 4096)
        return 0
image = Image(sys.argv[1])
vfs.mount(vfs.VfsLfs2(image), "/flash")
answer = None
%s
vfs.umount("/flash")
image.ioctl(3, 0)
print(json.dumps(answer))
"""
_JOURNAL = """
from firmware.services.journal import Journal
journal = Journal(Image(%r), None, lambda: "", lambda: 0)
journal.open()
answer = {"acked": journal.acked, "next_seq": journal.next_seq, "used": journal.used_bytes // 4096}
"""
_NOTES = """
try:
    with open("/flash/data/crash.txt") as file:
        answer = file.read()
except OSError:
    answer = ""
"""


def on_flash(image: Path, script: str) -> object:
    """Run `script` with the image's file system under /flash; what it leaves in `answer`."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "script.py")
        path.write_text(_FRAME % script, "utf-8")
        result = subprocess.run(
            [micropython(), "-X", "heapsize=8M", str(path), str(image)],
            env={"MICROPYPATH": f"{ROOT}:.frozen", "TZ": "UTC"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert result.returncode == 0, result.stdout + result.stderr
    return json.loads(result.stdout.splitlines()[-1])


def looked_up(image: Path, script: str) -> object:
    """The same on a copy: the image stays as it is, and may be in use."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, "flash.img")
        copy.write_bytes(image.read_bytes())
        return on_flash(copy, script)


def journal(image: Path) -> dict:
    """Cursor, next sequence and sectors in use of the journal beside a flash image."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, "journal.img")
        copy.write_bytes(image.with_name("journal.img").read_bytes())
        found = looked_up(image, _JOURNAL % str(copy))
    assert isinstance(found, dict)
    return found


def crash_notes(image: Path) -> str:
    """What the supervisor wrote down, "" where nothing went wrong."""
    found = looked_up(image, _NOTES)
    assert isinstance(found, str)
    return found
