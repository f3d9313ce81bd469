"""Enrolment at the door: by a code, again, after a lost answer or a lost secret; secrets that roll."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import flash
import pytest
from door import Door
from fleet import PLACE, until

from firmware.core import record
from host_tools.enrol_cli import enrol_code
from host_tools.run import WIFI_KEY, WIFI_SSID

pytestmark = pytest.mark.xdist_group("door-enrol")
PIN = ("no", "middle", "yes", "yes", "middle", "no")


def code_for(door: Door, place: str = PLACE, *, ca_der: bytes = b"", wifi: bool = True) -> str:
    """The text of a code with a fresh token."""
    fleet = door.fleet
    token = fleet.store.create_token(place, "checkpoint", int(time.time()), 3600)
    url = f"https://localhost:{fleet.port}"
    network = (WIFI_SSID, WIFI_KEY) if wifi else ("", "")
    return enrol_code(fleet.authority.keys.root_public, url, ca_der or fleet.pki.ca_der, token, *network)


def without_file(door: Door) -> None:
    """Take the provisioning file off the flash, as if nobody had ever put one there."""
    flash.on_flash(door.handheld.image, "os.remove('/flash/data/enrol.cbor')")


def put_file(door: Door, data: bytes) -> None:
    """Put a provisioning file onto the flash, while the handheld is off."""
    script = f"file = open('/flash/data/enrol.cbor', 'wb')\nfile.write({data!r})\nfile.close()"
    flash.on_flash(door.handheld.image, script)


def enter(door: Door, keys: tuple[str, ...]) -> None:
    for key in keys:
        door.press(key)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    """A new handheld that has scanned a code and enrolled by it."""
    with Door(tmp_path_factory.mktemp("door")) as door:
        without_file(door)
        door.boot()
        door.says("warn_not_enrolled")
        before = door.show(code_for(door), picture=True)
        door.says("title_enrol", timeout_s=20)
        door.press("yes")
        door.wait_line("sync: enrolled", before, 30)
        until(lambda: door.fleet.served(True), "enrolment and pack", 30)
        until(lambda: door.fleet.held() > 0, "the pack's record")
        door.expected = door.fleet.held()
        yield door
        door.settled()


@pytest.fixture
def door(shared: Door) -> Door:
    shared.calm()
    shared.settled()
    return shared


def test_a_new_handheld_enrols_by_a_code(door: Door) -> None:
    device = door.fleet.device()
    assert (device.place, device.alert, device.former_id) == (PLACE, None, None)
    assert door.turn(door.text("teacher")).verdict == "pass"
    door.reboot()
    assert door.turn(door.text("teacher")).verdict == "pass"
    assert len(door.fleet.store.devices()) == 1


def test_again_behind_the_pin(door: Door) -> None:
    """A wrong PIN changes nothing; with the right one place and secret are new, history and id stay."""
    before = door.fleet.device()
    code = code_for(door, "North gate", wifi=False)
    door.show(code)
    door.says("title_pin")
    enter(door, ("no",) * 6)
    door.says("notice_pin_wrong")
    assert door.fleet.device().place == PLACE
    door.calm()
    time.sleep(2.5)
    began = door.show(code)
    door.says("title_pin")
    enter(door, PIN)
    door.says("title_enrol")
    door.press("yes")
    door.wait_line("sync: enrolled", began, 30)
    until(lambda: door.fleet.device().roll is None, "the new secret is used")
    after = door.fleet.device()
    assert (after.id, after.place) == (before.id, "North gate") and after.secret != before.secret
    turn = door.turn(door.text("teacher"))
    assert door.records(turn)[0][record.PLACE] == "North gate"
    assert len(door.fleet.store.devices()) == 1


def test_a_code_that_is_none_and_one_that_nobody_confirms(door: Door) -> None:
    before = door.fleet.device().secret
    for text in ("YE1:", "YE1:ABC", "YE1:" + "0" * 1_100):
        began = door.show(text)
        notice = door.wait_line("flow: notice notice_enrol_failed", began)
        door.calm()
        door.wait_line("flow: idle", notice.number)
    began = door.show(code_for(door))
    door.says("title_pin")
    door.calm()
    enter(door, PIN)
    door.says("title_enrol")
    door.press("no")
    door.wait_line("flow: idle", began)
    assert door.turn(door.text("teacher")).verdict == "pass"
    door.settled()
    assert door.fleet.device().secret == before


def code_with_token_of_another(door: Door) -> str:
    """A code whose token somebody has used already."""
    fleet = door.fleet
    token = fleet.store.create_token("Elsewhere", "checkpoint", int(time.time()), 3600)
    fleet.store.enrol(token, b"a thief", "?", int(time.time()))
    thief = next(device for device in fleet.store.devices() if device.chip_id == b"a thief")
    fleet.store.revoke(thief.id, int(time.time()))
    # The tests have one handheld: this one does not count.
    with fleet.store.writing() as session:
        session.query(type(thief)).filter_by(id=thief.id).delete()
    url = f"https://localhost:{fleet.port}"
    root = fleet.authority.keys.root_public
    return enrol_code(root, url, fleet.pki.ca_der, token, WIFI_SSID, WIFI_KEY)


def test_a_used_code_is_refused_and_the_old_identity_goes_on(door: Door) -> None:
    began = door.show(code_with_token_of_another(door))
    door.says("title_pin")
    door.calm()
    enter(door, PIN)
    door.says("title_enrol")
    door.press("yes")
    door.wait_line("sync: not enrolled anew: enrolment refused (403)", began, 30)
    assert door.fleet.device().place != "Elsewhere"
    assert door.turn(door.text("teacher")).verdict == "pass"
    door.settled()


def test_a_secret_that_rolls(door: Door) -> None:
    old = door.fleet.device().secret
    assert door.fleet.store.roll(door.fleet.device().id)
    door.records(door.turn(door.text("orange")))
    door.records(door.turn(door.text("orange")))
    until(lambda: door.fleet.device().secret != old, "the new secret is used", 60)
    assert door.fleet.device().roll is None
    door.reboot()
    door.records(door.turn(door.text("orange")))


def test_a_certificate_that_the_code_does_not_name(tmp_path: Path) -> None:
    with Door(tmp_path) as door:
        without_file(door)
        door.boot()
        before = door.show(code_for(door, ca_der=b"another"))
        door.says("title_enrol")
        door.press("yes")
        door.wait_line("sync: certificate refused: not the one of the code", before, 30)
        assert door.fleet.device() is None


def test_an_answer_that_was_lost(tmp_path: Path) -> None:
    """The power fails before the handheld has kept it: the same identity comes, and no orphan stays."""
    with Door(tmp_path) as door:
        door.fleet.stop_server()
        before = door.boot()
        door.wait_line("sync: server not reachable", before)
        door.cut()
        kept = tmp_path / "kept"
        kept.mkdir()
        for name in ("flash.img", "nvs.json"):
            shutil.copy(door.profile / name, kept)
        door.fleet.start_server()
        door.fleet.wait_for_server()
        with door.cut_at("console", lambda event: event.data["line"].startswith("sync: enrolled")):
            door.boot(wait=False)
        first = door.fleet.device()
        if first.last_seen_unix is None:
            # It was not quicker than the cut: its flash is as if nothing had ever been answered.
            for name in ("flash.img", "nvs.json"):
                shutil.copy(kept / name, door.profile)
            door.loop.call(door.world.board.nvs.reload)
        door.boot()
        until(lambda: door.fleet.served(True), "enrolment and pack", 30)
        assert [device.id for device in door.fleet.store.devices()] == [first.id]
        until(lambda: door.fleet.held() > 0, "the pack's record")
        door.expected = door.fleet.held()
        assert door.turn(door.text("teacher")).verdict == "pass"
        door.settled()


def test_a_lost_secret_loses_no_record(tmp_path: Path) -> None:
    """The key store was erased: a new identity, the old one is marked, and what was left to send follows."""
    with Door(tmp_path) as door:
        door.boot()
        until(lambda: door.fleet.served(True), "enrolment and pack", 30)
        until(lambda: door.fleet.held() > 0, "the pack's record")
        door.expected = door.fleet.held()
        door.records(door.turn(door.text("teacher")))
        door.settled()
        old = door.fleet.device()
        door.wifi(False)
        for _ in range(3):
            assert door.turn(door.text("orange")).verdict == "stop"
        door.cut()
        (door.profile / "nvs.json").unlink()
        door.loop.call(door.world.board.nvs.reload)
        put_file(door, door.fleet.provisioning())
        door.boot()
        door.says("warn_not_enrolled")
        assert door.turn(door.text("orange")).verdict == "stop"
        door.wifi(True)
        store = door.fleet.store
        until(lambda: len(store.devices()) == 2, "another identity", 30)
        new = next(device for device in store.devices() if device.id != old.id)
        until(lambda: store.device(new.id).held_seq == door.expected, "everything follows", 30)
        marked = store.device(old.id)
        assert (marked.replaced_by, marked.held_seq) == (new.id, old.held_seq)
        assert marked.revoked_unix is not None and store.device(new.id).former_id == old.id
        rows = store.records_after(0, 999)
        assert [row.seq for row in rows] == list(range(1, door.expected + 1))
        assert store.device(new.id).alert is None
        door.turn(door.text("orange"))
        until(lambda: store.device(new.id).held_seq == door.expected, "and it goes on", 30)
        fields = record.decode(store.records_after(0, 999)[-1].raw)
        assert fields[record.DEVICE] == new.id
