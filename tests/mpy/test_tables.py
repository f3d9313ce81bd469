# heap: 2M
"""Tables on a real VfsLfs2: built, used, checked by their hash, built anew, removed."""

import os

import ramflash

import firmware.services.tables as tables_module
from firmware.core import p256, trust
from firmware.core.p256_comb import build_table_steps
from firmware.core.p256_portable import PortableEngine
from firmware.core.packmemory import keys_only
from firmware.services.tables import Tables, TablesError

GENERATOR = p256.GX.to_bytes(32, "big") + p256.GY.to_bytes(32, "big")
OPPOSITE = p256.GX.to_bytes(32, "big") + (p256.P - p256.GY).to_bytes(32, "big")
FOLDER = "/flash/tables"
BUFFER = bytearray(64 * ramflash.BLOCK_BYTES)
#: With the private key 1 and k = 1: r = x of G, s = e + r.
R = p256.GX % p256.N
DIGEST = (7).to_bytes(32, "big")
SIGNATURE = R.to_bytes(32, "big") + ((7 + R) % p256.N).to_bytes(32, "big")


def finish(steps):
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


TABLE = finish(build_table_steps(PortableEngine(), GENERATOR, 1))


def fresh(blocks=64):
    flash = ramflash.RamFlash(blocks, BUFFER)
    ramflash.format(flash)
    ramflash.mount(flash)
    return Tables(FOLDER, PortableEngine(), TABLE)


def listing(*keys):
    issuers = [trust.IssuerKey(trust.kid_of_key(k), -7, k, "x", 0, 9, [1]) for k in keys]
    return keys_only(issuers)


def path(key):
    return FOLDER + "/" + "".join("%02x" % b for b in trust.kid_of_key(key)) + ".tab"


def read(name):
    with open(name, "rb") as file:
        return file.read()


def write(name, data):
    with open(name, "wb") as file:
        file.write(data)


def used(tables, key):
    """Whether a verification reads the table; the answers must be right either way."""
    seen = []
    open_table = tables._open

    def spy(name):
        if FOLDER + "/" + name == path(key):
            seen.append(1)
        return open_table(name)

    tables._open = spy
    try:
        assert finish(tables.verify_steps(GENERATOR, DIGEST, SIGNATURE))
        assert not finish(tables.verify_steps(GENERATOR, bytes(32), SIGNATURE))
        assert not finish(tables.verify_steps(OPPOSITE, DIGEST, SIGNATURE))
        assert not finish(tables.verify_steps(b"", DIGEST, SIGNATURE))
    finally:
        del tables._open
    return bool(seen)


def test_answers_without_a_table():
    assert not used(fresh(), GENERATOR)


def test_builds_and_uses():
    tables = fresh()
    finish(tables.keep_steps(listing(GENERATOR)))
    assert os.listdir(FOLDER) == [path(GENERATOR)[len(FOLDER) + 1 :]]
    assert read(path(GENERATOR))[:-32] == TABLE
    assert used(tables, GENERATOR)


def test_a_table_is_taken_up_after_a_start_only_once_it_is_checked():
    tables = fresh()
    finish(tables.keep_steps(listing(GENERATOR)))
    again = Tables(FOLDER, PortableEngine(), TABLE)
    assert not used(again, GENERATOR)
    before = os.stat(path(GENERATOR))
    again._build_steps = None  # must not be wanted
    finish(again.keep_steps(listing(GENERATOR)))
    assert os.stat(path(GENERATOR)) == before and used(again, GENERATOR)


def test_damage_is_seen_and_mended():
    good = None
    for spoil in (
        lambda data: data[:4000] + bytes([data[4000] ^ 1]) + data[4001:],
        lambda data: data[:-1],
        lambda data: data + b"\0",
        lambda data: b"",
        lambda data: data[:-32] + bytes(32),
    ):
        tables = fresh()
        finish(tables.keep_steps(listing(GENERATOR)))
        good = good or read(path(GENERATOR))
        write(path(GENERATOR), spoil(good))
        again = Tables(FOLDER, PortableEngine(), TABLE)
        assert not used(again, GENERATOR)
        finish(again.keep_steps(listing(GENERATOR)))
        assert read(path(GENERATOR)) == good and used(again, GENERATOR)


def test_another_keys_table_is_refused():
    tables = fresh()
    finish(tables.keep_steps(listing(OPPOSITE)))
    os.rename(path(OPPOSITE), path(GENERATOR))
    again = Tables(FOLDER, PortableEngine(), TABLE)
    finish(again.keep_steps(listing(GENERATOR)))
    assert read(path(GENERATOR))[:-32] == TABLE and used(again, GENERATOR)


def test_another_engines_table_is_refused():
    tables = Tables(FOLDER, PortableEngine(1 << 260), TABLE)
    fresh()
    finish(tables.keep_steps(listing(GENERATOR)))
    again = Tables(FOLDER, PortableEngine(), TABLE)
    finish(again.keep_steps(listing(GENERATOR)))
    assert read(path(GENERATOR))[:-32] == TABLE


def test_tables_go_with_their_issuers():
    tables = fresh()
    finish(tables.keep_steps(listing(GENERATOR, OPPOSITE)))
    write(FOLDER + "/new", b"half")
    finish(tables.keep_steps(listing(OPPOSITE)))
    assert os.listdir(FOLDER) == [path(OPPOSITE)[len(FOLDER) + 1 :]]
    assert not used(tables, GENERATOR)


def test_keys_that_are_none_get_no_table():
    tables = fresh()
    finish(tables.keep_steps(listing(bytes(64), GENERATOR)))
    assert len(os.listdir(FOLDER)) == 1


def test_full_flash():
    tables = fresh(4)
    try:
        finish(tables.keep_steps(listing(GENERATOR)))
    except TablesError:
        assert not used(tables, GENERATOR)
    else:
        raise AssertionError("8 KiB in 4 blocks")


def failing(*_):
    raise MemoryError


def test_no_memory():
    tables = fresh()
    finish(tables.keep_steps(listing(GENERATOR)))
    tables._verifier.verify_read_steps = failing
    assert used(tables, GENERATOR)  # tried, and answered the long way
    tables._engine.build_steps = failing
    try:
        finish(tables.keep_steps(listing(GENERATOR, OPPOSITE)))
    except TablesError:
        pass
    else:
        raise AssertionError("built from nothing")


def test_a_file_that_vanishes_while_in_use():
    tables = fresh()
    finish(tables.keep_steps(listing(GENERATOR)))
    os.remove(path(GENERATOR))
    assert used(tables, GENERATOR)  # tried, and answered the long way


def test_two_verifications_at_once():
    tables = fresh()
    finish(tables.keep_steps(listing(GENERATOR)))
    for digest, good in ((DIGEST, True), (bytes(32), False)):
        first = tables.verify_steps(GENERATOR, digest, SIGNATURE)
        next(first)
        assert finish(tables.verify_steps(GENERATOR, DIGEST, SIGNATURE))
        assert finish(first) == good


def test_a_verification_takes_the_engine_from_a_build():
    tables = fresh()
    finish(tables.keep_steps(listing(GENERATOR)))
    both = listing(GENERATOR, OPPOSITE)
    build = tables.keep_steps(both)
    while "new" not in os.listdir(FOLDER):
        next(build)
    assert finish(tables.verify_steps(GENERATOR, DIGEST, SIGNATURE))
    try:
        finish(build)
    except p256.P256Error:
        pass
    else:
        raise AssertionError("went on in another's workspace")
    finish(tables.keep_steps(both))
    assert len(os.listdir(FOLDER)) == 2


class Trust:
    def __init__(self, *lists):
        self._lists = list(lists)
        self.current = None
        self.root_key = b""

    def advance(self):
        self.current = self._lists.pop(0)


def run_task(tables, trust, idle, enough):
    """The task of the tables until `enough()`; returns the pauses that it made, without making them."""
    pauses = []

    async def sleep_ms(ms):
        pauses.append(ms)
        if enough(pauses):
            raise StopIteration

    sleeping = tables_module.asyncio
    tables_module.asyncio = Asyncio(sleep_ms)
    try:
        task = tables.run(trust, idle)
        while True:
            task.send(None)
    except (StopIteration, RuntimeError):
        pass
    finally:
        tables_module.asyncio = sleeping
    return [ms for ms in pauses if ms]


class Asyncio:
    def __init__(self, sleep_ms):
        self.sleep_ms = sleep_ms


def test_the_task_waits_for_a_list_and_an_idle_moment():
    tables = fresh()
    trust = Trust(listing(GENERATOR))
    moments = [False, False, True]
    looks = []

    def idle():
        looks.append(len(os.listdir("/flash")))
        return moments.pop(0) if moments else True

    def enough(pauses):
        if len(pauses) == 3:
            assert not looks
            trust.advance()
        return tables._sound and len(pauses) > 200

    pauses = run_task(tables, trust, idle, enough)
    assert os.listdir(FOLDER) == [path(GENERATOR)[len(FOLDER) + 1 :]]
    assert looks[:3] == [0, 0, 0] and set(pauses) == {tables_module.LOOK_MS}


def test_the_task_is_interrupted_and_goes_on():
    tables = fresh()
    trust = Trust(listing(GENERATOR, OPPOSITE))
    trust.advance()
    turns = [0, 20]

    def idle():
        turns[0] += 1
        if turns[0] < turns[1]:
            return True
        turns[:] = [0, turns[1] * 3 // 2]  # in the middle of a build: the file must be closed then
        return False

    run_task(tables, trust, idle, lambda pauses: len(tables._sound) == 2)
    assert len(os.listdir(FOLDER)) == 2 and used(tables, GENERATOR)


def test_the_task_gives_up_on_a_list_in_the_end():
    tables = fresh()
    trust = Trust(listing(GENERATOR), listing(OPPOSITE))
    trust.advance()
    build_steps = tables._engine.build_steps
    tables._engine.build_steps = failing

    def enough(pauses):
        if pauses[-1] and len([ms for ms in pauses if ms]) == tables_module.MAX_FAILURES + 4:
            tables._engine.build_steps = build_steps
            trust.advance()
        return bool(tables._sound)

    pauses = run_task(tables, trust, lambda: True, enough)
    waits = [tables_module.LOOK_MS << n for n in range(tables_module.MAX_FAILURES + 1)]
    assert pauses[: len(waits)] == waits
    assert os.listdir(FOLDER) == [path(OPPOSITE)[len(FOLDER) + 1 :]]
