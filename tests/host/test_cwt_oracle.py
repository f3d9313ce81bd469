"""The town's codes and its EU certificate are CWTs that python-cwt, which knows nothing of Yima, verifies."""

from __future__ import annotations

import time
import zlib
from pathlib import Path

import base45
import cwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from host_tools.authority.app import Authority
from host_tools.authority.town import Trick, build
from host_tools.state import State


def cose_key(public: bytes, kid: bytes) -> cwt.COSEKey:
    """A verifying key from x‖y."""
    key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), b"\x04" + public)
    pem = key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return cwt.COSEKey.from_pem(pem, kid=kid)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(State(Path(tmp_path_factory.mktemp("state"))))


def keys_of(authority: Authority) -> list[cwt.COSEKey]:
    return [
        cose_key(issuer.public, issuer.kid)
        for issuer in (authority.keys.live, authority.keys.printed, authority.keys.neighbour)
    ]


def test_every_code_of_the_town(authority: Authority) -> None:
    now_unix = int(time.time())
    seen = 0
    for person in build().people:
        if person.trick in (Trick.POSTER, Trick.EU, Trick.YESTERDAY):
            continue
        for medium in person.media:
            text = authority.desk.show(person, now_unix, medium).text
            message = base45.b45decode(text[4:])
            if person.trick is Trick.FORGED:
                with pytest.raises(cwt.VerifyError):
                    cwt.decode(message, keys_of(authority))
                continue
            claims = cwt.decode(message, keys_of(authority))
            assert claims[2] == person.sub
            assert claims[-65537][2] == person.name
            seen += 1
    assert seen >= 15


def test_an_expired_code_is_expired_there_too(authority: Authority) -> None:
    person = next(p for p in build().people if p.trick is Trick.YESTERDAY)
    message = base45.b45decode(authority.desk.show(person, int(time.time())).text[4:])
    with pytest.raises(cwt.VerifyError, match=r"(?i)expired"):
        cwt.decode(message, keys_of(authority))


def test_the_eu_certificate_inflates_to_a_cwt(authority: Authority) -> None:
    person = next(p for p in build().people if p.trick is Trick.EU)
    text = authority.desk.show(person, int(time.time())).text
    message = zlib.decompress(base45.b45decode(text[4:]))
    certificate = authority.foreign.certificate_file.read_text()
    claims = cwt.decode(message, cwt.COSEKey.from_pem(certificate, kid=authority.foreign.kid))
    assert 1 in claims[-260]
