"""Keys, codes and manifests for host tests, signed by `cryptography`."""

from __future__ import annotations

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from firmware.core import codes, cose, pack, trust

NOW = 1590134400  # 22 May 2020, 08:00 UTC
DAY = 86400
NAME = "福建省"


class Key:
    """A P-256 key pair; the same one for the same number."""

    def __init__(self, number: int) -> None:
        self.private = ec.derive_private_key(number, ec.SECP256R1())
        numbers = self.private.public_key().public_numbers()
        self.public = numbers.x.to_bytes(32, "big") + numbers.y.to_bytes(32, "big")
        self.kid = trust.kid_of_key(self.public)

    def sign(self, data: bytes) -> bytes:
        """r‖s over SHA-256 of `data`."""
        r, s = decode_dss_signature(self.private.sign(data, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")


ROOT = Key(1001)
ISSUER = Key(1002)


def issuer_key(**changes) -> trust.IssuerKey:
    fields = {
        "kid": ISSUER.kid,
        "alg": cose.ES256,
        "key": ISSUER.public,
        "issuer": NAME,
        "not_before_unix": NOW - 100 * DAY,
        "not_after_unix": NOW + 100 * DAY,
        "kinds": [trust.KIND_LIVE, trust.KIND_PAPER],
    }
    return trust.IssuerKey(**{**fields, **changes})


def manifest(*parts: tuple[int, bytes]) -> bytes:
    return pack.encode_manifest(1, NOW, NOW + DAY, parts, ROOT.public, ROOT.sign)


def claims(health: dict | None = None, **changes) -> dict:
    """Claims of a green, tested holder of a live code."""
    whole = {1: 0, 2: "张*三", 3: 0, 4: [0, NOW - DAY], **(health or {})}
    fields = {
        codes.ISS: NAME,
        codes.SUB: bytes(range(16)),
        codes.EXP: NOW + 9 * 3600,
        codes.IAT: NOW - 30,
        codes.CTI: b"\x00\xffcti-78",
        codes.HEALTH: whole,
    }
    fields.update({getattr(codes, name): value for name, value in changes.items()})
    return fields


COMPANION = {1: 0, 2: "李*", 10: bytes(16), 4: [2, NOW], 6: [1, 8], 8: ["北京", NOW], 9: "123X"}
PAPER = {3: 1, 5: [1, NOW], 6: [8], 7: [COMPANION, COMPANION], 8: ["武汉", NOW], 9: "004X"}


def code(payload: dict | None = None, key: Key = ISSUER) -> str:
    return codes.encode_ym1(payload or claims(), key.kid, key.sign)
