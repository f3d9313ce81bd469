"""Looks into the flash image of a handheld from outside: files, settings, packs, crash notes, room.

The image may be in use: a copy of it is mounted, without the right to write, by MicroPython's own LittleFS. A
copy that was taken in the middle of a change is taken again.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import subprocess
import tempfile
from collections import Counter
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, encode_dss_signature

from firmware.core import cbor, cose, pack, schema
from firmware.core.errors import CoreError
from firmware.core.pack import Manifest, PackError
from firmware.core.schema import SETTINGS
from firmware.core.trust import kid_of_key

SCRIPT = Path(__file__).with_name("flash_image_mpy.py")
TIMEOUT_S = 30
TRIES = 3
BLOCK_BYTES = 4096
#: Whose values are nobody's business: only whether they are set is told.
HIDDEN = ("wifi_key", "pin")
_NOTE = re.compile(r"^(\w+): (.+), after (\d+) s$", re.MULTILINE)
PART_NAMES = {
    pack.KEYS: "keys",
    pack.REVOCATIONS: "revocations",
    pack.REVOCATION_CHANGES: "revocation changes",
    pack.SCENES: "scenes",
    pack.RULES: "rules",
    pack.VALUE_SETS: "value sets",
    pack.TEXTS: "texts",
    pack.ROSTER: "roster",
    pack.SEALING_KEY: "sealing key",
    pack.CONFIG: "config",
}


class FlashImageError(Exception):
    """The image cannot be read; the message says why."""


@dataclass(frozen=True)
class Content:
    """What lay on the flash: every file's size, the small files' bytes, SHA-256 of pack parts, and room.

    Paths are absolute, as the firmware has them.
    """

    sizes: dict[str, int]
    files: dict[str, bytes]
    digests: dict[str, bytes]
    block_bytes: int
    blocks: int
    free_blocks: int


def read_flash(image: Path, micropython: str) -> Content:
    """Read an image that may be in use. Raises FlashImageError."""
    said = ""
    for _ in range(TRIES):
        with tempfile.TemporaryDirectory(prefix="yima-look-") as folder:
            copy = Path(folder) / "flash.img"
            try:
                copy.write_bytes(image.read_bytes())
                done = subprocess.run(
                    [micropython, "-X", "heapsize=16M", str(SCRIPT), str(copy)],
                    capture_output=True,
                    text=True,
                    timeout=TIMEOUT_S,
                    check=False,
                )
            except (OSError, subprocess.TimeoutExpired) as e:
                raise FlashImageError(f"{image.name}: {type(e).__name__}") from e
        if not done.returncode:
            return _content(json.loads(done.stdout.splitlines()[-1]))
        said = " ".join((done.stdout + done.stderr).strip().splitlines()[-1:])
    raise FlashImageError(f"{image.name}: {said or 'no file system'}")


def _content(told: dict[str, Any]) -> Content:
    block_bytes, blocks, free_blocks = told["room"]
    return Content(
        sizes=told["sizes"],
        files={path: base64.b64decode(data) for path, data in told["files"].items()},
        digests={path: bytes.fromhex(digest) for path, digest in told["digests"].items()},
        block_bytes=block_bytes,
        blocks=blocks,
        free_blocks=free_blocks,
    )


# Settings -----------------------------------------------------------------------------------------------


def _slots(content: Content) -> tuple[list[dict[str, Any]], int | None, dict[Any, Any]]:
    """Both slots for people, the number of the one in force, None for none, and what is stored in it."""
    rows: list[dict[str, Any]] = []
    best, slot = 0, None
    values: dict[Any, Any] = {}
    for number in (0, 1):
        data = content.files.get(f"/data/settings.{number}")
        row: dict[str, Any] = {"slot": number, "state": "missing", "counter": None, "bytes": 0}
        rows.append(row)
        if data is None:
            continue
        row["bytes"] = len(data)
        try:
            counter, payload = schema.parse_slot(data)
            stored = cbor.loads(payload)
        except CoreError as e:
            row["state"] = str(e)
            continue
        row |= {"state": "sound", "counter": counter}
        if counter > best:
            best, slot = counter, number
            values = stored if isinstance(stored, dict) else {}
    return rows, slot, values


def settings_of(content: Content) -> dict[str, Any]:
    """The settings in force, for people, and which of the two slots they are in (None: the defaults)."""
    slots, slot, stored = _slots(content)
    cleaned, bad = schema.cleaned(SETTINGS, stored)
    rows = [
        {
            "key": key,
            "value": _shown(key, value),
            "state": "bad, default" if key in bad else ("stored" if key in stored else "default"),
        }
        for key, value in cleaned.items()
    ]
    return {"slot": slot, "slots": slots, "values": rows}


def _shown(key: str, value: object) -> str:
    if key in HIDDEN:
        return "set, not shown" if value else "not set"
    if isinstance(value, bytes):
        if not value:
            return "not set"
        if len(value) <= 4:
            return str(int.from_bytes(value, "big"))
        if key == "root_key":
            return f"kid {kid_of_key(value).hex()}"
        return f"{len(value)} bytes, SHA-256 {sha256(value).hexdigest()[:16]}"
    return str(value) if value != "" else "not set"


def root_key_of(content: Content) -> bytes:
    """The authority's key that the settings hold, empty for none."""
    key = _slots(content)[2].get("root_key", b"")
    return key if isinstance(key, bytes) and len(key) == 64 else b""


# Packs --------------------------------------------------------------------------------------------------


def packs_of(content: Content, now_unix: int) -> list[dict[str, Any]]:
    """The pack in force and one that is coming, with the state of every part."""
    root_key = root_key_of(content)
    found = []
    for name, word in (("manifest", "in force"), ("manifest.new", "coming")):
        data = content.files.get(f"/data/pack/{name}")
        if data is not None:
            found.append({"which": word, "bytes": len(data), **_pack(content, data, root_key, now_unix)})
    return found


def _pack(content: Content, data: bytes, root_key: bytes, now_unix: int) -> dict[str, Any]:
    try:
        manifest = _opened(data, root_key)
    except PackError as e:
        return {"state": str(e), "version": None, "parts": []}
    if manifest.issued_unix > now_unix:
        state = "valid later"
    else:
        state = "valid" if manifest.expires_unix > now_unix else "expired"
    return {
        "state": state,
        "version": manifest.version,
        "issued_unix": manifest.issued_unix,
        "expires_unix": manifest.expires_unix,
        "root_kid": kid_of_key(manifest.root_key).hex(),
        "parts": [
            {
                "name": PART_NAMES.get(kind, f"kind {kind}"),
                "bytes": length,
                "digest": digest.hex()[:16],
                "state": _part_state(content, kind, length, digest),
            }
            for kind, length, digest in manifest.parts()
        ],
    }


def _part_state(content: Content, kind: int, length: int, digest: bytes) -> str:
    if not pack.limit_of(kind):
        return "unknown kind, left out"
    path = f"/data/pack/{binascii.hexlify(digest[:8]).decode()}"
    if content.digests.get(path) == digest:
        return "whole"
    if path in content.sizes:
        return "damaged"
    if f"{path}.part" in content.sizes:
        return f"{content.sizes[f'{path}.part']} of {length} bytes"
    return "missing"


def _opened(data: bytes, root_key: bytes) -> Manifest:
    """A manifest whose signature by `root_key` is good. Raises PackError."""
    try:
        steps = pack.open_steps(data, root_key, _verify_steps)
        while True:
            next(steps)
    except StopIteration as e:
        manifest: Manifest = e.value
        return manifest
    except cose.CoseError as e:
        raise PackError(pack.MALFORMED, str(e)) from None


def _verify_steps(key: bytes, digest: bytes, signature: bytes) -> Any:
    """ES256 by `cryptography`, in the shape that firmware.core.pack asks for: a generator."""
    yield None
    try:
        public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), b"\x04" + key)
        numbers = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
        public.verify(encode_dss_signature(*numbers), digest, ec.ECDSA(Prehashed(hashes.SHA256())))
    except (InvalidSignature, ValueError):
        return False
    return True


# Tasks --------------------------------------------------------------------------------------------------


def crashes_of(content: Content) -> dict[str, dict[str, Any]]:
    """By task: how often the notes on flash say that it ended or hung, and what they say last."""
    notes = content.files.get("/data/crash.txt", b"").decode("ascii", "replace")
    counted: Counter[str] = Counter()
    last: dict[str, str] = {}
    for name, what, after_s in _NOTE.findall(notes):
        counted[name] += 1
        last[name] = f"{what}, after {after_s} s"
    return {name: {"times": times, "last": last[name]} for name, times in counted.items()}
