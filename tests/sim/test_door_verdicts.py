"""Every verdict and reason of the flow, at a running door."""

from __future__ import annotations

import datetime
import hashlib
import threading
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID
from door import FEVER_CENTI_C, HEALTHY_CENTI_C, Door, opened

from firmware.core import base45, cbor, cose, record
from host_tools.authority.app import Authority
from host_tools.authority.town import Medium

pytestmark = pytest.mark.xdist_group("door-verdicts")
NOW = int(time.time())
DAY_S = 86_400
#: kids of certificates with keys that the handheld cannot use.
UNSUPPORTED: dict[str, bytes] = {}


def import_certificates(folder: Path, authority: Authority) -> None:
    """`yima trust add` of the town's foreign issuer and of keys beyond the handheld."""
    authority.certificates.add(authority.foreign.certificate_file)
    name = x509.Name([x509.NameAttribute(NameOID.COUNTRY_NAME, "XX")])
    now = datetime.datetime.now(datetime.timezone.utc)
    keys = {"rsa": rsa.generate_private_key(65537, 1024), "p384": ec.generate_private_key(ec.SECP384R1())}
    for kind, key in keys.items():
        builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        builder = builder.serial_number(1).not_valid_before(now - datetime.timedelta(1))
        certificate = builder.not_valid_after(now + datetime.timedelta(9)).sign(key, hashes.SHA256())
        der = certificate.public_bytes(serialization.Encoding.DER)
        UNSUPPORTED[kind] = hashlib.sha256(der).digest()[:8]
        (folder / f"{kind}.der").write_bytes(der)
        authority.certificates.add(folder / f"{kind}.der")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    folder = tmp_path_factory.mktemp("door")
    with opened(folder, setup=lambda authority: import_certificates(folder, authority)) as door:
        yield door
        door.settled()


@pytest.mark.parametrize(
    ("person", "medium", "verdict", "reasons", "steps"),
    [
        ("teacher", Medium.LIVE, "pass", [], 1),
        ("shopper", Medium.LIVE, "pass", [], 1),
        ("pending", Medium.LIVE, "pass", [], 1),
        ("returned", Medium.LIVE, "pass", [], 1),
        ("grandfather", Medium.PAPER, "pass", [], 1),
        ("yellow", Medium.LIVE, "stop", ["colour_yellow"], 0),
        ("orange", Medium.LIVE, "stop", ["colour_orange"], 0),
        ("red", Medium.LIVE, "stop", ["colour_red"], 0),
        ("positive", Medium.LIVE, "stop", ["test_positive"], 0),
        ("arrival", Medium.LIVE, "attention", ["arrival_untested"], 0),
        ("screenshot", Medium.LIVE, "attention", ["stale"], 0),
        ("yesterday", Medium.LIVE, "stop", ["expired", "stale"], 0),
        ("forger", Medium.LIVE, "stop", ["bad_signature"], 0),
        ("neighbour", Medium.LIVE, "attention", ["unknown_issuer"], 0),
        ("visitor", Medium.PAPER, "attention", ["foreign_manual"], 0),
    ],
)
def test_people_of_the_town(
    door: Door, person: str, medium: Medium, verdict: str, reasons: list[str], steps: int
) -> None:
    turn = door.turn(door.text(person, medium), picture=True)
    assert (turn.verdict, turn.measured) == (verdict, steps)
    assert turn.id_checked == (medium is Medium.PAPER and steps)
    for reason in reasons[:1]:
        more = f" +{len(reasons) - 1}" if reasons[1:] else ""
        door.says(f"reason_{reason}", f"advice_{reason}")
        assert not more or door.reads(more)
    assert door.reasons(turn) == [reasons]


def test_a_pass_leaves_a_full_record(door: Door) -> None:
    person = door.fleet.authority.town.by_id["teacher"]
    turn = door.turn(door.text("teacher", Medium.LIVE), picture=True)
    fields = door.records(turn)[0]
    device = door.fleet.device()
    assert device is not None
    assert fields.pop(record.TEMPERATURE) == pytest.approx([3470, 2400, 3660], abs=6)
    assert abs(fields.pop(record.TIME) - time.time()) < 20
    assert len(fields.pop(record.CTI)) == 8
    assert fields == {
        record.SEQ: turn.sequences[0],
        record.CLOCK: 0,
        record.DEVICE: device.id,
        record.PLACE: "Library",
        record.SCENE: "checkpoint",
        record.DIRECTION: 0,
        record.SUB: person.sub,
        record.KIND: 1,
        record.COLOUR: 0,
        record.VERDICT: 0,
        record.REASONS: [],
        record.MASK: 1,
    }


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"issued_s": 600}, "not_yet_valid"),
        ({"issued_s": -200}, "stale"),
        ({"expires_s": -1}, "expired"),
        ({"issuer": "printed"}, "issuer_not_valid"),
        ({"h3": 1, "h9": "004X"}, "issuer_not_valid"),
        ({"name": "CN-GD"}, "issuer_not_valid"),
        ({"h4": None, "h8": ["CN-HL", NOW - 3600]}, "arrival_untested"),
        ({"h4": [0, NOW - 9 * DAY_S], "h8": ["CN-HL", NOW - DAY_S]}, "arrival_untested"),
        ({"issuer": "printed", "h3": 1}, "id_unchecked"),
    ],
)
def test_codes_with_something_wrong(door: Door, changes: dict, reason: str) -> None:
    turn = door.turn(door.code(**changes))
    assert turn.verdict == ("stop" if reason == "expired" else "attention")
    assert turn.measured == turn.id_checked == 0
    assert door.reasons(turn) == [[reason]]
    door.says(f"reason_{reason}")


@pytest.mark.parametrize("kind", ["rsa", "p384"])
def test_key_that_the_handheld_cannot_use(door: Door, kind: str) -> None:
    algorithm = {"rsa": -37, "p384": -35}[kind]
    protected = cbor.dumps({cose.ALG: algorithm, cose.KID: UNSUPPORTED[kind]})
    signed = cose.encode_sign1(protected, cbor.dumps({1: "XX"}), bytes(64))
    turn = door.turn("HC1:" + base45.encode(zlib.compress(signed)))
    assert turn.verdict == "attention"
    assert door.reasons(turn) == [["unsupported_key"]]
    door.says("reason_unsupported_key")


def test_eu_certificate_with_a_changed_name(door: Door) -> None:
    text = door.text("visitor")
    signed = bytearray(zlib.decompress(base45.decode(text[4:])))
    at = signed.index(b"Mia")
    signed[at : at + 3] = b"Eva"
    turn = door.turn("HC1:" + base45.encode(zlib.compress(bytes(signed))))
    assert turn.verdict == "stop"
    assert door.reasons(turn) == [["bad_signature"]]


def test_printed_code_asks_for_the_id(door: Door) -> None:
    person = door.fleet.authority.town.by_id["grandfather"]
    seen = []

    def look() -> None:
        until = time.monotonic() + 3
        while not seen and time.monotonic() < until:
            if door.reads("核对证件尾号") and door.reads(person.name):
                seen.append(True)

    watcher = threading.Thread(target=look)
    before = door.show(door.text("grandfather", Medium.PAPER))
    door.wait_line("flow: id_check", before)
    watcher.start()
    watcher.join()
    assert seen
    door.press("middle")  # means nothing here
    door.press("no")
    door.wait_line("flow: verdict 1", before)
    door.expected += 1
    door.wait_held(door.expected)
    fields = record.decode(door.fleet.rows()[-1].raw)
    assert (fields[record.CONFIRMED], fields[record.REASONS]) == ([2], [45])
    door.says("reason_id_differs")


def test_id_compared_and_equal(door: Door) -> None:
    fields = door.records(door.turn(door.text("grandfather", Medium.PAPER)))[0]
    assert (fields[record.CONFIRMED], fields[record.KIND], fields[record.REASONS]) == ([1], 2, [])


def test_no_mask(door: Door) -> None:
    turn = door.turn(door.text("teacher"), mask="no")
    assert turn.verdict == "stop"
    assert door.reasons(turn) == [["mask_off"]]
    assert door.records(turn)[0][record.MASK] == 2
    door.says("reason_mask_off")


def test_fever(door: Door) -> None:
    door.world.skin_centi_c = FEVER_CENTI_C
    turn = door.turn(door.text("teacher"))
    assert turn.verdict == "stop"
    assert turn.ms > 2400  # measured, a second's pause, measured again
    assert door.reasons(turn) == [["fever"]]
    assert door.records(turn)[0][record.TEMPERATURE] == pytest.approx([3620, 2400, 3810], abs=6)


def change_skin_after(door: Door, seconds: float, centi_c: int | None) -> None:
    def change() -> None:
        door.world.skin_centi_c = centi_c

    threading.Timer(seconds, change).start()


def test_fever_that_a_second_look_does_not_confirm(door: Door) -> None:
    door.world.skin_centi_c = FEVER_CENTI_C
    turn = door.turn(door.text("teacher"), on_measure=lambda _: change_skin_after(door, 1.4, HEALTHY_CENTI_C))
    assert turn.verdict == "pass"
    assert turn.ms > 2400
    assert door.records(turn)[0][record.TEMPERATURE][2] < 3700


def test_fever_that_walks_away_stands(door: Door) -> None:
    door.world.skin_centi_c = FEVER_CENTI_C
    turn = door.turn(door.text("teacher"), on_measure=lambda _: change_skin_after(door, 1.4, None))
    assert turn.verdict == "stop"
    assert door.reasons(turn) == [["fever"]]


def test_hot_and_cold_surroundings(door: Door) -> None:
    for ambient_centi_c in (900, 4100):
        door.world.ambient_centi_c = ambient_centi_c
        turn = door.turn(door.text("teacher"))
        assert turn.verdict == "attention"
        assert door.reasons(turn) == [["temp_ambient"]]
        assert record.TEMPERATURE not in door.records(turn)[0]
        door.says("reason_temp_ambient")


def test_moving_person_is_measured_when_still(door: Door) -> None:
    door.world.skin_centi_c = 3100
    turn = door.turn(door.text("teacher"), on_measure=lambda _: change_skin_after(door, 0.5, HEALTHY_CENTI_C))
    assert turn.verdict == "pass"
    assert door.records(turn)[0][record.TEMPERATURE][0] == pytest.approx(HEALTHY_CENTI_C, abs=30)


def test_party_passes_together(door: Door) -> None:
    turn = door.turn(door.text("mother"), people=3)
    assert (turn.verdict, turn.measured) == ("pass", 3)
    mother = door.fleet.authority.town.by_id["mother"]
    assert door.reads("同行 3 人")
    for index, (person, fields) in enumerate(
        zip((mother, *mother.companions), door.records(turn), strict=True)
    ):
        assert door.reads(person.name)
        assert fields[record.PARTY] == [turn.sequences[0], index, 3]
        assert (fields[record.SUB], fields[record.VERDICT]) == (person.sub, 0)


def test_one_of_a_party_with_fever_stops_all(door: Door) -> None:
    def step(number: int) -> None:
        door.world.skin_centi_c = FEVER_CENTI_C if number == 2 else HEALTHY_CENTI_C

    turn = door.turn(door.text("mother"), people=3, on_measure=step)
    assert (turn.verdict, turn.measured) == ("stop", 3)
    assert door.reasons(turn) == [[], ["fever"], []]
    assert [fields[record.VERDICT] for fields in door.records(turn)] == [0, 1, 0]
    door.says("reason_fever")


def test_poster_is_a_notice_without_a_record(door: Door) -> None:
    held = door.expected
    turn = door.turn(door.text("poster"), picture=True)
    assert turn.notice
    assert door.reads("不是健康码")
    door.turn(door.text("orange"))
    door.settled()
    assert door.fleet.held() == held + 1


def test_sounds_of_the_verdicts(door: Door) -> None:
    """A checker knows the verdict with the screen turned away."""
    expected = {
        "teacher": [2200, 3300],
        "orange": [700, 700],
        "screenshot": [1500, 1500, 1500],
    }
    for person, tones in expected.items():
        turn = door.turn(door.text(person))
        time.sleep(1.4)
        since = [e for e in door.events(turn.ended - 12, "tone") if e.data["hz"] not in (0, 2700)]
        assert [e.data["hz"] for e in since] == tones, person
        assert door.events(turn.ended - 12, "vibration")
