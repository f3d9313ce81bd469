"""Without the network everything works, and nothing is lost, doubled, or told to the wrong server."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from door import Door, opened
from fleet import until

from host_tools.server.serve import open_pki
from host_tools.state import State

pytestmark = pytest.mark.xdist_group("door-network")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    with opened(tmp_path_factory.mktemp("door")) as door:
        yield door
        door.settled()


@pytest.fixture
def door(shared: Door) -> Door:
    shared.calm()
    if shared.fleet.process is None:
        shared.fleet.start_server()
        shared.fleet.wait_for_server()
    shared.settled()
    return shared


def test_wifi_off(door: Door) -> None:
    door.wifi(False)
    held = door.fleet.held()
    for count, (person, verdict) in enumerate([("teacher", "pass"), ("orange", "stop"), ("poster", None)], 1):
        assert door.turn(door.text(person)).verdict == verdict
        waiting = min(count, 2)
    door.says("label_offline", timeout_s=8)
    until(lambda: door.reads(f"待传 {waiting}"), "pending records on the idle screen")
    assert door.turn(door.text("mother"), people=3).verdict == "pass"
    until(lambda: door.reads("待传 5"), "pending records on the idle screen")
    assert door.fleet.held() == held
    door.wifi(True)
    door.wait_held(held + 5)
    door.says("label_online", timeout_s=8)
    until(lambda: door.reads("待传 0"), "nothing waits")
    door.settled()


def test_a_network_that_comes_back_is_used_at_once(door: Door) -> None:
    """Not after the half minute in which a handheld with nothing to send rests, nor after a long back-off."""
    door.says("label_online")
    door.wifi(False)
    door.says("label_offline", timeout_s=8)
    seen_unix = door.fleet.device().last_seen_unix
    time.sleep(1.5)
    door.wifi(True)
    until(lambda: door.fleet.device().last_seen_unix > seen_unix, "an exchange", 8)


def test_wifi_off_over_a_restart(door: Door) -> None:
    door.wifi(False)
    door.turn(door.text("orange"))
    door.reboot()
    until(lambda: door.reads("待传 1"), "the record of before the restart")
    assert door.turn(door.text("teacher")).verdict == "pass"
    door.wifi(True)
    door.settled()


def test_wifi_that_comes_and_goes(door: Door) -> None:
    """Off and on in the middle of exchanges; the queue goes on meanwhile."""
    for number in range(8):
        assert door.turn(door.text("orange")).verdict == "stop"
        time.sleep(0.15 + number * 0.07)
        door.wifi(number % 2 == 1)
    door.wifi(True)
    door.wait_held(door.expected, 60)
    door.settled()


def test_server_down_and_back(door: Door) -> None:
    door.fleet.stop_server()
    before = door.world.last_event
    assert door.turn(door.text("teacher")).verdict == "pass"
    assert door.turn(door.text("orange")).verdict == "stop"
    door.wait_line("sync:", before)
    door.says("label_offline", timeout_s=8)
    until(lambda: door.reads("待传 2"), "pending records on the idle screen")
    door.fleet.start_server()
    door.fleet.wait_for_server()
    door.wait_held(door.expected, 30)
    door.settled()


def test_server_killed_in_the_middle(door: Door) -> None:
    """Whatever it had committed without saying so is not taken twice."""
    for _ in range(3):
        door.turn(door.text("orange"))
        time.sleep(0.35)
        door.fleet.stop_server()
        door.fleet.start_server()
    door.fleet.wait_for_server()
    door.wait_held(door.expected, 60)
    door.settled()


@pytest.fixture
def impostor(door: Door, tmp_path: Path) -> Iterator[None]:
    """The server's name, another certification authority."""
    folder = door.fleet.state.server
    kept = tmp_path / "kept"
    kept.mkdir()
    names = ("ca.key", "ca.pem", "server.key", "server.pem")
    other = open_pki(State(tmp_path / "other"))
    door.fleet.stop_server()
    for name in names:
        shutil.copy(folder / name, kept)
        shutil.copy(other.ca_file.parent / name, folder)
    door.fleet.start_server()
    door.fleet.wait_for_server()
    yield
    door.fleet.stop_server()
    for name in names:
        shutil.copy(kept / name, folder)
    door.fleet.start_server()
    door.fleet.wait_for_server()
    door.wait_held(door.expected, 60)


def test_certificate_of_another_authority(door: Door, impostor: None) -> None:
    held = door.fleet.held()
    before = door.world.last_event
    assert door.turn(door.text("teacher")).verdict == "pass"
    refused = door.wait_line("sync: certificate refused", before)
    door.says("label_offline", timeout_s=8)
    until(lambda: door.reads("待传 1"), "the record waits")
    door.wait_line("sync: certificate refused", refused.number)
    assert door.fleet.held() == held
    assert len(door.fleet.rows()) == held


def test_enrolment_at_another_authority(tmp_path: Path) -> None:
    """A new handheld tells its token to nobody but the server it was made for."""
    with Door(tmp_path, ca_der=open_pki(State(tmp_path / "other")).ca_der) as door:
        before = door.boot()
        door.wait_line("sync: certificate refused", before)
        door.says("warn_not_enrolled")
        assert door.fleet.device() is None
        assert door.turn(door.text("teacher")).verdict == "attention"
        assert door.fleet.device() is None


def test_revoked_handheld_works_on_and_uploads_nothing(tmp_path: Path) -> None:
    with opened(tmp_path) as door:
        already = len(door.fleet.rows())
        device = door.fleet.device()
        assert device is not None and door.fleet.store.revoke(device.id, int(time.time()))
        before = door.world.last_event
        assert door.turn(door.text("teacher")).verdict == "pass"
        door.wait_line("sync: sync refused (401)", before)
        door.says("label_offline", timeout_s=8)
        assert len(door.fleet.rows()) == already


def test_new_issuer_reaches_a_running_handheld(door: Door) -> None:
    authority = door.fleet.authority
    turn = door.turn(door.text("visitor"))
    assert door.reasons(turn) == [["unknown_issuer"]]
    authority.certificates.add(authority.foreign.certificate_file)
    version = authority.packs.current(int(time.time())).version
    until(lambda: door.fleet.pack_version() == version, "pack at the server")
    door.records(door.turn(door.text("orange")))  # an exchange brings it along
    until(door.fleet.served, "pack on the handheld")
    door.expected += 1
    turn = door.turn(door.text("visitor"))
    assert door.reasons(turn) == [["foreign_manual"]]
    door.reboot()
    assert door.reasons(door.turn(door.text("visitor"))) == [["foreign_manual"]]
