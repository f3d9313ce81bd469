"""Who a handheld is: tokens traded for identities, secrets that roll, handhelds that take another's place.

Every function works in the caller's transaction, which holds until its commit what it read: on SQLite by the
write lock, on PostgreSQL by the locks on the rows.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets

from sqlalchemy import select
from sqlalchemy.orm import Session

from firmware.core.handover import enrol_proof, rolled_secret
from firmware.core.message import SECRET_BYTES, EnrolRequest, PartRequest, SyncRequest
from firmware.core.record import GENESIS
from host_tools.server.quick import verify_mac
from host_tools.server.schema import Device, Token

#: Device ids use letters and digits that nobody mixes up.
ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"
ID_LETTERS = 8
#: A secret is exchanged by itself after this.
SECRET_LIFE_S = 90 * 86_400


class TokenRefused(Exception):
    """The token is unknown, used or expired; which of them is not told."""


def hash_of(token: bytes) -> bytes:
    """What the database keeps of a token, and of the key that it was used with."""
    return hashlib.sha256(token).digest()


def enrol(session: Session, request: EnrolRequest, now_unix: int) -> tuple[Device, bytes]:
    """Trade a token for a device; the device, and the secret that it is to use. Raises TokenRefused.

    The token is dead from then on for everybody but the handheld that shows the same key again: its answer
    was lost. That ends with the token's life, and with the first word under the new secret.
    """
    token = session.scalar(select(Token).where(Token.token_hash == hash_of(request.token)).with_for_update())
    if token is None or token.expires_unix <= now_unix:
        raise TokenRefused("token refused")
    if token.used_unix is not None:
        return _again(session, token, request)
    token.used_unix = now_unix
    token.key_hash = hash_of(request.key) if request.key else None
    device = _known(session, token, request)
    if device is None:
        device = _new(session, token, request, now_unix)
    else:
        device.place, device.scene, device.firmware = token.place, token.scene, _stored(request.version)
        device.at_place = device.at_scene = None
        device.root_kid = token.root_kid or device.root_kid
        device.revoked_unix = device.replaced_by = None
        roll(device)
    token.device_id = device.id
    _replace(session, device, token, now_unix)
    return device, next_secret(device)


def _again(session: Session, token: Token, request: EnrolRequest) -> tuple[Device, bytes]:
    """The same answer to the same question. Raises TokenRefused for any other, or once it was of use."""
    same_key = token.key_hash is not None and hmac.compare_digest(token.key_hash, hash_of(request.key))
    device = session.get(Device, token.device_id) if token.device_id else None
    if not same_key or device is None or device.chip_id != request.chip_id or device.revoked_unix is not None:
        raise TokenRefused("token refused")
    if device.last_seen_unix is not None and device.roll is None:
        raise TokenRefused("token refused")
    return device, next_secret(device)


def _known(session: Session, token: Token, request: EnrolRequest) -> Device | None:
    """The device that the handheld was and shows that it is; None where it must become a new one.

    One that somebody revoked stays so, unless the token was made for it.
    """
    if not request.former or not request.proof or "\0" in request.former:
        return None
    device = session.scalar(select(Device).where(Device.id == request.former).with_for_update())
    if device is None or device.chip_id != request.chip_id:
        return None
    if device.revoked_unix is not None and device.replaced_by is None and token.for_device != device.id:
        return None
    for secret in secrets_of(device):
        proof = enrol_proof(secret, request.token, request.chip_id, request.key)
        if hmac.compare_digest(proof, request.proof):
            return device
    return None


def _new(session: Session, token: Token, request: EnrolRequest, now_unix: int) -> Device:
    """A device that begins where the handheld's journal stands, so that what is left in it can follow."""
    device = Device(
        id=_free_id(session),
        secret=secrets.token_bytes(SECRET_BYTES),
        chip_id=request.chip_id,
        firmware=_stored(request.version),
        place=token.place,
        scene=token.scene,
        enrolled_unix=now_unix,
        secret_unix=now_unix,
        root_kid=token.root_kid,
        pack_version=0,
        held_seq=request.acknowledged,
        held_chain=request.chain or GENESIS,
        former_id=_stored(request.former) or None,
    )
    session.add(device)
    session.flush()
    return device


def _replace(session: Session, device: Device, token: Token, now_unix: int) -> None:
    """Revoke whatever else was enrolled with this chip, and what the token was made to replace."""
    for other in session.scalars(
        select(Device)
        .where((Device.chip_id == device.chip_id) | (Device.id == token.for_device), Device.id != device.id)
        .with_for_update()
    ):
        if other.replaced_by is None:
            other.replaced_by = device.id
        if other.revoked_unix is None:
            other.revoked_unix = now_unix


def roll(device: Device) -> None:
    """Have the handheld change its secret at its next contact; where that is under way, nothing changes."""
    if device.roll is None:
        device.roll = secrets.token_bytes(SECRET_BYTES)


def next_secret(device: Device) -> bytes:
    """The secret that the handheld is to use from now on."""
    return device.secret if device.roll is None else rolled_secret(device.secret, device.roll)


def secrets_of(device: Device) -> list[bytes]:
    """The secrets that the handheld may use: until it has used the next one, both."""
    return [device.secret] if device.roll is None else [device.secret, next_secret(device)]


def speaks(device: Device, request: SyncRequest | PartRequest) -> bytes | None:
    """The secret that a request was made with; None where it is none of this handheld's, or it is revoked."""
    if device.revoked_unix is not None:
        return None
    return next((secret for secret in secrets_of(device) if verify_mac(request.mac0, secret)), None)


def has_spoken(device: Device, secret: bytes, now_unix: int) -> None:
    """The handheld has used `secret`: one that was being exchanged is dead, an old one is exchanged."""
    if secret != device.secret:
        device.secret, device.secret_unix, device.roll = secret, now_unix, None
    elif now_unix - (device.secret_unix or device.enrolled_unix) > SECRET_LIFE_S:
        roll(device)


def _free_id(session: Session) -> str:
    while True:
        device_id = "y-" + "".join(secrets.choice(ALPHABET) for _ in range(ID_LETTERS))
        if session.get(Device, device_id) is None:
            return device_id


def _stored(text: str) -> str:
    """PostgreSQL has no place for the character of number zero."""
    return text.replace("\0", "\ufffd")
