"""Tables of issuers at a door: built after enrolment, used, checked after a start, mended where damaged."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator

import flash
import pytest
from conftest import micropython
from door import Door, opened
from fleet import until

from firmware.core import trust
from firmware.core.p256_comb import build_table_steps
from firmware.core.p256_portable import LIMB_SCALE, PortableEngine
from host_tools.device.engines import PORTABLE, target_of

pytestmark = pytest.mark.xdist_group("door-tables")
BUILT = "tables: one built"
#: Live codes, printed codes, places, and the root key for the next pack.
ISSUERS = 4

_READ = """
answer = {}
try:
    for name in os.listdir("/flash/data/tables"):
        with open("/flash/data/tables/" + name, "rb") as file:
            answer[name] = file.read().hex()
except OSError:
    pass
"""
_WRITE = """
import binascii
try:
    os.mkdir("/flash/data/tables")
except OSError:
    pass
for name in os.listdir("/flash/data/tables"):
    os.remove("/flash/data/tables/" + name)
for name, content in json.loads(%r).items():
    with open("/flash/data/tables/" + name, "wb") as file:
        file.write(binascii.unhexlify(content))
"""


def tables(door: Door) -> dict[str, bytes]:
    """The files beside each other in the folder of tables, of a handheld that may be on."""
    found = flash.looked_up(door.handheld.image, _READ)
    assert isinstance(found, dict)
    return {name: bytes.fromhex(content) for name, content in found.items()}


def replace(door: Door, files: dict[str, bytes]) -> None:
    """Other files in that folder, while the handheld is off."""
    content = "{" + ", ".join(f'"{name}": "{data.hex()}"' for name, data in files.items()) + "}"
    flash.on_flash(door.handheld.image, _WRITE % content)


def keys_of(door: Door) -> dict[str, bytes]:
    """The keys that want a table, by the names of their files; the root key is the last."""
    keys = door.fleet.authority.keys
    wanted = [entry.key for entry in keys.trusted(int(time.time()))] + [keys.root_public]
    return {trust.kid_of_key(key).hex() + ".tab": key for key in wanted}


def complete(files: dict[str, bytes]) -> bool:
    return len(files) == ISSUERS and all(len(data) == 8192 + 32 for data in files.values())


def built(door: Door, after: int) -> int:
    return door.lines(after).count(BUILT)


def passes(door: Door) -> None:
    turn = door.turn(door.text("teacher"))
    assert (turn.verdict, door.reasons(turn)) == ("pass", [[]])
    turn = door.turn(door.text("forger"))
    assert (turn.verdict, door.reasons(turn)) == ("stop", [["bad_signature"]])


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Door, dict[str, bytes]]]:
    """A door whose tables have been built, and they."""
    with opened(tmp_path_factory.mktemp("door")) as door:
        with door.explained():
            until(lambda: complete(tables(door)), "tables", 30)
            assert built(door, 0)
        yield door, tables(door)


@pytest.fixture
def door(shared: tuple[Door, dict[str, bytes]]) -> Iterator[Door]:
    door, files = shared
    door.calm()
    yield door
    door.settled()
    door.cut()
    replace(door, files)
    door.boot()


@pytest.fixture
def files(shared: tuple[Door, dict[str, bytes]]) -> dict[str, bytes]:
    return shared[1]


def test_built_after_enrolment_and_right(door: Door, files: dict[str, bytes]) -> None:
    """They are what big integers make of the issuers' keys, and known by the keys' names."""
    keys = keys_of(door)
    assert set(files) == set(keys) and len(files) == ISSUERS
    engine = PortableEngine(1 if target_of(micropython()) == PORTABLE else LIMB_SCALE)
    for name, key in keys.items():
        table = b""
        steps = build_table_steps(engine, key, 1)
        while not table:
            try:
                next(steps)
            except StopIteration as end:
                table = bytes(end.value)
        named = b"yima table 1" + engine.scale.to_bytes(34, "big") + key
        assert files[name] == table + hashlib.sha256(named + table).digest()
    passes(door)


def test_taken_up_after_a_start(door: Door, files: dict[str, bytes]) -> None:
    """What stands in a file with the right hash is used: with points of another key no signature is good."""
    before = door.reboot()
    passes(door)
    assert built(door, before) == 0
    door.settled()
    door.cut()
    spoilt = dict(files)
    # Not the root's: without a pack in force nothing would be said of signatures.
    for name, key in list(keys_of(door).items())[:-1]:
        table = files[name][64:128] + files[name][:-96]
        scale = 1 if target_of(micropython()) == PORTABLE else LIMB_SCALE
        named = b"yima table 1" + scale.to_bytes(34, "big") + key
        spoilt[name] = table[:8192] + hashlib.sha256(named + table[:8192]).digest()
    replace(door, spoilt)
    before = door.boot()
    until(lambda: door.turn(door.text("teacher")).verdict == "stop", "the tables are used", 30)
    assert built(door, before) == 0


@pytest.mark.parametrize("damage", ["bit", "hash", "short", "long", "empty", "swapped"])
def test_damaged_files_are_built_anew(door: Door, files: dict[str, bytes], damage: str) -> None:
    door.settled()
    door.cut()
    first, second, *_ = files
    spoilt = {
        "bit": lambda data: data[:3000] + bytes([data[3000] ^ 4]) + data[3001:],
        "hash": lambda data: data[:-1] + bytes([data[-1] ^ 128]),
        "short": lambda data: data[:-1],
        "long": lambda data: data + b"\0",
        "empty": lambda data: b"",
        "swapped": lambda data: files[second] if data == files[first] else files[first],
    }[damage]
    replace(door, {name: spoilt(data) for name, data in files.items()})
    before = door.boot()
    passes(door)  # whether they are mended yet or not
    with door.explained():
        until(lambda: tables(door) == files, "tables", 30)
    passes(door)
    assert built(door, before) <= ISSUERS  # a pass of its own takes a build's place now and then


def test_power_cuts_while_they_are_built(door: Door, files: dict[str, bytes]) -> None:
    """The power goes at one flash operation after another until nothing is left to interrupt."""
    door.settled()
    cuts = 0
    for operation in range(4, 1000, 23):
        door.cut()
        replace(door, {})
        door.wifi(False)
        door.loop.call(door.handheld.cut_power_at, operation)
        door.boot(wait=False)
        with door.explained():
            until(lambda: door.handheld.state == "off" or tables(door) == files, "tables, or a cut", 30)
        if door.handheld.state == "running":
            break
        cuts += 1
        door.boot()
        with door.explained():
            until(lambda: tables(door) == files, "tables", 30)
    assert cuts > 3
    door.loop.call(door.handheld.cut_power_at, 0)
    assert tables(door) == files
    door.wifi(True)
    passes(door)
