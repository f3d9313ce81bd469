"""Small flash images for tests: MicroPython itself formats a file with VfsLfs2 and puts files on it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

MICROPYTHON = os.environ.get("MICROPYTHON") or str(Path(sys.executable).parent / "micropython")

_SCRIPT = """
import json, os, sys, vfs
class Image:
    def __init__(self, path, blocks):
        self.file = open(path, "w+b")
        for _ in range(blocks):
            self.file.write(b"\\xff" * 4096)
        self.blocks = blocks
    def readblocks(self, block, buf, off=0):
        self.file.seek(block * 4096 + off)
        self.file.readinto(buf)
    def writeblocks(self, block, buf, off=None):
        self.file.seek(block * 4096 + (off or 0))
        self.file.write(buf)
    def ioctl(self, op, arg):
        if op == 4:
            return self.blocks
        if op == 5:
            return 4096
        if op == 6:
            self.file.seek(arg * 4096)
            self.file.write(b"\\xff" * 4096)
        return 0
image = Image(sys.argv[1], int(sys.argv[2]))
with open(sys.argv[3]) as f:
    files = json.load(f)
vfs.VfsLfs2.mkfs(image)
vfs.mount(vfs.VfsLfs2(image), "/flash")
for path in sorted(files):
    at = "/flash"
    for part in path.split("/")[1:-1]:
        at += "/" + part
        try:
            os.mkdir(at)
        except OSError:
            pass
    with open("/flash" + path, "wb") as f:
        f.write(files[path])
vfs.umount("/flash")
"""

#: For programs on such images: a press is caught by interrupt, however busy the computer is, and over when
#: the contact, which bounces, has been open for a while.
PRESSES = """
import machine, time
pressed = set()
keys = {}
def watch(number):
    pin = machine.Pin(number, machine.Pin.IN, machine.Pin.PULL_UP)
    pin.irq(lambda _: pressed.add(number), machine.Pin.IRQ_FALLING)
    keys[number] = pin
def let_go(number):
    still = 0
    while still < 10:
        still = still + 1 if keys[number].value() else 0
        time.sleep_ms(5)
    pressed.discard(number)
"""


def make_image(profile: Path, files: dict[str, str], blocks: int = 128) -> Path:
    """`profile` with a flash.img that holds `files` (absolute path: text)."""
    profile.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as directory:
        script, listing = Path(directory, "make.py"), Path(directory, "files.json")
        script.write_text(_SCRIPT, "utf-8")
        listing.write_text(json.dumps(files), "utf-8")
        subprocess.run(
            [MICROPYTHON, str(script), str(profile / "flash.img"), str(blocks), str(listing)],
            check=True,
            timeout=60,
        )
    return profile
