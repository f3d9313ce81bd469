"""Exports, acknowledgements, proofs, rolled secrets: the same bytes on both interpreters."""

import binascii
import hashlib

from firmware.core import cbor, cose, handover, message
from firmware.core.handover import HandoverError

SECRET = b"s" * 32
CHAIN = b"c" * 32


def fails(function, *arguments):
    try:
        function(*arguments)
    except HandoverError:
        return True
    return False


def export(*requests):
    data = handover.EXPORT_MAGIC + b"".join([handover.export_frame(r) + r for r in requests])
    return data + handover.export_end(len(requests), binascii.crc32(data))


def test_export():
    requests = [b"a", b"bc" * 300, b"d" * 70]
    assert handover.parse_export(export(*requests)) == requests
    assert handover.parse_export(export()) == []
    # As docs/formats.md says it, byte by byte.
    assert export(b"a")[:-4] == b"YX1\n\0\0\0\1a\0\0\0\0\0\0\0\1"
    assert export(b"a")[-4:] == binascii.crc32(export(b"a")[:-4]).to_bytes(4, "big")


def test_export_torn_or_damaged_anywhere():
    good = export(b"abc", b"defg")
    for cut in range(len(good)):
        assert fails(handover.parse_export, good[:cut]), cut
        for bit in (1, 0x80):
            assert fails(handover.parse_export, good[:cut] + bytes([good[cut] ^ bit]) + good[cut + 1 :]), cut
    assert fails(handover.parse_export, good + b"\0")


def test_export_limits():
    most = b"x" * message.MAX_REQUEST_BYTES
    assert handover.parse_export(export(most)) == [most]
    assert fails(handover.parse_export, export(most + b"x"))


def test_acknowledgement():
    data = handover.encode_acknowledgement("y-1", SECRET, 77, CHAIN)
    assert len(data) <= handover.MAX_ACKNOWLEDGEMENT_BYTES
    assert handover.parse_acknowledgement(data, "y-1", SECRET) == (77, CHAIN)
    assert fails(handover.parse_acknowledgement, data, "y-2", SECRET)
    assert fails(handover.parse_acknowledgement, data, "y-1", b"t" * 32)
    for i in range(len(data)):
        for bad in (data[:i], data[:i] + bytes([data[i] ^ 1]) + data[i + 1 :]):
            assert fails(handover.parse_acknowledgement, bad, "y-1", SECRET), i
    for fields in (
        {1: -1, 2: CHAIN},
        {1: 1},
        {1: 1, 2: b"c"},
        {1: 1, 2: CHAIN, 3: 0},
        [1, CHAIN],
        {1: b"", 2: CHAIN},
    ):
        wrong = cose.encode_mac0(SECRET, b"y-1", cbor.dumps(fields))
        assert fails(handover.parse_acknowledgement, wrong, "y-1", SECRET), fields


def test_an_acknowledgement_is_no_other_message():
    """They have the same key: their payloads tell them apart."""
    data = handover.encode_acknowledgement("y-1", SECRET, 77, CHAIN)
    for parse in (message.parse_sync_request, message.parse_part_request):
        try:
            parse(data)
            raise AssertionError("taken for another message")
        except message.MessageError:
            pass
    request = message.encode_sync_request("y-1", SECRET, 1, CHAIN, [], 1, 0, b"n" * 16)
    part = message.encode_part_request("y-1", SECRET, CHAIN, 1, b"n" * 16)
    reply = message.authenticated(message.encode_sync_reply(1, 1, b"n" * 16), "y-1", SECRET)
    for other in (request, part, reply):
        assert fails(handover.parse_acknowledgement, other, "y-1", SECRET)


def hmac(key, data):
    key = key + bytes(64 - len(key))
    inner = hashlib.sha256(bytes([b ^ 0x36 for b in key]) + data).digest()
    return hashlib.sha256(bytes([b ^ 0x5C for b in key]) + inner).digest()


def test_proof_and_rolled_secret():
    token, chip, key, roll = b"t" * 16, b"chip", b"k" * 32, b"r" * 32
    assert handover.enrol_proof(SECRET, token, chip, key) == hmac(SECRET, b"yima enrol" + token + key + chip)
    assert handover.rolled_secret(SECRET, roll) == hmac(SECRET, b"yima roll" + roll)
