"""A code with any single byte changed never passes and never raises."""

from __future__ import annotations

from collections.abc import Callable, Generator

import pytest
from issuing import COMPANION, NOW, PAPER, claims, code, issuer_key

from firmware.core import codes, cose, p256, reasons
from firmware.core.packmemory import keys_only

TRUST = keys_only([issuer_key()], NOW + 86400)


def run(steps: Generator[None, None, codes.Checked]) -> codes.Checked:
    while True:
        try:
            next(steps)
        except StopIteration as e:
            return e.value


def check(text: bytes, verify_steps: Callable = p256.verify_steps) -> codes.Checked:
    return run(codes.check_steps(text, TRUST, NOW, verify_steps))


def only(good: tuple[bytes, bytes, bytes]) -> Callable:
    """A verifier that takes just what the good code made of key, digest and signature.

    So it sees every change that the encoding lets through, without the cost of 70,000 verifications.
    """

    def verify_steps(public_key: bytes, digest: bytes, signature: bytes) -> Generator[None, None, bool]:
        return (public_key, digest, signature) == good
        yield

    return verify_steps


CODES = {"live": code(), "party": code(claims({**PAPER, 3: 0, 7: [COMPANION] * 2}))}


@pytest.mark.parametrize("name", CODES)
def test_every_byte_at_every_value(name):
    text = CODES[name].encode()
    sign1 = codes.parse(codes.decode_base45(text[4:]), False)
    verify_steps = only((issuer_key().key, cose.sign1_digest(sign1), sign1.signature))
    assert check(text, verify_steps).reason == reasons.OK
    passed = []
    # The first code at every value; of the longer one, what a scanner's misreading and a flipped bit give.
    values = range(256) if name == "live" else (*b"0159AFKPUZ $%*+-./:", 0, 10, 97, 255)
    for at in range(len(text)):
        for value in values:
            if value != text[at]:
                checked = check(text[:at] + bytes([value]) + text[at + 1 :], verify_steps)
                if checked.reason == reasons.OK or checked.code is not None:
                    passed.append((at, value))
    assert passed == []


def test_every_byte_with_the_real_verifier():
    text = CODES["live"].encode()
    assert check(text).reason == reasons.OK
    seen = set()
    for at in range(len(text)):
        for value in {text[at] ^ 1, b"0:"[at & 1], 255} - {text[at]}:
            checked = check(text[:at] + bytes([value]) + text[at + 1 :])
            assert checked.code is None and checked.reason != reasons.OK, (at, value)
            seen.add(reasons.name_of(checked.reason))
    assert {"not_a_code", "damaged", "unknown_issuer", "bad_signature"} <= seen


@pytest.mark.parametrize("cut", [1, 3, 64, 200])
def test_truncated_and_repeated(cut):
    text = CODES["live"].encode()
    for bad in (text[:-cut], text[cut:], text + text[-cut:], text[:cut] + text, text + text):
        assert check(bad).reason != reasons.OK


def test_noise():
    # The bytes of a picture of something else, a code's prefix before them.
    noise = bytes((i * i * 31 + i * 7) & 255 for i in range(4092))
    alphabet = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"
    clean = bytes(alphabet[b % 45] for b in noise)
    for body in (noise, clean):
        for length in (0, 1, 2, 3, 9, 100, 1000, 4092):
            for prefix in (b"YM1:", b"HC1:", b""):
                assert check(prefix + body[:length]).reason != reasons.OK
