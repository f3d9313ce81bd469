from firmware.core import cbor, cose, message, seal
from firmware.core.message import MessageError

SECRET = b"s" * 32
NONCE = b"n" * 16
RECORDS = [b"\xa1\x01\x05" + b"r" * 100, b"\xa1\x01\x06"]


def fails(function, *arguments):
    try:
        function(*arguments)
    except MessageError:
        return True
    return False


def changed(fields, index, value):
    fields = list(fields)
    fields[index] = value
    return fields


def sync_request(**changes):
    fields = {
        "device_id": "ym-000001",
        "secret": SECRET,
        "first_seq": 5,
        "chain_before": b"c" * 32,
        "records": RECORDS,
        "time_unix": 1590134400,
        "pack_version": 7,
        "nonce": NONCE,
    }
    fields.update(changes)
    return message.encode_sync_request(**fields)


def test_provisioning():
    good = (b"r" * 64, "https://127.0.0.1:8702", b"\x30" * 400, b"t" * 16, "yima", "yima-door-2020")
    got = message.parse_provisioning(message.encode_provisioning(*good))
    assert (got.root_key, got.server_url, got.ca_der, got.token, got.wifi_ssid, got.wifi_key) == good
    for index, value in (
        (0, b"r" * 63),
        (1, "http://127.0.0.1:8702"),
        (1, "https://" + "x" * 300),
        (2, b""),
        (2, bytes(2049)),
        (3, b"t"),
        (4, "s" * 33),
        (5, None),
    ):
        assert fails(message.encode_provisioning, *changed(good, index, value)), index
    assert fails(message.parse_provisioning, bytes(5000))
    assert fails(message.parse_provisioning, b"")


def test_enrol_request():
    good = (b"t" * 16, b"\x01\x02\x03\x04\x05\x06", "0.1.0")
    got = message.parse_enrol_request(message.encode_enrol_request(*good))
    assert (got.token, got.chip_id, got.version) == good
    assert fails(message.encode_enrol_request, b"t" * 15, good[1], good[2])
    assert fails(message.encode_enrol_request, good[0], b"", good[2])
    assert fails(message.encode_enrol_request, good[0], good[1], "v" * 65)
    assert fails(message.parse_enrol_request, cbor.dumps({1: good[0], 2: good[1]}))
    assert fails(message.parse_enrol_request, cbor.dumps([good[0], good[1], good[2]]))
    assert fails(message.parse_enrol_request, bytes(1025))


def test_enrol_request_of_who_has_a_key_and_a_past():
    good = (b"t" * 16, b"\x01\x02", "0.1.0", b"k" * 32, "y-1", b"p" * 32, 7, b"c" * 32)
    got = message.parse_enrol_request(message.encode_enrol_request(*good))
    assert (got.token, got.chip_id, got.version, got.key) == good[:4]
    assert (got.former, got.proof, got.acknowledged, got.chain) == good[4:]
    got = message.parse_enrol_request(message.encode_enrol_request(*good[:3]))
    assert (got.key, got.former, got.proof, got.acknowledged, got.chain) == (b"", "", b"", 0, b"")
    for index, value in ((3, b"k"), (4, "d" * 33), (5, b"p" * 33), (6, 1 << 32), (7, b"c")):
        assert fails(message.encode_enrol_request, *changed(good, index, value)), index
    whole = cbor.loads(message.encode_enrol_request(*good))
    for key, value in ((5, ["y-1"]), (5, ["", b""]), (5, "y-1"), (6, [7]), (6, [b"7", b"c" * 32]), (7, 0)):
        wrong = dict(whole)
        wrong[key] = value
        assert fails(message.parse_enrol_request, cbor.dumps(wrong)), key


def test_provisioning_with_a_fingerprint_alone():
    data = message.encode_provisioning(b"r" * 64, "https://h", b"f" * 32, b"t" * 16, "", "")
    assert message.parse_provisioning(data).ca_der == b"f" * 32


def test_enrol_reply():
    good = ("ym-000001", SECRET, "龙岩站", "transit", 1590134400)
    got = message.parse_enrol_reply(message.encode_enrol_reply(*good))
    assert (got.device_id, got.secret, got.place, got.scene, got.time_unix) == good
    for index, value in ((0, ""), (0, "d" * 33), (1, b"s"), (2, 5), (3, "s" * 33), (4, -1)):
        assert fails(message.encode_enrol_reply, *changed(good, index, value)), index


def test_sync_request():
    device_id, got = message.parse_sync_request(sync_request())
    assert device_id == "ym-000001"
    assert (got.first_seq, got.chain_before, got.records) == (5, b"c" * 32, RECORDS)
    assert (got.time_unix, got.pack_version, got.nonce) == (1590134400, 7, NONCE)
    assert got.verify_mac(SECRET)
    assert not got.verify_mac(b"t" * 32)
    assert message.parse_sync_request(sync_request(records=[], device_id="门1"))[0] == "门1"


def test_sync_request_with_any_byte_changed():
    data = sync_request()
    for i in range(len(data)):
        try:
            _, got = message.parse_sync_request(data[:i] + bytes([data[i] ^ 1]) + data[i + 1 :])
        except MessageError:
            continue
        assert not got.verify_mac(SECRET), i


def test_sync_request_limits():
    full = sync_request(records=[b"r" * 300] * 200)
    assert len(message.parse_sync_request(full)[1].records) == 200
    assert fails(lambda: sync_request(records=[b"r"] * 201))
    assert fails(lambda: sync_request(records=[b"r" * 400] * 200))
    assert fails(message.parse_sync_request, bytes(message.MAX_REQUEST_BYTES + 1))
    for changes in (
        {"first_seq": 0},
        {"chain_before": b""},
        {"records": [b""]},
        {"records": [bytes(seal.MAX_SEALED + 1)]},
        {"records": ["r"]},
        {"time_unix": -1},
        {"pack_version": "1"},
        {"nonce": b"n"},
        {"device_id": ""},
        {"device_id": "d" * 33},
    ):
        assert fails(message.parse_sync_request, sync_request(**changes)), changes
    for kid in (b"\xff", b"\xed\xa0\x80"):
        assert fails(message.parse_sync_request, cose.encode_mac0(SECRET, kid, cbor.dumps({}))), kid


def test_sync_reply():
    got = message.parse_sync_reply(message.encode_sync_reply(6, 1590134401, NONCE), NONCE)
    assert (got.acknowledged, got.time_unix, got.manifest, got.refusal) == (6, 1590134401, None, None)
    got = message.parse_sync_reply(message.encode_sync_reply(0, 1, NONCE, bytes(4096), "chain"), NONCE)
    assert got.manifest == bytes(4096) and got.refusal == "chain" and got.seen == b""
    got = message.parse_sync_reply(message.encode_sync_reply(0, 1, NONCE, seen=b"s" * 512), NONCE)
    assert got.seen == b"s" * 512 and got.manifest is None


def test_sync_reply_that_rolls_the_secret():
    got = message.parse_sync_reply(message.encode_sync_reply(6, 1, NONCE, roll=b"r" * 32), NONCE)
    assert got.roll == b"r" * 32
    assert message.parse_sync_reply(message.encode_sync_reply(6, 1, NONCE), NONCE).roll == b""
    assert fails(message.encode_sync_reply, 6, 1, NONCE, None, None, b"", b"r" * 31)


def test_authenticated_reply():
    reply = message.encode_sync_reply(6, 1590134401, NONCE, bytes(4096), "x" * 256, b"s" * 512)
    data = message.authenticated(reply, "d" * 32, SECRET)
    assert len(data) <= message.MAX_REPLY_BYTES
    got = message.parse_authenticated_reply(data, SECRET, NONCE)
    assert (got.acknowledged, got.manifest, got.seen) == (6, bytes(4096), b"s" * 512)
    data = message.authenticated(message.encode_sync_reply(6, 1590134401, NONCE), "ym-000001", SECRET)
    assert message.parse_authenticated_reply(data, SECRET, NONCE).acknowledged == 6
    assert fails(message.parse_authenticated_reply, data, b"t" * 32, NONCE)
    assert fails(message.parse_authenticated_reply, data, SECRET, b"m" * 16)
    assert fails(message.parse_authenticated_reply, reply, SECRET, NONCE)
    assert fails(message.parse_authenticated_reply, bytes(message.MAX_REPLY_BYTES + 1), SECRET, NONCE)
    for i in range(len(data)):
        for bad in (data[:i], data[:i] + bytes([data[i] ^ 1]) + data[i + 1 :]):
            assert fails(message.parse_authenticated_reply, bad, SECRET, NONCE), i


def test_who_asks_for_an_authenticated_reply():
    assert message.parse_sync_request(sync_request())[1].wants_mac is False
    data = message.encode_sync_request("y", SECRET, 5, b"c" * 32, RECORDS, 1590134400, 7, NONCE, True)
    assert message.parse_sync_request(data)[1].wants_mac is True
    payload = cbor.loads(cose.parse_mac0(data).payload)
    for wrong in (0, 2, -1, "1", [], None, True):
        payload[7] = wrong
        assert fails(message.parse_sync_request, cose.encode_mac0(SECRET, b"y", cbor.dumps(payload))), wrong


def test_a_request_is_no_reply():
    assert fails(message.parse_authenticated_reply, sync_request(), SECRET, NONCE)
    data = message.encode_part_request("ym-000001", SECRET, b"d" * 32, 4096, NONCE)
    assert fails(message.parse_authenticated_reply, data, SECRET, NONCE)


def test_codes_seen_are_whole():
    for seen in (b"s" * 7, b"s" * 12, b"s" * 520):
        assert fails(message.encode_sync_reply, 0, 1, NONCE, None, None, seen), len(seen)


def test_part_request():
    data = message.encode_part_request("ym-000001", SECRET, b"d" * 32, 4096, NONCE)
    device_id, got = message.parse_part_request(data)
    assert (device_id, got.digest, got.offset, got.nonce) == ("ym-000001", b"d" * 32, 4096, NONCE)
    assert got.verify_mac(SECRET) and not got.verify_mac(b"t" * 32)
    for digest, offset, nonce in ((b"d", 0, NONCE), (b"d" * 32, -1, NONCE), (b"d" * 32, 0, b"n")):
        wrong = message.encode_part_request("ym-000001", SECRET, digest, offset, nonce)
        assert fails(message.parse_part_request, wrong), (digest, offset, nonce)
    assert fails(message.parse_part_request, bytes(message.MAX_PART_REQUEST_BYTES + 1))
    assert fails(message.parse_part_request, data[:-1])
    for i in range(len(data)):
        try:
            _, got = message.parse_part_request(data[:i] + bytes([data[i] ^ 1]) + data[i + 1 :])
        except MessageError:
            continue
        assert not got.verify_mac(SECRET), i


def test_sync_reply_to_another_request_is_refused():
    data = message.encode_sync_reply(6, 1590134401, NONCE)
    assert fails(message.parse_sync_reply, data, b"m" * 16)
    assert fails(message.parse_sync_reply, data[:-1], NONCE)
    assert fails(message.parse_sync_reply, bytes(message.MAX_REPLY_BYTES + 1), NONCE)
    for fields in ({1: -1}, {2: "t"}, {3: b"n"}, {4: b""}, {4: bytes(65537)}, {5: "x" * 257}, {7: 0}):
        whole = {1: 6, 2: 1, 3: NONCE}
        whole.update(fields)
        assert fails(message.parse_sync_reply, cbor.dumps(whole), NONCE), fields
