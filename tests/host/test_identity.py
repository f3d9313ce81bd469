"""Who a handheld is: lost answers, tokens in wrong hands, enrolling again, secrets that roll, revocation."""

from __future__ import annotations

import secrets
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from fleetkit import NOW, AppClient, PaperHandheld
from sealedkit import SealedHandheld
from test_server_ingest import send

from firmware.core import message
from firmware.core.handover import enrol_proof, rolled_secret
from host_tools.server import console, devices
from host_tools.server.identity import SECRET_LIFE_S, TokenRefused
from host_tools.server.sealing_keys import SealingKeys
from host_tools.server.store import Store

LIFE_S = 3_600
CHIP = b"\x24\x6f\x28\x01\x02\x03"
KEY = b"k" * 32


@pytest.fixture
def client(store, keys):
    return AppClient(devices.make_app(store, devices.Bell(), clock=lambda: NOW, keys=keys, ca_der=b"\x30ca"))


def at(store: Store, now: int, keys: SealingKeys | None = None) -> AppClient:
    return AppClient(devices.make_app(store, devices.Bell(), clock=lambda: now, keys=keys))


def token_for(store: Store, **options: Any) -> bytes:
    return store.create_token("Library", "office", NOW, LIFE_S, **options)


def ask(client: AppClient, token: bytes, **changes: Any) -> message.EnrolReply | None:
    """The answer to an enrolment request, None where the token is refused."""
    fields = {"chip_id": CHIP, "version": "0.1.0", "key": KEY, **changes}
    answer = client.post("/v1/enrol", content=message.encode_enrol_request(token, **fields))
    assert answer.status_code in (200, 403)
    return message.parse_enrol_reply(answer.content) if answer.status_code == 200 else None


def again(client: AppClient, token: bytes, known: Any, **changes: Any) -> message.EnrolReply | None:
    """The same of a handheld that has an identity and shows it."""
    proof = enrol_proof(known.secret, token, CHIP, KEY)
    former = known.id if isinstance(known, PaperHandheld) else known.device_id
    return ask(client, token, **{"former": former, "proof": proof, **changes})


def speaks(client: AppClient, device_id: str, secret: bytes) -> bool:
    return client.post("/v1/sync", content=PaperHandheld(device_id, secret).request()).status_code == 200


# Lost answers -----------------------------------------------------------------------------------------------


def test_a_lost_answer_is_given_again_until_it_was_of_use(client, store):
    token = token_for(store)
    first = ask(client, token)
    for _ in range(3):
        repeat = ask(client, token)
        assert (repeat.device_id, repeat.secret) == (first.device_id, first.secret)
    assert len(store.devices()) == 1
    assert speaks(client, first.device_id, first.secret)
    assert ask(client, token) is None
    assert len(store.devices()) == 1


def test_a_photographed_code_is_worth_nothing_once_it_was_used(client, store):
    token = token_for(store)
    ask(client, token)
    assert ask(client, token, key=b"t" * 32) is None
    assert ask(client, token, key=b"") is None
    assert ask(client, token, chip_id=b"thief") is None
    assert ask(client, token, chip_id=b"thief", key=b"t" * 32) is None
    assert len(store.devices()) == 1


def test_a_repeat_ends_with_the_tokens_life(client, store):
    token = token_for(store)
    ask(client, token)
    assert ask(at(store, NOW + LIFE_S - 1), token) is not None
    assert ask(at(store, NOW + LIFE_S), token) is None


def test_a_revoked_handheld_asks_in_vain(client, store):
    token = token_for(store)
    store.revoke(ask(client, token).device_id, NOW)
    assert ask(client, token) is None


def test_without_a_key_a_token_is_dead_at_once(client, store):
    token = token_for(store)
    assert ask(client, token, key=b"") is not None
    assert ask(client, token, key=b"") is None
    assert ask(client, token) is None


def test_the_database_does_not_hold_the_key(tmp_path):
    store = Store(tmp_path / "fleet.db")
    key = secrets.token_bytes(32)
    ask(AppClient(devices.make_app(store, devices.Bell(), clock=lambda: NOW)), token_for(store), key=key)
    store.close()
    assert key not in b"".join(path.read_bytes() for path in tmp_path.glob("fleet.db*"))


def test_two_at_once_get_one_identity(store):
    """Whoever comes second waits for the first one's commit."""
    token = token_for(store)
    start = threading.Barrier(4)

    def enrol(number: int) -> str | None:
        start.wait()
        request = message.EnrolRequest(token, CHIP, "test", bytes([number // 2]) * 32)
        try:
            return store.enrol_by(request, NOW)[0].id
        except TokenRefused:
            return None

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(enrol, range(4)))
    assert sorted(found.count(one) for one in set(found)) == [2, 2] and None in found
    assert len(store.devices()) == 1


# Enrolling again --------------------------------------------------------------------------------------------


def test_a_handheld_that_shows_who_it_is_keeps_its_history(client, store):
    first = ask(client, token_for(store))
    handheld = PaperHandheld(first.device_id, first.secret)
    handheld.write(5)
    send(client, handheld.request())
    token = store.create_token("Bus 7", "transit", NOW, LIFE_S)
    reply = again(client, token, first)
    assert (reply.device_id, reply.place, reply.scene) == (first.device_id, "Bus 7", "transit")
    assert reply.secret != first.secret
    # The answer was lost: the old secret holds, and the same answer comes again.
    handheld.write(1)
    assert again(client, token, first).secret == reply.secret
    handheld.secret = reply.secret
    assert send(client, handheld.request(6)).acknowledged == 6
    # Now the new one has been used: the old one is dead, and so is the token.
    assert not speaks(client, handheld.id, first.secret)
    assert again(client, token, first) is None
    assert [device.id for device in store.devices()] == [first.device_id]
    assert store.device(first.device_id).replaced_by is None


@pytest.mark.parametrize(
    "changes",
    [
        {"proof": b""},
        {"proof": b"\x01" * 32},
        {"former": "y-nobody"},
        {"former": "y-\0body"},
        {"chip_id": b"other!"},
        {"key": b"x" * 32},
    ],
)
def test_who_does_not_show_it_is_a_new_one(client, store, changes):
    first = ask(client, token_for(store))
    reply = again(client, token_for(store), first, **changes)
    assert reply.device_id != first.device_id and reply.secret != first.secret
    old = store.device(first.device_id)
    if changes.get("chip_id"):
        # It is another chip: nothing has happened to the first.
        assert (old.replaced_by, old.revoked_unix) == (None, None)
        assert speaks(client, first.device_id, first.secret)
    else:
        assert (old.replaced_by, old.revoked_unix) == (reply.device_id, NOW)
        assert not speaks(client, first.device_id, first.secret)
    assert speaks(client, reply.device_id, reply.secret)


def test_a_replaced_handheld_that_turns_up_gets_its_place_back(client, store):
    first = ask(client, token_for(store))
    second = ask(client, token_for(store))
    assert store.device(first.device_id).replaced_by == second.device_id
    back = again(client, token_for(store), first)
    assert back.device_id == first.device_id
    old, other = store.device(first.device_id), store.device(second.device_id)
    assert (old.replaced_by, old.revoked_unix) == (None, None)
    assert other.replaced_by == first.device_id and other.revoked_unix == NOW


def test_a_revoked_one_comes_back_only_with_a_token_made_for_it(client, store):
    first = ask(client, token_for(store))
    store.revoke(first.device_id, NOW)
    stranger = again(client, token_for(store), first)
    assert stranger.device_id != first.device_id
    store.revoke(stranger.device_id, NOW)
    fresh = ask(client, token_for(store, for_device=first.device_id), chip_id=b"new one")
    assert fresh.device_id not in (first.device_id, stranger.device_id)
    other = ask(client, token_for(store), chip_id=b"third!")
    store.revoke(other.device_id, NOW)
    token = token_for(store, for_device=other.device_id)
    proof = enrol_proof(other.secret, token, b"third!", KEY)
    back = ask(client, token, chip_id=b"third!", former=other.device_id, proof=proof)
    assert back.device_id == other.device_id and store.device(other.device_id).revoked_unix is None


def test_a_token_for_a_broken_handheld_puts_another_in_its_place(client, store):
    broken = ask(client, token_for(store))
    spare = ask(client, token_for(store, for_device=broken.device_id), chip_id=b"spare!")
    old = store.device(broken.device_id)
    assert (old.replaced_by, old.revoked_unix) == (spare.device_id, NOW)
    assert not speaks(client, broken.device_id, broken.secret)


def test_what_was_left_in_the_journal_follows_under_the_new_id(client, store, keys):
    """The secret was lost: the records of before name the old id, and none of them is lost or doubled."""
    first = ask(client, token_for(store))
    handheld = SealedHandheld(first.device_id, first.secret)
    handheld.begin(*keys.public())
    handheld.write(5)
    send(client, handheld.sends(1, 3))
    reply = ask(
        client,
        token_for(store),
        former=first.device_id,
        acknowledged=3,
        chain=handheld.chains[3],
    )
    assert reply.device_id != first.device_id
    assert store.device(reply.device_id).held_seq == 3
    old_id = handheld.id
    handheld.id, handheld.secret = reply.device_id, reply.secret
    # A segment begins anew where the id changes.
    handheld.begin(*keys.public())
    handheld.write(2)
    answer = send(client, handheld.sends(4))
    assert (answer.acknowledged, answer.refusal) == (7, None)
    rows = store.records_after(0, 99, reply.device_id)
    assert [row.seq for row in rows] == [4, 5, 6, 7]
    assert [row.raw for row in rows] == handheld.records[3:]
    assert [row.seq for row in store.records_after(0, 99, old_id)] == [1, 2, 3]


def test_nobody_elses_id_counts_as_a_former_one(client, store, keys):
    """A former id opens nothing but records that were sealed under it, by whoever holds this secret."""
    first = ask(client, token_for(store))
    stranger = ask(client, token_for(store), chip_id=b"other!")
    handheld = SealedHandheld(first.device_id, first.secret)
    handheld.begin(*keys.public())
    handheld.write(2)
    handheld.id, handheld.secret = stranger.device_id, stranger.secret
    reply = send(client, handheld.sends())
    assert reply.acknowledged == 0 and "another device" in reply.refusal


def test_the_console_tells_who_took_whose_place(client, store):
    first = ask(client, token_for(store))
    second = ask(client, token_for(store), former=first.device_id)
    store.roll(second.device_id)
    page = AppClient(console.make_app(store, devices.Bell(), "key", 8703))
    headers = {"authorization": "Bearer key"}
    shown = page.get("/", headers=headers).text
    assert f"replaced by {second.device_id}" in shown and "its secret is being changed" in shown
    assert "revoked" not in shown
    told = {row["id"]: row for row in page.get("/api/devices", headers=headers).json()}
    assert told[first.device_id]["replaced_by"] == second.device_id
    assert (told[second.device_id]["former_id"], told[second.device_id]["rolls"]) == (first.device_id, True)
    assert store.device(second.device_id).secret.hex() not in shown


# Secrets that roll ------------------------------------------------------------------------------------------


def test_a_secret_rolls_in_two_steps(client, store):
    handheld = PaperHandheld.enrolled(store)
    old = handheld.secret
    assert store.roll(handheld.id) and store.roll(handheld.id)
    roll = send(client, handheld.request()).roll
    assert len(roll) == 32
    # The answer was lost: the old secret is still good and the same word comes again.
    handheld.write(1)
    reply = send(client, handheld.request())
    assert (reply.roll, reply.acknowledged) == (roll, 1)
    # A part may be asked for with either, and that decides nothing.
    for secret in (old, rolled_secret(old, roll)):
        body = message.encode_part_request(handheld.id, secret, b"d" * 32, 0, b"n" * 16)
        assert client.post("/v1/part", content=body).status_code == 404
    handheld.secret = rolled_secret(old, roll)
    handheld.write(1)
    reply = send(client, handheld.request(2))
    assert (reply.roll, reply.acknowledged) == (b"", 2)
    assert not speaks(client, handheld.id, old)
    assert store.device(handheld.id).secret == handheld.secret


def test_an_answer_is_authenticated_with_the_secret_that_was_used(client, store):
    handheld = PaperHandheld.enrolled(store)
    store.roll(handheld.id)
    for secret in (handheld.secret, rolled_secret(handheld.secret, store.device(handheld.id).roll)):
        nonce = secrets.token_bytes(16)
        body = message.encode_sync_request(handheld.id, secret, 1, bytes(32), [], NOW, 0, nonce, True)
        answer = client.post("/v1/sync", content=body)
        assert message.parse_authenticated_reply(answer.content, secret, nonce).acknowledged == 0


def test_who_is_revoked_cannot_roll(store):
    handheld = PaperHandheld.enrolled(store)
    store.revoke(handheld.id, NOW)
    assert not store.roll(handheld.id) and not store.roll("y-nobody")


def test_an_old_secret_rolls_by_itself(client, store):
    handheld = PaperHandheld.enrolled(store)
    assert send(client, handheld.request()).roll == b""
    assert send(at(store, NOW + SECRET_LIFE_S), handheld.request()).roll == b""
    later = at(store, NOW + SECRET_LIFE_S + 1)
    roll = send(later, handheld.request()).roll
    assert roll
    handheld.secret = rolled_secret(handheld.secret, roll)
    assert send(later, handheld.request()).roll == b""


# A stolen handheld ------------------------------------------------------------------------------------------


def test_a_revoked_handheld_gets_and_gives_nothing(client, store, keys):
    handheld = PaperHandheld.enrolled(store)
    handheld.write(2)
    send(client, handheld.request(1, 1))
    assert store.revoke(handheld.id, NOW)
    for secret in (handheld.secret, bytes(32)):
        body = message.encode_part_request(handheld.id, secret, b"d" * 32, 0, b"n" * 16)
        assert client.post("/v1/part", content=body).status_code == 401
        assert client.post("/v1/sync", content=handheld.request(2, secret=secret)).status_code == 401
    assert store.device(handheld.id).held_seq == 1


def test_the_certificate_is_to_be_had_before_it_can_be_checked(client, store):
    for answer in (client.get("/v1/ca"), client.post("/v1/ca")):
        assert (answer.status_code, answer.content) == (200, b"\x30ca")
    assert at(store, NOW).get("/v1/ca").status_code == 404
