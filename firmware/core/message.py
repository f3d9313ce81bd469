"""Enrolment and sync messages (docs/formats.md), both directions: handheld and server use these."""

from firmware.core import cbor, cose, pack, shape
from firmware.core.errors import CoreError
from firmware.core.seal import MAX_SEALED

MAX_PROVISIONING_BYTES = 4096
MAX_ENROL_BYTES = 1024
MAX_REQUEST_BYTES = 65536
MAX_REPLY_BYTES = pack.MAX_MANIFEST + 1024
#: Records and heads of their segments in a sync request.
MAX_RECORDS = 200
MAX_PART_REQUEST_BYTES = 256
#: Codes seen elsewhere, in a sync reply: how many, and the bytes of each.
MAX_SEEN = 64
SEEN_BYTES = 8
#: A device's secret, the key that a handheld makes for one enrolment, what changes a secret.
SECRET_BYTES = 32

_SEQ_MAX = 0xFFFFFFFF


class MessageError(CoreError):
    """A message that is not of its form, or beyond its limits."""


class Provisioning:
    """What installation puts on a handheld so that it can enrol; `wifi_key` and `token` are secret.

    `ca_der` is the CA's certificate, or only its SHA-256 (32 bytes) where a QR code brought it.
    """

    __slots__ = ("ca_der", "root_key", "server_url", "token", "wifi_key", "wifi_ssid")

    def __init__(
        self, root_key: bytes, server_url: str, ca_der: bytes, token: bytes, wifi_ssid: str, wifi_key: str
    ) -> None:
        self.root_key = root_key
        self.server_url = server_url
        self.ca_der = ca_der
        self.token = token
        self.wifi_ssid = wifi_ssid
        self.wifi_key = wifi_key


class EnrolRequest:
    """A handheld's wish to be enrolled by its one-time token.

    `key` is what it made for this token alone, so that nobody else can ask for the answer again; empty from
    handhelds of before. `former` is the device id that it had, "" for none, with its `proof`, empty where the
    secret is lost. Its journal was acknowledged up to `acknowledged`, with the chain value `chain`.
    """

    __slots__ = ("acknowledged", "chain", "chip_id", "former", "key", "proof", "token", "version")

    def __init__(
        self,
        token: bytes,
        chip_id: bytes,
        version: str,
        key: bytes = b"",
        former: str = "",
        proof: bytes = b"",
        acknowledged: int = 0,
        chain: bytes = b"",
    ) -> None:
        self.token = token
        self.chip_id = chip_id
        self.version = version
        self.key = key
        self.former = former
        self.proof = proof
        self.acknowledged = acknowledged
        self.chain = chain


class EnrolReply:
    """The identity that the server gives a handheld; `secret` is the HMAC key of its sync requests."""

    __slots__ = ("device_id", "place", "scene", "secret", "time_unix")

    def __init__(self, device_id: str, secret: bytes, place: str, scene: str, time_unix: int) -> None:
        self.device_id = device_id
        self.secret = secret
        self.place = place
        self.scene = scene
        self.time_unix = time_unix


class SyncRequest:
    """A sync request taken apart. Nothing in it is to be believed before `verify_mac`.

    `wants_mac` says that the handheld takes no answer but one that `authenticated` made.
    """

    __slots__ = (
        "chain_before",
        "first_seq",
        "mac0",
        "nonce",
        "pack_version",
        "records",
        "time_unix",
        "wants_mac",
    )

    def __init__(
        self,
        first_seq: int,
        chain_before: bytes,
        records: list[bytes],
        time_unix: int,
        pack_version: int,
        nonce: bytes,
        mac0: cose.Mac0,
        wants_mac: bool,
    ) -> None:
        self.first_seq = first_seq
        self.chain_before = chain_before
        self.records = records
        self.time_unix = time_unix
        self.pack_version = pack_version
        self.nonce = nonce
        self.mac0 = mac0
        self.wants_mac = wants_mac

    def verify_mac(self, secret: bytes) -> bool:
        """Whether the request was made with the device's `secret`."""
        return self.mac0.verify(secret)


class SyncReply:
    """The server's answer: the last sequence it holds without a gap, perhaps the manifest of a newer pack.

    `seen` tells of codes that other handhelds of the place saw lately: per code the first 4 bytes of SHA-256
    over its cti, and when (u32), 8 bytes. `roll` makes another secret of this one (firmware.core.handover),
    empty for none.
    """

    __slots__ = ("acknowledged", "manifest", "refusal", "roll", "seen", "time_unix")

    def __init__(
        self,
        acknowledged: int,
        time_unix: int,
        manifest: bytes | None,
        refusal: str | None,
        seen: bytes = b"",
        roll: bytes = b"",
    ) -> None:
        self.acknowledged = acknowledged
        self.time_unix = time_unix
        self.manifest = manifest
        self.refusal = refusal
        self.seen = seen
        self.roll = roll


class PartRequest:
    """A handheld's request for a part of the pack from `offset` on. Believe nothing before `verify_mac`."""

    __slots__ = ("digest", "mac0", "nonce", "offset")

    def __init__(self, digest: bytes, offset: int, nonce: bytes, mac0: cose.Mac0) -> None:
        self.digest = digest
        self.offset = offset
        self.nonce = nonce
        self.mac0 = mac0

    def verify_mac(self, secret: bytes) -> bool:
        """Whether the request was made with the device's `secret`."""
        return self.mac0.verify(secret)


def encode_provisioning(
    root_key: bytes, server_url: str, ca_der: bytes, token: bytes, wifi_ssid: str, wifi_key: str
) -> bytes:
    """The provisioning file; raises MessageError if it would not be accepted."""
    data = _dumps({1: root_key, 2: server_url, 3: ca_der, 4: token, 5: wifi_ssid, 6: wifi_key})
    parse_provisioning(data)
    return data


def parse_provisioning(data: bytes) -> Provisioning:
    """Read a provisioning file; raises MessageError."""
    try:
        fields = shape.mapping(_loads(data, MAX_PROVISIONING_BYTES), (1, 2, 3, 4, 5, 6))
        server_url = shape.text(fields[2], 256)
        if not server_url.startswith("https://"):
            raise MessageError("server is not https")
        return Provisioning(
            shape.octets(fields[1], 64),
            server_url,
            shape.octets(fields[3], 1, 2048),
            shape.octets(fields[4], 16),
            shape.text(fields[5], 32),
            shape.text(fields[6], 64),
        )
    except shape.ShapeError as e:
        raise MessageError(str(e)) from None


def encode_enrol_request(
    token: bytes,
    chip_id: bytes,
    version: str,
    key: bytes = b"",
    former: str = "",
    proof: bytes = b"",
    acknowledged: int = 0,
    chain: bytes = b"",
) -> bytes:
    """An enrolment request; raises MessageError if it would not be accepted."""
    fields: dict[object, object] = {1: token, 2: chip_id, 3: version}
    if key:
        fields[4] = key
    if former:
        fields[5] = [former, proof]
    if acknowledged:
        fields[6] = [acknowledged, chain]
    data = _dumps(fields)
    parse_enrol_request(data)
    return data


def parse_enrol_request(data: bytes) -> EnrolRequest:
    """Read an enrolment request; raises MessageError."""
    try:
        fields = shape.mapping(_loads(data, MAX_ENROL_BYTES), (1, 2, 3), (4, 5, 6))
        request = EnrolRequest(
            shape.octets(fields[1], 16), shape.octets(fields[2], 1, 32), shape.text(fields[3], 64)
        )
        if 4 in fields:
            request.key = shape.octets(fields[4], SECRET_BYTES)
        if 5 in fields:
            former, proof = shape.array(fields[5], 2, 2)
            request.former = shape.text(former, 32, 1)
            request.proof = shape.octets(proof, 0, 32)
        if 6 in fields:
            acknowledged, chain = shape.array(fields[6], 2, 2)
            request.acknowledged = shape.uint(acknowledged, _SEQ_MAX)
            request.chain = shape.octets(chain, 32)
        return request
    except shape.ShapeError as e:
        raise MessageError(str(e)) from None


def encode_enrol_reply(device_id: str, secret: bytes, place: str, scene: str, time_unix: int) -> bytes:
    """The answer to an enrolment request; raises MessageError if it would not be accepted."""
    data = _dumps({1: device_id, 2: secret, 3: place, 4: scene, 5: time_unix})
    parse_enrol_reply(data)
    return data


def parse_enrol_reply(data: bytes) -> EnrolReply:
    """Read the answer to an enrolment request; raises MessageError."""
    try:
        fields = shape.mapping(_loads(data, MAX_ENROL_BYTES), (1, 2, 3, 4, 5))
        return EnrolReply(
            shape.text(fields[1], 32, 1),
            shape.octets(fields[2], 32),
            shape.text(fields[3], 96),
            shape.text(fields[4], 32),
            shape.unix(fields[5]),
        )
    except shape.ShapeError as e:
        raise MessageError(str(e)) from None


def encode_sync_request(
    device_id: str,
    secret: bytes,
    first_seq: int,
    chain_before: bytes,
    records: list[bytes],
    time_unix: int,
    pack_version: int,
    nonce: bytes,
    wants_mac: bool = False,
) -> bytes:
    """A sync request, authenticated with `secret`; raises MessageError if it would not be accepted.

    With `wants_mac` the answer must be read by `parse_authenticated_reply`.
    """
    if len(records) > MAX_RECORDS:
        raise MessageError("too many records")
    fields: dict[object, object] = {1: first_seq, 2: chain_before, 3: records}
    fields.update({4: time_unix, 5: pack_version, 6: nonce})
    if wants_mac:
        fields[7] = 1
    data = cose.encode_mac0(secret, device_id.encode(), _dumps(fields))
    if len(data) > MAX_REQUEST_BYTES:
        raise MessageError("too long")
    return data


def parse_sync_request(data: bytes) -> tuple[str, SyncRequest]:
    """The device id that a sync request names, and the request; raises MessageError.

    Look the device's secret up and call `verify_mac` before using anything else of it.
    """
    if len(data) > MAX_REQUEST_BYTES:
        raise MessageError("too long")
    try:
        mac0 = cose.parse_mac0(data)
        device_id = shape.text(mac0.kid.decode(), 32, 1)
        fields = shape.mapping(_loads(mac0.payload, MAX_REQUEST_BYTES), (1, 2, 3, 4, 5, 6), (7,))
        if 7 in fields and shape.uint(fields[7], 1) != 1:
            raise MessageError("kind of answer")
        first_seq = shape.uint(fields[1], _SEQ_MAX)
        if first_seq == 0:
            raise MessageError("sequence")
        records = [shape.octets(entry, 1, MAX_SEALED) for entry in shape.array(fields[3], 0, MAX_RECORDS)]
        return device_id, SyncRequest(
            first_seq,
            shape.octets(fields[2], 32),
            records,
            shape.unix(fields[4]),
            shape.uint(fields[5], _SEQ_MAX),
            shape.octets(fields[6], 16),
            mac0,
            7 in fields,
        )
    except (cose.CoseError, shape.ShapeError) as e:
        raise MessageError(str(e)) from None
    except UnicodeError:
        raise MessageError("device id") from None


def encode_sync_reply(
    acknowledged: int,
    time_unix: int,
    nonce: bytes,
    manifest: bytes | None = None,
    refusal: str | None = None,
    seen: bytes = b"",
    roll: bytes = b"",
) -> bytes:
    """The answer to a sync request with `nonce`; raises MessageError if it would not be accepted."""
    fields: dict[object, object] = {1: acknowledged, 2: time_unix, 3: nonce}
    if manifest is not None:
        fields[4] = manifest
    if refusal is not None:
        fields[5] = refusal
    if seen:
        fields[6] = seen
    if roll:
        fields[7] = roll
    data = _dumps(fields)
    parse_sync_reply(data, nonce)
    return data


def parse_sync_reply(data: bytes, nonce: bytes) -> SyncReply:
    """Read the answer to the sync request with `nonce`; raises MessageError, for another nonce too."""
    try:
        fields = shape.mapping(_loads(data, MAX_REPLY_BYTES), (1, 2, 3), (4, 5, 6, 7))
        if shape.octets(fields[3], 16) != nonce:
            raise MessageError("nonce")
        seen = shape.octets(fields[6], SEEN_BYTES, MAX_SEEN * SEEN_BYTES) if 6 in fields else b""
        if len(seen) % SEEN_BYTES:
            raise MessageError("codes seen")
        return SyncReply(
            shape.uint(fields[1], _SEQ_MAX),
            shape.unix(fields[2]),
            shape.octets(fields[4], 1, pack.MAX_MANIFEST) if 4 in fields else None,
            shape.text(fields[5], 256) if 5 in fields else None,
            seen,
            shape.octets(fields[7], SECRET_BYTES) if 7 in fields else b"",
        )
    except shape.ShapeError as e:
        raise MessageError(str(e)) from None


def authenticated(reply: bytes, device_id: str, secret: bytes) -> bytes:
    """The answer of `encode_sync_reply` as a COSE_Mac0 of the device's `secret`."""
    return cose.encode_mac0(secret, device_id.encode(), reply)


def parse_authenticated_reply(data: bytes, secret: bytes, nonce: bytes) -> SyncReply:
    """Read what `authenticated` made; raises MessageError, for another secret or nonce too.

    What it acknowledges the handheld forgets, so nobody who stands between may have a say in it, not even
    one who ends the TLS connection.
    """
    if len(data) > MAX_REPLY_BYTES:
        raise MessageError("too long")
    try:
        mac0 = cose.parse_mac0(data)
    except cose.CoseError as e:
        raise MessageError(str(e)) from None
    if not mac0.verify(secret):
        raise MessageError("answer is not the server's")
    return parse_sync_reply(mac0.payload, nonce)


def encode_part_request(device_id: str, secret: bytes, digest: bytes, offset: int, nonce: bytes) -> bytes:
    """A request for the part of this SHA-256, authenticated with `secret`."""
    return cose.encode_mac0(secret, device_id.encode(), _dumps({1: digest, 2: offset, 3: nonce}))


def parse_part_request(data: bytes) -> tuple[str, PartRequest]:
    """The device id that a part request names, and the request; raises MessageError.

    Look the device's secret up and call `verify_mac` before using anything else of it.
    """
    if len(data) > MAX_PART_REQUEST_BYTES:
        raise MessageError("too long")
    try:
        mac0 = cose.parse_mac0(data)
        device_id = shape.text(mac0.kid.decode(), 32, 1)
        fields = shape.mapping(_loads(mac0.payload, MAX_PART_REQUEST_BYTES), (1, 2, 3))
        return device_id, PartRequest(
            shape.octets(fields[1], 32), shape.uint(fields[2], _SEQ_MAX), shape.octets(fields[3], 16), mac0
        )
    except (cose.CoseError, shape.ShapeError) as e:
        raise MessageError(str(e)) from None
    except UnicodeError:
        raise MessageError("device id") from None


def _dumps(fields: object) -> bytes:
    try:
        return cbor.dumps(fields)
    except cbor.CborError as e:
        raise MessageError(str(e)) from None


def _loads(data: bytes, limit: int) -> object:
    """Decode at most `limit` bytes; raises MessageError."""
    if len(data) > limit:
        raise MessageError("too long")
    try:
        return cbor.loads(data)
    except cbor.CborError as e:
        raise MessageError(str(e)) from None
