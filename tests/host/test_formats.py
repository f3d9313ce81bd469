"""Real messages and wrong ones, against the CDDL that docs/formats.md prints.

The validator has weak spots, and the tests go around them: it holds `.cbor` against every member of an array
instead of the one that has it, so what is embedded is checked by itself; `.size` makes it forget the type, so
each message is checked with and without the sizes; `{}` in an array takes anything; and a choice between
tagged and untagged takes any untagged array, so that form is held against its own rule.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import cbor2
import pycddl
import pytest
import segno
from issuing import COMPANION, ISSUER, NOW, PAPER, ROOT, claims, code, issuer_key, manifest

from firmware.core import base45, codes, cose, message, pack, record, trust
from firmware.core.errors import CoreError
from host_tools import pki

FORMATS = Path(__file__).resolve().parents[2] / "docs" / "formats.md"
BLOCKS = dict(re.findall(r"```cddl (\w+)\n(.*?)```", FORMATS.read_text("utf-8"), re.S))


def valid(block: str, rule: str, data: bytes) -> bool:
    """Whether `data` is what `rule` of `block` says."""
    sized = re.sub(r" \.cbor [\w-]+", "", BLOCKS[block])
    unsized = re.sub(r" \.size (\([\d.]+\)|\d+)", "", sized)
    try:
        for text in (sized, unsized):
            pycddl.Schema(f"start = {rule}\n{text}").validate_cbor(data)
    except pycddl.ValidationError:
        return False
    return True


def valid_cose(block: str, rule: str, header: str, payload: str, data: bytes) -> bool:
    """The same for a COSE message, with its protected header and payload."""
    assert f"protected: bstr .cbor {header}," in BLOCKS[block]
    assert f"payload: bstr .cbor {payload}," in BLOCKS[block]
    if not valid(block, rule, data):
        return False
    message = cbor2.loads(data)
    members = message.value if isinstance(message, cbor2.CBORTag) else message
    return valid(block, header, members[0]) and valid(block, payload, members[2])


def accepted(parse: Callable[..., object], *arguments: object) -> bool:
    """Whether core takes it."""
    try:
        parse(*arguments)
    except CoreError:
        return False
    return True


def changed(fields: dict, changes: dict) -> bytes:
    """`fields` with changes; None takes a field out."""
    whole = {**fields, **changes}
    return cbor2.dumps({key: value for key, value in whole.items() if value is not None})


def test_the_document_has_all_blocks():
    assert set(BLOCKS) >= {"code", "pack", "record", "enrol", "sync", "part", "scene"}
    for text in BLOCKS.values():
        pycddl.Schema(text)


# Codes ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("health", [{}, PAPER, {1: 3, 7: [COMPANION] * 5}], ids=["live", "paper", "party"])
def test_codes(health):
    data = base45.decode(code(claims(health))[4:])
    assert valid_cose("code", "code", "code-header", "claims", data)
    assert valid_cose("code", "code", "code-header", "claims", data[1:]), "untagged"
    assert valid("code", "code-sign1", data[1:])
    assert not valid("code", "code", b"\xd1" + data[1:]), "tag 17"
    assert not valid("code", "code", data[:1] + b"\x83" + data[2:-66]), "three members"


def test_code_envelope():
    members = cbor2.loads(base45.decode(code()[4:])).value
    for index, value in ((3, bytes(63)), (3, "s" * 64), (2, {}), (0, {})):
        wrong = list(members)
        wrong[index] = value
        assert not valid("code", "code", cbor2.dumps(cbor2.CBORTag(18, wrong))), index
        assert not valid("code", "code-sign1", cbor2.dumps(wrong)), index
    for header in ({1: -35, 4: ISSUER.kid}, {1: -7}, {1: -7, 4: b"short"}, {1: -7, 4: ISSUER.kid, 3: 0}):
        assert not valid("code", "code-header", cbor2.dumps(header)), header


@pytest.mark.parametrize(
    "changes",
    [
        {1: 5},
        {1: ""},
        {1: "x" * 65},
        {2: bytes(15)},
        {4: -1},
        {6: None},
        {7: bytes(9)},
        {8: 0},
        {-65537: None},
        {-65537: {}},
    ],
    ids=str,
)
def test_wrong_claims(changes):
    data = changed(claims(), changes)
    assert not valid("code", "claims", data)
    assert not accepted(codes.claims, data, False)


@pytest.mark.parametrize(
    "changes",
    [
        {1: 4},
        {1: None},
        {2: ""},
        {2: "名" * 17},
        {3: 2},
        {3: None},
        {4: [3, NOW]},
        {4: [0]},
        {5: [0, NOW, 1]},
        {6: []},
        {6: [9]},
        {6: [1] * 9},
        {7: []},
        {7: [COMPANION] * 6},
        {7: [{1: 0, 2: "x"}]},
        {8: ["x"]},
        {8: [NOW, "x"]},
        {9: "x" * 17},
        {9: 1},
        {10: bytes(16)},
        {11: 0},
    ],
    ids=str,
)
def test_wrong_health(changes):
    health = {key: value for key, value in {**claims()[codes.HEALTH], **changes}.items() if value is not None}
    data = cbor2.dumps({**claims(), codes.HEALTH: health})
    assert not valid("code", "claims", data)
    assert not accepted(codes.claims, data, False)


def test_wrong_companion():
    for changes in ({3: 0}, {7: []}, {10: bytes(15)}, {10: None}, {11: 0}, {1: 4}):
        assert not valid("code", "companion", changed(COMPANION, changes)), changes
    assert valid("code", "companion", cbor2.dumps(COMPANION))


# Pack -------------------------------------------------------------------------------------------------------

PARTS = [(kind, b"part %d" % kind) for kind in range(1, 11)]


def rsa_key():
    return issuer_key(alg=cose.PS256, key=b"\xc1" * 256, exponent=65537, kinds=[trust.KIND_DCC])


def taken(data: bytes) -> bool:
    """Whether a handheld with the root of these tests takes a manifest."""
    steps = pack.open_steps(data, ROOT.public, pki.verify_steps)
    return accepted(lambda: list(steps))


@pytest.mark.parametrize("parts", [[], PARTS[:1], PARTS, [(4711, b"of a later time")]], ids=len)
def test_manifests(parts):
    data = manifest(*parts)
    assert taken(data) and valid_cose("pack", "manifest", "manifest-header", "pack", data)
    assert not valid("pack", "manifest", data[1:]), "untagged"
    assert not taken(data[1:])


@pytest.mark.parametrize(
    "changes",
    [
        {1: -1},
        {2: "x"},
        {3: None},
        {4: {}},
        {4: [{}]},
        {4: [[1, 2]]},
        {4: [[1, 2, bytes(31)]]},
        {4: [[-1, 2, bytes(32)]]},
        {5: 0},
    ],
    ids=str,
)
def test_wrong_manifest(changes):
    payload = cbor2.loads(cbor2.loads(manifest(*PARTS)).value[2])
    assert accepted(pack.parse_payload, cbor2.dumps(payload))
    data = changed(payload, changes)
    assert not valid("pack", "pack", data)
    assert not accepted(pack.parse_payload, data)


def test_a_change_of_root():
    data = pack.encode_rotation(manifest(*PARTS), ROOT.public, ISSUER.public, ISSUER.sign)
    assert taken(data), "by who has the new root"
    assert valid_cose("pack", "root-change", "root-change-header", "root-change-payload", data)
    assert not valid("pack", "manifest-header", cbor2.loads(data).value[0])
    payload = cbor2.loads(cbor2.loads(data).value[2])
    for changes in ({1: bytes(63)}, {1: None}, {2: b""}, {2: bytes(4097)}, {2: "x"}, {3: 0}):
        assert not valid("pack", "root-change-payload", changed(payload, changes)), changes


def test_issuer_keys():
    other = issuer_key(alg=cose.ES384, key=b"", kinds=[1, 2, 3, trust.KIND_PLACE])
    for key in (issuer_key(), rsa_key(), other):
        assert valid("pack", "issuer-key", trust.encode_issuer_key(key))


@pytest.mark.parametrize(
    "changes",
    [
        {1: bytes(7)},
        {2: "ES256"},
        {3: "x"},
        {4: b"x"},
        {4: "x" * 65},
        {5: -1},
        {6: None},
        {7: []},
        {7: [0]},
        {7: [5]},
        {7: [1, 2, 3, 4, 1]},
        {8: "e"},
        {9: 0},
    ],
    ids=str,
)
def test_wrong_issuer_key(changes):
    good = trust.encode_issuer_key(issuer_key())
    assert accepted(trust.parse_issuer_key, good)
    entry = changed(cbor2.loads(good), changes)
    assert not valid("pack", "issuer-key", entry)
    assert not accepted(trust.parse_issuer_key, entry)


# Record -----------------------------------------------------------------------------------------------------

RECORD = {
    record.SEQ: 1,
    record.TIME: NOW,
    record.CLOCK: record.CLOCK_TRUSTED,
    record.DEVICE: "ym-000001",
    record.PLACE: "龙岩站",
    record.SCENE: "registered_venue",
    record.DIRECTION: record.DIRECTION_IN,
    record.KIND: 1,
    record.VERDICT: 0,
    record.REASONS: [],
    record.MASK: record.MASK_WORN,
}
FULL_RECORD = {
    **RECORD,
    record.SUB: bytes(16),
    record.PARTY: [1, 0, 2],
    record.CTI: bytes(8),
    record.COLOUR: 0,
    record.REASONS: [19, 55],
    record.TEMPERATURE: [3460, -210, 3650],
    record.CHECKER: "李四",
    record.CONFIRMED: [record.CONFIRMED_ID_EQUAL],
    record.ROLE: 2,
    record.MANUAL: 1,
}


@pytest.mark.parametrize("fields", [RECORD, FULL_RECORD], ids=["small", "full"])
def test_records(fields):
    assert valid("record", "record", record.encode(fields))


@pytest.mark.parametrize(
    "changes",
    [
        *({key: None} for key in RECORD),
        {record.SEQ: -1},
        {record.CLOCK: 2},
        {record.DEVICE: b"x"},
        {record.PLACE: "x" * 97},
        {record.DIRECTION: 3},
        {record.SUB: bytes(8)},
        {record.PARTY: [1, 2]},
        {record.KIND: 5},
        {record.CTI: bytes(33)},
        {record.COLOUR: 4},
        {record.VERDICT: 3},
        {record.REASONS: [-1]},
        {record.REASONS: [4000]},
        {record.ROLE: 4},
        {record.MANUAL: 0},
        {record.TEMPERATURE: [1, 2]},
        {record.TEMPERATURE: [1, 2, "3"]},
        {record.MASK: 3},
        {record.CONFIRMED: []},
        {23: 0},
    ],
    ids=str,
)
def test_wrong_record(changes):
    data = changed(FULL_RECORD, changes)
    assert not valid("record", "record", data)
    assert not accepted(record.decode, data)


# Enrolment and sync -----------------------------------------------------------------------------------------

NONCE = bytes(16)
PROVISIONING = message.encode_provisioning(
    ROOT.public, "https://127.0.0.1:8702", b"\x30\x82", bytes(16), "yima", "yima-door-2020"
)
ENROL_REQUEST = message.encode_enrol_request(bytes(16), b"\x24\x0a\xc4\x00\x01\x02", "0.1.0")
ENROL_REPLY = message.encode_enrol_reply("ym-000001", bytes(32), "龙岩站", "transit", NOW)
SYNC_REPLY = message.encode_sync_reply(7, NOW, NONCE)


def sync_request(records: list[bytes]) -> bytes:
    return message.encode_sync_request("ym-000001", b"s" * 32, 8, bytes(32), records, NOW, 3, NONCE)


@pytest.mark.parametrize(
    ("block", "rule", "data"),
    [
        ("enrol", "provisioning", PROVISIONING),
        ("enrol", "enrol-request", ENROL_REQUEST),
        ("enrol", "enrol-reply", ENROL_REPLY),
        ("sync", "sync-reply", SYNC_REPLY),
        ("sync", "sync-reply", message.encode_sync_reply(7, NOW, NONCE, manifest(*PARTS), "chain")),
        ("sync", "sync-reply", message.encode_sync_reply(7, NOW, NONCE, seen=bytes(512))),
    ],
    # Signatures differ from run to run, and names of tests must not.
    ids=("provisioning", "enrol-request", "enrol-reply", "reply", "reply-refused", "reply-seen"),
)
def test_messages(block, rule, data):
    assert valid(block, rule, data)


@pytest.mark.parametrize("count", [0, 1, 200])
def test_sync_requests(count):
    data = sync_request([record.encode(FULL_RECORD)] * count)
    assert valid_cose("sync", "sync-request", "sync-header", "sync-payload", data)
    assert not valid("sync", "sync-request", data[1:]), "untagged"
    assert not valid("sync", "sync-request", b"\xd2" + data[1:]), "a signature's tag"


@pytest.mark.parametrize(
    ("block", "rule", "parse", "good", "changes"),
    [
        ("enrol", "provisioning", message.parse_provisioning, PROVISIONING, changes)
        for changes in ({1: bytes(63)}, {2: b"x"}, {3: b""}, {4: bytes(15)}, {5: "x" * 33}, {6: None}, {7: 0})
    ]
    + [
        ("enrol", "enrol-request", message.parse_enrol_request, ENROL_REQUEST, changes)
        for changes in ({1: bytes(15)}, {2: b""}, {2: bytes(33)}, {3: 1}, {3: None}, {4: 0})
    ]
    + [
        ("enrol", "enrol-reply", message.parse_enrol_reply, ENROL_REPLY, changes)
        for changes in ({1: ""}, {2: bytes(31)}, {3: None}, {4: "x" * 33}, {5: -1}, {6: 0})
    ]
    + [
        ("sync", "sync-reply", lambda data: message.parse_sync_reply(data, NONCE), SYNC_REPLY, changes)
        for changes in (
            {1: -1},
            {2: "x"},
            {3: bytes(15)},
            {4: b""},
            {4: bytes(4097)},
            {5: 1},
            {6: 0},
            {1: None},
        )
    ],
    ids=lambda value: str(value) if isinstance(value, (str, dict)) else "",
)
def test_wrong_message(block, rule, parse, good, changes):
    assert accepted(parse, good)
    data = changed(cbor2.loads(good), changes)
    assert not valid(block, rule, data)
    assert not accepted(parse, data)


@pytest.mark.parametrize(
    "changes",
    [
        {1: -1},
        {2: bytes(31)},
        {3: [b""]},
        {3: [bytes(513)]},
        {3: ["x"]},
        {4: None},
        {5: "x"},
        {6: bytes(8)},
        {7: 0},
    ],
    ids=str,
)
def test_wrong_sync_request(changes):
    payload = cbor2.loads(cbor2.loads(sync_request([b"r"])).value[2])
    data = changed(payload, changes)
    assert not valid("sync", "sync-payload", data)
    assert not accepted(message.parse_sync_request, cose.encode_mac0(bytes(32), b"ym-000001", data))


def test_part_requests():
    data = message.encode_part_request("ym-000001", b"s" * 32, bytes(32), 600, NONCE)
    assert valid_cose("part", "part-request", "part-header", "part-payload", data)
    payload = cbor2.loads(cbor2.loads(data).value[2])
    for changes in ({1: bytes(31)}, {2: -1}, {3: b"n"}, {4: 0}, {1: None}):
        wrong = changed(payload, changes)
        assert not valid("part", "part-payload", wrong), changes
        assert not accepted(message.parse_part_request, cose.encode_mac0(bytes(32), b"ym-1", wrong)), changes


def test_wrong_sync_header():
    for header in ({1: 4, 4: b"x"}, {1: 5}, {1: 5, 4: "x"}, {1: 5, 4: b""}, {1: 5, 4: b"x", 5: 0}):
        assert not valid("sync", "sync-header", cbor2.dumps(header)), header


def test_a_live_code_fits_the_picture_that_the_document_promises():
    text = code()
    assert len(text) < 300
    picture = segno.make_qr(text, error="m", boost_error=False)
    assert picture.version <= 10 and picture.mode == "alphanumeric"
