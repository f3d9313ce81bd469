"""Reading what handhelds send at speed: the plain forms of their CBOR (RFC 8949), in one loop each.

Records are maps from small numbers to numbers, byte strings, texts and arrays of numbers. `read` takes those
and leaves all else to the strict reader of `firmware.core.cbor`; where it does answer, it answers the same.
So it is with `sync_request` and `firmware.core.message`, and with `Form`, which reads a record that differs
from an earlier one of the same handheld only in what differs from person to person.
"""

from __future__ import annotations

import hmac
import re
from typing import Any

from firmware.core import cbor, message, record
from firmware.core.cose import Mac0
from firmware.core.message import SyncRequest
from firmware.core.seal import MAX_SEALED

#: Handhelds whose form is remembered.
MAX_FORMS = 10_000
Columns = tuple[Any, ...]
_UNSIGNED, _NEGATIVE, _BYTES, _TEXT, _ARRAY = range(5)


def read(data: bytes) -> dict[int, Any] | None:
    """The map that `data` holds, None where the strict reader has to look."""
    try:
        return _map(data)
    except (IndexError, UnicodeDecodeError):
        return None


def _map(data: bytes) -> dict[int, Any] | None:
    count = data[0] - 0xA0
    if not 0 <= count < 24:
        return None
    fields: dict[int, Any] = {}
    at = 1
    for _ in range(count):
        key, head = data[at], data[at + 1]
        at += 2
        if key > 23 or key in fields:
            return None
        kind, size = head >> 5, head & 31
        if size > 23:
            if size > 26:
                return None
            end = at + (1 << (size - 24))
            size = int.from_bytes(data[at:end], "big")
            at = end
        if kind == _UNSIGNED:
            fields[key] = size
        elif kind == _BYTES:
            fields[key] = data[at : at + size]
            at += size
        elif kind == _TEXT:
            fields[key] = data[at : at + size].decode()
            at += size
        elif kind == _ARRAY and size < 24:
            items: list[int] = []
            for _ in range(size):
                head = data[at]
                at += 1
                number = head & 31
                if head > 0x3F or number > 26:
                    return None
                if number > 23:
                    end = at + (1 << (number - 24))
                    number = int.from_bytes(data[at:end], "big")
                    at = end
                items.append(number if head < 0x20 else -1 - number)
            fields[key] = items
        else:
            return None
    # A slice beyond the end is short and says nothing; here it shows.
    return fields if at == len(data) else None


def sync_request(body: bytes) -> tuple[str, SyncRequest] | None:
    """What `message.parse_sync_request` answers, None where that has to look."""
    try:
        return _sync_request(body)
    except (IndexError, UnicodeDecodeError):
        return None


def _sync_request(body: bytes) -> tuple[str, SyncRequest] | None:
    # Tag 17, an array of four; the protected header {1: 5, 4: the device's id}, short enough for one byte.
    if body[:2] != b"\xd1\x84" or not 0x46 <= body[2] <= 0x57 or len(body) > message.MAX_REQUEST_BYTES:
        return None
    at = body[2] - 0x40 + 3
    protected = body[3:at]
    kid = protected[5:]
    # No unprotected header; a payload of 256 bytes and more; a tag of 32.
    if (
        protected[:4] != b"\xa2\x01\x05\x04"
        or protected[4] != 0x40 + len(kid)
        or body[at : at + 2] != b"\xa0\x59"
    ):
        return None
    end = at + 4 + int.from_bytes(body[at + 2 : at + 4], "big")
    payload, tag = body[at + 4 : end], body[end + 2 :]
    if body[end : end + 2] != b"\x58\x20" or len(tag) != 32 or payload[1] != 1:
        return None
    wants_mac = payload[0] == 0xA7
    if not wants_mac and payload[0] != 0xA6:
        return None
    first, at = _number(payload, 2)
    if first < 1 or payload[at : at + 3] != b"\x02\x58\x20" or payload[at + 35] != 3:
        return None
    chain = payload[at + 3 : at + 35]
    count, at = payload[at + 36] - 0x80, at + 37
    if count == 0x18:
        count, at = payload[at], at + 1
    elif not 0 <= count < 24:
        return None
    if count > message.MAX_RECORDS:
        return None
    items: list[bytes] = []
    for _ in range(count):
        head = payload[at]
        if head == 0x58:
            start = at + 2
            at = start + payload[at + 1]
        elif head == 0x59:
            start = at + 3
            at = start + (payload[at + 1] << 8 | payload[at + 2])
        elif 0x40 < head < 0x58:
            start = at + 1
            at = start + head - 0x40
        else:
            return None
        if not start < at <= start + MAX_SEALED:
            return None
        items.append(payload[start:at])
    if payload[at] != 4:
        return None
    time_unix, at = _number(payload, at + 1)
    if time_unix < 0 or payload[at] != 5:
        return None
    version, at = _number(payload, at + 1)
    if version < 0 or payload[at : at + 2] != b"\x06\x50":
        return None
    nonce, rest = payload[at + 2 : at + 18], payload[at + 18 :]
    # A slice beyond the end is short; here it shows.
    if len(nonce) != 16 or rest != (b"\x07\x01" if wants_mac else b""):
        return None
    mac0 = Mac0(protected, kid, payload, tag)
    return kid.decode(), SyncRequest(first, chain, items, time_unix, version, nonce, mac0, wants_mac)


def _number(data: bytes, at: int) -> tuple[int, int]:
    """The unsigned number of at most 32 bits at `at`, -1 where there is none; and what comes behind it."""
    head = data[at]
    if head < 24:
        return head, at + 1
    if head > 0x1A:
        return -1, at
    end = at + 1 + (1 << (head - 24))
    return int.from_bytes(data[at + 1 : end], "big"), end


def verify_mac(mac0: Mac0, secret: bytes) -> bool:
    """What `mac0.verify` answers; compared in constant time."""
    return hmac.compare_digest(_mac(mac0.protected, mac0.payload, secret), mac0.tag)


def authenticated(reply: bytes, device_id: str, secret: bytes) -> bytes:
    """What `message.authenticated` answers."""
    protected = cbor.dumps({1: 5, 4: device_id.encode()})
    return cbor.dumps(cbor.Tag(17, [protected, {}, reply, _mac(protected, reply, secret)]))


def _mac(protected: bytes, payload: bytes, secret: bytes) -> bytes:
    """HMAC 256/256 over the MAC_structure (RFC 9052, section 6.3)."""
    heads = cbor.head(2, len(protected)), cbor.head(2, len(payload))
    covered = b"\x84\x64MAC0" + heads[0] + protected + b"\x40" + heads[1] + payload
    return hmac.digest(secret, covered, "sha256")


#: What differs from person to person in a record, keys 7 to 16, in the forms that are usual.
_PERSON = re.compile(
    rb"\x07([\0-\2])(?:\x08\x50(.{16}))?\x0a([\0-\4])(?:\x0b(?:\x48(.{8})|\x50(.{16})))?(?:\x0c([\0-\3]))?"
    rb"\x0d([\0-\2])\x0e\x80(?:\x0f\x83\x19(..)\x19(..)\x19(..))?\x10([\0-\2])",
    re.DOTALL,
)
_CLOCKS = {b"\x03\0": record.CLOCK_TRUSTED, b"\x03\1": record.CLOCK_NOT_TRUSTED}
_WHERE = (record.DEVICE, record.PLACE, record.SCENE)
_WHO = (record.CHECKER, record.CONFIRMED, record.ROLE, record.MANUAL)


class Form:
    """What stays the same from record to record of one handheld, as bytes: where it stands, who checks.

    Made from the fields of a record of a person, read and checked by `firmware.core.record`, and from the
    values of its columns, in the order of `copying.COLUMNS` from `time_unix` on.
    """

    __slots__ = ("_confirmed", "_end", "_fields", "_middle", "_pairs", "_where", "_who")

    def __init__(self, fields: dict[int, Any], columns: Columns) -> None:
        self._fields = {key: fields[key] for key in (*_WHERE, *_WHO) if key in fields}
        self._middle = b"".join(_pair(fields, key) for key in _WHERE)
        self._end = b"".join(_pair(fields, key) for key in _WHO if key in fields)
        # The head of a map of these, sequence, time, clock, and five that no record of a person lacks.
        self._pairs = 0xA0 + len(self._fields) + 8
        # Place and scene; checker, role, why by hand, no event and no detail of one, no party.
        self._where, self._who, self._confirmed = columns[2:4], (*columns[11:14], *5 * (None,)), columns[23]

    def columns(self, raw: bytes, seq: int) -> Columns | None:
        """The columns of `raw` if it is of this form and has this sequence, None where others have to look.

        Encodings of whole pairs, one behind the other, have one reading only.
        """
        lead = b"\x01" + cbor.head(0, seq) + b"\x02\x1a"
        at = len(lead) + 7
        clock = _CLOCKS.get(raw[at - 2 : at])
        middle, end = self._middle, self._end
        if clock is None or not raw.startswith(lead, 1) or len(raw) > record.MAX_BYTES:
            return None
        if not raw.startswith(middle, at) or not raw.endswith(end):
            return None
        found = _PERSON.fullmatch(raw, at + len(middle), len(raw) - len(end))
        if found is None:
            return None
        way, sub, kind, cti, long_cti, colour, verdict, one, two, three, mask = found.groups()
        number = int.from_bytes
        pairs = self._pairs
        if sub is not None:
            pairs += 1
        if long_cti is not None:
            cti = long_cti
        if cti is not None:
            pairs += 1
        if colour is not None:
            pairs, colour = pairs + 1, colour[0]
        if one is not None:
            pairs += 1
            one, two, three = number(one, "big"), number(two, "big"), number(three, "big")
        if raw[0] != pairs or pairs > 0xB7:
            return None
        time_unix = number(raw[at - 6 : at - 2], "big")
        before = (time_unix, clock, *self._where, way[0], sub, kind[0], cti, colour, verdict[0], mask[0])
        return (*before, *self._who, one, two, three, "", self._confirmed)

    def like(self, fields: dict[int, Any]) -> bool:
        """Whether a form made from `fields` would be this one."""
        get, mine = fields.get, self._fields.get
        return all(get(key) == mine(key) for key in (*_WHERE, *_WHO))


class Forms:
    """The form of the last record of each handheld. Any number of threads may use it."""

    def __init__(self) -> None:
        self._forms: dict[str, Form] = {}

    def of(self, device_id: str) -> Form | None:
        """That of a handheld, if it is known."""
        return self._forms.get(device_id)

    def learn(self, device_id: str, fields: dict[int, Any], columns: Columns) -> Form | None:
        """Remember the form of a record that was read and checked; events and unknown records have none."""
        form = self._forms.get(device_id)
        if fields.get(record.DEVICE) != device_id or record.VERDICT not in fields:
            return form
        if form is None or not form.like(fields):
            if len(self._forms) >= MAX_FORMS:
                self._forms = {}
            form = self._forms[device_id] = Form(fields, columns)
        return form


def _pair(fields: dict[int, Any], key: int) -> bytes:
    return cbor.head(0, key) + cbor.dumps(fields[key])
