"""Run by both interpreters: codes through every stage of the chain, one JSON object per line in and out.

    check_batch.py FILE

In: text (hex), now, keys (fields of trust.IssuerKey, bytes in hex). Out: stages passed, the reason of the
whole chain, and the reasons of the verdict with the same keys trusted at any time.
"""

import json
import sys
from binascii import unhexlify

sys.path.insert(0, __file__[: __file__.rfind("/host/")])

from notice import code_reasons

from firmware.core import codes, p256, reasons, trust
from firmware.core.packmemory import keys_only
from firmware.core.scene import Scene

ALWAYS = 0xFFFFFFFF


def run(steps):
    while True:
        try:
            next(steps)
        except StopIteration as e:
            return e.value


def stages(text, held):
    """Names of the stages passed, in order, by calling them one by one."""
    passed = []
    try:
        is_dcc, body = codes.unprefix(text)
        passed.append("unprefix")
        data = codes.decode_base45(body)
        passed.append("base45")
        if is_dcc:
            data = codes.inflate_body(data)
            passed.append("inflate")
        sign1 = codes.parse(data, is_dcc)
        codes.claims(sign1.payload, is_dcc)
        passed.append("parse")
        kid, alg = codes.kid_and_alg(sign1, is_dcc)
        keys = codes.usable_keys(held, kid, alg)
        run(codes.signer_steps(sign1, keys, p256.verify_steps))
        passed.append("signature")
    except codes.CodeError:
        pass
    return passed


def answer(case):
    keys = []
    for fields in case["keys"]:
        kid, alg, key, issuer, not_before, not_after, kinds, exponent = fields
        keys.append(
            trust.IssuerKey(
                unhexlify(kid), alg, unhexlify(key), issuer, not_before, not_after, kinds, exponent
            )
        )
    text, now = unhexlify(case["text"]), case["now"]
    held = keys_only(keys)
    out = {
        "stages": stages(text, held),
        "reason": reasons.name_of(run(codes.check_steps(text, held, now, p256.verify_steps)).reason),
        "verdict": None,
    }
    for key in keys:
        key.not_before_unix, key.not_after_unix = 0, ALWAYS
    held = keys_only(keys)
    code = run(codes.check_steps(text, held, now, p256.verify_steps)).code
    if code:
        found = code_reasons(code, code.people[0], Scene("transit"), now, held)
        out["verdict"] = [reasons.name_of(reason) for reason in found]
        out["name"] = code.people[0].name
    return out


def main(path):
    with open(path) as lines:
        for line in lines:
            print(json.dumps(answer(json.loads(line))))


if __name__ == "__main__":
    main(sys.argv[1])
