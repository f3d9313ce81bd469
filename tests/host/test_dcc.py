"""EU certificates of the public test data: each stage gives what the case states, under both interpreters."""

from __future__ import annotations

import base64
import datetime
import json
import zlib
from pathlib import Path

import pytest
from batch import INTERPRETERS, run
from conftest import need
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from firmware.core import base45, cbor, cose, trust

CASES = 51
# The data's flags and the stage of ours that each one speaks of. The others are about JSON, the schema, the
# certificate's key usage and the picture.
STAGES = {
    "EXPECTEDUNPREFIX": "unprefix",
    "EXPECTEDB45DECODE": "base45",
    "EXPECTEDCOMPRESSION": "inflate",
    "EXPECTEDDECODE": "parse",
    "EXPECTEDVERIFY": "signature",
}
# How often the data states each stage; a case lost on the way must show.
STATED = {"unprefix": 21, "base45": 18, "inflate": 19, "parse": 18, "signature": 25, "expiry": 12}


def trust_entry(certificate: x509.Certificate) -> list:
    """Fields of an issuer key made from a signer's certificate, as check_batch.py reads them."""
    key = certificate.public_key()
    kid = certificate.fingerprint(hashes.SHA256())[:8]
    validity = [
        int(certificate.not_valid_before_utc.timestamp()),
        int(certificate.not_valid_after_utc.timestamp()),
    ]
    alg, data, exponent = cose.ES384, b"", None
    if isinstance(key, rsa.RSAPublicKey):
        numbers = key.public_numbers()
        alg, data, exponent = cose.PS256, numbers.n.to_bytes(key.key_size // 8, "big"), numbers.e
    elif isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1):
        point = key.public_numbers()
        alg, data = cose.ES256, point.x.to_bytes(32, "big") + point.y.to_bytes(32, "big")
    return [kid.hex(), alg, data.hex(), "", *validity, [trust.KIND_DCC], exponent]


def clock(text: str) -> int:
    """Unix seconds of an ISO 8601 time."""
    if "." in text:
        text = text[: text.index(".")] + "+00:00"
    return int(datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp())


def line(text: str, now: int, certificate: x509.Certificate) -> str:
    return json.dumps({"text": text.encode().hex(), "now": now, "keys": [trust_entry(certificate)]})


@pytest.mark.parametrize("interpreter", INTERPRETERS)
def test_every_stage_of_every_case(interpreter: str, testdata: Path, tmp_path: Path) -> None:
    files = sorted((testdata / "dcc").glob("*/*.json"))
    need(bool(files), CASES, "no dcc test data")
    assert len(files) == CASES
    cases = [json.loads(file.read_text("utf-8")) for file in files]
    lines = []
    for case in cases:
        certificate = x509.load_der_x509_certificate(base64.b64decode(case["TESTCTX"]["CERTIFICATE"]))
        lines.append(line(case["PREFIX"], clock(case["TESTCTX"]["VALIDATIONCLOCK"]), certificate))
    stated = dict.fromkeys(STATED, 0)
    wrong = []
    for file, case, text in zip(
        files, cases, run(interpreter, "check_batch.py", lines, tmp_path), strict=True
    ):
        name, answer, expected = f"{file.parent.name}/{file.name}", json.loads(text), case["EXPECTEDRESULTS"]
        for flag, stage in STAGES.items():
            if flag not in expected:
                continue
            stated[stage] += 1
            got = stage in answer["stages"]
            if got != expected[flag]:
                wrong.append((name, stage, answer))
            if not expected[flag] and answer["reason"] == "ok":
                wrong.append((name, "accepted", answer))
        if "EXPECTEDEXPIRATIONCHECK" in expected:
            stated["expiry"] += 1
            in_time = answer["verdict"] == ["foreign_manual"]
            if in_time != expected["EXPECTEDEXPIRATIONCHECK"]:
                wrong.append((name, "expiry", answer))
            if in_time != (answer["reason"] == "ok"):
                wrong.append((name, "in time but refused, or the reverse", answer))
    assert wrong == []
    assert stated == STATED


@pytest.mark.parametrize("interpreter", INTERPRETERS)
def test_reasons_of_the_cases_that_say_most(interpreter: str, testdata: Path, tmp_path: Path) -> None:
    reasons = {
        "AT/1": "ok",
        "common/B1": "damaged",
        "common/CBO1": "damaged",
        "common/CBO2": "damaged",
        "common/CO1": "ok",
        "common/CO2": "ok",
        "common/CO5": "bad_signature",
        "common/CO22": "unknown_issuer",
        "common/CO23": "unknown_issuer",
        "common/H1": "not_a_code",
        "common/H2": "not_a_code",
        "common/H3": "not_a_code",
        "common/Z1": "damaged",
        "common/Z2": "damaged",
    }
    need((testdata / "dcc").exists(), len(reasons), "no dcc test data")
    lines = []
    for name in reasons:
        case = json.loads((testdata / "dcc" / f"{name}.json").read_text("utf-8"))
        certificate = x509.load_der_x509_certificate(base64.b64decode(case["TESTCTX"]["CERTIFICATE"]))
        lines.append(line(case["PREFIX"], clock(case["TESTCTX"]["VALIDATIONCLOCK"]), certificate))
    answers = [json.loads(text) for text in run(interpreter, "check_batch.py", lines, tmp_path)]
    assert [answer["reason"] for answer in answers] == list(reasons.values())
    assert answers[0]["name"] == "G. M."


@pytest.mark.parametrize("interpreter", INTERPRETERS)
def test_p384_signer(interpreter: str, tmp_path: Path) -> None:
    """The data has no P-384 signer, so one is made here: a good signature that the handheld cannot check."""
    key = ec.generate_private_key(ec.SECP384R1())
    now = datetime.datetime(2021, 6, 1, tzinfo=datetime.timezone.utc)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "EC-384")])
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + datetime.timedelta(days=1))
    ).sign(key, hashes.SHA384())
    hcert = {"ver": "1.3.0", "nam": {"fnt": "MUSTERFRAU"}, "dob": "1998-02-26", "v": [{}]}
    stamp = int(now.timestamp())
    payload = cbor.dumps({1: "AT", 4: stamp + 3600, 6: stamp, -260: {1: hcert}})
    for alg in (cose.ES384, cose.ES256):
        protected = cbor.dumps({cose.ALG: alg, cose.KID: certificate.fingerprint(hashes.SHA256())[:8]})
        signature = key.sign(cose.sig_structure(protected, payload), ec.ECDSA(hashes.SHA384()))
        message = zlib.compress(cose.encode_sign1(protected, payload, signature))
        (text,) = run(
            interpreter,
            "check_batch.py",
            [line("HC1:" + base45.encode(message), stamp + 60, certificate)],
            tmp_path,
        )
        answer = json.loads(text)
        assert answer["reason"] == "unsupported_key" and answer["stages"][-1] == "parse"
