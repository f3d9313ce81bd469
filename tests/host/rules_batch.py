"""Run by both interpreters: rules over cases, one JSON object per line in, one per line out.

    rules_batch.py FILE

In: records (hex) and data, or the parts of a code for rule_data.py. Out: [reason, verdict, priority, rule]
of each outcome.
"""

import json
import sys
from binascii import unhexlify

from firmware.core import rule_data, rules
from firmware.core.codes import Code, Person


def case_data(case):
    """The data of a case given as {now, scene, role, kind, issued, expires, companion, person fields}."""
    person = Person(b"s" * 16, "x", case["colour"])
    person.test = tuple(case["test"]) if case["test"] else None
    person.igg = tuple(case["igg"]) if case["igg"] else None
    person.arrival = tuple(case["arrival"]) if case["arrival"] else None
    person.groups = case["groups"]
    holder = Person(b"h" * 16, "x", 0) if case["companion"] else person
    code = Code(case["kind"], "i", b"c" * 8, case["issued"], case["expires"], [holder, person], b"")
    return {
        "code": rule_data.code_data(code, person),
        "payload": None,
        "external": rule_data.external_data(code, case["now"], case["scene"], "p", case["role"]),
    }


def main(path):
    with open(path) as lines:
        for line in lines:
            case = json.loads(line)
            data = case.get("data") or case_data(case["case"])
            found = rules.judge([unhexlify(record) for record in case["records"]], data)
            print(json.dumps([[one.reason, one.verdict, one.priority, one.rule] for one in found]))


if __name__ == "__main__":
    main(sys.argv[1])
