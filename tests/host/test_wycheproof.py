"""Project Wycheproof's cases for ECDSA on P-256 with SHA-256, signatures as r‖s."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from batch import WAYS, verify
from conftest import need

CASES = 262


@pytest.mark.parametrize("way", WAYS)
def test_all_cases(way: str, testdata: Path, tmp_path: Path) -> None:
    path = testdata / "wycheproof" / "ecdsa_secp256r1_sha256_p1363_test.json"
    need(path.exists(), CASES, "no wycheproof test data")
    lines, tests = [], []
    for group in json.loads(path.read_text("utf-8"))["testGroups"]:
        assert (group["publicKey"]["curve"], group["sha"]) == ("secp256r1", "SHA-256")
        public_key = group["publicKey"]["uncompressed"].removeprefix("04")
        for test in group["tests"]:
            digest = hashlib.sha256(bytes.fromhex(test["msg"])).hexdigest()
            lines.append(f"{public_key} {digest} {test['sig']}")
            tests.append(test)
    assert len(tests) == CASES and {test["result"] for test in tests} == {"valid", "invalid"}
    answers = verify(way, lines, tmp_path)
    wrong = [
        (test["tcId"], test["comment"], test["result"])
        for test, answer in zip(tests, answers, strict=True)
        if (test["result"] == "valid") != (answer == "1")
    ]
    assert wrong == []
