"""A small town for tests: an issuer, its trust list and codes, under both interpreters."""

from signer import Signer

from firmware.core import codes, cose, trust
from firmware.core.packmemory import keys_only

NOW = 1590134400  # 22 May 2020, 08:00 UTC
DAY = 86400
NAME = "福建省"
ISSUER = Signer("issuer")
KID = trust.kid_of_key(ISSUER.public)


def key(**changes):
    fields = {
        "kid": KID,
        "alg": cose.ES256,
        "key": ISSUER.public,
        "issuer": NAME,
        "not_before_unix": NOW - 100 * DAY,
        "not_after_unix": NOW + 100 * DAY,
        "kinds": [trust.KIND_LIVE, trust.KIND_PAPER],
    }
    fields.update(changes)
    return trust.IssuerKey(**fields)


def trusting(*keys):
    return keys_only(keys or [key()], NOW + DAY)


def claims(health=None, **changes):
    """Claims of a green, tested holder; changes by the names of the claims in codes."""
    whole = {1: 0, 2: "张*三", 3: 0, 4: [0, NOW - DAY]}
    whole.update(health or {})
    fields = {
        "ISS": NAME,
        "SUB": b"s" * 16,
        "EXP": NOW + 9 * 3600,
        "IAT": NOW - 30,
        "CTI": b"c" * 8,
        "HEALTH": whole,
    }
    fields.update(changes)
    return {getattr(codes, name): value for name, value in fields.items()}


def code(payload=None, kid=KID, sign=ISSUER.sign):
    return codes.encode_ym1(payload or claims(), kid, sign).encode()
