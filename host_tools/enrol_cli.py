"""`yima server token`, `revoke` and `roll`: which handhelds may speak, and with which secret."""

from __future__ import annotations

import argparse
import hashlib
import sys
from pathlib import Path

import segno

from firmware.core import base45
from firmware.core.message import encode_provisioning
from firmware.core.trust import kid_of_key
from host_tools import clockpage, run
from host_tools.authority.default_scenes import scene_ids
from host_tools.files import FileTrouble, write_private
from host_tools.server import serve as server
from host_tools.state import DEFAULT_PORT_BASE, DEVICES_PORT, State

#: What the text of a QR code that enrols begins with.
CODE_PREFIX = "YE1:"
#: What a handheld's settings and a place's code keep, in UTF-8.
MAX_PLACE_BYTES = 64
PICTURES = (".png", ".svg")


def add_parser(
    group: argparse._SubParsersAction[argparse.ArgumentParser], common: argparse.ArgumentParser
) -> None:
    """Add them to the commands of `yima server`."""
    command = group.add_parser("token", parents=[common], help="make a one-time token for a handheld")
    command.add_argument("--place", help="where it will stand; default: where --device stands, or the demo's")
    command.add_argument("--scene")
    command.add_argument("--hours", type=_hours, default=24)
    command.add_argument("--device", metavar="ID", help="for this handheld, or for the one that replaces it")
    command.add_argument("--out", type=Path, metavar="FILE", help="write the provisioning file, token inside")
    command.add_argument("--qr", type=Path, metavar="FILE", help="draw it as a code to scan, .png or .svg")
    command.add_argument("--code", action="store_true", help="print the text of such a code")
    command.add_argument("--url", default=f"https://localhost:{DEFAULT_PORT_BASE + DEVICES_PORT}")
    command.add_argument(
        "--wifi", nargs=2, metavar=("NAME", "KEY"), default=(run.WIFI_SSID, run.WIFI_KEY), help="or '' ''"
    )
    command.set_defaults(action=_token)
    command = group.add_parser("revoke", parents=[common], help="refuse a handheld from now on")
    command.add_argument("device")
    command.set_defaults(action=_revoke)
    command = group.add_parser(
        "roll", parents=[common], help="have a handheld change its secret at its next contact"
    )
    command.add_argument("device")
    command.set_defaults(action=_roll)


def enrol_code(root_key: bytes, url: str, ca_der: bytes, token: bytes, name: str, key: str) -> str:
    """The text of a code that enrols: the provisioning, with the SHA-256 of the CA's certificate alone."""
    fingerprint = hashlib.sha256(ca_der).digest()
    given = encode_provisioning(root_key, url, fingerprint, token, name, key)
    return CODE_PREFIX + base45.encode(given)


def draw(text: str, path: Path) -> None:
    """Draw the text as a QR picture that only its owner can read."""
    write_private(path, b"")
    segno.make(text, error="m", micro=False).save(str(path), scale=6, border=4)


def _token(options: argparse.Namespace) -> int:
    state = State(options.state)
    if options.qr and options.qr.suffix not in PICTURES:
        raise FileTrouble(f"{options.qr}: a picture ends with {' or '.join(PICTURES)}")
    needs_root = options.out or options.qr or options.code
    root_public = server.read_root_key(state.root_public_key) if needs_root else b""
    root_kid = kid_of_key(root_public) if root_public else None
    ca_der = server.open_pki(state).ca_der
    store = server.open_store(state)
    try:
        place, scene = options.place or run.PLACE, options.scene or run.SCENE
        if options.device:
            device = store.device(options.device)
            if device is None:
                raise FileTrouble(f"{options.device}: no such handheld")
            place, scene = options.place or device.place, options.scene or device.scene
        if scene not in scene_ids():
            raise FileTrouble(f"no scene {scene}; there are {', '.join(scene_ids())}")
        if len(place.encode()) > MAX_PLACE_BYTES:
            raise FileTrouble(f"a place's name has at most {MAX_PLACE_BYTES} bytes, {place} has more")
        life_s = options.hours * 3_600
        token = store.create_token(place, scene, int(clockpage.now()), life_s, root_kid, options.device)
    finally:
        store.close()
    if not needs_root:
        print(token.hex())
        return 0
    if options.out:
        write_private(
            options.out, encode_provisioning(root_public, options.url, ca_der, token, *options.wifi)
        )
    code = enrol_code(root_public, options.url, ca_der, token, *options.wifi)
    if options.qr:
        draw(code, options.qr)
    if options.code:
        print(code)
        if sys.stdout.isatty():
            segno.make(code, error="m", micro=False).terminal(compact=True)
    return 0


def _revoke(options: argparse.Namespace) -> int:
    store = server.open_store(State(options.state))
    try:
        if not store.revoke(options.device, int(clockpage.now())):
            raise FileTrouble(f"{options.device}: no such handheld, or revoked already")
    finally:
        store.close()
    return 0


def _roll(options: argparse.Namespace) -> int:
    store = server.open_store(State(options.state))
    try:
        if not store.roll(options.device):
            raise FileTrouble(f"{options.device}: no such handheld, or revoked")
    finally:
        store.close()
    return 0


def _hours(text: str) -> int:
    hours = int(text)
    if not 1 <= hours <= 720:
        raise argparse.ArgumentTypeError("from 1 to 720")
    return hours
