"""Records by cable: real firmware in the simulator, mpremote as it is installed, the server's own command."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import flash
import pytest
from door import Door
from fleet import until

from firmware.core import handover, message, record
from host_tools import cli
from host_tools.run import WIFI_SSID

pytestmark = pytest.mark.xdist_group("cable")
MPREMOTE = Path(sys.executable).with_name("mpremote")
LIMIT_S = 60


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """A handheld with a serial port that has enrolled, holds the pack, and has lost the network."""
    with Door(tmp_path_factory.mktemp("cable"), scene="registered_venue") as made:
        made.handheld._with_serial = True
        made.boot()
        until(lambda: made.fleet.served(True), "enrolment and pack", 30)
        until(lambda: made.fleet.held() > 0, "the pack's record", 30)
        made.expected = made.fleet.held()
        made.wifi(False)
        yield made
        made.wifi(True)
        made.settled()


def port(door: Door) -> str:
    assert door.handheld.serial is not None
    return door.handheld.serial.path


def remote(door: Door, *words: str) -> str:
    """What mpremote prints."""
    result = subprocess.run(
        [MPREMOTE, "connect", port(door), *words],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def yima(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str]:
    """Status and output of the command."""
    status = cli.main([str(word) for word in words])
    said = capsys.readouterr()
    return status, said.out + said.err


def people(door: Door, count: int = 3) -> None:
    for _ in range(count):
        with door.explained():
            assert door.turn(door.code()).verdict == "pass"


def waiting(door: Door) -> int:
    """Records that the handheld still holds for the server, while it is off."""
    found = flash.journal(door.handheld.image)
    return found["next_seq"] - 1 - found["acked"]


def test_a_handheld_without_a_network_goes_on_for_ever(door, capsys, tmp_path):
    """Export, import, answer back: and only that makes room."""
    state, held = door.fleet.state.root, door.fleet.held()
    people(door)
    file = tmp_path / "export.yex"
    before = door.world.last_event
    status, said = yima(capsys, "export", "--port", port(door), file, "--state", state)
    assert (status, said.splitlines()[0]) == (0, "cable: 3 exported, 0 left"), said
    door.wait_line("flow: idle", before)
    until(lambda: door.reads("待传 3"), "nothing is forgotten yet")
    status, said = yima(capsys, "import", file, "--state", state)
    assert status == 0 and "3 taken, 0 known, 0 refused" in said
    assert door.fleet.held() == held + 3 == door.expected
    before = door.world.last_event
    status, said = yima(capsys, "export", "--port", port(door), "--ack", f"{file}.ack", "--state", state)
    assert (status, said) == (0, f"cable: acknowledged {door.expected}, 0 left\n"), said
    door.wait_line("flow: idle", before)
    until(lambda: door.reads("待传 0"), "room was made")
    # All of it at once, and once more with nothing to bring.
    people(door, 2)
    for count in (2, 0):
        status, said = yima(capsys, "export", "--port", port(door), "--import", "--state", state)
        assert status == 0 and f"cable: {count} exported, 0 left" in said and f": {count} taken" in said, said
        assert f"acknowledged {door.expected}, 0 left" in said
    door.wait_line("flow: idle", before)
    door.fleet.check_chain()


def test_with_mpremote_alone(door, capsys, tmp_path):
    """What docs/cable.md says; the answer is taken at the next start."""
    people(door, 2)
    before = door.world.last_event
    said = remote(
        door, "exec", "import yima; yima.main('export')", "+", "cp", ":/data/export.yex", str(tmp_path)
    )
    assert "cable: 2 exported, 0 left" in said
    remote(door, "reset")
    door.wait_line("flow: idle", before)
    assert yima(capsys, "import", tmp_path / "export.yex", "--state", door.fleet.state.root)[0] == 0
    before = door.world.last_event
    remote(door, "cp", str(tmp_path / "export.yex.ack"), ":/data/import.yak", "+", "reset")
    door.wait_line(f"cable: acknowledged {door.expected}, 0 left", before)
    door.wait_line("flow: idle", before)
    until(lambda: door.reads("待传 0"), "room was made")
    assert "import.yak" not in remote(door, "ls", ":/data")
    remote(door, "rm", ":/data/export.yex", "+", "reset")
    door.wait_line("flow: idle", before)


@pytest.mark.parametrize("wrong", ["forged", "other chain", "junk", "too far"])
def test_a_wrong_answer_frees_nothing(door, tmp_path, wrong):
    people(door, 1)
    device = door.fleet.device()
    chain = b"\x55" * 32
    data = {
        "forged": handover.encode_acknowledgement(device.id, bytes(32), door.expected, chain),
        "other chain": handover.encode_acknowledgement(device.id, device.secret, door.expected, chain),
        "too far": handover.encode_acknowledgement(device.id, device.secret, door.expected + 1, chain),
        "junk": b"\xff" * 5_000,
    }[wrong]
    (tmp_path / "import.yak").write_bytes(data)
    before = door.world.last_event
    remote(door, "cp", str(tmp_path / "import.yak"), ":/data/import.yak", "+", "reset")
    door.wait_line("cable: refused", before)
    door.wait_line("flow: idle", before)
    listed = remote(door, "ls", ":/data")
    assert "import.yak.bad" in listed and "import.yak\n" not in listed
    before = door.world.last_event
    remote(door, "reset")
    door.wait_line("flow: idle", before)
    door.cut()
    assert waiting(door) == door.expected - door.fleet.held()
    door.boot()


def test_power_that_fails_between_file_and_answer(door, capsys, tmp_path):
    """Whenever it goes: what was not answered is still there, what was answered is there once."""
    state = door.fleet.state.root
    people(door, 1)
    file = tmp_path / "export.yex"
    process = subprocess.Popen(
        [MPREMOTE, "connect", port(door), "exec", "import yima; yima.main('export')"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    time.sleep(0.7)
    door.cut()
    process.kill()
    process.wait(10)
    left = door.expected - door.fleet.held()
    assert waiting(door) == left
    door.boot()
    assert yima(capsys, "export", "--port", port(door), file, "--state", state)[0] == 0
    door.wait_line("flow: idle", door.world.last_event - 1)
    assert yima(capsys, "import", file, "--state", state)[0] == 0
    assert door.fleet.held() == door.expected
    # The answer is on the handheld, and the power goes while it is being taken: it is taken again, or was.
    before = door.world.last_event
    remote(door, "cp", f"{file}.ack", ":/data/import.yak")
    with door.cut_at("console", lambda event: event.data["line"].startswith("cable: ack")):
        remote(door, "reset")
    assert waiting(door) == 0
    before = door.boot()
    door.wait_line("flow: idle", before - 1)
    until(lambda: door.reads("待传 0"), "nothing waits")
    people(door, 1)
    status, said = yima(capsys, "export", "--port", port(door), "--import", "--state", state)
    assert status == 0 and ": 1 taken" in said, said
    door.fleet.check_chain()


def test_neither_export_nor_flash_tells_a_finder_anything(door, capsys, tmp_path):
    """No pseudonym, no code's number, no name, no masked name in what a finder could read."""
    people(door, 3)
    file = tmp_path / "export.yex"
    assert yima(capsys, "export", "--port", port(door), file, "--state", door.fleet.state.root)[0] == 0
    door.wait_line("flow: idle", door.world.last_event - 1)
    door.cut()
    assert yima(capsys, "import", file, "--state", door.fleet.state.root)[0] == 0
    rows = [record.decode(row.raw) for row in door.fleet.rows()]
    secret = [row[key] for row in rows for key in (record.SUB, record.CTI) if key in row]
    assert len(secret) >= 2 * 3
    requests = [message.parse_sync_request(one)[1] for one in handover.parse_export(file.read_bytes())]
    assert sum(len(one.records) for one in requests) > 3
    journal = door.handheld.image.with_name("journal.img").read_bytes()
    image = door.handheld.image.read_bytes()
    assert WIFI_SSID.encode() in image, "the search finds what is there in plain"
    for what in [*secret, "张*三".encode(), "龙岩".encode()]:
        assert what not in file.read_bytes()
        assert what not in journal
        at = image.find(what)
        assert at < 0 or what == "龙岩".encode(), image[max(0, at - 40) : at + 40]
    # Somebody is inside all the same, and a copy of the flash does not say who.
    assert door.fleet.store.newest_records(1)[0].sub is not None
    assert b"YP2\n" in image
    door.boot()
