"""Records handed over by cable: what an export holds, what an answer frees, a flash that fails."""

import os

import journalkit
import nor
import ramflash
from journalkit import DEVICE, add, journal, party, raises

from firmware.core import handover, message
from firmware.services.cable import forget, hand_over
from firmware.services.journal import JournalError

SECRET = bytes(range(32))
BUFFER = bytearray(64 * ramflash.BLOCK_BYTES)
FILE = "/flash/export.yex"
ANSWER = "/flash/import.yak"


class Keys:
    """Stands for the key store."""

    def __init__(self, secret=SECRET):
        self._secret = secret

    def secret(self):
        return self._secret


def fresh():
    flash = ramflash.RamFlash(64, BUFFER)
    ramflash.format(flash)
    ramflash.mount(flash)
    return flash


def exported(j, limit=100_000):
    beats = []
    done = hand_over(j, DEVICE, SECRET, FILE, limit, journalkit.NOW, lambda: beats.append(1))
    with open(FILE, "rb") as file:
        requests = handover.parse_export(file.read())
    assert len(beats) == len(requests)
    return done, [message.parse_sync_request(request)[1] for request in requests]


def answer(sequence, chain, secret=SECRET, device=DEVICE):
    with open(ANSWER, "wb") as file:
        file.write(handover.encode_acknowledgement(device, secret, sequence, chain))


def take(server, requests):
    for request in requests:
        assert request.verify_mac(SECRET) and request.wants_mac
        server.take(request.first_seq, request.chain_before, request.records)


def test_an_export_is_what_a_sync_would_send():
    fresh()
    flash = nor.NorFlash(40)
    j = journal(flash)
    server = journalkit.Server()
    for round in range(5):
        add(j, 60, 120)
        party(j, 4)
        if round % 2:
            j = journal(flash)
        before = flash.erases, flash.programs
        left, requests = exported(j)
        assert (flash.erases, flash.programs) == before
        assert left == (j.pending, 0) and len(requests) > 1
        copy = journalkit.Server()
        copy.held, copy.chain, copy.head = server.held, server.chain, server.head
        take(copy, requests)
        assert copy.held == j.next_seq - 1 and copy.chain == j.chain_value
        server = copy
        answer(server.held, server.chain)
        forget(j, DEVICE, Keys(), ANSWER)
        assert j.pending == 0 and os.listdir("/flash") == ["export.yex"]
        assert journal(flash).pending == 0


def test_a_long_one_in_pieces():
    fresh()
    j = journal(nor.NorFlash(40))
    add(j, 300, 200)
    server = journalkit.Server()
    pieces = 0
    while j.pending:
        (done, left), requests = exported(j, 20_000)
        assert done + left == j.pending and 0 < done <= 300
        take(server, requests)
        answer(server.held, server.chain)
        forget(j, DEVICE, Keys(), ANSWER)
        assert j.pending == left
        pieces += 1
    assert pieces > 2 and server.held == 300


def test_with_nothing_to_send():
    fresh()
    j = journal(nor.NorFlash(8))
    left, requests = exported(j)
    assert left == (0, 0) and [request.records for request in requests] == [[]]


def test_a_flash_that_is_full_leaves_no_file():
    fresh()
    j = journal(nor.NorFlash(40))
    add(j, 300, 200)
    ramflash.fill("/flash/filler", 4)
    raises(OSError, hand_over, j, DEVICE, SECRET, FILE, 100_000, journalkit.NOW, lambda: None)
    assert os.listdir("/flash") == ["filler"] and j.pending == 300


def test_wrong_answers_free_nothing():
    fresh()
    j = journal(nor.NorFlash(8))
    add(j, 10)
    for wrong in (
        lambda: answer(5, b"\x55" * 32),
        lambda: answer(11, b"\x55" * 32),
        lambda: answer(10, j.chain_value, secret=bytes(32)),
        lambda: answer(10, j.chain_value, device="y-other"),
    ):
        wrong()
        forget(j, DEVICE, Keys(), ANSWER)
        assert j.pending == 10 and os.listdir("/flash") == ["import.yak.bad"]
    answer(10, j.chain_value)
    forget(j, DEVICE, Keys(None), ANSWER)
    assert j.pending == 10
    forget(j, DEVICE, Keys(), ANSWER)
    assert j.pending == 10, "it is gone"
    answer(10, j.chain_value)
    forget(j, DEVICE, Keys(), ANSWER)
    assert j.pending == 0
    # An old answer again, and none at all.
    answer(0, bytes(32))
    forget(j, DEVICE, Keys(), ANSWER)
    forget(j, DEVICE, Keys(), ANSWER)
    assert j.pending == 0


def test_the_chain_is_checked_where_the_answer_says():
    fresh()
    j = journal(nor.NorFlash(8))
    add(j, 6)
    chain = j.chain_value
    add(j, 4)
    raises(JournalError, j.acknowledge, 5, chain)
    assert j.pending == 10
    j.acknowledge(6, chain)
    assert j.pending == 4


def test_batches_that_follow_each_other():
    j = journal(nor.NorFlash(12))
    add(j, 50)
    server = journalkit.Server()
    following = False
    while True:
        first, before, items = j.batch(7, 100_000, following)
        following = True
        if not items:
            break
        server.take(first, before, items)
    assert server.held == 50 and server.chain == j.chain_value and j.pending == 50
    assert first == 51 and before == j.chain_value
