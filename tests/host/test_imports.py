"""Records on a file: the same as by sync, each once, in whatever order files and syncs come."""

from __future__ import annotations

import binascii
import random
from pathlib import Path

import pytest
from fleetkit import NOW, AppClient, PaperHandheld
from sealedkit import SealedHandheld
from test_server_ingest import send

from firmware.core import handover, message
from firmware.core.handover import EXPORT_MAGIC, HandoverError, parse_acknowledgement, parse_export
from host_tools import cli
from host_tools.files import FileTrouble
from host_tools.server import devices
from host_tools.server.imports import import_file
from host_tools.server.serve import open_keys, open_store
from host_tools.server.store import Store
from host_tools.state import State


@pytest.fixture
def client(store, keys):
    return AppClient(devices.make_app(store, devices.Bell(), clock=lambda: NOW, keys=keys))


@pytest.fixture
def handheld(store, keys):
    made = SealedHandheld.enrolled(store)
    assert isinstance(made, SealedHandheld)
    for count in (4, 9, 7):
        made.begin(*keys.public())
        made.write(count)
    return made


def export(*requests: bytes) -> bytes:
    """The bytes of an export."""
    data = EXPORT_MAGIC + b"".join(handover.export_frame(request) + request for request in requests)
    return data + handover.export_end(len(requests), binascii.crc32(data))


def written(path: Path, *requests: bytes) -> Path:
    path.write_bytes(export(*requests))
    return path


def whole(handheld: SealedHandheld, first: int = 1, size: int = 6) -> list[bytes]:
    """Requests with all records from `first` on, `size` in each."""
    count = len(handheld.records)
    return [handheld.sends(at, min(at + size - 1, count)) for at in range(first, count + 1, size)]


def check(store: Store, handheld: SealedHandheld) -> None:
    rows = store.records_after(0, 999, handheld.id)
    assert [row.raw for row in rows] == handheld.records
    device = store.device(handheld.id)
    assert (device.held_seq, device.held_chain) == (len(handheld.records), handheld.chains[-1])
    assert device.alert is None


def test_an_export_is_taken_and_answered(store, keys, handheld, tmp_path):
    path = written(tmp_path / "export.yex", *whole(handheld))
    done, answer = import_file(store, keys, path, NOW)
    assert (done.device_id, done.taken, done.known, done.refused) == (handheld.id, 20, 0, 0)
    assert done.refusal is None and answer == tmp_path / "export.yex.ack"
    assert answer.stat().st_mode & 0o077 == 0
    found = parse_acknowledgement(answer.read_bytes(), handheld.id, handheld.secret)
    assert found == (20, handheld.chains[20])
    check(store, handheld)
    for other in ((handheld.id, bytes(32)), ("y-nobody", handheld.secret)):
        with pytest.raises(HandoverError):
            parse_acknowledgement(answer.read_bytes(), *other)


def test_the_same_file_again_changes_nothing(store, keys, handheld, tmp_path):
    path = written(tmp_path / "a", *whole(handheld))
    import_file(store, keys, path, NOW)
    done, answer = import_file(store, keys, path, NOW)
    assert (done.taken, done.known, done.refused) == (0, 20, 0)
    assert parse_acknowledgement(answer.read_bytes(), handheld.id, handheld.secret)[0] == 20
    check(store, handheld)


@pytest.mark.parametrize("seed", range(4))
def test_files_and_syncs_that_overlap(store, keys, client, handheld, tmp_path, seed):
    dice = random.Random(seed)
    pieces = [("file", first) for first in (1, 3, 8, 15)] + [("sync", first) for first in (1, 5, 12, 20)] * 2
    dice.shuffle(pieces)
    for number, (way, first) in enumerate([*pieces, ("file", 1)]):
        if way == "file":
            import_file(store, keys, written(tmp_path / str(number), *whole(handheld, first)), NOW)
        else:
            send(client, handheld.sends(first, min(20, first + dice.randint(0, 9))))
    done, _ = import_file(store, keys, written(tmp_path / "last", *whole(handheld)), NOW)
    assert done.known == 20 and done.refusal is None
    rows = store.records_after(0, 999, handheld.id)
    assert [row.raw for row in rows] == handheld.records


def test_a_gap_is_refused_and_answered_with_what_is_held(store, keys, handheld, tmp_path):
    import_file(store, keys, written(tmp_path / "a", handheld.sends(1, 4)), NOW)
    done, answer = import_file(store, keys, written(tmp_path / "b", *whole(handheld, 8)), NOW)
    assert (done.taken, done.refused) == (0, 13) and done.refusal.startswith("gap")
    found = parse_acknowledgement(answer.read_bytes(), handheld.id, handheld.secret)
    assert found == (4, handheld.chains[4])


def test_what_is_on_a_file_tells_nothing_about_now(store, keys, client, handheld, tmp_path):
    """An old file after a newer sync: neither clock nor pack of then, and no alarm about its journal."""
    empty = PaperHandheld(handheld.id, handheld.secret).request()
    send(client, handheld.sends(1, 20))
    send(client, handheld.request(21, records=[], pack_version=7))
    before = store.device(handheld.id)
    for path in (written(tmp_path / "a", empty), written(tmp_path / "b", *whole(handheld))):
        done, answer = import_file(store, keys, path, NOW + 900_000)
        assert done.refusal is None and answer is not None and done.acknowledged == 20
    after = store.device(handheld.id)
    assert (after.last_seen_unix, after.clock_offset_s) == (before.last_seen_unix, before.clock_offset_s)
    assert (after.pack_version, after.alert) == (7, None)


def test_who_may_not_speak_by_file_either(store, keys, handheld, tmp_path):
    forged = PaperHandheld(handheld.id, bytes(32)).request()
    done, answer = import_file(store, keys, written(tmp_path / "a", forged), NOW)
    assert answer is None and "secret" in done.refusal
    done, answer = import_file(store, keys, written(tmp_path / "b", handheld.request(device_id="y-x")), NOW)
    assert answer is None and done.refusal
    store.revoke(handheld.id, NOW)
    done, answer = import_file(store, keys, written(tmp_path / "c", *whole(handheld)), NOW)
    assert answer is None and done.refused == 20 and "revoked" in done.refusal
    assert not (tmp_path / "c.ack").exists()
    assert not store.records_after(0, 9)


def test_a_secret_that_is_being_exchanged(store, keys, handheld, tmp_path):
    """The handheld cannot know yet: its file is taken, and answered so that it can check the answer."""
    store.roll(handheld.id)
    done, answer = import_file(store, keys, written(tmp_path / "a", *whole(handheld)), NOW)
    assert done.taken == 20
    assert parse_acknowledgement(answer.read_bytes(), handheld.id, handheld.secret)[0] == 20
    assert store.device(handheld.id).roll is not None


def test_every_torn_or_damaged_file_is_refused_whole(store, keys, handheld, tmp_path):
    good = export(*whole(handheld, size=10))
    dice = random.Random(1)
    for cut in [0, 1, 3, 4, 7, 8, 9, len(good) - 13, *(len(good) - n for n in range(1, 13))]:
        with pytest.raises(HandoverError):
            parse_export(good[:cut])
    for at in [0, 4, 5, 6, 7, *(dice.randrange(len(good)) for _ in range(60)), len(good) - 1]:
        with pytest.raises(HandoverError):
            parse_export(good[:at] + bytes([good[at] ^ 1 << dice.randrange(8)]) + good[at + 1 :])
    with pytest.raises(HandoverError, match="behind"):
        parse_export(good + b"\0")
    path = tmp_path / "torn"
    path.write_bytes(good[: len(good) // 2])
    with pytest.raises(FileTrouble, match="cut short"):
        import_file(store, keys, path, NOW)
    assert not store.records_after(0, 9)


def test_hostile_files(store, keys, handheld, tmp_path):
    stranger = PaperHandheld.enrolled(store)
    cases = {
        "not an export": b"PK\3\4" + bytes(100),
        "too long": EXPORT_MAGIC + b"\xff\xff\xff\xff" + bytes(100),
        "a request is too long": EXPORT_MAGIC + (message.MAX_REQUEST_BYTES + 1).to_bytes(4, "big"),
        "larger than": bytes(handover.MAX_EXPORT_BYTES + 1),
        "an empty export": export(),
        "more than one": export(handheld.sends(1, 2), stranger.request()),
        "too deep": export(b"\x81" * 5_000),
    }
    for number, (why, data) in enumerate(cases.items()):
        path = tmp_path / str(number)
        path.write_bytes(data)
        with pytest.raises(FileTrouble, match=why):
            import_file(store, keys, path, NOW)
    assert not store.records_after(0, 9)


def test_the_command(capsys, tmp_path):
    state = State(tmp_path / "state")
    store = open_store(state)
    handheld = SealedHandheld.enrolled(store)
    assert isinstance(handheld, SealedHandheld)
    handheld.begin(*open_keys(state).public())
    handheld.write(12)
    good = written(tmp_path / "good.yex", *whole(handheld))
    gap = written(tmp_path / "gap.yex", PaperHandheld(handheld.id, bytes(32)).request())
    torn = tmp_path / "torn.yex"
    torn.write_bytes(good.read_bytes()[:-1])

    def yima(*paths: Path) -> tuple[int, str, str]:
        status = cli.main(["import", *map(str, paths), "--state", str(state.root)])
        said = capsys.readouterr()
        return status, said.out, said.err

    status, out, _ = yima(good)
    assert status == 0 and f"{good}: {handheld.id}: 12 taken, 0 known, 0 refused\n" in out
    assert (tmp_path / "good.yex.ack").exists()
    assert yima(good)[1].startswith(f"{good}: {handheld.id}: 0 taken, 12 known, 0 refused\n")
    status, out, _ = yima(gap, good)
    assert status == 1 and "not signed with its secret" in out and "12 known" in out
    status, _, err = yima(torn)
    assert (status, err) == (2, f"yima: {torn}: cut short\n")
    store.close()
