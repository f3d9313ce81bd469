"""Runs under MicroPython: the rules of a file over a good live code, N times, for whoever counts outside.

    ui_rules_mpy.py RULES N

RULES has one rule a line, in hexadecimal, as a pack carries it. Fails where a rule speaks against the code.
"""

import sys
from binascii import unhexlify

from firmware.core import codes, rule_data, rules
from firmware.core.codes import Code, Person

NOW_UNIX = 1_800_000_000


def main(path: str, count: int) -> None:
    """Judge so many times."""
    with open(path) as lines:
        records = [unhexlify(line.strip()) for line in lines]
    person = Person(b"s" * 16, "张*三", 0)
    person.test = (codes.RESULT_NEGATIVE, NOW_UNIX - 86_400)
    code = Code(codes.KIND_LIVE, "i", b"c" * 8, NOW_UNIX - 30, NOW_UNIX + 86_400, [person], b"")
    for _ in range(count):
        data = {
            "code": rule_data.code_data(code, person),
            "payload": None,
            "external": rule_data.external_data(code, NOW_UNIX, "registered_venue", "p", 0),
        }
        if rules.judge(records, data):
            sys.exit("a rule speaks against a good code")


main(sys.argv[1], int(sys.argv[2]))
